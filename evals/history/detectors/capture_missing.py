"""Orders that have left and are not charged: CAP-1."""

from evals.history.detectors.detector import HAS_LEFT, Detector

CAPTURE_MISSING = Detector(
    kind="capture_missing",
    definition="An order is `shipped` or `delivered`, and the history has no charge of it that is "
    "captured, refunded or disputed.",
    needs=("order_id", "at", "status"),
    records=("charge",),
    event=("order_exception", "order.capture_failed"),
    sketch=(HAS_LEFT,),
    suspects="has_left and takings is null",
    query="""
select order_id as subject, null as other_id, customer_id, placed_at as moment, total_cents as money_cents,
    format('Order {} is {} and nothing is captured for it.', order_id, status) as says
from orders where coalesce(taken, 0) = 0 and status in ('shipped', 'delivered') and unknown_status is distinct from true
""",
)
