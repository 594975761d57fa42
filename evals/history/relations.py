"""What the queries of several kinds read: the rows by record, and the orders with what was paid for each."""

from evals.history.layout import RECORDS, Layout

#: columns that only lines have
_OF_LINES = ("total_cents", "line1", "postal_code", "promised_at", "moved_to", "shipped_at")


def relations(layout: Layout, rows: str) -> list[str]:
    """SQL that makes `records`, all rows; `lines` of them; and of the other records, which are fewer, a table and its views."""
    others = [
        f"create view {record[:-1] + 'ies' if record.endswith('y') else record + 's'} as from others where record = '{record}'"
        for record in RECORDS
        if record != "line"
    ]
    return [
        f"create view records as {layout.view(rows)}",
        "create view lines as from records where record = 'line'",
        f"create temp table others as select * exclude ({', '.join(_OF_LINES)}) from records"
        " where record is distinct from 'line'",
        *others,
    ]


def orders(layout: Layout) -> str:
    """SQL that makes `orders`, one row an order, from its lines and charges wherever in the file they stand.

    goods       the sum over its lines of quantity times a 64-bit hash of the SKU, in 128 bits: two orders have the same
                if they have the same quantity of every SKU, and otherwise with a chance of about 1 in 2^64
    place       a hash of customer and address (where the history has one); null where one of them is not known
    line_bits   a bit for each line by a hash of what repeated lines have in common
    """
    whole_address = [column for column in ("line1", "postal_code") if column in layout.columns]
    known = " and ".join(f"{column} is not null" for column in ("customer_id", *whole_address))
    place = f"any_value(hash({', '.join(('customer_id', *whole_address))})) filter ({known})"
    total = "any_value(total_cents)" if "total_cents" in layout.columns else "sum(qty * unit_price_cents)::bigint"
    return f"""
create temp table orders as
with placed as (
select order_id, any_value(customer_id) as customer_id, any_value(moment) as placed_at, any_value(status) as status,
    {total} as total_cents, {place} as place,
    case when count(sku) = count(*) and count(qty) = count(*) then sum(hash(sku)::hugeint * qty) end as goods,
    count(*) as lines, bit_or(1::ubigint << (hash(sku, qty, unit_price_cents, location) % 64)) as line_bits
from lines where order_id is not null group by order_id
), paid as (
select order_id,
    sum(amount_cents) filter (status in ('captured', 'refunded', 'disputed')) as gross_cents,
    sum(amount_cents - coalesce(refunded_cents, 0)) filter (status in ('captured', 'refunded', 'disputed')) as net_cents,
    sum(amount_cents) filter (status = 'captured') as captured_cents,
    count(*) filter (status in ('captured', 'refunded', 'disputed')) as taken,
    bool_or(status = 'disputed') as disputed,
    bool_or(amount_cents is null or status is null) as unknown_payment
from charges where order_id is not null group by order_id
)
from placed left join paid using (order_id)
"""


#: what is found, `other_id` empty where there is none
FOUND = """
create temp table found (
    kind varchar, subject varchar, other_id varchar, customer_id varchar, moment timestamp, money_cents bigint, says varchar
)
"""
