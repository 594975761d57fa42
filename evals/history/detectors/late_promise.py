"""Orders that left after their promise."""

from evals.history.detectors.detector import Detector

LATE_PROMISE = Detector(
    kind="late_promise",
    definition="An order was shipped after `promised_at` (after `moved_to`, where the customer moved it), or is open or `ready` "
    "and the history ends after it. A cancelled order is none.",
    needs=("order_id", "at", "status", "promised_at", "shipped_at"),
    # one line may tell when it left, and another what was promised
    sketch=(
        """max(coalesce(shipped_at, case when status = 'ready' or list_contains(getvariable('open_statuses'), status)
            then getvariable('end_of_history') end)) > min(least(moved_to, promised_at)) as is_late""",
    ),
    suspects="is_late",
    query="""
select order_id as subject, null as other_id, customer_id, due as moment, total_cents as money_cents,
    format('Order {} was promised for {} and {}.', order_id, due,
           case when shipped_at is null then 'has not left' else format('left {} later', shipped_at - due) end) as says
from orders
where status is distinct from 'cancelled' and due < coalesce(shipped_at, case when status = 'ready'
    or list_contains(getvariable('open_statuses'), status) then getvariable('end_of_history') end)
""",
)
