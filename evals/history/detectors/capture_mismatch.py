"""Orders of which more or less is captured than is owed."""

from evals.history.detectors.detector import HAS_LEFT, Detector

CAPTURE_MISMATCH = Detector(
    kind="capture_mismatch",
    definition="An order is `shipped` or `delivered`, and what was charged for it is less than its total without what was "
    "cancelled of it, or what was charged and not given back is more. A double charge, an order with a disputed charge, "
    "and one without any charge are none.",
    needs=("order_id", "at", "status", "amount_cents", "refunded_cents", "total_cents"),
    records=("charge",),
    sketch=(HAS_LEFT,),
    # an order of which something is cancelled is suspected anyway
    suspects="has_left and (gross_cents < total_cents or net_cents > total_cents)",
    query="""
with owed as (
    select order_id, sum(qty * unit_price_cents) as cents, bool_or(qty is null or unit_price_cents is null) as unknown
    from cancellations group by order_id
)
select o.order_id as subject, null as other_id, o.customer_id, o.placed_at as moment,
    abs(case when o.gross_cents < o.total_cents - coalesce(w.cents, 0) then o.gross_cents else o.net_cents end
        - (o.total_cents - coalesce(w.cents, 0)))::bigint as money_cents,
    format('Order {} costs {:.2f}, of which {:.2f} is cancelled; {:.2f} was charged and {:.2f} given back.', o.order_id,
           o.total_cents / 100, coalesce(w.cents, 0) / 100, o.gross_cents / 100, (o.gross_cents - o.net_cents) / 100) as says
from orders o left join owed w using (order_id)
    anti join (from found where kind = 'double_charge') f on f.subject = o.order_id
where o.status in ('shipped', 'delivered') and o.taken > 0 and not o.unknown_payment and not o.disputed
    and w.unknown is distinct from true
    and (o.gross_cents < o.total_cents - coalesce(w.cents, 0) or o.net_cents > o.total_cents - coalesce(w.cents, 0))
""",
)
