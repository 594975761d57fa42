"""What the history tells of an exception, as the systems of a recorded exception: for those that a Mission handles.

What the history does not tell is null: a field, or a system of which it has nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from evals.cases import MAX_LINE_BYTES
from evals.history.detectors.detector import Detector
from evals.history.layout import Layout
from ledger.legality import LONGEST_NAME

_SHELVES = "stock_adjustment"
#: open orders at a shelf of which a case tells at most: of more it would be nearly as long as it may be, or longer
_MOST_ORDERS = 10_000
#: of `exceptions` that are none for a Mission
UNTOLD = "create or replace temp table cases (number bigint, told varchar)"


def told_of(looked_for: Sequence[Detector], layout: Layout) -> list[Detector]:
    """Those whose exceptions are cases for a Mission."""
    # a correction names its shelf, and whose status is known tells which orders count on it
    has_shelves = {"location", "status"} <= layout.columns.keys()
    return [detector for detector in looked_for if detector.event and (has_shelves or detector.kind != _SHELVES)]


def portions(told: Sequence[Detector], orders_at_a_time: int) -> list[str]:
    """SQL that makes

    concerned    the orders that each case tells of
    portions     exceptions of one kind by number, in each about as many as concern so many orders; named by its first number
    material     the rows of `kept` that each portion is told from, in the order of portions: to read one is to read it alone
    corrections  the adjustments that cases of shelves are about
    waiting      the open orders at the shelf of each of them
    """
    concerned = " union all ".join(["select 0::bigint as number, '' as order_id where false", *map(_concerned, told)])
    return [
        """
create temp table waiting as
select distinct l.sku || '@' || l.location as subject, order_id
from lines l join (select order_id, status as state from orders) using (order_id)
where list_contains(getvariable('open_statuses'), state)
    and l.sku || '@' || l.location in (select subject from exceptions where kind = 'stock_adjustment')
""",
        f"create view crowded as select subject from waiting group by subject having count(*) > {_MOST_ORDERS}",
        f"create temp table concerned as {concerned}",
        f"""
create temp table portions as
with cut as (
    select number, kind, sum(1 + coalesce(held, 0)) over (
        partition by kind order by number rows between unbounded preceding and current row
    ) // {orders_at_a_time} as part
    from exceptions left join (select number, count(*) as held from concerned group by number) using (number)
)
select number, kind, min(number) over (partition by kind, part) as portion from cut
""",
        """
create temp table material as
select portion, kept.* from kept
    join (select distinct portion, order_id from concerned join portions using (number)) using (order_id)
order by portion
""",
        f"""
create temp table corrections as
select e.number, min(a) as a
from exceptions e join adjustments a on a.record_id = e.other_id and a.sku || '@' || a.location = e.subject
where e.kind = 'stock_adjustment' and a.qty < 0 and {_names("a.sku")} and {_names("a.location")}
    and e.subject not in (from crowded)
group by e.number
""",
    ]


def _concerned(detector: Detector) -> str:
    if detector.kind == _SHELVES:
        return """
select number, order_id from exceptions join waiting using (subject)
where kind = 'stock_adjustment' and subject not in (from crowded)
"""
    named = ["subject", "other_id"] if detector.kind == "duplicate_order" else ["subject"]
    return f"select number, unnest([{', '.join(named)}]) from exceptions where kind = '{detector.kind}'"


def _names(subject: str) -> str:
    """SQL of whether an event can name its subject so."""
    return (
        f"(regexp_matches({subject}, '[^\\s\\pZ]') and length({subject}) <= {LONGEST_NAME} and not contains({subject}, chr(0)))"
    )


def tell(detector: Detector, as_of: datetime, has_payments: bool, first: int, last: int) -> list[str]:
    """SQL that makes `cases` of a portion: their number, and `told`, the JSON of a recorded exception without its id.

    Args:
        detector: of their kind.
        as_of: the moment at which the cases are looked at.
        has_payments: whether the history tells of any.
        first, last: their numbers.
    """
    cases = _shelf_cases if detector.kind == _SHELVES else _order_cases
    here = f"number between {first} and {last}"
    return [
        f"create or replace temp view at_hand as from material where portion = {first}",
        _TOLD_ORDERS,
        _TOLD_PAYMENTS,
        f"create or replace temp table cases as {cases(detector, as_of, has_payments, here)}",
        f"delete from cases where strlen(told) > {MAX_LINE_BYTES}",
    ]


def _moment(sql: str) -> str:
    return f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def _joined(texts: str) -> str:
    """SQL of JSON texts of a group after commas, sorted: each begins with what names it. Null where there is none."""
    return f"nullif(array_to_string(list_sort(list({texts})), ','), '')"


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
    from at_hand where record = 'line'
), gathered as (
    select order_id, {_joined("line")} as lines, {_joined("shelf")} as stock,
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
    concat(left(head, -1), ',"lines":[', lines, '],', substr(tail, 2)) as told, stock
from gathered
"""
_TOLD_PAYMENTS = f"""
create or replace temp table told_payments as
with written as (
    select order_id, record, record_id, moment, to_json({{
        auth_id: record_id, amount_cents: amount_cents, status: status, authorized_at: {_moment("moment")},
        expires_at: null}})::varchar as told
    from at_hand where record = 'authorization'
    union all
    select order_id, record, record_id, moment, to_json({{
        charge_id: record_id, amount_cents: amount_cents, status: status, captured_at: {_moment("moment")},
        refunded_cents: refunded_cents}})::varchar
    from at_hand where record = 'charge'
)
select order_id, concat(
    '{{"order_id":', to_json(order_id), ',"on_hold":null,"authorizations":[',
    string_agg(told, ',' order by moment, record_id) filter (record = 'authorization'), '],"charges":[',
    string_agg(told, ',' order by moment, record_id) filter (record = 'charge'), '],"fraud":null}}') as told
from (select distinct order_id from at_hand) left join written using (order_id)
group by order_id
"""


def _order_cases(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> str:
    trigger = "{order_id: any_value(e.subject)}"
    return f"""
select e.number, {_case(detector, as_of, trigger, has_payments, _joined("o.stock"))} as told
from (from exceptions where {here} and {_names("subject")}) e join (from concerned where {here}) c using (number)
    join told_orders o using (order_id) left join told_payments p using (order_id)
group by e.number
"""


def _shelf_cases(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> str:
    a = "any_value(c.a)"
    stock = f"""to_json({{
        sku: {a}.sku, location: {a}.location, on_hand: {a}.on_hand, reserved: {a}.reserved, safety_stock: {a}.safety_stock,
        last_counted_at: {_moment(f"{a}.moment")}, last_counted_qty: {a}.on_hand + {a}.qty, failed_picks_14d: null}})"""
    trigger = f"{{sku: {a}.sku, location: {a}.location}}"
    return f"""
select c.number, {_case(detector, as_of, trigger, has_payments, stock)} as told
from (from corrections where {here}) c left join (from concerned where {here}) w using (number)
    left join told_orders o on o.order_id = w.order_id left join told_payments p on p.order_id = w.order_id
group by c.number
"""


def _case(detector: Detector, as_of: datetime, subject: str, has_payments: bool, stock: str) -> str:
    """SQL of a recorded exception; `subject` is a struct of what names it, `stock` the JSON of shelves, or null."""
    mission, event = detector.event or ("", "")
    payments = f"""'{{"payments":[', {_joined("p.told")}, ']}}'"""
    return f"""concat(
    '{{"mission":"{mission}","as_of":"{as_of:%Y-%m-%dT%H:%M:%S.%fZ}","trigger":{{"event":"{event}",',
    substr(to_json({subject})::varchar, 2),
    ',"systems":{{"oms":{{"orders":[', {_joined("o.told")}, ']}},"payments":',
    {payments if has_payments else "'null'"}, ',"wms":', coalesce('{{"stock":[' || {stock} || ']}}', 'null'),
    ',"crm":null,"erp":null,"logistics":null}}}}')"""
