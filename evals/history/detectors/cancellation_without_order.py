"""Cancellations of what was not ordered."""

from evals.history.detectors.detector import Detector

CANCELLATION_WITHOUT_ORDER = Detector(
    kind="cancellation_without_order",
    definition="A cancellation takes away more of a SKU than is left, at that moment and after those before it, of the order "
    "that it names; where cancellations name none, of all that the customer ordered in the history until then. "
    "Lines of less than one piece are not counted. The subject is the cancellation, the other the SKU.",
    needs=("order_id", "record_id", "at", "sku", "qty"),
    records=("cancellation",),
    suspects="origin in (select origin from movements where record = 'cancellation')",
    query="""
with cancelled as (
    from cancellations
    where origin is not null and sku is not null and moment is not null and qty is not null and record_id is not null
), moves as (
    select origin, sku, coalesce(moment, placed_at) as moment, 0 as rank, '' as record_id, qty, null as customer_id,
        null as unit_price_cents
    from lines semi join cancelled using (origin, sku) left join (select order_id, placed_at from orders) using (order_id)
    where qty > 0 or qty is null
    union all
    select origin, sku, moment, 1, record_id, -qty, customer_id, unit_price_cents from cancelled
), balanced as (
    select *, sum(qty) over so_far as left_over, bool_or(qty is null) over so_far as unknown
    from moves window so_far as (
        partition by origin, sku order by moment nulls first, rank, record_id, qty desc
        rows between unbounded preceding and current row
    )
)
select record_id as subject, sku as other_id, any_value(customer_id) as customer_id, min(moment) as moment,
    sum(least(-left_over, -qty) * unit_price_cents)::bigint as money_cents,
    format('{} cancels {} of {}, {} more than were left of {}.', record_id, -sum(qty)::bigint, sku,
           sum(least(-left_over, -qty))::bigint, any_value(origin)) as says
from balanced where qty < 0 and left_over < 0 and not unknown group by record_id, sku
""",
)
