"""Cancellations of what was not ordered."""

from evals.history.detectors.detector import Detector

CANCELLATION_WITHOUT_ORDER = Detector(
    kind="cancellation_without_order",
    definition="A cancellation takes away more of a SKU than is left, at that moment and after those before it, of the order "
    "that it names; where cancellations name none, of all that the customer ordered in the history until then. "
    "The subject is the cancellation, the other the SKU.",
    needs=("order_id", "record_id", "at", "sku", "qty"),
    records=("cancellation",),
    suspects="origin in (select origin from movements where record = 'cancellation')",
    query="""
with cancelled as (
    from cancellations where origin is not null and sku is not null and qty is not null and record_id is not null
), moves as (
    select origin, sku, moment, 0 as rank, '' as record_id, qty, null as customer_id, null as unit_price_cents
    from lines semi join cancelled using (origin, sku) where qty > 0
    union all
    select origin, sku, moment, 1, record_id, -qty, customer_id, unit_price_cents from cancelled
), balanced as (
    select *, sum(qty) over (
        partition by origin, sku order by moment, rank, record_id rows between unbounded preceding and current row
    ) as left_over
    from moves
)
select record_id as subject, sku as other_id, any_value(customer_id) as customer_id, min(moment) as moment,
    sum(least(-left_over, -qty) * unit_price_cents)::bigint as money_cents,
    format('{} cancels {} of {}, {} more than were left of {}.', record_id, -sum(qty)::bigint, sku,
           sum(least(-left_over, -qty))::bigint, any_value(origin)) as says
from balanced where rank = 1 and left_over < 0 group by record_id, sku
""",
)
