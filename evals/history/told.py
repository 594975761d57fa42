"""What the history tells of an exception, as the systems of a recorded exception: for those that a Mission handles.

What the history does not tell is null: a field, or a system of which it has nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from evals.history.detectors.detector import Detector

_MOMENT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def tell(looked_for: Sequence[Detector], counts: Mapping[str, int], as_of: datetime) -> list[str]:
    """SQL that makes `cases`: kind, subject, other_id and `told`, the JSON of a recorded exception without its id.

    Args:
        counts: rows by record; of a record without any the history tells nothing.
        as_of: the moment at which the cases are looked at.
    """
    has_payments = counts.get("authorization", 0) + counts.get("charge", 0) > 0
    orders = [detector for detector in looked_for if detector.event and detector.event[0] == "order_exception"]
    stock = [detector for detector in looked_for if detector.event and detector.event[0] == "omnichannel_exception"]
    listed = ", ".join(f"'{detector.kind}'" for detector in orders) or "''"
    moment = f"{as_of:%Y-%m-%dT%H:%M:%S.%fZ}"
    return [
        "create temp table cases (kind varchar, subject varchar, other_id varchar, told varchar)",
        f"""
create temp table concerned as
select kind, subject, other_id, subject as order_id from found where kind in ({listed})
union all select kind, subject, other_id, other_id from found where kind = 'duplicate_order'
""",
        _TOLD_ORDERS,
        _TOLD_PAYMENTS,
        *(_order_cases(detector, moment, has_payments) for detector in orders),
        *(_stock_cases(detector, moment) for detector in stock if "location" in detector.needs or counts.get("located", 1)),
    ]


_TOLD_ORDERS = f"""
create temp table told_orders as
select order_id, {{
    order_id: order_id, customer_id: any_value(customer_id), status: any_value(status),
    created_at: {_MOMENT.format("any_value(moment)")},
    promised_at: {_MOMENT.format("coalesce(any_value(moved_to), any_value(promised_at))")},
    lines: list({{line_id: record_id, sku: sku, qty: qty, unit_price_cents: unit_price_cents, location: location}}
                order by record_id, sku, qty),
    ship_to: case when any_value(line1) is null and any_value(postal_code) is null then null else {{
        name: null::varchar, line1: any_value(line1), city: null::varchar, region: null::varchar,
        postal_code: any_value(postal_code), country: null::varchar}} end,
    total_cents: any_value(total_cents)
}} as told, list({{sku: sku, location: location, on_hand: on_hand, reserved: reserved, safety_stock: safety_stock,
    last_counted_at: null::varchar, failed_picks_14d: null::bigint}} order by record_id) filter (on_hand is not null) as stock
from lines semi join concerned using (order_id) group by order_id
"""
_TOLD_PAYMENTS = f"""
create temp table told_payments as
select order_id, {{
    order_id: order_id, on_hold: null::boolean,
    authorizations: coalesce(list({{auth_id: record_id, amount_cents: amount_cents, status: status,
        authorized_at: {_MOMENT.format("moment")}, expires_at: null::varchar}} order by moment, record_id)
        filter (record = 'authorization'), []),
    charges: coalesce(list({{charge_id: record_id, amount_cents: amount_cents, status: status,
        captured_at: {_MOMENT.format("moment")}, refunded_cents: refunded_cents}} order by moment, record_id)
        filter (record = 'charge'), []),
    fraud: null::varchar
}} as told
from (select order_id, r.* exclude order_id from (select distinct order_id from concerned)
      left join (from records where record in ('authorization', 'charge')) r using (order_id)) group by order_id
"""


def _order_cases(detector: Detector, as_of: str, has_payments: bool) -> str:
    mission, event = detector.event or ("", "")
    payments = "{payments: list(p.told order by c.order_id)}" if has_payments else "null"
    return f"""
insert into cases
select c.kind, c.subject, c.other_id, to_json({{
    mission: '{mission}', as_of: '{as_of}', trigger: {{event: '{event}', order_id: c.subject}},
    systems: {{
        oms: {{orders: list(o.told order by c.order_id)}}, payments: {payments},
        wms: case when bool_or(o.stock is not null) then {{stock: flatten(list(o.stock order by c.order_id))}} end,
        crm: null, erp: null, logistics: null
    }}
}})
from concerned c join told_orders o using (order_id) left join told_payments p using (order_id)
where c.kind = '{detector.kind}' group by c.kind, c.subject, c.other_id
"""


def _stock_cases(detector: Detector, as_of: str) -> str:
    mission, event = detector.event or ("", "")
    return f"""
insert into cases
select f.kind, f.subject, f.other_id, to_json({{
    mission: '{mission}', as_of: '{as_of}', trigger: {{event: '{event}', sku: any_value(a.sku), location: any_value(a.location)}},
    systems: {{
        oms: null, payments: null,
        wms: {{stock: [{{sku: any_value(a.sku), location: any_value(a.location), on_hand: max(on_hand), reserved: null, safety_stock: null,
            last_counted_at: {_MOMENT.format("max(a.moment)")}, last_counted_qty: (max(on_hand) + sum(qty))::bigint, failed_picks_14d: null}}]}},
        crm: null, erp: null, logistics: null
    }}
}})
from found f join adjustments a on a.record_id = f.other_id and concat_ws('@', a.sku, a.location) = f.subject
where f.kind = '{detector.kind}' and a.location is not null and a.qty < 0 group by f.kind, f.subject, f.other_id
"""
