-- A stretch of a made-up history: `history`, rows of the layout in any order, and `truth`, every exception in it.
-- Variables: seed; first and number of its orders, of all orders; skus. Moments are microseconds until they are written.
-- Every order plays at most one part. What is true follows from the part, and is never looked up afterwards.

create or replace temp macro seconds(n) as n * 1000000::bigint;
create or replace temp macro minutes(n) as n * 60000000::bigint;
create or replace temp macro hours(n) as n * 3600000000::bigint;
create or replace temp macro days(n) as n * 86400000000::bigint;
-- the history begins with 2025 and lasts 600 days, in rounds of 100 in which a customer orders once: so no two orders of one are
-- near each other by chance
create or replace temp macro history_begin() as 1735689600000000;
create or replace temp macro history_end() as history_begin() + days(620);
-- a number from 0 that is the same for the same seed, the same thing (`key`) and the same question
create or replace temp macro draw(key, question) as (hash(hash(key, question, getvariable('seed'))) >> 1)::bigint;
create or replace temp macro between_(key, question, low, high) as low + draw(key, question) % (high - low + 1);
create or replace temp macro chance(key, question) as (draw(key, question) + 1) / 9223372036854775808.0;
-- how many trials it takes until one of this chance succeeds
create or replace temp macro geometric(key, question, share) as 1 + floor(ln(chance(key, question)) / ln(1 - share))::bigint;
create or replace temp macro list_price(sku) as 5 * between_(sku, 'price', 100, 5999);
create or replace temp macro place_name(location) as ['DC-ATL', 'DC-DFW', 'DC-PDX', 'ST-BOS'][location + 1];
create or replace temp macro id_of(prefix, number) as format('{}{:09d}', prefix, number::bigint);

-- share: of all orders; given: the status that they have ("open" is one of the four, "unknown" is none); kind: what it is, where it is
-- an exception and does not only look like one
create or replace temp table parts as
select *, sum(size) over (order by place) - size as begins_with, sum(size) over (order by place) - 1 as ends_with
from (
    select *, row_number() over () as place, greatest(1, round(share * getvariable('number'))::bigint) as size
    from (values
        -- a line that stands twice; and the same SKU in another quantity, at another price, from another place
        ('line twice', 0.002, 'delivered', 'repeated_line'),
        ('line thrice', 0.002, 'delivered', 'repeated_line'),
        ('line in another quantity', 0.002, 'delivered', null),
        ('line at another price', 0.002, 'delivered', null),
        ('line from another place', 0.002, 'delivered', null),
        -- a price over five times the usual one or under a fifth of it; and those at exactly that
        ('price tenfold', 0.002, null, 'price_outlier'),
        ('price hundredth', 0.002, null, 'price_outlier'),
        ('price just over', 0.002, null, 'price_outlier'),
        ('price just under', 0.002, null, 'price_outlier'),
        ('price five times', 0.002, null, null),
        ('price a fifth', 0.002, null, null),
        -- open orders of which a place has too little (STK-1); and just enough, and a count not known
        ('stock one short', 0.002, 'open', 'stock_short'),
        ('stock nothing', 0.002, 'open', 'stock_short'),
        ('stock short together', 0.002, 'open', 'stock_short'),
        ('stock enough', 0.002, 'open', null),
        ('stock enough together', 0.002, 'open', null),
        ('stock unknown', 0.002, 'open', null),
        -- and orders of which there was too little, and that were cancelled or left all the same: none is open any more
        ('stock short, cancelled', 0.001, 'cancelled', null),
        ('stock short, filled', 0.001, 'delivered', null),
        -- shipped after the promise, or not at all; and shipped at that very moment, moved by the customer, or cancelled
        ('late', 0.002, 'delivered', 'late_promise'),
        ('just late', 0.002, 'delivered', 'late_promise'),
        ('late, moved before', 0.002, 'delivered', 'late_promise'),
        ('on the dot', 0.002, 'delivered', null),
        ('moved', 0.002, 'delivered', null),
        ('moved on the dot', 0.002, 'delivered', null),
        ('promise unknown', 0.002, 'delivered', null),
        ('shipped when unknown', 0.002, 'delivered', null),
        ('never left', 0.002, 'open', 'late_promise'),
        ('never left, moved ahead', 0.002, 'open', null),
        ('never left, cancelled', 0.002, 'cancelled', null),
        -- the same goods to the same address by the same customer, at most 30 minutes apart: DUP-1
        ('repeated', 0.0006, 'delivered', 'duplicate_order'),
        ('repeated open', 0.0006, 'open', 'duplicate_order'),
        ('repeated at the same time', 0.0012, 'delivered', 'duplicate_order'),
        ('repeated at the edge', 0.0012, 'delivered', 'duplicate_order'),
        ('repeated twice', 0.0012, 'open', 'duplicate_order'),
        ('repeated with gaps', 0.0012, 'delivered', 'duplicate_order'),
        -- what DUP-2 calls separate: something differs, it is too late, or it is cancelled; and what cannot be known
        ('separate just later', 0.0015, 'delivered', null),
        ('separate later', 0.0015, 'delivered', null),
        ('separate quantity', 0.0015, 'delivered', null),
        ('separate SKU', 0.0015, 'delivered', null),
        ('separate street', 0.001, 'delivered', null),
        ('separate postal code', 0.001, 'delivered', null),
        ('separate cancelled', 0.001, 'delivered', null),
        ('separate customer', 0.001, 'delivered', null),
        ('separate unknown street', 0.001, 'delivered', null),
        -- charged twice within 72 hours (REF-1); and later, in halves, or given back
        ('charged again', 0.002, 'delivered', 'double_charge'),
        ('charged again at the edge', 0.002, 'delivered', 'double_charge'),
        ('charged overlapping', 0.002, 'delivered', 'double_charge'),
        ('charged again, partly back', 0.002, 'delivered', 'double_charge'),
        ('charged again too late', 0.002, 'delivered', 'capture_mismatch'),
        ('charged in halves', 0.002, 'delivered', null),
        ('charged again, pending', 0.002, 'delivered', null),
        ('charged again, refunded', 0.002, 'delivered', null),
        ('charged again, given back', 0.002, 'delivered', null),
        -- charged less or more than is owed
        ('charged a cent less', 0.002, 'delivered', 'capture_mismatch'),
        ('charged half', 0.002, 'delivered', 'capture_mismatch'),
        ('charged a cent more', 0.002, 'delivered', 'capture_mismatch'),
        ('charged too much in two', 0.002, 'delivered', 'capture_mismatch'),
        ('charged, goodwill', 0.002, 'delivered', null),
        ('charged unknown', 0.002, 'delivered', null),
        -- left, and not charged: CAP-1
        ('uncharged', 0.0024, 'shipped', 'capture_missing'),
        ('uncharged, pending', 0.0024, 'shipped', 'capture_missing'),
        ('uncharged, declined', 0.0024, 'shipped', 'capture_missing'),
        ('uncharged, disputed', 0.0024, 'shipped', null),
        ('uncharged, refunded', 0.0024, 'shipped', null),
        ('uncharged, delivered', 0.002, 'delivered', 'capture_missing'),
        ('uncharged, status unknown', 0.002, 'unknown', null),
        ('uncharged, ready', 0.002, 'ready', null),
        ('charged late', 0.001, 'delivered', null),
        -- open, and its money is not secured: AUT-2, AUT-3
        ('authorized a cent less', 0.0022, 'open', 'authorization_short'),
        ('authorized, expired', 0.0022, 'open', 'authorization_short'),
        ('authorized, declined', 0.0022, 'open', 'authorization_short'),
        ('authorized, voided', 0.0022, 'open', 'authorization_short'),
        ('unauthorized', 0.0022, 'open', 'authorization_short'),
        ('authorized, renewed', 0.0022, 'open', null),
        ('authorized more', 0.0022, 'open', null),
        ('authorized, paid', 0.0022, 'open', null),
        ('authorized unknown', 0.0022, 'open', null),
        ('declined, cancelled', 0.001, 'cancelled', null),
        ('declined, paid later', 0.001, 'delivered', null),
        -- cancellations that take nothing away that was not there; captured less for it, or given back
        ('cancelled, charged less', 0.002, 'delivered', null),
        ('cancelled, given back', 0.002, 'delivered', null),
        ('cancelled line', 0.002, 'delivered', null),
        ('cancelled piecemeal', 0.002, 'delivered', null),
        -- all of a line taken back within 24 hours; and just later, or another quantity
        ('taken back', 0.001, 'delivered', 'quick_reversal'),
        ('taken back at the edge', 0.001, 'delivered', 'quick_reversal'),
        ('taken back later', 0.001, 'delivered', null),
        ('taken back in part', 0.001, 'delivered', null),
        -- a thousand times as many as others order; and merely many
        ('quantity in thousands', 0.0005, 'delivered', 'quantity_outlier'),
        ('quantity large', 0.0005, 'delivered', null),
        -- cancellations of an order that is not there, of what it has not, of more than it has, and from before it
        ('cancelled without order', 0.002, 'open', 'cancellation_without_order'),
        ('cancelled without SKU', 0.002, 'open', 'cancellation_without_order'),
        ('cancelled more', 0.002, 'open', 'cancellation_without_order'),
        ('cancelled more together', 0.002, 'open', 'cancellation_without_order'),
        ('cancelled before', 0.002, 'open', 'cancellation_without_order')
    ) listed(part, share, given, kind)
);

-- one row an order; numbers are 4 apart, so that those in between are free for repetitions
create or replace temp table orders as
with numbered as (
    select range as place, ceil(getvariable('of') / 6)::bigint as customers, range % customers as customer,
        row_number() over (order by draw(range, 'part'), range) - 1 as turn
    from range(getvariable('first'), getvariable('first') + getvariable('number'))
), cast_ as (
    select n.place, n.customer, p.part, p.kind, chance(n.place, 'status') as drawn,
        ['new', 'payment_review', 'backordered', 'address_hold'][between_(n.place, 'open', 1, 4)] as open_status,
        nullif(case p.given when 'open' then open_status else coalesce(p.given, case when drawn < 0.82 then 'delivered'
            when drawn < 0.92 then 'shipped' when drawn < 0.96 then 'cancelled' when drawn < 0.98 then 'ready'
            else open_status end) end, 'unknown') as status,
        coalesce(status = open_status, false) as is_open,
        history_begin() + n.place // n.customers * days(100) + n.customer * days(98) // n.customers
            + between_(n.place, 'at', 0, hours(12)) as at_
    from numbered n left join parts p on n.turn between p.begins_with and p.ends_with
), promised as (
    select *, at_ + between_(place, 'promised', days(3), days(8)) as due,
        -- whether it is late depends on where the history ends
        part = 'never left' and at_ <= history_end() - days(20) as is_past,
        case when part = 'promise unknown' then null
            when part in ('never left, moved ahead', 'never left, cancelled') or is_past then at_ + days(2)
            when part = 'never left' or status = 'ready' then history_end() + days(1)
            when is_open then history_end() + between_(place, 'ahead', days(1), days(20)) else due end as promised,
        case part when 'late, moved before' then due - days(1) when 'moved' then due + days(6)
            when 'moved on the dot' then due + days(2) when 'never left, moved ahead' then history_end() + days(30) end as moved,
        case when part in ('late', 'moved') then due + between_(place, 'late', seconds(1), days(5))
            when part = 'just late' then due + 1
            when part = 'late, moved before' then moved + between_(place, 'late', 1, hours(23))
            when part in ('on the dot', 'moved on the dot') then coalesce(moved, due)
            when part = 'promise unknown' then at_ + days(20)
            when part is distinct from 'shipped when unknown' and status in ('delivered', 'shipped')
                then due - between_(place, 'early', hours(1), days(2)) end as shipped
    from cast_
), repeated as (
    select *, case when part in ('repeated', 'repeated open') then [0, between_(place, 'apart', seconds(1), minutes(30))]
            when part = 'repeated at the same time' then [0, 0]
            when part = 'repeated at the edge' then [0, minutes(30)]
            when part = 'repeated twice' then [0, minutes(20), minutes(40)]
            when part = 'repeated with gaps' then [0, between_(place, 'apart', minutes(1), minutes(29))]
            when part = 'separate just later' then [0, minutes(30) + 1]
            when part = 'separate later' then [0, between_(place, 'apart', minutes(30) + seconds(1), hours(5))]
            when starts_with(part, 'separate') then [0, between_(place, 'apart', 0, minutes(29))]
            else [0] end as times,
        unnest(times) as apart, generate_subscripts(times, 1) - 1 as copy
    from promised
)
select place, part, copy, 4 * place + copy as number, customer + if(part = 'separate customer', copy, 0) as customer,
    case when kind = 'duplicate_order' and copy = 0 or part = 'never left' and not is_past then null else kind end as kind,
    if(part = 'separate cancelled' and copy > 0, 'cancelled', status) as status, is_open, at_ + apart as at_,
    promised + apart as promised, moved, if(part = 'separate cancelled' and copy > 0, null, shipped + apart) as shipped,
    at_ + apart + between_(number, 'cancelled', minutes(10), days(2)) as cancelled, ['web', 'web', 'store', 'phone'][1 + place % 4] as channel,
    if(part = 'separate unknown street' and copy > 0, null, customer + if(part = 'separate street', copy, 0)) as street,
    10000 + place % 89999 + if(part = 'separate postal code', copy, 0) as postal_code,
    -- some orders tell their address on one of their lines only, as merged exports do
    part is not distinct from 'repeated with gaps' or chance(number, 'address') < 0.02 as tells_once
from repeated;

create or replace temp table lines as
with counted as (
    select *, least(10, geometric(place, 'lines', 0.26)) as lines,
        case when part in ('line thrice') then 2
            when starts_with(part, 'line') or part like 'stock%together' then 1 else 0 end as more
    from orders
), listed as (
    -- those that are more repeat the first one
    select *, unnest(range(1, lines + more + 1)) as line, line > lines as repeats, if(repeats, 1, line) as of_line,
        if(of_line = 1, part, null) as plays, 16 * place + of_line as key
    from counted
), goods as (
    select *, (draw(place, 'sku') % getvariable('skus')
            + (of_line - 1) * between_(place, 'step', 1, greatest(1, getvariable('skus') // 12))
            + if(plays = 'separate SKU', copy * (getvariable('skus') // 2), 0)) % getvariable('skus') as sku,
        case when plays = 'separate SKU' then 13 -- as no other line has, so that the changed one repeats none
            when plays = 'quantity in thousands' then 1000 * (1 + draw(key, 'qty') % 5)
            else least(30, geometric(key, 'qty', 0.45)) + case plays when 'line in another quantity' then repeats::int
                when 'separate quantity' then copy when 'quantity large' then 8 when 'taken back in part' then 1 else 0 end end as qty,
        chance(key, 'discount') as drawn,
        case when drawn < 0.88 then 100 when drawn < 0.93 then 90 when drawn < 0.97 then 75 when drawn < 0.99 then 50
            else 30 end as percent,
        (between_(key, 'location', 0, 3) + if(plays = 'line from another place', repeats::int, 0)) % 4 as location,
        between_(key, 'reserved', 0, 39) as reserved, between_(key, 'safety', 0, 4) as safety,
        between_(key, 'spare', 0, 59) as spare
    from listed
)
select *, case plays when 'price tenfold' then list_price(sku) * 10 when 'price hundredth' then list_price(sku) // 100
        when 'price just over' then list_price(sku) * 5 + 1 when 'price just under' then list_price(sku) // 5 - 1
        when 'price five times' then list_price(sku) * 5 when 'price a fifth' then list_price(sku) // 5
        else list_price(sku) * percent // 100
            + if(plays = 'line at another price' or plays like 'stock%together', repeats::int, 0) end as price,
    case plays when 'stock nothing' then 0 when 'stock short, cancelled' then 0 when 'stock short, filled' then reserved when 'stock unknown' then null
        when 'stock one short' then reserved + safety + qty - 1 when 'stock enough' then reserved + safety + qty
        when 'stock short together' then reserved + safety + 2 * qty - 1
        when 'stock enough together' then reserved + safety + 2 * qty
        else greatest(0, reserved + safety + qty + spare) end as on_hand,
    sum(qty * price) over (partition by number)::bigint as total
from goods;

-- what is charged, authorized and cancelled of an order, each by how long after it
create or replace temp macro charged(amount, later := 0, status := 'captured', refunded := 0) as
    {later: hours(1) + later, amount: amount, status: status, refunded: refunded};
create or replace temp macro authorized(amount, later := 0, status := 'authorized', nth := 0) as
    {nth: nth, later: minutes(1) + later, amount: amount, status: status};
create or replace temp macro cancelled(qty, later := 0) as {later: hours(1) + later, qty: qty};

create or replace temp table money as
select *, sku + if(part = 'cancelled without SKU', getvariable('skus') - sku, 0) as cancelled_sku,
    case when part in ('charged again', 'charged again, partly back') then
            [charged(total), charged(total, later := between_(place, 'apart', if(part = 'charged again', 0, minutes(1)), hours(72)),
                refunded := if(part = 'charged again', 0, 1))]
        when part = 'charged again at the edge' then [charged(total), charged(total, later := hours(72))]
        when part = 'charged again too late' then [charged(total), charged(total, later := hours(72) + 1)]
        when part = 'charged overlapping' then [charged(total * 6 // 10), charged(total * 6 // 10, later := hours(1))]
        when part = 'charged in halves' then
            [charged(total // 2), charged(total // 2, later := seconds(1)), charged(total % 2, later := minutes(1))]
        when part = 'charged again, pending' then [charged(total), charged(total, later := minutes(1), status := 'pending')]
        when part = 'charged again, refunded' then
            [charged(total), charged(total, later := minutes(1), status := 'refunded', refunded := total)]
        when part = 'charged again, given back' then [charged(total), charged(total, later := minutes(1), refunded := total)]
        when part = 'charged a cent less' then [charged(total - 1)]
        when part = 'charged half' then [charged(total // 2)]
        when part = 'charged a cent more' then [charged(total + 1)]
        when part = 'charged too much in two' then [charged(total // 2), charged(total * 3 // 4, later := hours(1))]
        when part = 'charged, goodwill' then [charged(total, refunded := total // 3)]
        when part = 'charged unknown' then [charged(null)]
        when part in ('uncharged, pending', 'uncharged, declined', 'uncharged, disputed') then
            [charged(total, status := split_part(part, ', ', 2))]
        when part = 'uncharged, refunded' then [charged(total, status := 'refunded', refunded := total)]
        when part = 'cancelled, charged less' then [charged(total - price)]
        when part = 'cancelled, given back' then [charged(total, refunded := price)]
        when part in ('cancelled line', 'cancelled piecemeal') or starts_with(part, 'taken back') and part <> 'taken back in part'
            then [charged(total - qty * price)]
        when part = 'taken back in part' then [charged(total - price)]
        when part = 'authorized, paid' then [charged(total)]
        -- of what was ordered twice some comes back, or is disputed; the rest is kept
        when starts_with(part, 'repeated') and copy > 0 and status = 'delivered' and chance(number, 'regret') < 0.5 then
            [if(chance(number, 'regret') < 0.1, charged(total, status := 'disputed'),
                charged(total, status := 'refunded', refunded := total))]
        when part = 'declined, paid later' then [charged(total, later := days(2))]
        when part = 'charged late' then [charged(total, later := between_(number, 'late', days(10), days(20)))]
        when starts_with(part, 'uncharged') or status is null or status not in ('shipped', 'delivered') then []
        when chance(number, 'in parts') < 0.1 then
            [charged(total * between_(number, 'tenths', 1, 9) // 10),
             charged(total - total * between_(number, 'tenths', 1, 9) // 10, later := hours(1))]
        else [charged(total)] end as charges,
    case when part in ('authorized, expired', 'authorized, declined', 'authorized, voided') then
            [authorized(total), authorized(total, nth := 1, later := hours(1), status := split_part(part, ', ', 2))]
        when part = 'authorized a cent less' then [authorized(total - 1)]
        when part = 'authorized, renewed' then
            [authorized(total, nth := 1, later := minutes(1), status := 'expired'), authorized(total, later := hours(1))]
        when part = 'authorized more' then [authorized(total + 5000)]
        when part = 'authorized, paid' then [authorized(total, status := 'expired')]
        when part = 'authorized unknown' then [authorized(null)]
        when part = 'declined, cancelled' then [authorized(total, status := 'declined')]
        when part = 'declined, paid later' then
            [authorized(total, status := 'declined'), authorized(total, nth := 1, later := days(1))]
        when part in ('unauthorized', 'uncharged, ready') then []
        when part = 'uncharged' or is_open or status = 'ready' then [authorized(total)]
        when status = 'cancelled' then [authorized(total, status := 'voided')]
        else [] end as authorizations,
    case part when 'cancelled, charged less' then [cancelled(1, later := days(1))]
        when 'cancelled, given back' then [cancelled(1, later := days(2))]
        when 'cancelled line' then [cancelled(qty, later := days(1))]
        when 'cancelled piecemeal' then [cancelled((qty + 1) // 2, later := days(1)), cancelled(qty // 2, later := days(2))]
        when 'taken back' then [cancelled(qty, later := -hours(1) + between_(place, 'back', 0, hours(24)))]
        when 'taken back at the edge' then [cancelled(qty, later := hours(23))]
        when 'taken back later' then [cancelled(qty, later := hours(23) + 1)]
        when 'taken back in part' then [cancelled(1)]
        when 'cancelled without order' then [cancelled(1)]
        when 'cancelled without SKU' then [cancelled(1)]
        when 'cancelled more' then [cancelled(qty + 1)]
        when 'cancelled more together' then [cancelled(qty, later := days(1)), cancelled(1, later := days(2))]
        when 'cancelled before' then [cancelled(1, later := -hours(1) - 1)] else [] end as cancellations
from lines where line = 1;

-- corrections of stock: of five units or a fifth of what was on record and more, PHA-1; smaller ones, and finds
create or replace temp table corrections as
select *, id_of('HP-', sku) || '@' || place_name(location) as shelf
from (
    select 32 * getvariable('first') + row_number() over (order by least_qty, least_on_hand, nth) as number, is_true,
        between_(number, 'qty', least_qty, most_qty) as qty, between_(number, 'on hand', least_on_hand, most_on_hand) as on_hand,
        between_(number, 'sku', 0, getvariable('skus') - 1) as sku, between_(number, 'location', 0, 3) as location,
        getvariable('first') + draw(number, 'order') % getvariable('number') as place
    from (values (100, 900, -90, -5, true), (1000, 1000, -5, -5, true), (5, 5, -1, -1, true), (20, 20, -4, -4, true),
        (21, 21, -4, -4, false), (30, 900, -4, -1, false), (0, 900, 1, 50, false), (null, null, -4, -1, false)
    ) ranges(least_on_hand, most_on_hand, least_qty, most_qty, is_true),
        range(greatest(1, getvariable('number') // 1600)) times(nth)
);

-- a record of an order has at most 8 charges, and as many authorizations and cancellations
create or replace temp view history as
with rows_ as (
    select 'line' as record, line::varchar as record_id, number, customer, at_, status, sku, qty, price, location, total,
        if(tells_once and line <> lines + more, null, street || ' Mill Road') as line1,
        if(tells_once and line <> lines + more, null, postal_code::varchar) as postal_code,
        promised, moved, shipped, if(status = 'cancelled', cancelled, null) as cancelled, channel, on_hand, reserved, safety
    from lines
    union all by name
    select 'charge' as record, id_of('ch-', 8 * number + nth) as record_id, number, customer, at_ + one.later as at_, one.status,
        one.amount, one.refunded
    from (select *, unnest(charges) as one, generate_subscripts(charges, 1) - 1 as nth from money)
    union all by name
    select 'authorization' as record, id_of('au-', 8 * number + one.nth) as record_id, number, customer, at_ + one.later as at_,
        one.status, one.amount
    from (select *, unnest(authorizations) as one from money)
    union all by name
    select 'cancellation' as record, id_of('X-', 8 * number + nth) as record_id,
        number + if(part = 'cancelled without order', 3, 0) as number, customer, at_ + one.later as at_, cancelled_sku as sku,
        one.qty, price, location
    from (select *, unnest(cancellations) as one, generate_subscripts(cancellations, 1) - 1 as nth from money)
    union all by name
    select 'adjustment' as record, id_of('A-', c.number) as record_id, at_, sku, qty, location, on_hand
    from corrections c join (from orders where copy = 0) using (place)
)
select record, record_id, id_of('O-', number) as order_id, id_of('C-', customer) as customer_id, make_timestamp(at_) as "at",
    status, id_of('HP-', sku) as sku, qty, price as unit_price_cents, place_name(location) as location, total as total_cents,
    line1, postal_code, make_timestamp(promised) as promised_at, make_timestamp(moved) as moved_to,
    make_timestamp(shipped) as shipped_at, make_timestamp(cancelled) as cancelled_at, channel, null::varchar as customer_kind,
    amount as amount_cents, refunded as refunded_cents, on_hand, reserved,
    safety as safety_stock
from rows_ order by hash(hash(number, record, record_id, getvariable('seed'))), record_id;

create or replace temp view truth as
select case when kind is null then 'near_duplicate' else kind end as kind,
    if(kind = 'cancellation_without_order', id_of('X-', 8 * number + len(cancellations) - 1), id_of('O-', number)) as subject,
    case when kind in ('repeated_line', 'price_outlier', 'stock_short', 'quantity_outlier') then id_of('HP-', sku)
        when kind = 'cancellation_without_order' then id_of('HP-', cancelled_sku)
        when kind = 'double_charge' then id_of('ch-', 8 * number + 1)
        when kind = 'quick_reversal' then id_of('X-', 8 * number)
        when kind = 'duplicate_order' or kind is null then id_of('O-', number - 1) else '' end as other_id
-- of five SKUs or more all but one are the same
from money where kind is not null or copy > 0 and lines >= 5
    and part in ('separate just later', 'separate later', 'separate quantity', 'separate SKU')
union all
select 'stock_adjustment', shelf, id_of('A-', number) from corrections where is_true
order by all;
