"""Orders that are charged twice: REF-1."""

from evals.history.detectors.detector import Detector

DOUBLE_CHARGE = Detector(
    kind="double_charge",
    definition="Two captured charges on one order of the same amount, at most REF-1 `apart_hours` apart, that together exceed "
    "the order total, and something is left of the later one. The other is the later charge.",
    needs=("order_id", "record_id", "at", "status", "amount_cents", "refunded_cents", "total_cents"),
    records=("charge",),
    # two of one amount that exceed the total, whatever else was charged: unless that is negative
    suspects="captures > 1 and (gross_cents > total_cents or is_below_0)",
    query="""
with captured as (
    select order_id, record_id, amount_cents, min(moment) as moment, max(refunded_cents) as refunded_cents
    from charges where status = 'captured' and amount_cents is not null and record_id is not null
    group by order_id, record_id, amount_cents
), ordered as (
    select *, lag(record_id) over same as earlier, lag(moment) over same as earlier_at
    from captured semi join (select order_id, amount_cents from captured group by all having count(*) > 1)
        using (order_id, amount_cents)
    window same as (partition by order_id, amount_cents order by moment, record_id)
)
select c.order_id as subject, c.record_id as other_id, o.customer_id, c.moment as moment,
    c.amount_cents - coalesce(c.refunded_cents, 0) as money_cents,
    format('Order {} is charged {:.2f} by {} and again by {}, {} later; its total is {:.2f}.',
           c.order_id, c.amount_cents / 100, c.earlier, c.record_id, c.moment - c.earlier_at, o.total_cents / 100) as says
from ordered c join orders o using (order_id)
where c.moment - c.earlier_at <= to_hours(getvariable('apart_hours')) and 2 * c.amount_cents > o.total_cents
    and c.amount_cents > coalesce(c.refunded_cents, 0)
""",
)
