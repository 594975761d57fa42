-- What the cases of `exceptions` are rendered from, in portions of which each fits into memory.
-- Variables: told_kinds, those whose exceptions are cases; orders_at_a_time; longest_name of what an event can be about; most_orders
-- at a shelf of which a case tells: of more it would be nearly as long as it may be, or longer.

-- whether an event can name its subject so
create temp macro can_name(subject) as
    regexp_matches(subject, '[^\s\pZ]') and length(subject) <= getvariable('longest_name') and not contains(subject, chr(0));

-- the open orders at the shelf of each correction; there already, where it is told what was known at a moment
create temp table if not exists waiting as
select distinct e.number, l.order_id
from lines l join (select order_id, status as state from orders) using (order_id)
    join exceptions e on e.subject = l.sku || '@' || l.location
where e.kind = 'stock_adjustment' and list_contains(getvariable('open_statuses'), state);
create view crowded as select number from waiting group by number having count(*) > getvariable('most_orders');

-- the orders that each case tells of; of what was known at a moment of its own, each case is a world of its own
create temp table concerned as
with told as (
    select number, order_id from waiting where number not in (from crowded)
    union all
    select number, unnest(if(kind = 'duplicate_order', [subject, other_id], [subject])) from exceptions
    where kind <> 'stock_adjustment'
)
select number, if(known_at is null, 0, number) as world, t.order_id
from told t join exceptions using (number) where kind in getvariable('told_kinds');

-- exceptions of one kind by number, in each portion about as many as concern so many orders; named by its first number
create temp table portions as
with cut as (
    select number, kind, sum(1 + coalesce(held, 0)) over (
        partition by kind order by number rows between unbounded preceding and current row
    ) // getvariable('orders_at_a_time') as part
    from exceptions left join (select number, count(*) as held from concerned group by number) using (number)
)
select number, kind, min(number) over (partition by kind, part) as portion from cut;

-- the rows of `kept` that each portion is rendered from, in the order of portions: to read one is to read it alone
create temp table material as
select portion, world, kept.* from kept
    join (select distinct portion, world, order_id from concerned join portions using (number)) using (order_id)
order by portion;

-- the adjustments that cases of shelves are about
create temp table corrections as
select e.number, any_value(e.known_at) as known_at, min(a) as a
from exceptions e join adjustments a on a.record_id = e.other_id and a.sku || '@' || a.location = e.subject
where e.kind = 'stock_adjustment' and a.qty < 0 and can_name(a.sku) and can_name(a.location) and e.number not in (from crowded)
group by e.number;
