"""What the history tells of an exception, as the systems of a recorded exception: for those that a Mission handles.

What the history does not tell is null: a field, or a system of which it has nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from evals.history.detectors import Detector
from evals.history.layout import Layout
from evals.recorded.cases import MAX_LINE_BYTES
from ledger.invariants import LONGEST_NAME

_ORDERS_AND_PAYMENTS = Path(__file__).with_suffix(".sql")
_SHELVES = "stock_adjustment"
#: open orders at a shelf of which a case tells at most: of more it would be nearly as long as it may be, or longer
_MOST_ORDERS = 10_000
#: of `exceptions` that are none for a Mission
NO_CASES = "create or replace temp table cases (number bigint, rendered varchar)"


def with_cases(looked_for: Sequence[Detector], layout: Layout) -> list[Detector]:
    """Those whose exceptions are cases for a Mission."""
    # a correction names its shelf, and whose status is known tells which orders count on it
    has_shelves = {"location", "status"} <= layout.columns.keys()
    return [detector for detector in looked_for if detector.event and (has_shelves or detector.kind != _SHELVES)]


def portions(rendered: Sequence[Detector], orders_at_a_time: int) -> list[str]:
    """SQL that makes

    concerned    the orders that each case tells of
    portions     exceptions of one kind by number, in each about as many as concern so many orders; named by its first number
    material     the rows of `kept` that each portion is rendered from, in the order of portions: to read one is to read it alone
    corrections  the adjustments that cases of shelves are about
    waiting      the open orders at the shelf of each of them
    """
    concerned = " union all ".join(["select 0::bigint as number, '' as order_id where false", *map(_concerned, rendered)])
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
    """SQL that makes `cases` of a portion: their number, and `rendered`, the JSON of a recorded exception without its id.

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
        _ORDERS_AND_PAYMENTS.read_text("utf-8"),
        f"create or replace temp table cases as {cases(detector, as_of, has_payments, here)}",
        f"delete from cases where strlen(rendered) > {MAX_LINE_BYTES}",
    ]


def _order_cases(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> str:
    trigger = "{order_id: any_value(e.subject)}"
    return f"""
select e.number, {_case(detector, as_of, trigger, has_payments, "json_list(o.stock)")} as rendered
from (from exceptions where {here} and {_names("subject")}) e join (from concerned where {here}) c using (number)
    join rendered_orders o using (order_id) left join rendered_payments p using (order_id)
group by e.number
"""


def _shelf_cases(detector: Detector, as_of: datetime, has_payments: bool, here: str) -> str:
    a = "any_value(c.a)"
    stock = f"""to_json({{
        sku: {a}.sku, location: {a}.location, on_hand: {a}.on_hand, reserved: {a}.reserved, safety_stock: {a}.safety_stock,
        last_counted_at: json_moment({a}.moment), last_counted_qty: {a}.on_hand + {a}.qty, failed_picks_14d: null}})"""
    trigger = f"{{sku: {a}.sku, location: {a}.location}}"
    return f"""
select c.number, {_case(detector, as_of, trigger, has_payments, stock)} as rendered
from (from corrections where {here}) c left join (from concerned where {here}) w using (number)
    left join rendered_orders o on o.order_id = w.order_id left join rendered_payments p on p.order_id = w.order_id
group by c.number
"""


def _case(detector: Detector, as_of: datetime, subject: str, has_payments: bool, stock: str) -> str:
    """SQL of a recorded exception; `subject` is a struct of what names it, `stock` the JSON of shelves, or null."""
    mission, event = detector.event or ("", "")
    payments = """'{"payments":[', json_list(p.rendered), ']}'"""
    return f"""concat(
    '{{"mission":"{mission}","as_of":"{as_of:%Y-%m-%dT%H:%M:%S.%fZ}","trigger":{{"event":"{event}",',
    substr(to_json({subject})::varchar, 2),
    ',"systems":{{"oms":{{"orders":[', json_list(o.rendered), ']}},"payments":',
    {payments if has_payments else "'null'"}, ',"wms":', coalesce('{{"stock":[' || {stock} || ']}}', 'null'),
    ',"crm":null,"erp":null,"logistics":null}}}}')"""
