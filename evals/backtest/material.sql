-- After it is laid out: of what each case is rendered from, what was known at its moment.
create or replace temp table material as
select m.* replace (
    known_status(record, status, f, known.known_at) as status, until(m.shipped_at, known.known_at) as shipped_at,
    until(m.cancelled_at, known.known_at) as cancelled_at, null::timestamp as moved_to, known_refund(record) as refunded_cents)
from material m join (select number as world, known_at from exceptions) known using (world) left join facts f using (order_id)
where coalesce(moment, placed_at) <= known.known_at
order by portion;
