"""Orders that left after their promise."""

from evals.history.detectors.detector import Detector

LATE_PROMISE = Detector(
    kind="late_promise",
    definition="An order was shipped after `promised_at` (after `moved_to`, where the customer moved it), or is open or `ready` "
    "and the history ends after it. A cancelled order is none.",
    needs=("order_id", "at", "status", "promised_at", "shipped_at"),
    sketch=(
        """bool_or(coalesce(shipped_at, case when status = 'ready' or list_contains(getvariable('open_statuses'), status)
            then getvariable('end_of_history') end) > coalesce(moved_to, promised_at)) as is_late""",
    ),
    suspects="is_late",
    query="""
with due as (
    select order_id, shipped_at, coalesce(moved_to, promised_at) as due, coalesce(shipped_at, case when status = 'ready'
        or list_contains(getvariable('open_statuses'), status) then getvariable('end_of_history') end) as left_at
    from lines where status is distinct from 'cancelled'
)
select order_id as subject, null as other_id, any_value(customer_id) as customer_id, min(due) as moment,
    any_value(total_cents) as money_cents,
    format('Order {} was promised for {} and {}.', order_id, min(due),
           case when max(shipped_at) is null then 'has not left'
           else format('left {} later', max(shipped_at) - min(due)) end) as says
from due join orders using (order_id) where left_at > due group by order_id
""",
)
