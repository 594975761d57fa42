"""The ledger in PostgreSQL. Each method is one transaction; what it does stands in `ledger/sql/`, by subject."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.event import listen
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    DisconnectionError,
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
from ledger.base import Ledger
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
from ledger.sessions import is_cut
from ledger.sql import chain, evidence, incidents, lessons, people, proposals, runs, totals
from ledger.sql import effects as effect_rows
from ledger.sql import model_calls as questions
from ledger.sql.lock import held_run

_T = TypeVar("_T")
_END_STALLED = text("SELECT ledger.end_stalled()")


class PostgresLedger:
    """`ledger.base.Ledger` on PostgreSQL. Safe for threads; `ledger.migrate.migrate` makes its tables."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        keeper: leases.Keeper,
        held: Lease | None = None,
    ) -> None:
        self._engine, self._clock, self._keeper = engine, clock, keeper
        #: what every write of this ledger needs, where it belongs to a lease
        self._held = held

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime] = utc_now, lease_lasts: float = leases.LASTS) -> Self:
        """`url` as postgresql://user@host/database, `lease_lasts` in seconds. Connects at the first call, not here."""
        address = parse(patient(url))
        # whoever has waited for another sees what that one wrote, whatever the database does by default
        engine = create_engine(address, max_overflow=20, hide_parameters=True, isolation_level="READ COMMITTED")
        listen(engine, "checkout", _refuse_cut)
        return cls(engine, clock, leases.Keeper(plain(address), lease_lasts))

    def close(self) -> None:
        self._keeper.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commits at the end; errors of the database become those of the project. For `ledger.desk` too."""
        with self._translated(), self._engine.begin() as tx:
            yield tx

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
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

    def _writing(self) -> AbstractContextManager[Connection]:
        """A transaction that writes."""
        return self.transaction()

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
        with self._keeper.lease(run_id) as held:
            yield held

    def under(self, held: Lease, beside: Ledger | None = None) -> Ledger:
        return HeldLedger(self, held, beside if isinstance(beside, HeldLedger) else None)

    @contextmanager
    def step(self) -> Iterator[None]:
        yield

    def commit(self) -> None:
        pass  # every method does

    def forget(self) -> None:
        pass  # nothing is kept

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


class HeldLedger(PostgresLedger):
    """A `PostgresLedger` for the holder of the lease of one run: what is read of it is so until it writes. One thread at a time.

    Args:
        of: the ledger whose connections it uses, in the role of that one.
        held: every write raises TakenOver once another process has the run.
        beside: the ledger of another role under the same lease, which knows what this one knows.
    """

    def __init__(self, of: PostgresLedger, held: Lease, beside: "HeldLedger | None" = None) -> None:
        super().__init__(of._engine, of._clock, of._keeper, held)
        self._of, self._lease, self._run_id = of, held, held.run_id
        self._known: dict[str, Any] = beside._known if beside else {}
        self._stepping, self._open = False, ExitStack()
        self._tx: Connection | None = None
        #: of the run in the transaction of the step
        self._status: RunStatus = "running"
        self._said: list[Observation] = []

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step: what it writes is there at its end, or at `commit`; nothing of it where it raises."""
        self._stepping = True
        try:
            yield
            self.commit()
        finally:
            self._stepping = False
            self._end()

    def commit(self) -> None:
        """Write what the step has handed in so far, before something goes on that may take long or leaves the ledger."""
        if self._said and self._tx is None:  # as of most steps: one statement is a transaction
            with self.transaction() as session:
                if evidence.say_alone(session, self._lease, self._said):
                    self._said = []
        if self._said:
            with self._writing():
                pass
        if self._tx is not None:
            with self._translated(), self._open.pop_all():
                self._tx.commit()
            self._tx = None

    def forget(self) -> None:
        """Know nothing: somebody else may have written meanwhile."""
        self._known.clear()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        if self._tx is not None:
            with self._translated():
                yield self._tx
        else:  # what is read stands by itself
            with self._translated(), self._engine.connect() as session:
                yield session.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """The transaction of the step, in which what was said before is written first; one of its own outside a step."""
        if not self._stepping:
            with self._translated(), self._engine.begin() as tx:
                held_run(tx, self._lease)
                yield tx
            return
        try:
            with self._translated():
                yield self._of_step()
        except BaseException:
            self._end()
            raise

    def _of_step(self) -> Connection:
        if self._tx is None:
            self._tx = self._open.enter_context(self._engine.connect())
            self._tx.begin()
            self._status = held_run(self._tx, self._lease)
        if self._said:
            said, self._said = self._said, []
            evidence.say(self._tx, self._run_id, said, at_rest=self._status in audit.AT_REST)
        return self._tx

    def _end(self) -> None:
        """Let go of what is not committed."""
        self._tx, self._said = None, []
        with suppress(DBAPIError):  # of a session that is lost
            self._open.pop_all().close()

    def _once(self, name: str, read: Callable[[], _T]) -> _T:
        if name not in self._known:
            self._known[name] = read()
        kept: _T = self._known[name]
        return kept

    # What is known of the run

    def run(self, run_id: str) -> Run:
        if run_id != self._run_id:
            return super().run(run_id)
        if "run" not in self._known:
            with self.transaction() as tx:
                self._known["run"], last = runs.with_last_words(tx, run_id)
                self._known.setdefault("last", last)
        known: Run = self._known["run"]
        return known

    def facts(self, run_id: str, look: int | None = None) -> list[Fact]:
        return super().facts(run_id, look) if look else self._once("facts", partial(super().facts, run_id))

    def proposal(self, run_id: str) -> Proposal | None:
        return next(reversed(self.proposals(run_id)), None)

    def proposals(self, run_id: str) -> list[Proposal]:
        return self._once("proposals", partial(super().proposals, run_id))

    def decisions(self, run_id: str) -> list[Decision]:
        return self._once("decisions", partial(super().decisions, run_id))

    def observations(self, run_id: str, after: int = 0) -> list[Observation]:
        return [*super().observations(run_id, after), *self._said]

    # What is written of it

    def record_facts(self, run_id: str, facts: Sequence[Fact]) -> None:
        with self._writing() as tx:
            evidence.add_look(tx, run_id, facts)
        self._known.pop("facts", None)

    def observe(self, run_id: str, entries: Sequence[NewObservation], at: datetime | None = None) -> list[Observation]:
        if not self._stepping:
            self.forget()
            return super().observe(run_id, entries, at)
        self.run(run_id)
        last = self._known["last"]
        at = self._clock() if at is None else moment(at)
        said = [Observation(seq=last + place, at=at, **vars(entry)) for place, entry in enumerate(entries, start=1)]
        self._known["last"] = last + len(said)
        self._said += said
        return said

    def propose(self, proposal: Proposal) -> Proposal:
        kept = super().propose(proposal)
        self._status = "waiting" if kept.status == "pending" else "running"
        self._known.pop("run", None)
        self._known.pop("proposals", None)
        return kept

    def finish(self, run_id: str, verdict: str, outcome: Outcome, at: datetime) -> None:
        super().finish(run_id, verdict, outcome, at)
        self._known.pop("run", None)

    # What is written at once, for what follows leaves the ledger

    def mark_effect(
        self,
        key: str,
        status: EffectStatus,
        receipt: Mapping[str, Any] | None = None,
        error: str | None = None,
        *,
        at: datetime,
    ) -> Effect:
        effect = super().mark_effect(key, status, receipt, error, at=at)
        self.commit()
        return effect

    def leave_to_send(self, key: str, seconds: float) -> Leave:
        leave = super().leave_to_send(key, seconds)
        self.commit()
        return leave

    # What has a transaction of its own, whatever the step does

    def late(self, key: str, receipt: Mapping[str, Any] | None, error: str, at: datetime) -> Incident | None:
        self._end()
        return self._of.late(key, receipt, error, at)

    def begin_model_call(self, call: ModelCall, *, run_tokens: int, day_tokens: int, day_cents: float) -> ModelCall:
        return self._of.begin_model_call(call, run_tokens=run_tokens, day_tokens=day_tokens, day_cents=day_cents)

    def end_model_call(self, call_id: str, end: ModelCallEnd) -> ModelCall:
        return self._of.end_model_call(call_id, end)


def _refuse_cut(session: psycopg.Connection, *_: object) -> None:
    if is_cut(session):
        raise DisconnectionError  # the pool makes another


def _first_line(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
