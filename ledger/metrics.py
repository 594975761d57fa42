"""The figures of the ledger in the text format of Prometheus, read from the database when they are asked for.

For the dashboard and for workers alike; of several that serve them, each says the same.
"""

from collections.abc import Iterable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text

from ledger.health import unattended_s
from ledger.model_calls import ModelCallStatus
from ledger.postgres import PostgresLedger
from ledger.records import DecisionKind, EffectStatus, RunStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PATIENCE = text("SET LOCAL statement_timeout = '10s'")
_RUNS = text("SELECT status, count(*) FROM ledger.runs GROUP BY status")
_DECISIONS = text("SELECT kind, count(*) FROM ledger.decisions GROUP BY kind")
_EFFECTS = text("SELECT status, count(*) FROM ledger.effects GROUP BY status")
_WAITING = text("""
    SELECT CASE WHEN age < interval '1 hour' THEN 'under 1 h' WHEN age < interval '8 hours' THEN '1 to 8 h'
                WHEN age < interval '24 hours' THEN '8 to 24 h' ELSE 'over 24 h' END, count(*), max(extract(epoch FROM age))
    FROM (SELECT now() - created_at AS age FROM ledger.proposals WHERE status = 'pending') waiting GROUP BY 1
""")
_MODEL_CALLS = text("""
    SELECT status, count(*), sum(input_tokens + output_tokens), sum(cost_cents) FROM ledger.model_calls GROUP BY status
""")
_AGES = ("under 1 h", "1 to 8 h", "8 to 24 h", "over 24 h")
_SINGLE = text("""
    SELECT (SELECT count(*) FROM ledger.inbox), (SELECT coalesce(max(seq), 0) FROM ledger.audit),
           (SELECT count(*) FROM ledger.incidents WHERE closed_at IS NULL),
           (SELECT count(*) FROM ledger.dead_letters WHERE settled_at IS NULL),
           to_regclass('public.procrastinate_jobs') IS NOT NULL
""")
_JOBS = text("SELECT status::text, count(*) FROM public.procrastinate_jobs GROUP BY status")


def metrics(ledger: PostgresLedger) -> bytes:
    """Every figure. TryAgain when the database does not answer. About 0.2 s with 100,000 runs."""
    registry = CollectorRegistry()
    with ledger.transaction() as tx:
        tx.execute(_PATIENCE)
        registry.register(_Figures(list(_figures(tx))))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        return self._figures


def _figures(tx: Connection) -> Iterator[Metric]:
    runs = dict.fromkeys(get_args(RunStatus), 0) | {row[0]: row[1] for row in tx.execute(_RUNS)}
    yield _gauge("missions_runs", "Runs by status.", "status", runs)
    waiting = tx.execute(_WAITING).all()
    ages = dict.fromkeys(_AGES, 0) | {row[0]: row[1] for row in waiting}
    yield _gauge("missions_proposals_waiting", "Proposals that wait for a person, by age.", "age", ages)
    oldest = max((float(row[2]) for row in waiting), default=0.0)
    yield GaugeMetricFamily(
        "missions_proposals_waiting_oldest_seconds", "Age of the proposal that waits longest.", max(oldest, 0.0)
    )
    decisions = dict.fromkeys(get_args(DecisionKind), 0) | {row[0]: row[1] for row in tx.execute(_DECISIONS)}
    yield _counter("missions_decisions", "Decisions by kind.", "kind", decisions)
    effects = dict.fromkeys(get_args(EffectStatus), 0) | {row[0]: row[1] for row in tx.execute(_EFFECTS)}
    yield _gauge("missions_effects", "Effects by status.", "status", effects)
    asked = tx.execute(_MODEL_CALLS).all()
    by_status = dict.fromkeys(get_args(ModelCallStatus), 0) | {row[0]: row[1] for row in asked}
    yield _gauge("missions_model_calls", "Questions to language models by status.", "status", by_status)
    tokens, cents = sum(int(row[2]) for row in asked), sum(row[3] for row in asked)
    yield CounterMetricFamily("missions_model_tokens", "Tokens that language models read and wrote.", tokens)
    yield CounterMetricFamily("missions_model_cost_cents", "What language models cost, in US cents.", cents)
    events, audit_rows, incidents, letters, has_jobs = tx.execute(_SINGLE).one()
    yield CounterMetricFamily("missions_events", "Events taken in.", events)
    yield CounterMetricFamily("missions_audit_rows", "Rows of the audit log.", audit_rows)
    yield GaugeMetricFamily("missions_incidents_open", "Runs that cannot go on by themselves.", incidents)
    yield GaugeMetricFamily("missions_dead_letters_open", "What came as an event, is none, and nobody has settled.", letters)
    yield GaugeMetricFamily(
        "missions_runs_unattended_seconds", "Since the run that nobody works on was touched last.", unattended_s(tx)
    )
    if has_jobs:
        yield _gauge("missions_jobs", "Jobs by status.", "status", {row[0]: row[1] for row in tx.execute(_JOBS)})


def _gauge(name: str, says: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, says: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
