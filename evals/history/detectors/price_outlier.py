"""Lines at a price that cannot be right."""

from evals.history.detectors.detector import Detector

PRICE_OUTLIER = Detector(
    kind="price_outlier",
    definition="A line costs more than `price_factor` times the usual price of its SKU, or less than one part in `price_factor` "
    "of it, and is not free. The usual price is the median over its lines in the history (of an even number the lower one); a "
    "SKU has one when it has at least `price_lines` lines at a price above 0, and nine in ten of them within that factor. "
    "The other is the SKU.",
    needs=("order_id", "at", "sku", "qty", "unit_price_cents"),
    # counted by price first: there are far fewer prices than lines, and the median of counts is exact
    prepared="""
create temp table odd_prices as
with prices as (
    from (select sku, unit_price_cents as price, count(*) as times from records where record = 'line' group by all)
    where price > 0 and sku is not null
), counted as (
    select *, sum(times) over (partition by sku order by price) as up_to, sum(times) over (partition by sku) as all_times
    from prices
), usual as (
    select sku, min(price) as usual from counted where 2 * up_to >= all_times group by sku
), steady as (
    select sku, any_value(usual) as usual
    from prices join usual using (sku)
    group by sku
    having sum(times) >= getvariable('price_lines')
        and 10 * sum(times) filter (price <= getvariable('price_factor') * usual and price * getvariable('price_factor') >= usual)
            >= 9 * sum(times)
)
select sku, price as unit_price_cents, usual from prices join steady using (sku)
where price > getvariable('price_factor') * usual or price * getvariable('price_factor') < usual
""",
    sketch=("""bool_or(hash(sku, unit_price_cents) in (select hash(sku, unit_price_cents) from odd_prices)) as has_odd_price""",),
    suspects="has_odd_price",
    query="""
select order_id as subject, sku as other_id, any_value(orders.customer_id) as customer_id, any_value(placed_at) as moment,
    sum(abs(unit_price_cents - usual) * abs(qty))::bigint as money_cents,
    format('Order {} has {} at {:.2f}, which usually costs {:.2f}.', order_id, sku,
           max(unit_price_cents) / 100, any_value(usual) / 100) as says
from lines join odd_prices using (sku, unit_price_cents) join orders using (order_id) group by order_id, sku
""",
)
