-- Exceptions put into a real history: `planted`, rows to add to it, and `planted_truth`. Every one is a copy of a real order of a real
-- customer with what went wrong, by its definition and not by what finds it; the rows that are there stay as they are.
-- Variables: seed; each, how many of a kind; planted_kinds; by_customer, whether cancellations name no order; and total_told.

create temp macro drawn(key, question, low, high) as low + (hash(key, question, getvariable('seed')) >> 1)::bigint % (high - low + 1);
create temp macro not_after_end(of_row) as least(of_row, (select max(moment) from records));

create temp table of_skus as
select sku, max(qty) as most, count_if(unit_price_cents > 0) as times from records where record = 'line' group by sku;

create temp table sources as
with known as (
    select order_id, max(times) as times, any_value(customer_id) as customer_id, min(moment) as moment, count(distinct sku) as articles,
        any_value(location) as location, any_value(status) as status
    from records left join of_skus using (sku) where record = 'line' and order_id is not null
    group by order_id
    having count(sku) = count(*) and min(qty) > 0 and count(moment) > 0 and coalesce(min(unit_price_cents), 100) >= 100
), turned as (
    select *, row_number() over (order by hash(order_id, getvariable('seed')), order_id) as turn from known
    where customer_id is not null and status is distinct from 'cancelled'
), cast_ as (
    select *, getvariable('planted_kinds')[1 + turn % len(getvariable('planted_kinds'))] as kind from turned
)
select *, 'PLANTED-' || turn as new_id,
    -- a repetition stands where it is; others some days off, so that they repeat nothing
    case kind when 'duplicate_order' then moment + to_seconds(drawn(turn, 'soon', 1, 1700))
        when 'near_duplicate' then moment + to_minutes(drawn(turn, 'near', 1, 300))
        else moment + to_days(case when moment > (select median(moment) from known) then -1 else 1 end * drawn(turn, 'days', 3, 20)) end as at_
from cast_
where (kind <> 'near_duplicate' or articles >= 6) and (kind not in ('price_outlier', 'quantity_outlier') or times >= 20)
qualify row_number() over (partition by kind order by turn) <= getvariable('each');

create temp table planted_lines as
with numbered as (
    -- it goes wrong in one line, of a SKU of which something is usual
    select s.kind, new_id, s.turn, at_, r.*, most,
        row_number() over (partition by new_id order by least(of_skus.times, 20) desc, hash(r.record_id, turn), r.record_id, r.sku, r.qty) as nth
    from records r join sources s using (order_id) left join of_skus using (sku) where record = 'line'
)
select * exclude (most) replace (
    case when nth > 1 then qty when kind = 'near_duplicate' then qty + 1
        when kind = 'quantity_outlier' then most * drawn(turn, 'times', 20, 100) else qty end as qty,
    case when nth > 1 or kind <> 'price_outlier' then unit_price_cents
        when turn // len(getvariable('planted_kinds')) % 2 = 0 then unit_price_cents * 10
        else unit_price_cents // 10 end as unit_price_cents,
    case when kind in ('authorization_short', 'stock_short') then 'new'
        when kind in ('capture_missing', 'capture_mismatch', 'late_promise', 'double_charge') then 'shipped' else status end as status,
    at_ + (promised_at - moment) as promised_at, at_ + (shipped_at - moment) as shipped_at,
    if(kind = 'stock_short', 0, on_hand) as on_hand)
from numbered
where kind not in ('cancellation_without_order', 'stock_adjustment');

create temp view of_orders as
select new_id, any_value(kind) as kind, any_value(turn) as turn, any_value(at_) as at_, any_value(customer_id) as customer_id,
    sum(qty * unit_price_cents)::bigint as total
from planted_lines group by new_id;

create temp table planted as
select 'line' as record, record_id, new_id as order_id, customer_id, at_ as moment, status, sku, qty, unit_price_cents, location,
    channel, customer_kind, if(getvariable('total_told'), total, null) as total_cents, line1, postal_code,
    if(kind = 'late_promise', at_ + interval 2 day, promised_at) as promised_at, if(kind = 'late_promise', null, moved_to) as moved_to,
    if(kind = 'late_promise', at_ + interval 3 day, shipped_at) as shipped_at, on_hand, reserved, safety_stock
from planted_lines join (select new_id, total from of_orders) using (new_id)
union all by name
select 'line' as record, record_id || '-again' as record_id, new_id as order_id, customer_id, at_ as moment, status, sku, qty,
    unit_price_cents, location, channel, customer_kind, line1, postal_code, promised_at, shipped_at, on_hand, reserved, safety_stock
from planted_lines where kind = 'repeated_line' and nth = 1
union all by name
-- of what was ordered, at once; or of what the customer never had
select 'cancellation' as record, 'X-' || new_id as record_id, if(getvariable('by_customer'), 'X-' || new_id, new_id) as order_id,
    customer_id, not_after_end(at_ + to_minutes(drawn(turn, 'back', 1, 600))) as moment, sku, qty, unit_price_cents, location
from planted_lines where kind = 'quick_reversal' and nth = 1
union all by name
select 'cancellation' as record, 'X-' || new_id as record_id, if(getvariable('by_customer'), 'X-' || new_id, new_id) as order_id,
    customer_id, (select median(moment) + interval 45 day from records) as moment, 'PLANTED-' || drawn(turn, 'sku', 1, 9) as sku,
    drawn(turn, 'qty', 1, 20) as qty, 500 as unit_price_cents, location
from sources where kind = 'cancellation_without_order'
union all by name
select 'adjustment' as record, 'A-' || new_id as record_id, at_ as moment, r.sku, -drawn(turn, 'gone', 5, 200) as qty, r.location
from sources s join (select order_id, min_by({sku: sku, location: location}, record_id) as r from records where record = 'line'
    group by order_id) using (order_id)
where kind = 'stock_adjustment'
union all by name
select 'charge' as record, 'ch-' || nth || new_id as record_id, new_id as order_id, at_ + to_hours(nth) as moment, 'captured' as status,
    if(kind = 'capture_mismatch', total // 2, total) as amount_cents, 0 as refunded_cents
from of_orders, range(if(kind = 'double_charge', 2, 1)) times(nth) where kind in ('double_charge', 'capture_mismatch')
union all by name
select 'authorization' as record, 'au-' || new_id as record_id, new_id as order_id, at_ as moment, 'authorized' as status,
    total // 2 as amount_cents
from of_orders where kind = 'authorization_short';

create temp view planted_truth as
select kind, case kind when 'cancellation_without_order' then p.record_id when 'stock_adjustment' then concat_ws('@', p.sku, p.location)
        else new_id end as subject,
    case when kind in ('duplicate_order', 'near_duplicate') then s.order_id when kind = 'double_charge' then 'ch-1' || new_id
        when kind in ('quick_reversal', 'stock_adjustment') then p.record_id
        when kind in ('cancellation_without_order') then p.sku
        when kind in ('price_outlier', 'quantity_outlier', 'repeated_line', 'stock_short') then l.sku else '' end as other_id
from sources s left join (from planted where record in ('cancellation', 'adjustment')) p on p.record_id in ('X-' || new_id, 'A-' || new_id)
    left join (select new_id, sku from planted_lines where nth = 1) l using (new_id)
order by all;
