"""Incidents: the exceptions of a scan that are one thing, each with its money once, ranked by what is worth a look.

Exceptions are one incident where they are about the same order or cancellation, or about the same article of a customer (the
same shelf) and at most a day apart. Worth a look is the money at stake times the chance that it is a mistake: that of its kinds
(`detectors.yaml`), less where the company or the customer always works so.
"""

from pathlib import Path

import duckdb
import pandas as pd

#: those most worth a look, that are held in memory
MOST = 10_000
_INCIDENTS = Path(__file__).with_suffix(".sql")

_GROUPS = """
create temp table groups as
with near as (
    select number, coalesce(customer_id, subject) as whose, article, moment,
        coalesce(moment - lag(moment) over before > interval 1 day, false) as starts
    from exceptions where article is not null
    window before as (partition by coalesce(customer_id, subject), article order by moment)
), links as (
    select number, hash('document', unnest(documents)) as link from exceptions
    union all
    select number, hash('article', whose, article,
        count_if(starts) over (partition by whose, article order by moment rows unbounded preceding)) from near
)
-- most are alone
select distinct number, link, number as incident from links
where link in (select link from links group by link having count(*) > 1)
"""
#: the least incident of a link is that of each of its exceptions
_JOINED = """
create or replace temp table groups as
with linked as (
    select link, min(incident) as incident from groups group by link
), joined as (
    select number, min(linked.incident) as incident from groups join linked using (link) group by number
)
select number, link, joined.incident from groups join joined using (number)
"""
_IDENTIFIED = """
create or replace temp table exceptions as
select e.* replace (first.exception_id as incident_id)
from exceptions e join membership using (number) join exceptions first on first.number = membership.incident
"""
_SHOWN = """
select exception_id as incident_id, rank, i.moment::timestamptz as "at", i.customer_id, kinds, i.documents, exceptions,
    cents as money_cents, i.chance, i.says, why
from incidents i join exceptions on number = incident order by rank
"""


def join_incidents(engine: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Give each of the table `exceptions` its incident; the incidents most worth a look, `MOST` at most, the first first."""
    engine.execute(_GROUPS)
    before, after = None, _total(engine)
    while after != before:
        engine.execute(_JOINED)
        before, after = after, _total(engine)
    engine.execute("set variable most_incidents = $1", [MOST])
    engine.execute(_INCIDENTS.read_text("utf-8"))
    engine.execute(_IDENTIFIED)
    shown: pd.DataFrame = engine.sql(_SHOWN).to_arrow_table().to_pandas()
    return shown


def _total(engine: duckdb.DuckDBPyConnection) -> int:
    return int(engine.execute("select coalesce(sum(incident), 0) from groups").fetchall()[0][0])
