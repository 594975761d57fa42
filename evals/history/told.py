"""What the history tells of an exception, as the systems of a recorded exception: for those that a Mission handles.

What the history does not tell is null: a field, or a system of which it has nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from evals.history.detectors.detector import Detector
from evals.history.layout import Layout


def tell(looked_for: Sequence[Detector], layout: Layout, counts: Mapping[str, int], as_of: datetime) -> list[str]:
    """SQL that makes `cases`: kind, subject, other_id and `told`, the JSON of a recorded exception without its id.

    Args:
        counts: rows by record; of a record without any the history tells nothing.
        as_of: the moment at which the cases are looked at.
    """
    handled = [detector for detector in looked_for if detector.event]
    of_orders = [detector for detector in handled if detector.kind != "stock_adjustment"]
    # a correction names its shelf, and whose status is known tells which orders count on it
    of_shelves = [
        detector for detector in handled if detector not in of_orders and {"location", "status"} <= layout.columns.keys()
    ]
    has_payments = counts.get("authorization", 0) + counts.get("charge", 0) > 0
    steps = ["create temp table cases (kind varchar, subject varchar, other_id varchar, told varchar)", _CONCERNED]
    steps += [_concern_orders(detector) for detector in of_orders] + [_CONCERN_SHELVES for _ in of_shelves]
    steps += [_TOLD_ORDERS, _TOLD_PAYMENTS]
    steps += [_order_cases(detector, as_of, has_payments) for detector in of_orders]
    return steps + [_shelf_cases(detector, as_of, has_payments) for detector in of_shelves]


def _moment(sql: str) -> str:
    return f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ')"


#: the orders that a case tells of
_CONCERNED = "create temp table concerned (kind varchar, subject varchar, other_id varchar, order_id varchar)"


def _concern_orders(detector: Detector) -> str:
    other = "union all select kind, subject, other_id, other_id from found where kind = 'duplicate_order'"
    own = f"select kind, subject, other_id, subject from found where kind = '{detector.kind}'"
    return f"insert into concerned {own} {other if detector.kind == 'duplicate_order' else ''}"


_CONCERN_SHELVES = """
insert into concerned
select distinct f.kind, f.subject, f.other_id, l.order_id
from found f join lines l on l.sku || '@' || l.location = f.subject
where f.kind = 'stock_adjustment' and list_contains(getvariable('open_statuses'), l.status)
"""
_TOLD_ORDERS = f"""
create temp table told_orders as
select order_id, {{
    order_id: order_id, customer_id: any_value(customer_id), status: any_value(status),
    created_at: {_moment("any_value(moment)")},
    promised_at: {_moment("coalesce(any_value(moved_to), any_value(promised_at))")},
    lines: list({{line_id: record_id, sku: sku, qty: qty, unit_price_cents: unit_price_cents, location: location}}
                order by record_id, sku, qty, unit_price_cents, location),
    ship_to: case when any_value(line1) is null and any_value(postal_code) is null then null else {{
        name: null::varchar, line1: any_value(line1), city: null::varchar, region: null::varchar,
        postal_code: any_value(postal_code), country: null::varchar}} end,
    total_cents: any_value(total_cents)
}} as told, list({{
    sku: sku, location: location, on_hand: on_hand, reserved: reserved, safety_stock: safety_stock,
    last_counted_at: null::varchar, failed_picks_14d: null::bigint
}} order by record_id) filter (on_hand is not null) as stock
from lines semi join concerned using (order_id) group by order_id
"""
_TOLD_PAYMENTS = f"""
create temp table told_payments as
select order_id, {{
    order_id: order_id, on_hold: null::boolean,
    authorizations: coalesce(list({{
        auth_id: record_id, amount_cents: amount_cents, status: status, authorized_at: {_moment("moment")},
        expires_at: null::varchar
    }} order by moment, record_id) filter (record = 'authorization'), []),
    charges: coalesce(list({{
        charge_id: record_id, amount_cents: amount_cents, status: status, captured_at: {_moment("moment")},
        refunded_cents: refunded_cents
    }} order by moment, record_id) filter (record = 'charge'), []),
    fraud: null::varchar
}} as told
from (select distinct order_id from concerned)
    left join (from others where record in ('authorization', 'charge')) using (order_id)
group by order_id
"""


_ORDERS = "{orders: coalesce(list(o.told order by o.order_id) filter (o.order_id is not null), [])}"
_PAYMENTS = "{payments: coalesce(list(p.told order by p.order_id) filter (p.order_id is not null), [])}"


def _order_cases(detector: Detector, as_of: datetime, has_payments: bool) -> str:
    stock = "case when bool_or(o.stock is not null) then {stock: flatten(list(o.stock order by c.order_id))} end"
    return f"""
insert into cases
select c.kind, c.subject, c.other_id, {_case(detector, as_of, "order_id: c.subject", has_payments, stock)}
from concerned c join told_orders o using (order_id) left join told_payments p using (order_id)
where c.kind = '{detector.kind}' group by c.kind, c.subject, c.other_id
"""


def _shelf_cases(detector: Detector, as_of: datetime, has_payments: bool) -> str:
    stock = f"""{{stock: [{{
        sku: any_value(a.sku), location: any_value(a.location), on_hand: any_value(a.on_hand), reserved: any_value(a.reserved),
        safety_stock: any_value(a.safety_stock), last_counted_at: {_moment("any_value(a.moment)")},
        last_counted_qty: any_value(a.on_hand + a.qty), failed_picks_14d: null}}]}}"""
    trigger = "sku: any_value(a.sku), location: any_value(a.location)"
    return f"""
insert into cases
select f.kind, f.subject, f.other_id, {_case(detector, as_of, trigger, has_payments, stock)}
from found f join adjustments a on a.record_id = f.other_id and a.sku || '@' || a.location = f.subject
    left join concerned c on c.kind = f.kind and c.subject = f.subject and c.other_id = f.other_id
    left join told_orders o on o.order_id = c.order_id left join told_payments p on p.order_id = c.order_id
where f.kind = '{detector.kind}' and a.qty < 0 group by f.kind, f.subject, f.other_id
"""


def _case(detector: Detector, as_of: datetime, subject: str, has_payments: bool, stock: str) -> str:
    """SQL of a recorded exception; `subject` are the fields of the trigger that name it."""
    mission, event = detector.event or ("", "")
    return f"""to_json({{
    mission: '{mission}', as_of: '{as_of:%Y-%m-%dT%H:%M:%S.%fZ}', trigger: {{event: '{event}', {subject}}},
    systems: {{
        oms: {_ORDERS}, payments: {_PAYMENTS if has_payments else "null"}, wms: {stock}, crm: null, erp: null, logistics: null
    }}
}})"""
