"""The kinds of exceptions that are looked for in a history (`detectors.yaml` beside this file), and what their queries read.

Which orders may be exceptional follows from a few numbers of each; the rows of all other orders are not looked at again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from evals.history.layout import MOMENTS, RECORDS, Layout
from strict_yaml import read_yaml


class Detector(BaseModel):
    """One kind of exception in a history; see the head of detectors.yaml for the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    definition: str
    needs: tuple[str, ...]
    records: tuple[str, ...] = ()
    event: tuple[str, str] | None = None
    prepared: str | None = None
    sketch: tuple[str, ...] = ()
    suspects: str
    query: str


class _Detectors(RootModel[tuple[Detector, ...]]):
    @model_validator(mode="before")
    @classmethod
    def _name_kinds(cls, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"kind": kind, **fields} for kind, fields in data.items()]


DETECTORS = (
    read_yaml(Path(__file__).with_name("detectors.yaml"), "definition of exceptions").as_model(_Detectors, "its head").root
)


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
    columns = ", ".join([f"{customer} as customer_id", f"{layout.total_cents} as total_cents", *wanted])
    return [
        f"""
create temp table sketches as
select hash(order_id) as order_id, {columns} from records where record = 'line' group by hash(order_id)
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


#: what is found, `other_id` empty where there is none
FOUND = """
create temp table found (
    kind varchar, subject varchar, other_id varchar, customer_id varchar, moment timestamp, money_cents bigint, says varchar
)
"""
#: the same in the order in which it is written, numbered from 1
EXCEPTIONS = "create temp table exceptions as select *, row_number() over (order by kind, subject, other_id) as number from found"


def kept(layout: Layout) -> list[str]:
    """SQL that makes `kept`, the rows of `suspects` and every cancellation and adjustment, and a view of each record of them."""
    moments = ", ".join(f"make_timestamp(epoch_us({moment})) as {moment}" for moment in MOMENTS)
    views = [
        f"create view {record}s as select *, {layout.origin} as origin from kept where record = '{record}'" for record in RECORDS
    ]
    return [
        f"create temp table kept as select * exclude (origin) replace ({moments}) from records "
        "where hash(order_id) in (from suspects)",
        *views,
    ]


def orders(layout: Layout) -> str:
    """SQL that makes `orders`, one row a suspected order, from its lines and charges; one line may tell what others do not."""
    return f"""
create temp table orders as
with placed as (
select order_id, any_value(customer_id) as customer_id, any_value(moment) as placed_at, any_value(status) as status,
    {layout.total_cents} as total_cents, any_value(line1) as line1, any_value(postal_code) as postal_code,
    coalesce(any_value(moved_to), any_value(promised_at)) as due, any_value(shipped_at) as shipped_at
from lines where order_id is not null group by order_id
), paid as (
select order_id,
    sum(amount_cents) filter (status in ('captured', 'refunded', 'disputed')) as gross_cents,
    sum(amount_cents - coalesce(refunded_cents, 0)) filter (status in ('captured', 'refunded', 'disputed')) as net_cents,
    sum(amount_cents) filter (status = 'captured') as captured_cents,
    count(*) filter (status in ('captured', 'refunded', 'disputed')) as taken,
    bool_or(status = 'disputed') as disputed,
    bool_or(status is null) as unknown_status, bool_or(amount_cents is null or status is null) as unknown_payment
from charges where order_id is not null group by order_id
)
select *, {layout.place} as place from placed left join paid using (order_id)
"""
