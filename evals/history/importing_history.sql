-- The table `history`, rows of layout.py, from `told`: the rows of an export with our columns, typed, null where they have none, and
--   record      line, fee (a line that is no goods), cancellation or adjustment
--   standing    the meaning of its status, `said` as the export says it; payment, the meaning of its payment's
-- $scale: minor units in one of the export's amounts

create temp table history as
select record,
    if(record in ('line', 'fee'), (row_number() over (partition by order_id order by missions_file, missions_row))::varchar, order_id)
        as record_id,
    order_id, customer_id, "at",
    case when cancelled_at is not null then 'cancelled' when standing is not null then standing
        when said is null and shipped_at is not null then 'shipped' else said end as status,
    coalesce(sku, item) as sku,
    -- goods by weight or length are one piece, at the price of the row
    if(record = 'cancellation', abs(pieces), pieces)::bigint as qty,
    round($scale * coalesce(unit_price * if(qty = trunc(qty), 1, abs(qty)), line_total / nullif(pieces, 0)))::bigint as unit_price_cents,
    round($scale * total)::bigint as total_cents,
    null::bigint as amount_cents, null::bigint as refunded_cents,
    location, line1, postal_code, promised_at, shipped_at, cancelled_at, channel, customer_kind
from (select *, case when qty is null then 1 when qty = trunc(qty) then qty else sign(qty) end as pieces from told)
union all by name
-- one charge for each order that was paid, or of which it is said how far its payment is
select 'charge' as record, order_id || '-payment' as record_id, order_id, coalesce(min(paid_at), min("at")) as "at",
    coalesce(any_value(payment), 'captured') as status,
    round($scale * max(total))::bigint as amount_cents, round($scale * max(refunded))::bigint as refunded_cents
from told where record = 'line' group by order_id
having any_value(payment) is not null or min(paid_at) is not null;
