"""Which orders may be exceptional, told by a few numbers of each: the rows of all others are not looked at again."""

from collections.abc import Sequence

from evals.history.detectors.detector import Detector
from evals.history.layout import Layout


def sketches(layout: Layout, looked_for: Sequence[Detector]) -> list[str]:
    """SQL that makes `sketches`, one row an order, from its lines wherever in the history they stand, and `movements`, all else.

    Orders and customers are the hashes of their ids, of 64 bits: short keys, of which ten million orders share one with a chance
    of 1 in 300,000. A sketch has the customer, the total, and what the detectors want to know. Each condition of a pass over the
    file costs time, so rows without an order are let in.
    """
    # xor makes the hash of null 0, and any other greater, where a condition would take longer
    unknown = "hash(null::varchar)"
    customer = f"xor(nullif(max(xor(hash(customer_id), {unknown})), 0), {unknown})"
    wanted = dict.fromkeys(one for detector in looked_for for one in detector.sketch)
    told = ", ".join([f"{customer} as customer_id", f"{layout.total_cents} as total_cents", *wanted])
    return [
        f"""
create temp table sketches as
select hash(order_id) as order_id, {told} from records where record = 'line' group by hash(order_id)
""",
        """
create temp table movements as
select record, hash(order_id) as order_id, hash(origin) as origin, status, amount_cents, refunded_cents
from records where record <> 'line'
""",
    ]


def suspects(layout: Layout, looked_for: Sequence[Detector]) -> list[str]:
    """SQL that makes `suspects`, the orders that a detector suspects, and those of cancellations and adjustments; and keeps their
    sketches alone.

    Beside the sketch of an order a detector sees what was paid for it:

    takings      charges that are captured, refunded or disputed; captures, those that are captured
    gross_cents  what came in by its takings; net_cents without what was given back of them
    is_below_0   one of them is less than nothing
    """
    conditions = dict.fromkeys(f"({detector.suspects})" for detector in looked_for)
    return [
        f"""
create temp table suspects as
with paid as (
    select order_id, count(*) as takings, count_if(status = 'captured') as captures,
        sum(amount_cents) as gross_cents, sum(amount_cents - coalesce(refunded_cents, 0)) as net_cents,
        min(amount_cents) < 0 as is_below_0
    from movements where record = 'charge' and status in ('captured', 'refunded', 'disputed') group by order_id
), known as (
    select *, {layout.origin} as origin from sketches left join paid using (order_id) where order_id <> hash(null::varchar)
)
select order_id from known where {" or ".join(conditions) or "false"}
union all
select order_id from movements where record in ('cancellation', 'adjustment')
""",
        "drop table movements",
        "delete from sketches where order_id not in (from suspects)",
    ]
