"""The ledger as nodes, commands and pages see it. START HERE.

Two implementations behave alike, down to the sentences of their errors: `ledger.postgres.PostgresLedger`, which
outlives the process, and `ledger.memory.MemoryLedger` for evaluations, notebooks and tests.

The form of a decision is checked here, for both.

Every method is one transaction: it happens as a whole or not at all. Errors: BadInput (unknown run, malformed
record), Refused (not allowed, or not any more; nothing was changed), TryAgain (the database did not answer).
Records come back as they were handed in, with the sequences of plain data as lists and moments in UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from ledger.authorization import DecisionRequest
from ledger.canonical import moment
from ledger.decision_requests import check_form
from ledger.inbox import EventOrigin
from ledger.lessons import Settlement
from ledger.limits import Standing
from ledger.model_calls import ModelCall, ModelCallEnd
from ledger.records import (
    NOBODY,
    Approval,
    AuditEntry,
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
    RunHistory,
    RunStatus,
)


class Ledger(Protocol):
    """Runs and everything that belongs to them, with the audit chain over what matters."""

    # Runs

    def take_in(self, event: Event, run_id: str, versions: Mapping[str, str], origin: EventOrigin | None = None) -> Run:
        """Take the event in and start its run ('running').

        An event is taken in once per `source_id`: when it comes again, its existing run is returned and `run_id`
        is not used. Refused when the same `source_id` comes with another content (`as_of` may differ). A new event of
        an `origin` keeps within its bounds: BadInput for a Mission or an `as_of` outside them, TooMany in a full hour.
        """

    def run(self, run_id: str) -> Run:
        """The run with this id, or the only one whose id starts so. BadInput when there is none or several."""

    def history(self, run_id: str) -> RunHistory:
        """The run with what was read, proposed, decided and done in it, as they stand. BadInput when there is none."""

    def runs(self, status: RunStatus | None = None, limit: int = 100) -> list[Run]:
        """The newest runs first, of one status or of all."""

    def finish(self, run_id: str, verdict: str, outcome: Outcome, at: datetime) -> None:
        """Close the run, with its open incidents; a proposal that still waits is superseded.

        The same end again changes nothing; Refused when the run was closed with another one.
        """

    def lease(self, run_id: str) -> AbstractContextManager[Lease]:
        """Hold the run while working on it. Refused when anybody holds it already; given back when they die.

        Whoever gives no sign of life for a while loses it.
        """

    def under(self, held: Lease, beside: "Ledger | None" = None) -> "Ledger":
        """The ledger for whoever holds a lease: every write raises TakenOver once another process has the run.

        What was read of the run is known from then on, also to the ledger of another role `beside` it, until `forget`.
        """

    def step(self) -> AbstractContextManager[None]:
        """A unit of work of the holder of a lease: what is written is there at its end, as one; nothing where it raises.

        A write that raises takes back what the step had written and not committed before.
        """

    def commit(self) -> None:
        """Write what the step has handed in so far; before anything that takes long, or that leaves the ledger."""

    def forget(self) -> None:
        """Read again what is wanted of the run: others may have written since."""

    # What was read, and what was said about it

    def record_facts(self, run_id: str, facts: Sequence[Fact]) -> list[Fact]:
        """Keep what one look of the run read, and return it as it is kept.

        A name that was read before is replaced; the earlier look is kept. BadInput where a name was read twice.
        """

    def facts(self, run_id: str, look: int | None = None) -> list[Fact]:
        """The latest fact of each name, or exactly what the given look read (1 for the first)."""

    def observe(self, run_id: str, entries: Sequence[NewObservation], at: datetime | None = None) -> list[Observation]:
        """Append to the Explain rail, numbered from 1; `at` is now unless given. BadInput for a kind that there is none of."""

    def observations(self, run_id: str, after: int = 0) -> list[Observation]:
        """The Explain rail in order, from the observation after number `after`."""

    def draft(self, run_id: str, draft: Mapping[str, Any]) -> str:
        """Keep what is put forward to be checked, whole, and return its id: of the run and of what it says.

        `draft` is plain data; the same again changes nothing.
        """

    def drafted(self, draft_id: str) -> dict[str, Any]:
        """The draft as it was kept, with the sequences of plain data as lists. BadInput when there is none."""

    # Questions to models

    def begin_model_call(self, call: ModelCall, *, run_tokens: int, day_tokens: int, day_cents: float) -> ModelCall:
        """Write a question down before it is sent, as 'sent'; BadInput where its id is known.

        Refused where it would pass a budget, with what it reserves and what others have reserved; day_cents 0 is none.
        """

    def end_model_call(self, call_id: str, end: ModelCallEnd) -> ModelCall:
        """Write down how a question ended. BadInput where it was never begun, Refused where it has ended."""

    def model_calls(self, run_id: str) -> list[ModelCall]:
        """The questions of a run, or those of no run (""), oldest first."""

    def model_answer(self, question: str, run_id: str = "", look: int = 0) -> Mapping[str, Any] | None:
        """The latest answer to a question by its digest: of a run and of its look, unless those are "" and 0."""

    # Proposals and decisions

    def propose(self, proposal: Proposal) -> Proposal:
        """Put a proposal before people, and return it as it is kept: it is 'pending', the run 'waiting', and an earlier
        pending one superseded.

        One whose approval has the role "none" is kept as 'automatic', and the run goes on. One that would change a
        record that the open proposal of another run would change too is 'pending' and `held_by` that run; when that is
        closed, it is superseded and its run goes on, to look again. The same proposal again changes nothing; Refused when
        its id exists with another digest, or the run is closed or an incident.
        """

    def proposal(self, run_id: str) -> Proposal | None:
        """The latest proposal of the run, whatever its status."""

    def proposals(self, run_id: str) -> list[Proposal]:
        """All proposals of the run, oldest first."""

    def queue(self, limit: int | None = None) -> list[tuple[Run, Proposal, tuple[Decision, ...]]]:
        """What waits for people, with the decisions so far: what is due first."""

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
        """The one choke point: a compare-and-swap on the pending proposal, under `ledger.authorization.judge`.

        Returns the decision and the proposal's status after it: "pending" when a second approval is still needed.
        The run goes on ('running') when the proposal is pending no more. Refused with the first broken rule; OverLimit
        where what went out before and this would pass a limit that the person may not decide about.
        """
        check_form(kind, by, reason, digest, details or {}, at)
        return self._decide(
            DecisionRequest(
                proposal_id=proposal_id, kind=kind, by=by, reason=reason, digest=digest, at=moment(at), details=details or {}
            )
        )

    def _decide(self, ask: DecisionRequest) -> tuple[Decision, ProposalStatus]:
        """`decide`, of what is a decision by its form."""

    def decisions(self, run_id: str) -> list[Decision]:
        """All decisions of the run, oldest first."""

    def all_decisions(self, mission: str | None = None) -> list[Decision]:
        """All decisions of the runs of one mission or of all, oldest first."""

    def standings(self, run_id: str, asked: Sequence[Limit]) -> list[Standing]:
        """What the totals that limits are about would come to with what a plan of the run adds (`ledger.limits.asked`)."""

    def commitments(self, run_id: str) -> list[Commitment]:
        """What the plans of the run add to totals, as far as somebody approved them or they were begun."""

    # Lessons

    def settle_lesson(self, asked: Settlement, first: Callable[[], object] = lambda: None) -> Settlement:
        """Promote or drop the lesson in a decision, once and for good, under `ledger.lessons.check_settling`.

        `asked.by` is the authenticated person. `first` is called once it is sure that nobody else settles it and that it may
        be settled so; where it raises, the lesson stays as it was. Returns what is kept.
        """

    def settlements(self) -> list[Settlement]:
        """What became of lessons, oldest first."""

    # Effects

    def intend(self, effects: Sequence[Effect], needed: Approval = NOBODY) -> None:
        """Write down effects before anything is sent, and what allows them. The same effect again changes nothing.

        `needed` is what the plan takes as it was worked out again; what its proposal says counts besides. Refused when the
        decisions do not give that, its proposal is neither approved nor automatic or not the latest of a run that goes on,
        the effect is not that step of its plan, or its key belongs to another effect; OverLimit when a limit of `needed`
        would be passed that nobody who approved may decide about.
        """

    def mark_effect(
        self,
        key: str,
        status: EffectStatus,
        receipt: Mapping[str, Any] | None = None,
        error: str | None = None,
        *,
        at: datetime,
    ) -> Effect:
        """Move an effect on: intended → executing → done, failed or unknown; unknown → done or failed.

        Refused for any other step, so of two processes that start an effect one is refused; in a run that is closed; and
        for a "failed" that somebody says while the write may still arrive.
        """

    def leave_to_send(self, key: str, seconds: float) -> Leave:
        """Leave to send a step that is under way, asked right before each sending, for so many seconds at most.

        Raises TakenOver where the lease is lost or has run out, and where the run is not 'running'.
        """

    def late(self, key: str, receipt: Mapping[str, Any] | None, error: str, at: datetime) -> Incident | None:
        """Keep what became of a write, by whoever sent it and has lost its run since: needs no lease.

        A run that has ended is reopened as an incident; one that goes on under another process finds out by itself.
        Without a receipt it is not known what the system did. None where it is no news.
        """

    def effects(self, run_id: str) -> list[Effect]:
        """The effects of the run as they stand, in the order in which they were intended."""

    # Incidents

    def incident(self, run_id: str, reason: str, at: datetime) -> Incident:
        """Stop the run as an incident. The same reason again returns the open incident of it."""

    def resume(self, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
        """Close the run's incidents; it is 'waiting' again if a proposal is pending, else 'running'."""

    def restart(self, run_id: str, versions: Mapping[str, str], *, by: str, reason: str, at: datetime) -> Run:
        """Restart an incident's run, with other versions: its open proposal is superseded, and it is 'running'.

        What was done stays done. Refused where a step is in doubt. Whoever calls this has deleted its checkpoints.
        """

    def abandon(self, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
        """Close an incident and its run for good, as 'abandoned': what was done stays done, nothing more will be."""

    def incidents(self, open_only: bool = True) -> list[Incident]:
        """Incidents, oldest first."""

    # People

    def add_person(self, name: str, role: str, customer_id: str | None = None) -> Person:
        """Add a person (one of PERSON_ROLES), or give a known one another role. Names differ by more than case and blanks."""

    def person(self, name: str) -> Person | None:
        """The person of this name."""

    def people(self) -> list[Person]:
        """Everybody, by name."""

    # Audit

    def audit(self, run_id: str | None = None) -> list[AuditEntry]:
        """The audit log in order, of one run or of all."""

    def audit_head(self) -> tuple[int, str]:
        """(seq, digest) of the last row, to be kept elsewhere; (0, 64 zeros) when there is none."""

    def verify_audit(self, head: tuple[int, str] | None = None) -> list[str]:
        """One sentence for each thing that is wrong with the chain; empty when it is intact.

        With an exported `head` a cut tail is found too.
        """
