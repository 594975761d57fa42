-- After a search in `known_rows`: the moment of each of `exceptions`, and what its case tells of, before it is laid out.
-- $known_at: SQL of the moment. Variables: minutes; of the search: open_statuses.

create or replace temp table exceptions as
select e.* replace ($known_at as known_at) from exceptions e left join facts f on f.order_id = e.subject;
-- what was over by then: the order, or the one that it repeats, was cancelled before
delete from exceptions where known_at is null or exists (
    from facts f where f.order_id in (exceptions.subject, exceptions.other_id) and f.cancelled_at <= exceptions.known_at);

-- the open orders at the shelf of each correction
create temp table waiting as
select distinct e.number, r.order_id
from exceptions e join all_rows r on e.subject = r.sku || '@' || r.location join facts f using (order_id)
where e.kind = 'stock_adjustment' and r.record = 'line' and placed_at <= e.known_at
    and not coalesce(f.shipped_at <= e.known_at, false) and not coalesce(f.cancelled_at <= e.known_at, false);

-- the orders that each exception is about
create temp table about as
select number, order_id from waiting
union
select number, unnest([subject, nullif(other_id, '')]) from exceptions where kind <> 'stock_adjustment';

-- whether at least half of an order, by value, was cancelled before its moment, or after it, by cancellations that name it, or only
-- its customer
create temp table taken_back as
with ordered as (
    select number, known_at, placed_at, r.order_id, origin, sku, sum(qty) as qty, sum(qty * unit_price_cents) as cents
    from exceptions join about using (number) join all_rows r using (order_id) join (select order_id, placed_at from facts) using (order_id)
    where record = 'line' and qty > 0 group by all
), gone as (
    select number, o.order_id, sku, coalesce(sum(c.qty) filter (instant(c.moment) <= known_at), 0) as before,
        coalesce(sum(c.qty) filter (instant(c.moment) > known_at), 0) as after,
        max(instant(c.moment)) as moment
    from ordered o join all_rows c using (origin, sku)
    where c.record = 'cancellation' and instant(c.moment) between placed_at and known_at + to_days(getvariable('reorder_days'))
    group by all
)
select number, order_id, max(moment) as moment, 2 * sum(cents * least(1, before / ordered.qty)) >= any_value(all_cents) as before,
    2 * sum(cents * least(1, after / ordered.qty)) >= any_value(all_cents) as after
from ordered join gone using (number, order_id, sku)
    join (select number, order_id, sum(cents) as all_cents from ordered group by all) using (number, order_id)
group by number, order_id;
delete from exceptions where getvariable('names_no_order')
    and exists (from taken_back t where t.number = exceptions.number and t.order_id = exceptions.subject and before);

-- whole again: what cases are rendered from is cut for each of them
create or replace temp table kept as
select * exclude (origin) replace (instant(moment) as moment, instant(promised_at) as promised_at, instant(moved_to) as moved_to,
    instant(shipped_at) as shipped_at, instant(cancelled_at) as cancelled_at)
from all_rows where record = 'adjustment' or order_id in (select order_id from about);
