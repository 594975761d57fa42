"""What the queries of several kinds read: the rows of suspected orders by record, and the orders with what was paid for each."""

from evals.history.layout import MOMENTS, RECORDS, Layout

#: what is found, `other_id` empty where there is none
FOUND = """
create temp table found (
    kind varchar, subject varchar, other_id varchar, customer_id varchar, moment timestamp, money_cents bigint, says varchar
)
"""
#: the same in the order in which it is written, numbered from 1
EXCEPTIONS = "create temp table exceptions as select *, row_number() over (order by kind, subject, other_id) as number from found"


def kept(layout: Layout) -> list[str]:
    """SQL that makes `kept`, the rows of `suspects` and every cancellation and adjustment, and a view of each record of them."""
    moments = ", ".join(f"make_timestamp(epoch_us({moment})) as {moment}" for moment in MOMENTS)
    views = [
        f"create view {record}s as select *, {layout.origin} as origin from kept where record = '{record}'" for record in RECORDS
    ]
    return [
        f"create temp table kept as select * exclude (origin) replace ({moments}) from records "
        "where hash(order_id) in (from suspects)",
        *views,
    ]


def orders(layout: Layout) -> str:
    """SQL that makes `orders`, one row a suspected order, from its lines and charges; one line may tell what others do not."""
    return f"""
create temp table orders as
with placed as (
select order_id, any_value(customer_id) as customer_id, any_value(moment) as placed_at, any_value(status) as status,
    {layout.total_cents} as total_cents, any_value(line1) as line1, any_value(postal_code) as postal_code,
    coalesce(any_value(moved_to), any_value(promised_at)) as due, any_value(shipped_at) as shipped_at
from lines where order_id is not null group by order_id
), paid as (
select order_id,
    sum(amount_cents) filter (status in ('captured', 'refunded', 'disputed')) as gross_cents,
    sum(amount_cents - coalesce(refunded_cents, 0)) filter (status in ('captured', 'refunded', 'disputed')) as net_cents,
    sum(amount_cents) filter (status = 'captured') as captured_cents,
    count(*) filter (status in ('captured', 'refunded', 'disputed')) as taken,
    bool_or(status = 'disputed') as disputed,
    bool_or(status is null) as unknown_status, bool_or(amount_cents is null or status is null) as unknown_payment
from charges where order_id is not null group by order_id
)
select *, {layout.place} as place from placed left join paid using (order_id)
"""
