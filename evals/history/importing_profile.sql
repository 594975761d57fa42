-- One row of what stands in `history` and `told` (importing_history.sql).

with placed as (
    select order_id, max(total_cents) as total_cents, count(distinct total_cents) as totals,
        sum(qty * unit_price_cents) filter (record = 'line') as goods_cents
    from history where record in ('line', 'fee') group by order_id
)
select
    (select count(*) from placed) as orders,
    (select count(distinct customer_id) from history) as customers,
    (select strftime(min("at"), '%Y-%m-%d') from history) as first,
    (select strftime(max("at"), '%Y-%m-%d') from history) as last,
    (select bool_and("at" = date_trunc('day', "at")) from told) as is_dates_only,
    (select count_if(totals > 1) from placed) as several_totals,
    -- what comes off a price is known by nobody, and tax may be in it or not
    (select count_if(goods_cents > total_cents) from placed) as over_total,
    (select count_if(qty <> trunc(qty)) from told where record = 'line') as fractions;
