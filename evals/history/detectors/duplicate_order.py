"""Orders that repeat an earlier one: DUP-1."""

from evals.history.detectors.detector import Detector

#: SQL of what the sketches of several orders have in common
_ALIKE = "select hash(customer_id, goods) as alike from sketches where customer_id is not null group by alike having count(*) > 1"

DUPLICATE_ORDER = Detector(
    kind="duplicate_order",
    definition="The same customer placed an order with the same quantity of every SKU (none of it is as many as 0), "
    "to the same `line1` and `postal_code` (where the history has these columns), at most DUP-1 `window_minutes` before, "
    "and neither is cancelled. The subject is the later one, of equal times the one with the higher id.",
    needs=("order_id", "customer_id", "at", "sku", "qty"),
    event=("order_exception", "order.duplicate_suspected"),
    # the sum over the lines of quantity times a hash of the SKU, modulo 2^32: of the same goods it is the same
    sketch=("sum((hash(sku) >> 40)::bigint * (qty & 4294967295)) & 4294967295::hugeint as goods",),
    suspects=f"hash(customer_id, goods) in ({_ALIKE})",
    # all of the same goods: by a 64-bit hash of each SKU, in 128 bits, so that others have it with a chance of about 1 in 2^64
    query=f"""
with likely as (
    select order_id from sketches where hash(customer_id, goods) in ({_ALIKE})
), bought as (
    select order_id, sum(hash(sku)::hugeint * qty) as goods
    from lines semi join likely on hash(lines.order_id) = likely.order_id
    group by order_id having count(sku) = count(*) and count(qty) = count(*)
), candidates as (
    from bought join orders using (order_id) where place is not null and status is distinct from 'cancelled'
), ordered as (
    select *, lag(order_id) over near as earlier, lag(placed_at) over near as earlier_at
    from candidates window near as (partition by customer_id, place, goods order by placed_at, order_id)
)
select order_id as subject, earlier as other_id, customer_id, placed_at as moment, total_cents as money_cents,
    format('Order {{}} repeats order {{}}, placed {{}} before it: same customer and goods{{}}.',
           order_id, earlier, placed_at - earlier_at, getvariable('and_address')) as says
from ordered
where placed_at - earlier_at <= to_minutes(getvariable('window_minutes'))
""",
)
