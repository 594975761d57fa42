"""The ledger in PostgreSQL. Each method is one transaction; what it does stands in `ledger/sql/`, by subject."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    StatementError,
    TimeoutError,
)

from errors import BadInput, MissionsError, Refused, TryAgain
from ledger import audit, leases, rules
from ledger.address import parse, plain
from ledger.arrivals import Origin
from ledger.asking import check_form
from ledger.canonical import moment, utc_now
from ledger.lessons import Settlement
from ledger.limits import Standing
from ledger.model_calls import ModelCall, ModelCallEnd
from ledger.records import (
    NOBODY,
    Approval,
    AuditEntry,
    Authorization,
    Commitment,
    Decision,
    DecisionKind,
    Effect,
    EffectStatus,
    Event,
    Fact,
    Incident,
    Lease,
    Leave,
    Limit,
    NewObservation,
    Observation,
    Outcome,
    Person,
    Proposal,
    ProposalStatus,
    Run,
    RunStatus,
)
from ledger.roles import patient
from ledger.sentences import away
from ledger.sql import chain, evidence, incidents, lessons, people, proposals, runs, totals
from ledger.sql import effects as effect_rows
from ledger.sql import model_calls as questions

_END_STALLED = text("SELECT ledger.end_stalled()")


class PostgresLedger:
    """`ledger.base.Ledger` on PostgreSQL. Safe for threads; `ledger.migrate.migrate` makes its tables."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime] = utc_now,
        lease_lasts: float = leases.LASTS,
        held: Lease | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._lease_lasts = lease_lasts
        #: what every write of this ledger needs, where it belongs to a lease
        self._held = held

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime] = utc_now, lease_lasts: float = leases.LASTS) -> Self:
        """`url` as postgresql://user@host/database, `lease_lasts` in seconds. Connects at the first call, not here."""
        address = parse(patient(url))
        # whoever has waited for another sees what that one wrote, whatever the database does by default
        engine = create_engine(
            address, pool_pre_ping=True, max_overflow=20, hide_parameters=True, isolation_level="READ COMMITTED"
        )
        return cls(engine, clock, lease_lasts)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commits at the end; errors of the database become those of the project. For `ledger.desk` too."""
        try:
            with self._engine.begin() as tx:
                yield tx
        except (OperationalError, InterfaceError, TimeoutError) as failed:
            if isinstance(failed, OperationalError) and isinstance(failed.orig, psycopg.errors.ProgramLimitExceeded):
                raise BadInput(f"The ledger cannot hold a value: {_first_line(failed)}") from failed
            stopped = psycopg.errors.LockNotAvailable | psycopg.errors.OutOfMemory
            if isinstance(failed, OperationalError) and isinstance(failed.orig, stopped):
                self._end_stalled()
            raise TryAgain(f"The database of the ledger {away(getattr(failed, 'orig', None) or failed)}") from failed
        except (ProgrammingError, InternalError) as failed:
            if isinstance(failed.orig, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction):
                raise Refused(f"The database does not let this process do that: {_first_line(failed)}.") from failed
            raise
        except DataError as failed:
            raise BadInput(f"The ledger cannot hold a value: {_first_line(failed)}") from failed
        except StatementError as failed:
            # an error of ours, raised while a value was made ready for the database
            if isinstance(failed.orig, MissionsError):
                raise failed.orig from None
            raise

    def _end_stalled(self) -> None:
        """End sessions that have stopped everybody else's writing for longer than any of ours takes."""
        with suppress(DBAPIError), self._engine.begin() as tx:
            tx.execute(_END_STALLED)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that writes: of a ledger that belongs to a lease, as long as nobody else holds the run."""
        with self.transaction() as tx:
            if self._held is not None:
                leases.require(tx, self._held)
            yield tx

    # Runs

    def take_in(self, event: Event, run_id: str, versions: Mapping[str, str], origin: Origin | None = None) -> Run:
        with self._writing() as tx:
            return runs.take_in(tx, event, run_id, versions, self._clock(), origin)

    def run(self, run_id: str) -> Run:
        with self.transaction() as tx:
            return runs.find(tx, run_id)

    def runs(self, status: RunStatus | None = None, limit: int = 100) -> list[Run]:
        with self.transaction() as tx:
            return runs.newest(tx, status, limit)

    def finish(self, run_id: str, verdict: str, outcome: Outcome, at: datetime) -> None:
        with self._writing() as tx:
            runs.finish(tx, run_id, verdict, outcome, moment(at))

    @contextmanager
    def lease(self, run_id: str) -> Iterator[Lease]:
        # not from the pool: those who hold a lease would keep its connections from their own transactions
        with leases.lease(plain(self._engine.url), run_id, self._lease_lasts) as held:
            yield held

    def under(self, held: Lease) -> "PostgresLedger":
        return PostgresLedger(self._engine, self._clock, self._lease_lasts, held)

    # What was read, and what was said about it

    def record_facts(self, run_id: str, facts: Sequence[Fact]) -> None:
        with self._writing() as tx:
            evidence.record_facts(tx, run_id, facts)

    def facts(self, run_id: str, look: int | None = None) -> list[Fact]:
        with self.transaction() as tx:
            return evidence.facts(tx, run_id, look)

    def observe(self, run_id: str, entries: Sequence[NewObservation], at: datetime | None = None) -> list[Observation]:
        with self._writing() as tx:
            return evidence.observe(tx, run_id, entries, self._clock() if at is None else moment(at))

    def observations(self, run_id: str, after: int = 0) -> list[Observation]:
        with self.transaction() as tx:
            return evidence.observations(tx, run_id, after)

    # Questions to models

    def begin_model_call(self, call: ModelCall, *, run_tokens: int, day_tokens: int, day_cents: float) -> ModelCall:
        begun = replace(call, at=moment(call.at), status="sent")
        with self._writing() as tx:
            return questions.begin(tx, begun, run_tokens=run_tokens, day_tokens=day_tokens, day_cents=day_cents)

    def end_model_call(self, call_id: str, end: ModelCallEnd) -> ModelCall:
        with self._writing() as tx:
            return questions.end(tx, call_id, replace(end, ended_at=moment(end.ended_at)))

    def model_calls(self, run_id: str) -> list[ModelCall]:
        with self.transaction() as tx:
            return questions.of_run(tx, run_id)

    def model_answer(self, question: str, run_id: str = "", look: int = 0) -> Mapping[str, Any] | None:
        with self.transaction() as tx:
            return questions.answer(tx, question, run_id, look)

    # Proposals and decisions

    def propose(self, proposal: Proposal) -> Proposal:
        with self._writing() as tx:
            return proposals.propose(tx, proposal, self._clock())

    def proposal(self, run_id: str) -> Proposal | None:
        with self.transaction() as tx:
            return proposals.latest(tx, run_id)

    def proposals(self, run_id: str) -> list[Proposal]:
        with self.transaction() as tx:
            return proposals.of_run(tx, run_id)

    def queue(self, limit: int | None = None) -> list[tuple[Run, Proposal, tuple[Decision, ...]]]:
        with self.transaction() as tx:
            return proposals.queue(tx, limit)

    def decide(
        self,
        proposal_id: str,
        *,
        kind: DecisionKind,
        by: str,
        reason: str,
        digest: str,
        details: Mapping[str, Any] | None = None,
        at: datetime,
    ) -> tuple[Decision, ProposalStatus]:
        check_form(kind, by, reason, digest, details or {}, at)
        ask = rules.Ask(
            proposal_id=proposal_id,
            kind=kind,
            by=by,
            reason=reason,
            digest=digest,
            at=moment(at),
            details=details or {},
        )
        with self._writing() as tx:
            return proposals.decide(tx, ask)

    def decisions(self, run_id: str) -> list[Decision]:
        with self.transaction() as tx:
            return proposals.decisions(tx, run_id)

    def all_decisions(self, mission: str | None = None) -> list[Decision]:
        with self.transaction() as tx:
            return lessons.decisions(tx, mission)

    def standings(self, run_id: str, asked: Sequence[Limit]) -> list[Standing]:
        with self.transaction() as tx:
            return totals.count(tx, run_id, asked, alone=False).standings if asked else []

    def commitments(self, run_id: str) -> list[Commitment]:
        with self.transaction() as tx:
            return totals.of_run(tx, run_id)

    # Lessons

    def settle_lesson(self, asked: Settlement, first: Callable[[], object] = lambda: None) -> Settlement:
        with self._writing() as tx:
            return lessons.settle(tx, replace(asked, at=moment(asked.at)), first)

    def settlements(self) -> list[Settlement]:
        with self.transaction() as tx:
            return lessons.settled(tx)

    # Effects

    def intend(self, effects: Sequence[Effect], needed: Approval = NOBODY) -> None:
        with self._writing() as tx:
            effect_rows.intend(tx, effects, needed)

    def authorizations(self, run_id: str) -> list[Authorization]:
        with self.transaction() as tx:
            return effect_rows.authorizations(tx, run_id)

    def mark_effect(
        self,
        key: str,
        status: EffectStatus,
        receipt: Mapping[str, Any] | None = None,
        error: str | None = None,
        *,
        at: datetime,
    ) -> Effect:
        with self._writing() as tx:
            return effect_rows.mark(tx, key, status, receipt, error, moment(at), by_holder=self._held is not None)

    def leave_to_send(self, key: str, seconds: float) -> Leave:
        with self._writing() as tx:
            return effect_rows.leave_to_send(tx, key, seconds, self._held)

    def late(self, key: str, receipt: Mapping[str, Any] | None, error: str, at: datetime) -> Incident | None:
        with self.transaction() as tx:  # not `_writing`: who comes late has lost the lease
            return incidents.late(tx, key, receipt, error, moment(at))

    def effects(self, run_id: str) -> list[Effect]:
        with self.transaction() as tx:
            return effect_rows.of_run(tx, run_id)

    # Incidents

    def incident(self, run_id: str, reason: str, at: datetime) -> Incident:
        with self._writing() as tx:
            return incidents.open_one(tx, run_id, reason, moment(at))

    def resume(self, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
        with self._writing() as tx:
            return incidents.resume(tx, run_id, by, reason, moment(at))

    def restart(self, run_id: str, versions: Mapping[str, str], *, by: str, reason: str, at: datetime) -> Run:
        with self._writing() as tx:
            return incidents.restart(tx, run_id, versions, by, reason, moment(at))

    def abandon(self, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
        with self._writing() as tx:
            return runs.abandon(tx, run_id, by, reason, moment(at))

    def incidents(self, open_only: bool = True) -> list[Incident]:
        with self.transaction() as tx:
            return incidents.listed(tx, open_only)

    # People

    def add_person(self, name: str, role: str, customer_id: str | None = None) -> Person:
        with self._writing() as tx:
            return people.add(tx, name, role, customer_id, self._clock())

    def person(self, name: str) -> Person | None:
        with self.transaction() as tx:
            return people.find(tx, name)

    def people(self) -> list[Person]:
        with self.transaction() as tx:
            return people.listed(tx)

    # Audit

    def audit(self, run_id: str | None = None) -> list[AuditEntry]:
        with self.transaction() as tx:
            return list(chain.entries(tx, run_id))

    def audit_head(self) -> tuple[int, str]:
        with self.transaction() as tx:
            return chain.head(tx)

    def verify_audit(self, head: tuple[int, str] | None = None) -> list[str]:
        with self.transaction() as tx:
            return audit.verify(chain.entries(tx), head)


def _first_line(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
