"""Which orders may be exceptional, told by a few numbers of each: the rows of all others are not looked at again."""

from collections.abc import Sequence

from evals.history.detectors.detector import Detector
from evals.history.layout import Layout

#: a line sets one of 64 bits in each of these, by what repeated lines have in common
_SHIFTS = (0, 6, 12, 18)
_BITS = [
    f"bit_or(1::ubigint << (hash(sku, qty, unit_price_cents, location) >> {shift} & 63)) as bits_{shift}" for shift in _SHIFTS
]


def sketches(layout: Layout) -> str:
    """SQL that makes `sketches`, one row an order, from its lines and charges wherever in the history they stand.

    Orders and customers are the hashes of their ids, of 64 bits: short keys, of which ten million orders share one with a chance
    of 1 in 300,000.

    goods       the sum over the lines of quantity times a hash of the SKU, modulo 2^32: of the same goods it is the same
    repeats     fewer bits than lines: so it is where a line is repeated, and in about one of a hundred other orders
    given_back  something was cancelled or refunded, or an amount is negative
    """
    return f"""
create temp table sketches as
with ordered as (
    select hash(order_id) as order_id, max(nullif(hash(customer_id), hash(null::varchar))) as customer_id,
        sum((hash(sku) >> 40)::bigint * (qty & 4294967295)) % 4294967296 as goods, {layout.total_cents} as total_cents,
        bool_or(list_contains(getvariable('open_statuses'), status)) as is_open,
        bool_or(status in ('shipped', 'delivered')) as has_left,
        bool_or(coalesce(shipped_at, case when status = 'ready' or list_contains(getvariable('open_statuses'), status)
            then getvariable('end_of_history') end) > coalesce(moved_to, promised_at)) as is_late,
        count(*) as lines, {", ".join(_BITS)}
    from records where record = 'line' and order_id is not null group by hash(order_id)
), paid as (
    select hash(order_id) as order_id,
        count_if(status in ('captured', 'refunded', 'disputed')) as takings,
        sum(case when status in ('captured', 'refunded', 'disputed') then amount_cents end) as charged_cents,
        bool_or(record = 'cancellation' or refunded_cents <> 0 or amount_cents < 0) as given_back
    from records where record in ('charge', 'cancellation') and order_id is not null group by hash(order_id)
)
select order_id, customer_id, {layout.origin} as origin, goods, total_cents, is_open, has_left, is_late,
    greatest({", ".join(f"bit_count(bits_{shift})" for shift in _SHIFTS)}) < lines as repeats,
    coalesce(takings, 0) as takings, charged_cents, coalesce(given_back, false) as given_back
from ordered left join paid using (order_id)
"""


def suspects(looked_for: Sequence[Detector]) -> str:
    """SQL that makes `suspects`, the orders that a detector suspects, and those of cancellations and adjustments."""
    conditions = dict.fromkeys(f"({detector.suspects})" for detector in looked_for)
    return f"""
create temp table suspects as
select order_id from sketches where {" or ".join(conditions)}
union all
select hash(order_id) from records where record in ('cancellation', 'adjustment')
"""
