"""A scratch database full of runs, copied from the shape of real ones: those that wait in the database of this checkout.

Every waiting run has its facts and observations; a closed one has its proposal, a decision and an effect.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Table

from errors import BadInput
from ledger.migrate import migrate
from ledger.tables import FACTS, INBOX, OBSERVATIONS, PROPOSALS, RUNS

#: of each table, what of a copy differs from its template; n is the number of the run, from 0
_OWN: Mapping[Table, Mapping[str, str]] = {
    INBOX: {
        "source_id": "'bench-' || n",
        "subject": "seed.subject || '-' || n",
        "as_of": "begun",
        "taken_in_at": "begun",
    },
    RUNS: {
        "run_id": "run",
        "source_id": "'bench-' || n",
        "status": "CASE WHEN waits THEN 'waiting' ELSE 'closed' END",
        "started_at": "begun",
        "verdict": "CASE WHEN NOT waits THEN 'fulfil' END",
        "outcome": "CASE WHEN NOT waits THEN 'executed' END",
        "ended_at": "CASE WHEN NOT waits THEN begun + interval '1 hour' END",
    },
    PROPOSALS: {
        "proposal_id": "run || '-p1'",
        "run_id": "run",
        "money_at_stake_cents": "(seed.money_at_stake_cents * (0.2 + 2 * random()))::bigint",
        "created_at": "begun + interval '1 minute'",
        "due_at": "begun + interval '1 minute' + random() * interval '20 hours'",
        "expires_at": "begun + interval '72 hours'",
        "status": "CASE WHEN waits THEN 'pending' ELSE 'approved' END",
    },
    FACTS: {"run_id": "run"},
    OBSERVATIONS: {"run_id": "run"},
}
#: a run each: its number, whether it waits, the template it is copied from, when it began (waiting ones lately)
_PLAN = """
CREATE TABLE bench_plan AS
SELECT n, n < %(waiting)s AS waits, 'r-bench' || lpad(n::text, 7, '0') AS run, n %% %(templates)s AS template,
       now() - random() * CASE WHEN n < %(waiting)s THEN interval '30 hours' ELSE interval '365 days' END AS begun
FROM generate_series(0, %(runs)s - 1) n
"""
_DECISIONS = """
INSERT INTO ledger.decisions (decision_id, proposal_id, run_id, kind, by, role, reason, digest, at, details)
SELECT 'd' || n, run || '-p1', run, 'approve', (ARRAY['rita', 'ron', 'sam', 'fay'])[1 + n % 4], 'reviewer', 'the evidence holds',
       'digest', begun + random() * interval '10 hours', '{}' FROM bench_plan WHERE NOT waits
"""
_EFFECTS = """
INSERT INTO ledger.effects (key, run_id, proposal_id, step, action, tool, args, status, at)
SELECT 'k' || n, run, run || '-p1', 0, 'release_payment_hold', 'payments.release_payment_hold', '{}', 'done', begun
FROM bench_plan WHERE NOT waits
"""


@dataclass(frozen=True)
class Size:
    """How many runs, and how many of them wait for a person."""

    runs: int
    waiting: int


@contextmanager
def filled(home_url: str, size: Size) -> Iterator[str]:
    """The address of a database of its own beside that of `home_url`, filled from its waiting runs; dropped at the end."""
    name = f"missions_bench_{os.getpid()}_{size.runs}"
    url = urlsplit(home_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(home_url, autocommit=True) as home:
        home.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        try:
            migrate(url)
            with psycopg.connect(url) as scratch:
                _fill(home, scratch, size)
            with psycopg.connect(url, autocommit=True) as scratch:
                scratch.execute("VACUUM ANALYZE")
            yield url
        finally:
            home.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _fill(home: psycopg.Connection, scratch: psycopg.Connection, size: Size) -> None:
    templates = _templates(home, scratch)
    scratch.execute("SET LOCAL synchronous_commit = off")
    scratch.execute("SET LOCAL session_replication_role = replica")  # proposals before the decisions about them
    scratch.execute(_PLAN, {"runs": size.runs, "waiting": size.waiting, "templates": templates})
    for table, own in _OWN.items():
        columns = [column.name for column in table.columns if column.name != "number"]
        values = ", ".join(own.get(column, f"seed.{_quoted(column)}") for column in columns)
        which = "WHERE waits" if table in (FACTS, OBSERVATIONS) else ""
        names = ", ".join(map(_quoted, columns))
        seed = f"bench_{table.name} seed USING (template)"
        scratch.execute(f"INSERT INTO {table.fullname} ({names}) SELECT {values} FROM bench_plan JOIN {seed} {which}".encode())
    scratch.execute(_DECISIONS)
    scratch.execute(_EFFECTS)


def _templates(home: psycopg.Connection, scratch: psycopg.Connection) -> int:
    """Copy the waiting runs over, into tables beside those of the ledger that number them; how many there are."""
    home.execute("CREATE TEMP TABLE IF NOT EXISTS bench_chosen (run_id text, source_id text, template bigint)")
    chosen = home.execute(
        "INSERT INTO bench_chosen SELECT run_id, source_id, row_number() OVER (ORDER BY number) - 1 "
        "FROM ledger.runs WHERE status = 'waiting' AND run_id IN (SELECT run_id FROM ledger.proposals WHERE status = 'pending')"
    ).rowcount
    if not chosen:
        raise BadInput("No run waits in the database of this checkout to be copied; call `make run` first.")
    for table in _OWN:
        key = "source_id" if table is INBOX else "run_id"
        pending = "WHERE source.status = 'pending'" if table is PROPOSALS else ""
        columns = ", ".join(f"source.{_quoted(column.name)}" for column in table.columns if column.name != "number")
        source = f"SELECT {columns}, template FROM {table.fullname} source JOIN bench_chosen USING ({key}) {pending}"
        scratch.execute(
            f"CREATE TABLE bench_{table.name} AS SELECT {columns}, 0::bigint AS template FROM {table.fullname} source".encode()
        )
        into = scratch.cursor().copy(f"COPY bench_{table.name} FROM STDIN (FORMAT BINARY)".encode())
        with into as target, home.cursor().copy(f"COPY ({source}) TO STDOUT (FORMAT BINARY)".encode()) as blocks:
            for block in blocks:
                target.write(block)
    home.execute("DROP TABLE bench_chosen")
    return chosen


def _quoted(name: str) -> str:
    return f'"{name}"'
