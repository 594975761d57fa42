"""Whether the ledger is well, and its figures in the text format of Prometheus, read from the database when asked for.

For the dashboard and for workers alike; of several that serve them, each says the same. What `health` says may be read by
who is not signed in.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from errors import MissionsError
from ledger.migrate import newest_revision
from ledger.model_calls import ModelCallStatus
from ledger.postgres import PostgresLedger
from ledger.records import DecisionKind, EffectStatus, RunStatus
from ledger.sql.rows import statements

_log = logging.getLogger(__name__)
#: seconds for which a run may be running without anybody who works on it
LONGEST_UNATTENDED_S = 15 * 60
#: of the database's patience with one question
_HEALTH_PATIENCE = text("SET LOCAL statement_timeout = '5s'")
#: for whoever holds the log
_TRIAL_PATIENCE = text("SET LOCAL lock_timeout = '1500ms'")
_SQL = statements("monitoring")


def health(ledger: PostgresLedger) -> Mapping[str, str]:
    """{"status": "ok" or "unwell", and of "database", "migrations", "runs" and "log" "ok", or in a word what is wrong}."""
    found = {"database": "away", "migrations": "unknown", "runs": "unknown", "log": "unknown"}
    try:
        with ledger.transaction() as tx:
            tx.execute(_HEALTH_PATIENCE)
            revision = tx.execute(_SQL["revision"]).scalar()
            found |= {"database": "ok", "migrations": "ok" if revision == newest_revision() else "another version"}
            found["runs"] = "ok" if unattended_s(tx) <= LONGEST_UNATTENDED_S else "left lying"
            found["log"] = "ok" if _is_writable(tx) else "cannot be written"
    except ProgrammingError:
        found |= {"database": "ok", "migrations": "another version", "runs": "unknown"}
    except MissionsError as error:
        _log.warning("the ledger is not well: %s", error)
    return {"status": "ok" if set(found.values()) == {"ok"} else "unwell", **found}


def unattended_s(tx: Connection) -> float:
    """Seconds since anything happened to the run that was left lying longest; 0 when there is none."""
    return max(float(tx.execute(_SQL["unattended"]).scalar() or 0), 0.0)


def _is_writable(tx: Connection) -> bool:
    """Whether a row of the audit log could be written now: it is, and taken back at once."""
    trial = tx.begin_nested()
    try:
        tx.execute(_TRIAL_PATIENCE)
        tx.execute(_SQL["trial"])
    except DBAPIError as failed:
        _log.warning("the audit log cannot be written: %s", type(failed.orig).__name__)
        return False
    finally:
        trial.rollback()
    return True


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE = text("SET LOCAL statement_timeout = '10s'")
_WAITING = """
(SELECT CASE WHEN age < interval '1 hour' THEN 'under 1 h' WHEN age < interval '8 hours' THEN '1 to 8 h'
    WHEN age < interval '24 hours' THEN '8 to 24 h' ELSE 'over 24 h' END AS age
FROM (SELECT now() - created_at AS age FROM ledger.proposals WHERE status = 'pending') AS pending) AS waiting
"""
_AGES = ("under 1 h", "1 to 8 h", "8 to 24 h", "over 24 h")
_HAS_JOBS = text("SELECT to_regclass('public.procrastinate_jobs') IS NOT NULL")
Family = type[CounterMetricFamily] | type[GaugeMetricFamily]
_GAUGE, _COUNTER = GaugeMetricFamily, CounterMetricFamily
#: what is counted by a label: (kind, name, what it is, label, the values that are there at 0 too, the rows)
_COUNTED: Sequence[tuple[Family, str, str, str, Sequence[str], str]] = (
    (_GAUGE, "runs", "Runs by status.", "status", get_args(RunStatus), "ledger.runs"),
    (_GAUGE, "proposals_waiting", "Proposals that wait for a person, by age.", "age", _AGES, _WAITING),
    (_COUNTER, "decisions", "Decisions by kind.", "kind", get_args(DecisionKind), "ledger.decisions"),
    (_GAUGE, "effects", "Effects by status.", "status", get_args(EffectStatus), "ledger.effects"),
    (_GAUGE, "model_calls", "Questions to language models by status.", "status", get_args(ModelCallStatus), "ledger.model_calls"),
)
_JOBS = (_GAUGE, "jobs", "Jobs by status.", "status", (), "public.procrastinate_jobs")
_PENDING = "proposals WHERE status = 'pending'"
_OLDEST = "greatest(extract(epoch FROM now() - min(created_at)), 0)"
_UNSETTLED = "Input that is not a valid event and is not settled yet."
#: single figures: (kind, name, what it is, how it is worked out, of which rows)
_SINGLE: Sequence[tuple[Family, str, str, str, str]] = (
    (_GAUGE, "proposals_waiting_oldest_seconds", "Age of the proposal that waits longest.", _OLDEST, _PENDING),
    (_COUNTER, "model_tokens", "Tokens that language models read and wrote.", "sum(input_tokens + output_tokens)", "model_calls"),
    (_COUNTER, "model_cost_cents", "What language models cost, in US cents.", "sum(cost_cents)", "model_calls"),
    (_COUNTER, "events", "Events accepted.", "count(*)", "inbox"),
    (_COUNTER, "audit_rows", "Rows of the audit log.", "max(seq)", "audit"),
    (_GAUGE, "incidents_open", "Runs that cannot continue on their own.", "count(*)", "incidents WHERE closed_at IS NULL"),
    (_GAUGE, "dead_letters_open", _UNSETTLED, "count(*)", "dead_letters WHERE settled_at IS NULL"),
)

#: as they are asked for
_OUTGOING = (
    ("behind_rows", "Rows of the audit log that a destination has not been told of yet."),
    ("behind_seconds", "Age of the first of these rows."),
    ("failing_seconds", "How long a destination has not taken the next event."),
)


def metrics(ledger: PostgresLedger) -> bytes:
    """Every figure. TryAgain when the database does not answer. About 0.2 s with 100,000 runs."""
    with ledger.transaction() as tx:
        tx.execute(_PATIENCE)
        return generate_latest(_Figures(list(_figures(tx))))


@dataclass(eq=False)
class _Figures(Collector):
    figures: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.figures


def _figures(tx: Connection) -> Iterator[Metric]:
    for kind, name, says, label, values, rows in (*_COUNTED, *([_JOBS] if tx.scalar(_HAS_JOBS) else [])):
        family = kind(f"missions_{name}", says, labels=[label])
        counted = {row[0]: row[1] for row in tx.execute(text(f"SELECT {label}, count(*) FROM {rows} GROUP BY 1"))}
        for value, number in (dict.fromkeys(values, 0) | counted).items():
            family.add_metric([value], number)
        yield family
    for kind, name, says, figure, rows in _SINGLE:
        yield kind(f"missions_{name}", says, max(float(tx.scalar(text(f"SELECT {figure} FROM ledger.{rows}")) or 0), 0.0))
    yield from _outgoing(tx)
    yield _GAUGE("missions_runs_unattended_seconds", "Time since the oldest idle run was last worked on.", unattended_s(tx))


def _outgoing(tx: Connection) -> Iterator[Metric]:
    """By destination of outgoing events."""
    families = [_GAUGE(f"missions_outgoing_{name}", says, labels=["destination"]) for name, says in _OUTGOING]
    for name, *figures in tx.execute(_SQL["outgoing"]):
        for family, figure in zip(families, figures, strict=True):
            family.add_metric([name], max(float(figure), 0.0))
    yield from families
