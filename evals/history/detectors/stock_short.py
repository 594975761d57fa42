"""Open orders that their own place cannot fill: STK-1."""

from evals.history.detectors.detector import IS_OPEN, Detector

STOCK_SHORT = Detector(
    kind="stock_short",
    definition="The lines of an open order (ORD-2 `unreleased_statuses`) ask for more of a SKU at a location than "
    "`on_hand - reserved - safety_stock` was there when it was placed. The other is the SKU.",
    needs=("order_id", "at", "status", "sku", "qty", "location", "on_hand", "reserved", "safety_stock"),
    event=("order_exception", "order.stock_short"),
    sketch=(IS_OPEN,),
    suspects="is_open",
    query="""
with asked as (
    select order_id, sku, location, sum(qty) as asked, min(on_hand - reserved - safety_stock) as available,
        max(unit_price_cents) as unit_price_cents
    from lines join (select order_id, status as state from orders) using (order_id)
    where list_contains(getvariable('open_statuses'), state) and sku is not null and location is not null
    group by order_id, sku, location having asked > available and asked > 0
)
select order_id as subject, sku as other_id, any_value(customer_id) as customer_id, any_value(placed_at) as moment,
    sum((asked - greatest(available, 0)) * unit_price_cents)::bigint as money_cents,
    format('Order {} asks for {} of {} at {}, which had {} to promise.', order_id, sum(asked)::bigint, sku,
           string_agg(location, ', ' order by location), sum(available)::bigint) as says
from asked join orders using (order_id) group by order_id, sku
""",
)
