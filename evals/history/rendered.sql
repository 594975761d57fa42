-- The `cases` of a portion: the number of an exception, and `rendered`, the JSON of a recorded exception without its id. What the
-- history does not tell is null: a field, or a system of which it has nothing.
-- $first, $last: the numbers of the portion; $cases: of its kind, order_cases or shelf_cases.
-- Variables: its mission and event, as_of as JSON says it (of cases that are known at no moment of their own), has_payments,
-- most_bytes of a case.
--
-- Orders and payments are rendered first, each as the JSON of a recorded system. The JSON of each record is written once and put
-- together as text, which is far quicker than JSON of nested lists.

create or replace temp macro json_moment(moment) as strftime(moment, '%Y-%m-%dT%H:%M:%S.%fZ');

-- JSON texts of a group after commas, sorted: each begins with what names it. Null where there is none.
create or replace temp macro json_list(texts) as nullif(array_to_string(list_sort(list(texts)), ','), '');

create or replace temp view at_hand as from material where portion = $first;

create or replace temp table rendered_orders as
with written as (
    select *,
        to_json({
            line_id: record_id, sku: sku, qty: qty, unit_price_cents: unit_price_cents, location: location})::varchar as line,
        case when on_hand is not null then to_json({
            sku: sku, location: location, on_hand: on_hand, reserved: reserved, safety_stock: safety_stock,
            last_counted_at: null, failed_picks_14d: null})::varchar end as shelf
    from at_hand where record = 'line'
), gathered as (
    select world, order_id, json_list(line) as lines, json_list(shelf) as stock,
        to_json({
            order_id: order_id, customer_id: any_value(customer_id), status: any_value(status),
            created_at: json_moment(any_value(moment)),
            promised_at: json_moment(coalesce(any_value(moved_to), any_value(promised_at)))})::varchar as head,
        to_json({
            ship_to: case when any_value(line1) is null and any_value(postal_code) is null then null else {
                name: null, line1: any_value(line1), city: null, region: null, postal_code: any_value(postal_code),
                country: null} end,
            total_cents: any_value(total_cents)})::varchar as tail
    from written group by world, order_id
)
select world, order_id,
    concat(left(head, -1), ',"lines":[', lines, '],', substr(tail, 2)) as rendered, stock
from gathered;

create or replace temp table rendered_payments as
with written as (
    select world, order_id, record, record_id, moment, to_json({
        auth_id: record_id, amount_cents: amount_cents, status: status, authorized_at: json_moment(moment),
        expires_at: null})::varchar as rendered
    from at_hand where record = 'authorization'
    union all
    select world, order_id, record, record_id, moment, to_json({
        charge_id: record_id, amount_cents: amount_cents, status: status, captured_at: json_moment(moment),
        refunded_cents: refunded_cents})::varchar
    from at_hand where record = 'charge'
)
select world, order_id, concat(
    '{"order_id":', to_json(order_id), ',"on_hold":null,"authorizations":[',
    string_agg(rendered, ',' order by moment, record_id) filter (record = 'authorization'), '],"charges":[',
    string_agg(rendered, ',' order by moment, record_id) filter (record = 'charge'), '],"fraud":null}') as rendered
from (select distinct world, order_id from at_hand) left join written using (world, order_id)
group by world, order_id;

-- `subject`: a struct of what names it; the other three are JSON texts, or null
create or replace temp macro json_case(subject, known_at, orders, payments, stock) as concat(
    '{"mission":"', getvariable('mission'), '","as_of":"', coalesce(json_moment(known_at), getvariable('as_of')),
    '","trigger":{"event":"', getvariable('event'), '",', substr(to_json(subject)::varchar, 2),
    ',"systems":{"oms":{"orders":[', orders, ']},"payments":',
    if(getvariable('has_payments'), concat('{"payments":[', payments, ']}'), 'null'),
    ',"wms":', coalesce('{"stock":[' || stock || ']}', 'null'), ',"crm":null,"erp":null,"logistics":null}}');

create or replace temp view concerned_here as from concerned where number between $first and $last;

create or replace temp view order_cases as
select e.number,
    json_case({order_id: any_value(e.subject)}, any_value(e.known_at), json_list(o.rendered), json_list(p.rendered), json_list(o.stock)) as rendered
from exceptions e join concerned_here using (number)
    join rendered_orders o using (world, order_id) left join rendered_payments p using (world, order_id)
where can_name(e.subject) and e.number between $first and $last
group by e.number;

create or replace temp view shelf_cases as
select c.number, json_case({sku: any_value(a).sku, location: any_value(a).location}, any_value(c.known_at),
    json_list(o.rendered), json_list(p.rendered), to_json({
        sku: any_value(a).sku, location: any_value(a).location, on_hand: any_value(a).on_hand,
        reserved: any_value(a).reserved, safety_stock: any_value(a).safety_stock,
        last_counted_at: json_moment(any_value(a).moment), last_counted_qty: any_value(a).on_hand + any_value(a).qty,
        failed_picks_14d: null})::varchar) as rendered
from corrections c left join concerned_here using (number)
    left join rendered_orders o using (world, order_id) left join rendered_payments p using (world, order_id)
where c.number between $first and $last
group by c.number;

-- as a condition of the query it would render each case twice, and take far more memory
create or replace temp table cases as from $cases;
delete from cases where strlen(rendered) > getvariable('most_bytes');
