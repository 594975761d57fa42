"""The ledger in PostgreSQL. Each method is one transaction; what it does stands in `ledger/sql/`, by subject."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
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

from errors import BadInput, MissionsError, Refused, TakenOver, TryAgain
from ledger import audit_chain, invariants, leases
from ledger.base import Ledger
from ledger.canonical import moment, storable, utc_now
from ledger.connections import away, is_cut, parse, plain
from ledger.invariants import TAKEN_OVER
from ledger.model_calls import ModelCall
from ledger.records import (
    NOBODY,
    Approval,
    Effect,
    Fact,
    Incident,
    Lease,
    Leave,
    NewObservation,
    Observation,
    Outcome,
    Proposal,
    Run,
    RunHistory,
    RunStatus,
    latest_facts,
)
from ledger.roles import patient
from ledger.sql import chain, evidence, run_rows, totals
from ledger.sql import effects as effect_rows
from ledger.sql import model_calls as questions
from ledger.sql import people as people_rows
from ledger.sql import proposals as proposal_rows
from ledger.sql.locks import held_run
from ledger.transactions import Transacting, as_holder, reads, timed, writes

_T = TypeVar("_T")
_END_STALLED = text("SELECT ledger.end_stalled()")


class PostgresLedger(Transacting, Ledger):
    """`ledger.base.Ledger` on PostgreSQL. Safe for threads; `ledger.migrate.migrate` makes its tables."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        keeper: leases.LeaseKeeper,
        held: Lease | None = None,
    ) -> None:
        self._engine, self._clock, self._keeper, self._held = engine, clock, keeper, held

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime] = utc_now, lease_lasts: float = leases.LASTS) -> Self:
        """`url` as postgresql://user@host/database, `lease_lasts` in seconds. Connects at the first call, not here."""
        address = parse(patient(url))
        # whoever has waited for another sees what that one wrote, whatever the database does by default
        engine = create_engine(address, max_overflow=20, hide_parameters=True, isolation_level="READ COMMITTED")
        listen(engine, "checkout", _refuse_cut)
        return cls(engine, clock, leases.LeaseKeeper(plain(address), lease_lasts))

    def close(self) -> None:
        self._keeper.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commits at the end; errors of the database become those of the project. For `ledger.services` too."""
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

    # Runs

    take_in = timed(run_rows.take_in)
    run = reads(run_rows.find)
    history = reads(run_rows.history)
    runs = reads(run_rows.newest)
    finish = writes(run_rows.finish)

    def lease(self, run_id: str) -> AbstractContextManager[Lease]:
        # not from the pool: those who hold a lease would keep its connections from their own transactions
        return self._keeper.lease(run_id)

    def under(self, held: Lease, beside: Ledger | None = None) -> Ledger:
        return HeldLedger(self, held, beside if isinstance(beside, HeldLedger) else None)

    @contextmanager
    def step(self) -> Iterator[None]:
        yield

    def commit(self) -> None:
        return  # every method does

    def forget(self) -> None:
        return  # nothing is kept

    # What was read, and what was said about it

    record_facts = writes(evidence.record_facts)
    facts = reads(evidence.facts)
    observe = timed(evidence.observe)
    observations = reads(evidence.observations)
    draft = writes(evidence.draft)
    drafted = reads(evidence.drafted)

    # Questions to models

    begin_model_call = writes(questions.begin)
    end_model_call = writes(questions.end)
    model_calls = reads(questions.of_run)
    model_answer = reads(questions.answer)

    # Proposals, decisions, lessons

    propose = timed(proposal_rows.propose)
    proposal = reads(proposal_rows.latest)
    proposals = reads(proposal_rows.of_run)
    queue = reads(proposal_rows.queue)
    _decide = writes(proposal_rows.decide)
    decisions = reads(proposal_rows.decisions)
    all_decisions = reads(proposal_rows.all_decisions)
    standings = reads(totals.standings)
    commitments = reads(totals.of_run)
    settle_lesson = writes(proposal_rows.settle_lesson)
    settlements = reads(proposal_rows.settlements)

    # Effects

    intend = writes(effect_rows.intend)
    mark_effect = as_holder(effect_rows.mark)
    leave_to_send = as_holder(effect_rows.leave_to_send)
    late = reads(run_rows.late)  # though it writes: who comes late has lost the lease
    effects = reads(effect_rows.of_run)

    # Incidents

    incident = writes(run_rows.incident)
    resume = writes(run_rows.resume)
    restart = writes(run_rows.restart)
    abandon = writes(run_rows.abandon)
    incidents = reads(run_rows.incidents)

    # People

    add_person = timed(people_rows.add)
    person = reads(people_rows.find)
    people = reads(people_rows.listed)

    # Audit

    audit = reads(chain.log)
    audit_head = reads(chain.head)
    verify_audit = reads(chain.verify)


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
        self._known: dict[Hashable, Any] = beside._known if beside else {}
        self._stepping, self._open = False, ExitStack()
        self._tx: Connection | None = None
        #: of the run in the transaction of the step
        self._status: RunStatus = "running"
        self._unwritten = evidence.Unwritten()

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
        if self._tx is None and self._unwritten:  # as of most steps: one statement is a transaction
            with self._translated(), self._session() as session:
                if evidence.write_held(session, self._lease, self._unwritten) == "running":
                    self._unwritten = evidence.Unwritten()
        self._flush()
        if self._tx is not None:
            with self._translated(), self._open.pop_all():
                self._tx.commit()
            self._tx = None

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """One of psycopg: that of the step, or one in which a statement is a transaction."""
        if self._tx is not None:
            yield self._tx.connection.driver_connection
            return
        pooled = self._engine.raw_connection()
        session: Any = pooled.driver_connection
        try:
            session.autocommit = True
            yield session
        finally:
            try:
                session.autocommit = False
            except psycopg.Error:  # it was cut
                pooled.invalidate()
            pooled.close()

    def _flush(self) -> None:
        """Write what was handed in into the transaction of the step."""
        if self._unwritten:
            with self._writing():
                pass

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
        unwritten, self._unwritten = self._unwritten, evidence.Unwritten()
        if self._tx is None:
            self._tx = self._open.enter_context(self._engine.connect())
            self._tx.begin()
            found = evidence.write_held(self._tx.connection.driver_connection, self._lease, unwritten)
            if found is None:
                raise TakenOver(TAKEN_OVER.format(self._run_id))
            self._status = found
            if found == "running":
                return self._tx
        if unwritten:
            evidence.write(self._tx, self._run_id, unwritten, at_rest=self._status in audit_chain.AT_REST)
        return self._tx

    def _end(self) -> None:
        """Let go of what is not committed, and of what is known with it."""
        if self._tx is not None or self._unwritten:
            self.forget()
        self._tx, self._unwritten = None, evidence.Unwritten()
        with suppress(DBAPIError):  # of a session that is lost
            self._open.pop_all().close()

    def _once(self, name: Hashable, read: Callable[[], _T]) -> _T:
        if name not in self._known:
            self._known[name] = read()
        kept: _T = self._known[name]
        return kept

    # What is known of the run

    def run(self, run_id: str) -> Run:
        if run_id != self._run_id:
            return super().run(run_id)
        if "run" not in self._known:
            with self._translated(), self._session() as session:
                found = run_rows.with_progress(session, run_id)
            self._known["run"] = found.run
            self._known.setdefault("last", found.said)
            if not (found.read or self._unwritten.facts):
                self._known.setdefault("facts", [])
                self._known.setdefault("evidence", [])
            if not found.proposed:
                for name in ("proposals", "decisions", "effects"):
                    self._known.setdefault(name, [])
        known: Run = self._known["run"]
        return known

    def facts(self, run_id: str, look: int | None = None) -> list[Fact]:
        if self._unwritten.facts and (look is not None or "facts" not in self._known):
            self._flush()
        return super().facts(run_id, look) if look is not None else self._once("facts", partial(super().facts, run_id))

    def history(self, run_id: str) -> RunHistory:
        return RunHistory(
            run=self.run(run_id),
            facts=self.facts(run_id),
            proposals=self.proposals(run_id),
            decisions=self._once("decisions", partial(super().decisions, run_id)),
            effects=self._once("effects", partial(super().effects, run_id)),
        )

    def proposals(self, run_id: str) -> list[Proposal]:
        return self._once("proposals", partial(super().proposals, run_id))

    def observations(self, run_id: str, after: int = 0) -> list[Observation]:
        return [*super().observations(run_id, after), *self._unwritten.said]

    # What is written of it

    def record_facts(self, run_id: str, facts: Sequence[Fact]) -> list[Fact]:
        if not self._stepping:
            self.forget()
            return super().record_facts(run_id, facts)
        kept = invariants.stored_facts(facts)
        if not kept:
            return kept
        if self._unwritten.facts:  # a statement writes one look
            self._flush()
        self._unwritten.facts = kept
        if (known := self._known.get("facts")) is not None:
            self._known["facts"] = latest_facts([known, kept])
        if "evidence" in self._known:
            self._known["evidence"] = [*self._known["evidence"], audit_chain.look_digest(kept)]
        return kept

    def observe(self, run_id: str, entries: Sequence[NewObservation], at: datetime | None = None) -> list[Observation]:
        if not self._stepping:
            self.forget()
            return super().observe(run_id, entries, at)
        invariants.check_observations(entries)
        if "last" not in self._known:
            self.run(run_id)
        last = self._known["last"]
        at = self._clock() if at is None else moment(at)
        said = [Observation(seq=last + place, at=at, **vars(entry)) for place, entry in enumerate(entries, start=1)]
        self._known["last"] = last + len(said)
        self._unwritten.said += said
        return said

    def draft(self, run_id: str, draft: Mapping[str, Any]) -> str:
        if not self._stepping:
            return super().draft(run_id, draft)
        kept = storable(draft)
        draft_id = invariants.draft_id(run_id, kept)
        self._unwritten.drafts[draft_id] = self._known["draft", draft_id] = kept
        return draft_id

    def drafted(self, draft_id: str) -> dict[str, Any]:
        return self._once(("draft", draft_id), partial(super().drafted, draft_id))

    def propose(self, proposal: Proposal) -> Proposal:
        if not self._stepping:
            self.forget()
            return super().propose(proposal)
        with self._writing() as tx:
            made = proposal_rows.put_forward(tx, self._now, proposal, self._status, self._known.get("evidence"))
        if made.is_new:
            self._status = "waiting" if made.proposal.status == "pending" else "running"
            self._learn(made)
        return made.proposal

    def _learn(self, made: proposal_rows.PutForward) -> None:
        """What is known of the run with a new proposal."""
        if (run := self._known.get("run")) is not None:
            self._known["run"] = replace(run, status=self._status)
        if (known := self._known.get("proposals")) is not None:
            gone = [replace(one, status="superseded") if one.proposal_id == made.superseded else one for one in known]
            self._known["proposals"] = [*gone, made.proposal]

    def finish(self, run_id: str, verdict: str, outcome: Outcome, at: datetime) -> None:
        super().finish(run_id, verdict, outcome, at)
        self._known.pop("run", None)

    def intend(self, effects: Sequence[Effect], needed: Approval = NOBODY) -> None:
        super().intend(effects, needed)
        self._known.pop("effects", None)

    # What is committed at once, for what follows leaves the ledger

    def mark_effect(self, key: str, *args: Any, **kwargs: Any) -> Effect:
        marked = super().mark_effect(key, *args, **kwargs)
        self.commit()
        if (known := self._known.get("effects")) is not None:
            self._known["effects"] = [marked if one.key == key else one for one in known]
        return marked

    def leave_to_send(self, key: str, seconds: float) -> Leave:
        leave = super().leave_to_send(key, seconds)
        self.commit()
        return leave

    # What has a transaction of its own, whatever the step does

    def begin_model_call(self, *args: Any, **kwargs: Any) -> ModelCall:
        return self._of.begin_model_call(*args, **kwargs)

    def end_model_call(self, *args: Any, **kwargs: Any) -> ModelCall:
        return self._of.end_model_call(*args, **kwargs)

    def late(self, key: str, receipt: Mapping[str, Any] | None, error: str, at: datetime) -> Incident | None:
        self._end()
        return self._of.late(key, receipt, error, at)


def _refuse_cut(session: psycopg.Connection, *_: object) -> None:
    if is_cut(session):
        raise DisconnectionError  # the pool makes another


def _first_line(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
