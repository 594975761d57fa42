"""Lines that stand in an order more than once."""

from evals.history.detectors.detector import Detector

# each line sets one of 64 bits by its SKU, and there are fewer bits than lines where a SKU is repeated, and by chance; of
# the orders in which none is, about one of a hundred has fewer each of the four times
_IS_SHORT_OF_BITS = [f"bit_count(bit_or(1::ubigint << (hash(sku) >> {shift} & 63))) < count(*)" for shift in (0, 6, 12, 18)]

REPEATED_LINE = Detector(
    kind="repeated_line",
    definition="An order has two or more lines of the same SKU, quantity, unit price and location (where the history has one). "
    "The other is the SKU; the money is what stands there too often.",
    needs=("order_id", "at", "sku", "qty", "unit_price_cents"),
    sketch=(f"{' and '.join(_IS_SHORT_OF_BITS)} as repeats",),
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
