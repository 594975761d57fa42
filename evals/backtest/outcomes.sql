-- What the history tells of the time after the moment of each exception: weak labels, for it does not tell why.
-- Variables: has_charges; end_of_history; reorder_days.

create temp table ends as
with told as (
    select order_id, any_value(customer_id) as customer_id, any_value(status) as status, any_value(channel) as channel,
        coalesce(any_value(moved_to), any_value(promised_at)) as due
    from kept where record = 'line' group by order_id
), paid as (
    select order_id, bool_or(status = 'disputed') as disputed, bool_or(status = 'refunded' or refunded_cents > 0) as refunded,
        bool_or(status in ('captured', 'refunded', 'disputed')) as charged,
        sum(if(status in ('refunded', 'disputed'), greatest(amount_cents, refunded_cents), refunded_cents))::bigint as given_back_cents
    from kept where record = 'charge' group by order_id
)
select *, status in ('shipped', 'delivered') or shipped_at is not null as has_left
from told left join paid using (order_id) left join (select order_id, shipped_at, cancelled_at from facts) using (order_id);

-- the same goods by the same customer, later
create temp table again as
with customers as (
    select number, known_at, e.customer_id, subject from exceptions e where customer_id is not null
), bought as (
    select order_id, customer_id, sum(hash(sku)::hugeint * qty) as goods
    from all_rows where record = 'line' and customer_id in (select customer_id from customers) group by all
)
select distinct number from customers join bought b on b.order_id = subject
    join bought o on o.customer_id = customers.customer_id and o.goods = b.goods join facts on facts.order_id = o.order_id
where placed_at > customers.known_at and placed_at <= customers.known_at + to_days(getvariable('reorder_days'));

create temp table outcomes as
select number, any_value(subject) as subject, any_value(customer_id) as customer_id, any_value(known_at) as known_at,
    any_value(channel) filter (order_id = subject) as channel,
    coalesce(bool_or(status = 'cancelled' or cancelled_at is not null), false) or number in (select number from taken_back where after) as cancelled,
    coalesce(min(cancelled_at), (select max(moment) from taken_back t where t.number = e.number and after)) as cancelled_at,
    coalesce(bool_or(refunded), false) as refunded, coalesce(bool_or(disputed), false) as disputed,
    coalesce(sum(given_back_cents), 0)::bigint as given_back_cents,
    coalesce(bool_or(shipped_at > due or not has_left and status <> 'cancelled' and due < getvariable('end_of_history')), false) as late,
    coalesce(bool_or(has_left and not coalesce(charged, false)), false) and getvariable('has_charges') as never_charged,
    coalesce(bool_or(charged), false) as charged,
    coalesce(bool_and(has_left), false) as shipped,
    coalesce(bool_or(order_id = subject and (status = 'cancelled' or refunded or disputed)), false) as is_troubled,
    number in (from again) as reordered
from (select number, known_at, subject, e.customer_id, ends.* exclude (customer_id)
    from exceptions e left join about using (number) left join ends using (order_id)) e
group by number;
