-- The orders of a history that may be exceptional, from a few numbers of each; all other rows are not looked at again.
-- Filled in: prepared, sketches, conditions of the detectors that are looked for; total_cents, origin, place, level of the layout of the
-- history; before, after, places: how amounts of its currency are written, and how many decimals they have.
-- Orders and customers are the hashes of their ids, of 64 bits: short keys, of which ten million orders share one with a chance of
-- 1 in 300,000.

-- the hash of what is not known; xor makes it 0, and any other greater, where a condition would take longer
create temp macro hash_of_null() as hash(null::varchar);

-- money as people write it
create temp macro amount(cents) as '$before' || format('{:,.${places}f}', cents / 10 ** $places) || '$after';

-- how many lines have each price of a SKU in a channel and of a kind of customer (`level`: layout.py), and the level by which it is
-- judged: its own where that has enough lines, else 0, all of the SKU
create temp table prices as
with counted as (
    select sku, $level as level, unit_price_cents as price, count(*) as times
    from records where record = 'line' and unit_price_cents > 0 and sku is not null group by all
)
select *, if(sum(times) over (partition by sku, level) >= getvariable('price_lines'), level, 0) as judge from counted;
create temp view judged_prices as
select sku, judge, price, times from prices where judge <> 0
union all select sku, 0 as judge, price, sum(times) as times from prices group by sku, price;

-- the median of them, which is exact; of an even number the lower one
create temp table usual_prices as
with counted as (
    select *, sum(times) over (partition by sku, judge order by price) as up_to, sum(times) over (partition by sku, judge) as lines
    from judged_prices
)
select sku, judge, min(price) as usual, any_value(lines) as lines from counted where 2 * up_to >= lines group by sku, judge;

$prepared;

-- one row an order, from its lines wherever in the history they stand: the customer, the total, and what the detectors want to
-- know. Each condition of a pass over the file costs time, so rows without an order are let in.
create temp table sketches as
select hash(order_id) as order_id, xor(nullif(max(xor(hash(customer_id), hash_of_null())), 0), hash_of_null()) as customer_id,
    $total_cents as total_cents$sketches
from records where record = 'line' group by hash(order_id);
set variable orders = (select count(*) from sketches);

-- all else
create temp table movements as
select record, hash(order_id) as order_id, hash(origin) as origin, status, amount_cents, refunded_cents
from records where record <> 'line';

-- the orders that a detector suspects, and those of cancellations and adjustments. Beside the sketch of an order a detector sees
-- what was paid for it:
--
--   takings      charges that are captured, refunded or disputed; captures, those that are captured
--   gross_cents  what came in by its takings; net_cents without what was given back of them
--   is_below_0   one of them is less than nothing
create temp table suspects as
with paid as (
    select order_id, count(*) as takings, count_if(status = 'captured') as captures,
        sum(amount_cents) as gross_cents, sum(amount_cents - coalesce(refunded_cents, 0)) as net_cents,
        min(amount_cents) < 0 as is_below_0
    from movements where record = 'charge' and status in ('captured', 'refunded', 'disputed') group by order_id
), known as (
    select *, $origin as origin from sketches left join paid using (order_id) where order_id <> hash_of_null()
)
select order_id from known where $conditions
union all
select order_id from movements where record in ('cancellation', 'adjustment');
drop table movements;
delete from sketches where order_id not in (from suspects);

-- the rows of `suspects` and every cancellation and adjustment, and a view of each record of them
create temp table kept as
select * exclude (origin) replace (
    make_timestamp(epoch_us(moment)) as moment, make_timestamp(epoch_us(promised_at)) as promised_at,
    make_timestamp(epoch_us(moved_to)) as moved_to, make_timestamp(epoch_us(shipped_at)) as shipped_at)
from records where hash(order_id) in (from suspects);
create view lines as select *, $origin as origin, $level as level from kept where record = 'line';
create view authorizations as select *, $origin as origin from kept where record = 'authorization';
create view charges as select *, $origin as origin from kept where record = 'charge';
create view cancellations as select *, $origin as origin from kept where record = 'cancellation';
create view adjustments as select *, $origin as origin from kept where record = 'adjustment';

-- one row a suspected order, from its lines and charges; one line may tell what others do not
create temp table orders as
with placed as (
    select order_id, any_value(customer_id) as customer_id, any_value(moment) as placed_at, any_value(status) as status,
        $total_cents as total_cents, any_value(line1) as line1, any_value(postal_code) as postal_code,
        coalesce(any_value(moved_to), any_value(promised_at)) as due, any_value(shipped_at) as shipped_at
    from lines where order_id is not null group by order_id
), paid as (
    select order_id,
        sum(amount_cents) filter (status in ('captured', 'refunded', 'disputed')) as gross_cents,
        sum(amount_cents - coalesce(refunded_cents, 0)) filter (status in ('captured', 'refunded', 'disputed')) as net_cents,
        sum(amount_cents) filter (status = 'captured') as captured_cents,
        count(*) filter (status in ('captured', 'refunded', 'disputed')) as taken,
        bool_or(status = 'disputed') as disputed,
        bool_or(status is null) as unknown_status, bool_or(amount_cents is null or status is null) as unknown_payment
    from charges where order_id is not null group by order_id
)
select *, $place as place from placed left join paid using (order_id);

-- what is found, `other_id` empty where there is none
create temp table found (
    kind varchar, subject varchar, other_id varchar, customer_id varchar, moment timestamp, money_cents bigint, says varchar,
    documents varchar[], article varchar, chance double
);
