"""Open orders whose money is not secured: AUT-2, AUT-3."""

from evals.history.detectors.detector import IS_OPEN, Detector

AUTHORIZATION_SHORT = Detector(
    kind="authorization_short",
    definition="An open order (ORD-2 `unreleased_statuses`) whose newest authorization is expired, voided, declined or less than "
    "its total, or that has none; unless its captured charges cover the total.",
    needs=("order_id", "record_id", "at", "status", "amount_cents", "total_cents"),
    records=("authorization",),
    event=("order_exception", "order.payment_review"),
    sketch=(IS_OPEN,),
    suspects="is_open",
    query="""
with newest as (
    select order_id, max_by({id: record_id, status: status, cents: amount_cents, moment: moment}, (moment, record_id)) as one,
        bool_or(moment is null) as unknown
    from authorizations group by order_id
)
select o.order_id as subject, null as other_id, o.customer_id, coalesce(n.one.moment, o.placed_at) as moment,
    o.total_cents as money_cents,
    case when n.order_id is null then format('Order {} over {:.2f} has no authorization.', o.order_id, o.total_cents / 100)
    else format('Order {} over {:.2f}: its newest authorization {} is {}, over {:.2f}.', o.order_id, o.total_cents / 100,
                coalesce(n.one.id, '?'), coalesce(n.one.status, '?'), coalesce(n.one.cents, 0) / 100) end as says
from orders o left join newest n using (order_id)
where list_contains(getvariable('open_statuses'), o.status) and o.total_cents > coalesce(o.captured_cents, 0)
    and (n.order_id is null or n.one.status in ('expired', 'voided', 'declined') or n.one.cents < o.total_cents)
    and n.unknown is distinct from true and o.unknown_payment is distinct from true
""",
)
