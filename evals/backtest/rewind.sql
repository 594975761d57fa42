-- The history as it was known when somebody would have been told of an exception: nothing of what came later is in it.
-- $anchor: of an order, placed_at or shipped_at. Variables: minutes after it; placed_status, of an order of which it is only known
-- that it was placed; before, 1 where moments are days, for what happened on a day is not known when it begins; has_refunds, whether
-- the history tells of money given back.

create temp macro instant(moment) as make_timestamp(epoch_us(moment));

-- one row an order: when what happened to it
create temp table facts as
with placed as (
    select order_id, min(instant(moment)) as placed_at, min(instant(shipped_at)) as shipped_at,
        min(instant(cancelled_at)) as cancelled_at, sum(qty) as pieces
    from all_rows where record = 'line' and order_id is not null group by order_id
), gone as (
    select order_id, instant(moment) as moment, sum(qty) over (partition by order_id order by moment) as pieces
    from all_rows where record = 'cancellation' and order_id is not null and moment is not null
), emptied as (
    select order_id, min(moment) as emptied_at from placed join gone using (order_id) where gone.pieces >= placed.pieces group by order_id
)
select order_id, placed_at, shipped_at, least(cancelled_at, emptied_at) as cancelled_at,
    $anchor + to_minutes(getvariable('minutes')) - to_microseconds(getvariable('before')) as known_at
from placed left join emptied using (order_id);

create temp macro until(moment, known_at) as if(instant(moment) <= known_at, moment, null);

-- A status that stands in the history is the last one. An order is open until it left or was cancelled; when an authorization lapsed
-- or a charge was given back or disputed is not told, and it was later.
create temp macro known_status(record, status, facts, known_at) as case
    when record = 'line' then case
        when facts.shipped_at <= known_at then 'shipped' when facts.cancelled_at <= known_at then 'cancelled'
        else getvariable('placed_status') end
    when record = 'authorization' and status in ('expired', 'voided') then 'authorized'
    when record = 'charge' and status in ('refunded', 'disputed') then 'captured'
    else status end;

create temp macro known_refund(record) as if(record = 'charge' and getvariable('has_refunds'), 0::bigint, null);

-- of each order what was known at its own moment; corrections of stock are known when they are made
create temp view known_rows as
select r.* replace (
    known_status(record, status, f, known_at) as status, until(r.shipped_at, known_at) as shipped_at,
    until(r.cancelled_at, known_at) as cancelled_at, null::timestamp as moved_to, known_refund(record) as refunded_cents)
from all_rows r left join facts f using (order_id)
where record = 'adjustment' or coalesce(instant(moment), placed_at) <= known_at;
