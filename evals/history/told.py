"""What the history tells of an exception, as the systems of a recorded exception: for those that a Mission handles.

What the history does not tell is null: a field, or a system of which it has nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from evals.history.detectors.detector import Detector
from evals.history.layout import Layout

_SHELVES = "stock_adjustment"
#: of `exceptions` that are none for a Mission
UNTOLD = "create or replace temp table cases (number bigint, told varchar)"


def told_of(looked_for: Sequence[Detector], layout: Layout) -> list[Detector]:
    """Those whose exceptions are cases for a Mission."""
    # a correction names its shelf, and whose status is known tells which orders count on it
    has_shelves = {"location", "status"} <= layout.columns.keys()
    return [detector for detector in looked_for if detector.event and (has_shelves or detector.kind != _SHELVES)]


def concern(detector: Detector) -> str:
    """SQL that makes `concerned`: the orders that each case of a kind tells of."""
    if detector.kind == _SHELVES:
        concerned = """
select distinct e.number, l.order_id from exceptions e join lines l on l.sku || '@' || l.location = e.subject
where e.kind = 'stock_adjustment' and list_contains(getvariable('open_statuses'), l.status)
"""
    else:
        concerned = f"select number, subject as order_id from exceptions where kind = '{detector.kind}'"
    if detector.kind == "duplicate_order":
        concerned += " union all select number, other_id from exceptions where kind = 'duplicate_order'"
    return f"create or replace temp table concerned as {concerned}"


def tell(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> list[str]:
    """SQL that makes `cases` of exceptions of a kind: their number, and `told`, the JSON of a recorded exception without its id.

    Args:
        as_of: the moment at which the cases are looked at.
        has_payments: whether the history tells of any.
        here: SQL of a condition on the number.
    """
    cases = _shelf_cases if detector.kind == _SHELVES else _order_cases
    at_hand = f"create or replace temp table at_hand as from concerned where {here}"
    return [
        at_hand,
        _TOLD_ORDERS,
        _TOLD_PAYMENTS,
        f"create or replace temp table cases as {cases(detector, as_of, has_payments, here)}",
    ]


def _moment(sql: str) -> str:
    return f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ')"


#: the JSON of each record is written once and put together as text, which is far quicker than JSON of nested lists
_TOLD_ORDERS = f"""
create or replace temp table told_orders as
with written as (
    select *,
        to_json({{
            line_id: record_id, sku: sku, qty: qty, unit_price_cents: unit_price_cents, location: location}})::varchar as line,
        case when on_hand is not null then to_json({{
            sku: sku, location: location, on_hand: on_hand, reserved: reserved, safety_stock: safety_stock,
            last_counted_at: null, failed_picks_14d: null}})::varchar end as shelf
    from lines semi join at_hand using (order_id)
), gathered as (
    select order_id, list_sort(list({{id: record_id, line: line, shelf: shelf}})) as rows,
        to_json({{
            order_id: order_id, customer_id: any_value(customer_id), status: any_value(status),
            created_at: {_moment("any_value(moment)")},
            promised_at: {_moment("coalesce(any_value(moved_to), any_value(promised_at))")}}})::varchar as head,
        to_json({{
            ship_to: case when any_value(line1) is null and any_value(postal_code) is null then null else {{
                name: null, line1: any_value(line1), city: null, region: null, postal_code: any_value(postal_code),
                country: null}} end,
            total_cents: any_value(total_cents)}})::varchar as tail
    from written group by order_id
)
select order_id,
    concat(left(head, -1), ',"lines":[', array_to_string([row.line for row in rows], ','), '],', substr(tail, 2)) as told,
    nullif(array_to_string([row.shelf for row in rows], ','), '') as stock
from gathered
"""
_TOLD_PAYMENTS = f"""
create or replace temp table told_payments as
with written as (
    select order_id, record, record_id, moment, to_json({{
        auth_id: record_id, amount_cents: amount_cents, status: status, authorized_at: {_moment("moment")},
        expires_at: null}})::varchar as told
    from authorizations semi join at_hand using (order_id)
    union all
    select order_id, record, record_id, moment, to_json({{
        charge_id: record_id, amount_cents: amount_cents, status: status, captured_at: {_moment("moment")},
        refunded_cents: refunded_cents}})::varchar
    from charges semi join at_hand using (order_id)
)
select order_id, concat(
    '{{"order_id":', to_json(order_id), ',"on_hold":null,"authorizations":[',
    string_agg(told, ',' order by moment, record_id) filter (record = 'authorization'), '],"charges":[',
    string_agg(told, ',' order by moment, record_id) filter (record = 'charge'), '],"fraud":null}}') as told
from (select distinct order_id from at_hand) left join written using (order_id)
group by order_id
"""


def _order_cases(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> str:
    stock = "string_agg(o.stock, ',' order by c.order_id)"
    return f"""
select e.number, {_case(detector, as_of, "{order_id: any_value(e.subject)}", has_payments, stock)} as told
from (from exceptions where {here}) e join at_hand c using (number)
    join told_orders o using (order_id) left join told_payments p using (order_id)
group by e.number
"""


def _shelf_cases(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> str:
    stock = f"""to_json({{
        sku: any_value(a.sku), location: any_value(a.location), on_hand: any_value(a.on_hand), reserved: any_value(a.reserved),
        safety_stock: any_value(a.safety_stock), last_counted_at: {_moment("any_value(a.moment)")},
        last_counted_qty: any_value(a.on_hand + a.qty), failed_picks_14d: null}})"""
    trigger = "{sku: any_value(a.sku), location: any_value(a.location)}"
    return f"""
select e.number, {_case(detector, as_of, trigger, has_payments, stock)} as told
from (from exceptions where {here}) e join adjustments a on a.record_id = e.other_id and a.sku || '@' || a.location = e.subject
    left join at_hand c using (number)
    left join told_orders o on o.order_id = c.order_id left join told_payments p on p.order_id = c.order_id
where a.qty < 0 group by e.number
"""


def _case(detector: Detector, as_of: datetime, subject: str, has_payments: bool, stock: str) -> str:
    """SQL of a recorded exception; `subject` is a struct of what names it, `stock` the JSON of shelves, or null."""
    mission, event = detector.event or ("", "")
    payments = """'{"payments":[', string_agg(p.told, ',' order by p.order_id), ']}'"""
    return f"""concat(
    '{{"mission":"{mission}","as_of":"{as_of:%Y-%m-%dT%H:%M:%S.%fZ}","trigger":{{"event":"{event}",',
    substr(to_json({subject})::varchar, 2),
    ',"systems":{{"oms":{{"orders":[', string_agg(o.told, ',' order by o.order_id), ']}},"payments":',
    {payments if has_payments else "'null'"}, ',"wms":', coalesce('{{"stock":[' || {stock} || ']}}', 'null'),
    ',"crm":null,"erp":null,"logistics":null}}}}')"""
