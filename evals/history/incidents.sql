-- `incidents` of `exceptions`: what is one thing is one incident, with its money once, and how much it is worth to look at it.
-- Variables: orders of the history; most_incidents, how many are told. `groups` (number of an exception, link, incident: the least
-- number of it) is at rest: no two of a link are in different incidents. An exception that shares no link is in none of them.

create temp table membership as
select number, coalesce(min(incident), number) as incident from exceptions left join groups using (number) group by number;
drop table groups;

-- one row a kind in an incident. What half the company's orders have, or what a customer's orders always have, is how they work: a kind
-- that more than one order in a hundred has is worth a look that much less often, and one that a customer has n times an nth.
create temp table signs as
with counted as (
    select incident, kind, max(customer_id) as customer_id, bool_or(len(documents) > 0) as is_of_orders,
        count(distinct subject) as subjects,
        -- by their money
        coalesce(sum(chance * abs(money_cents)) / nullif(sum(abs(money_cents)), 0), max(chance)) as chance
    from exceptions join membership using (number) group by incident, kind
), spread as (
    select *, if(is_of_orders, count(*) over (partition by kind) / getvariable('orders'), 0) as share,
        -- once here, and each time elsewhere
        if(customer_id is null, 1, 1 + sum(subjects) over (partition by kind, customer_id) - subjects)::bigint as times
    from counted
)
select *, chance * least(1, 0.01 / nullif(share, 0)) / times as likely from spread;

-- an article's money, or an order's, counts once, however many exceptions tell of it; and of the two sums the greater
create temp table stakes as
with once as (
    select incident, article is not null as is_article, max(abs(coalesce(money_cents, 0))) as cents
    from exceptions join membership using (number) group by incident, is_article, coalesce(article, subject)
)
select incident, greatest(coalesce(sum(cents) filter (is_article), 0), coalesce(sum(cents) filter (not is_article), 0))::bigint as cents
from once group by incident;

create temp table incidents as
with judged as (
    select incident, 1 - product(1 - likely) as chance, list(replace(kind, '_', ' ') order by likely desc, kind) as kinds,
        arg_max({kind: kind, times: times, share: share}, (likely, kind)) as first
    from signs group by incident
), ranked as (
    select *, row_number() over (order by chance * cents desc, chance desc, incident) as rank
    from judged join stakes using (incident) qualify rank <= getvariable('most_incidents')
), told as (
    select incident, count(*) as exceptions, max(e.customer_id) as customer_id, min(moment) as moment,
        arg_max(says, (likely * (1 + abs(coalesce(money_cents, 0))), -number)) as says,
        list_sort(list_distinct(flatten(list(documents))))[:20] as documents
    from exceptions e join membership using (number) join signs using (incident, kind) semi join ranked using (incident)
    group by incident
)
select *, concat_ws('; ',
    amount(cents) || ' at stake',
    case when chance >= 0.6 then 'nearly always' when chance >= 0.25 then 'often' else 'seldom' end || ' worth a look',
    if(len(kinds) > 1, 'several signs agree: ' || array_to_string(kinds, ', '), null),
    if(first.times > 1, format('but this customer has it {} times', first.times), null),
    if(first.share > 0.01, format('but one order in {} has it', round(1 / first.share)::bigint), null)) as why
from told join ranked using (incident);
drop table signs;
drop table stakes;
