"""Lines that stand in an order more than once."""

from evals.history.detectors.detector import Detector

REPEATED_LINE = Detector(
    kind="repeated_line",
    definition="An order has two or more lines of the same SKU, quantity, unit price and location (where the history has one). "
    "The other is the SKU; the money is what stands there too often.",
    needs=("order_id", "at", "sku", "qty", "unit_price_cents"),
    suspects="repeats",
    query="""
with repeated as (
    select order_id, sku, qty, unit_price_cents, count(*) as times
    from lines semi join (from sketches where repeats) s on hash(lines.order_id) = s.order_id
    where sku is not null and qty is not null and unit_price_cents is not null
    group by order_id, sku, qty, unit_price_cents, location having times > 1
)
select order_id as subject, sku as other_id, any_value(customer_id) as customer_id, any_value(placed_at) as moment,
    sum((times - 1) * qty * unit_price_cents)::bigint as money_cents,
    format('Order {} has the line of {} {} times.', order_id, sku, max(times)) as says
from repeated join orders using (order_id) group by order_id, sku
""",
)
