"""The ledger in the memory of one process: for evaluations, notebooks and tests.

It keeps the records as they are handed in. The audit chain is digested when somebody asks for it, not before, so
that an evaluation of thousands of runs does not pay for it.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial, wraps
from inspect import getmembers, isfunction
from typing import Any, TypeVar
from uuid import uuid4

from errors import BadInput, Refused
from ledger import audit_chain, authorization, inbox, invariants, lessons, limits, model_calls, names
from ledger.authorization import person_key
from ledger.base import Ledger
from ledger.canonical import moment, storable, utc_now
from ledger.inbox import EventOrigin
from ledger.invariants import GIVEN_UP, LEASED, MODEL_CALL_TAKEN, NO_EFFECT, NO_PROPOSAL, NO_RUN, RUN_ID_TAKEN, several_runs
from ledger.lessons import Settlement
from ledger.limits import Standing
from ledger.model_calls import ModelCall, ModelCallEnd, Spent
from ledger.records import (
    NOBODY,
    Approval,
    AuditEntry,
    Authorization,
    Commitment,
    Decision,
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
    latest_facts,
)

_K = TypeVar("_K")
#: a proposal that waits, or that is being executed
_OPEN = ("pending", "approved", "automatic")


@dataclass(slots=True)
class _RunRecord:
    """Everything that belongs to one run."""

    run: Run
    looks: list[Sequence[Fact]] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    #: by their ids and keys, the oldest first
    proposals: dict[str, Proposal] = field(default_factory=dict)
    effects: dict[str, Effect] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    #: how often somebody has held it
    leases: int = 0

    @property
    def latest(self) -> Proposal | None:
        return next(reversed(self.proposals.values()), None)

    @property
    def live(self) -> Proposal | None:
        """The latest proposal of a run that goes on."""
        return None if self.run.status == "closed" else self.latest

    def about(self, proposal_id: str) -> tuple[Decision, ...]:
        return tuple(decision for decision in self.decisions if decision.proposal_id == proposal_id)

    def supersede(self) -> str | None:
        """The id of the pending proposal that is superseded by this, if there was one."""
        pending = next((one for one in self.proposals.values() if one.status == "pending"), None)
        if pending is None:
            return None
        self.proposals[pending.proposal_id] = replace(pending, status="superseded")
        return pending.proposal_id

    def close_incidents(self, at: datetime) -> None:
        self.incidents = [made if made.closed_at else replace(made, closed_at=at) for made in self.incidents]


def _one_at_a_time(kind: type[_K]) -> type[_K]:
    """Every public method of the class, and of what it is, has the lock of its ledger while it runs."""

    def locked(do: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(do)
        def method(self: "MemoryLedger", *args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return do(self, *args, **kwargs)

        return method

    for name, do in getmembers(kind, isfunction):
        if not name.startswith("_"):
            setattr(kind, name, locked(do))
    return kind


@_one_at_a_time
class MemoryLedger(Ledger):
    """`ledger.base.Ledger` without a database. Safe for threads; gone with the process."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._cases: dict[str, _RunRecord] = {}
        self._by_source: dict[str, str] = {}
        #: how much each source handed in, by its name and the hour
        self._arrived: dict[tuple[str, datetime], int] = {}
        self._drafts: dict[str, dict[str, Any]] = {}
        #: by the id of a proposal, and by the key of an effect
        self._of_proposal: dict[str, _RunRecord] = {}
        self._of_effect: dict[str, _RunRecord] = {}
        self._authorized: dict[str, Authorization] = {}
        #: by their total, then by the proposal and the step that add to it
        self._commitments: dict[limits.Total, dict[tuple[str, int], Commitment]] = {}
        self._people: dict[str, Person] = {}
        #: of all runs, in the order in which they were made
        self._decisions: dict[str, Decision] = {}
        self._settled: dict[str, Settlement] = {}
        self._model_calls: dict[str, ModelCall] = {}
        self._leased: set[str] = set()
        #: record -> the runs whose proposals would change it, or would have
        self._touched: dict[str, set[str]] = {}
        self._chain: list[AuditEntry] = []
        #: audit rows that are not digested yet: at, kind, run id, and what makes the body
        self._noted: list[tuple[datetime, str, str, Callable[[], Mapping[str, Any]]]] = []

    # Runs

    def take_in(self, event: Event, run_id: str, versions: Mapping[str, str], origin: EventOrigin | None = None) -> Run:
        invariants.check_event(event, run_id)
        known = self._by_source.get(event.source_id)
        if known is not None:
            run = self._cases[known].run
            invariants.check_same_event(event.source_id, invariants.event_digest(run.event), invariants.event_digest(event))
            return run
        if run_id in self._cases:
            raise BadInput(RUN_ID_TAKEN.format(run_id))
        at = self._clock()
        if origin is not None:
            inbox.check_arrival(event, origin, at)
            self._count(origin, at)
        run = Run(run_id=run_id, event=event, versions=versions, status="running", started_at=at)
        self._cases[run_id] = _RunRecord(run)
        self._by_source[event.source_id] = run_id
        self._note(at, "event_taken_in", run_id, lambda: audit_chain.of_event(event, versions))
        return run

    def _count(self, origin: EventOrigin, at: datetime) -> None:
        """Raises TooMany where the source has handed in all that it may in this hour."""
        hour = moment(at).replace(minute=0, second=0, microsecond=0)
        kept = self._arrived.get((origin.name, hour), 0)
        if origin.bounds.hourly is not None and kept >= origin.bounds.hourly:
            raise inbox.too_many(origin, at)
        self._arrived[origin.name, hour] = kept + 1

    def run(self, run_id: str) -> Run:
        if run_id in self._cases:
            return self._cases[run_id].run
        found = sorted(known for known in self._cases if known.startswith(run_id)) if run_id else []
        if len(found) > 1:
            raise BadInput(several_runs(run_id, found))
        return self._case(found[0] if found else run_id).run

    def history(self, run_id: str) -> RunHistory:
        case = self._case(run_id)
        return RunHistory(
            run=case.run,
            facts=latest_facts(case.looks),
            proposals=list(case.proposals.values()),
            decisions=list(case.decisions),
            effects=list(case.effects.values()),
        )

    def runs(self, status: RunStatus | None = None, limit: int = 100) -> list[Run]:
        # reversed before sorting: of runs that started at the same moment the later one comes first
        runs = [case.run for case in reversed(self._cases.values()) if status in (None, case.run.status)]
        return sorted(runs, key=lambda run: run.started_at, reverse=True)[:limit]

    def finish(self, run_id: str, verdict: str, outcome: Outcome, at: datetime) -> None:
        at = moment(at)
        case = self._case(run_id)
        if invariants.already_finished(case.run, verdict, outcome):
            return
        invariants.check_end(case.run, outcome, case.effects.values())
        case.supersede()
        case.close_incidents(at)
        case.run = replace(case.run, status="closed", verdict=verdict, outcome=outcome, ended_at=at)
        self._note(at, "run_closed", run_id, lambda: audit_chain.of_end(verdict, outcome))
        self._release(case, at)

    @contextmanager
    def lease(self, run_id: str) -> Iterator[Lease]:
        with self._lock:
            case = self._case(run_id)
            if run_id in self._leased:
                raise Refused(LEASED.format(run_id))
            self._leased.add(run_id)
            case.leases += 1
        try:
            yield Lease(run_id, case.leases)
        finally:
            with self._lock:
                self._leased.discard(run_id)

    def under(self, held: Lease, beside: Ledger | None = None) -> "MemoryLedger":
        return self  # nobody takes over in a process that has died

    @contextmanager
    def step(self) -> Iterator[None]:
        yield  # and nothing is left half done in one

    def commit(self) -> None:
        return

    def forget(self) -> None:
        return

    # What was read, and what was said about it

    def record_facts(self, run_id: str, facts: Sequence[Fact]) -> list[Fact]:
        kept, case = invariants.stored_facts(facts), self._case(run_id)
        if kept:
            case.looks.append(kept)
        return kept

    def facts(self, run_id: str, look: int | None = None) -> list[Fact]:
        looks = self._of_run(run_id, "looks")
        if look is not None:
            return list(looks[look - 1]) if 0 < look <= len(looks) else []
        return latest_facts(looks)

    def observe(self, run_id: str, entries: Sequence[NewObservation], at: datetime | None = None) -> list[Observation]:
        invariants.check_observations(entries)
        at = self._clock() if at is None else moment(at)
        case = self._case(run_id)
        said = [_numbered(entry, seq, at) for seq, entry in enumerate(entries, start=len(case.observations) + 1)]
        case.observations += said
        if said and case.run.status in audit_chain.AT_REST:
            self._note(at, "observed", run_id, partial(dict, upto=said[-1].seq))
        return said

    def observations(self, run_id: str, after: int = 0) -> list[Observation]:
        return self._of_run(run_id, "observations")[max(after, 0) :]

    def draft(self, run_id: str, draft: Mapping[str, Any]) -> str:
        self._case(run_id)
        kept = storable(draft)
        draft_id = invariants.draft_id(run_id, kept)
        self._drafts[draft_id] = kept
        return draft_id

    def drafted(self, draft_id: str) -> dict[str, Any]:
        return invariants.check_draft(draft_id, self._drafts.get(draft_id))

    # Questions to models

    def begin_model_call(self, call: ModelCall, *, run_tokens: int, day_tokens: int, day_cents: float) -> ModelCall:
        begun = replace(call, at=moment(call.at), status="sent")
        if call.call_id in self._model_calls:
            raise BadInput(MODEL_CALL_TAKEN.format(call.call_id))
        known = self._model_calls.values()
        run = Spent.by(one for one in known if one.run_id == begun.run_id)
        day = Spent.by(one for one in known if one.at.date() == begun.at.date())
        model_calls.check_budgets(begun, run, day, run_tokens=run_tokens, day_tokens=day_tokens, day_cents=day_cents)
        self._model_calls[begun.call_id] = begun
        return begun

    def end_model_call(self, call_id: str, end: ModelCallEnd) -> ModelCall:
        end = replace(end, ended_at=moment(end.ended_at))
        self._model_calls[call_id] = call = model_calls.ended(self._model_calls.get(call_id), call_id, end)
        return call

    def model_calls(self, run_id: str) -> list[ModelCall]:
        return [call for call in self._model_calls.values() if call.run_id == run_id]

    def model_answer(self, question: str, run_id: str = "", look: int = 0) -> Mapping[str, Any] | None:
        for call in reversed(self._model_calls.values()):
            of_run = run_id in ("", call.run_id) and look in (0, call.look)
            if call.status == "answered" and call.question == question and of_run:
                return call.answer
        return None

    # Proposals and decisions

    def propose(self, proposal: Proposal) -> Proposal:
        case = self._case(proposal.run_id)
        if (owner := self._of_proposal.get(proposal.proposal_id)) is not None:
            known = owner.proposals[proposal.proposal_id]
            invariants.check_same_proposal(known, proposal)
            return known
        status = invariants.check_proposal(proposal, case.run.status)
        superseded = case.supersede()
        kept = invariants.held(proposal, status, self._touch(proposal))
        case.proposals[proposal.proposal_id] = kept
        self._of_proposal[proposal.proposal_id] = case
        if kept.status == "pending":
            case.run = replace(case.run, status="waiting")
        elif superseded:
            case.run = replace(case.run, status="running")
        looks = tuple(case.looks)

        def body() -> dict[str, Any]:
            return audit_chain.of_proposal(kept, superseded, [audit_chain.look_digest(look) for look in looks])

        self._note(self._clock(), "proposed", proposal.run_id, body)
        return kept

    def proposal(self, run_id: str) -> Proposal | None:
        return next(reversed(self.proposals(run_id)), None)

    def proposals(self, run_id: str) -> list[Proposal]:
        return self._of_run(run_id, "proposals")

    def queue(self, limit: int | None = None) -> list[tuple[Run, Proposal, tuple[Decision, ...]]]:
        waiting = [(case.run, case.latest) for case in self._cases.values() if case.run.status == "waiting"]
        found = [(run, it, self._cases[run.run_id].about(it.proposal_id)) for run, it in waiting if it is not None]
        return sorted(found, key=lambda row: (row[1].due_at, row[1].proposal_id))[:limit]

    def _decide(self, ask: authorization.DecisionRequest) -> tuple[Decision, ProposalStatus]:
        case = self._of_proposal.get(ask.proposal_id)
        if case is None:
            raise BadInput(NO_PROPOSAL.format(ask.proposal_id))
        proposal, earlier = case.proposals[ask.proposal_id], case.about(ask.proposal_id)
        editors = authorization.edited_by(proposal.plan, proposal.revision, list(case.proposals.values()), case.decisions)
        person, status = authorization.judge(ask, self.person(ask.by), proposal, case.run, earlier, editors)
        decision = authorization.decision_of(ask, person, proposal.run_id)
        made: list[Commitment] = []
        if ask.kind == "approve" and proposal.approval.limits:
            asked = limits.asked(proposal, proposal.approval.limits, [*earlier, decision])
            now = limits.check_approver(proposal, person, self.standings(proposal.run_id, asked))
            _, status = authorization.judge(ask, person, now, case.run, earlier, editors)
            made = self._commit(proposal, asked)
        case.decisions.append(decision)
        self._decisions[decision.decision_id] = decision
        case.proposals[ask.proposal_id] = replace(proposal, status=status)
        if status != "pending":
            case.run = replace(case.run, status="running")
        self._note(ask.at, "decided", proposal.run_id, lambda: audit_chain.of_decision(decision, status, made))
        self.observe(proposal.run_id, [authorization.observation_of(decision)], ask.at)
        return decision, status

    def decisions(self, run_id: str) -> list[Decision]:
        return self._of_run(run_id, "decisions")

    def all_decisions(self, mission: str | None = None) -> list[Decision]:
        made = self._decisions.values()
        return [one for one in made if mission in (None, self._cases[one.run_id].run.event.mission)]

    def standings(self, run_id: str, asked: Sequence[Limit]) -> list[Standing]:
        now = self._clock()
        return limits.standings(asked, [self._gone_out(run_id, limit, now - timedelta(days=limit.days)) for limit in asked])

    def commitments(self, run_id: str) -> list[Commitment]:
        kept = [one for added in self._commitments.values() for one in added.values() if one.run_id == run_id]
        return sorted(kept, key=lambda one: (one.proposal_id, one.step, one.kind, one.per, one.key))

    # Lessons

    def settle_lesson(self, asked: Settlement, first: Callable[[], object] = lambda: None) -> Settlement:
        at = moment(asked.at)
        decision, known = self._decisions.get(asked.decision_id), self._settled.get(asked.decision_id)
        person = lessons.check_settling(self.person(asked.by), decision, known, asked)
        assert decision is not None
        first()
        settled = replace(asked, by=person.name, at=at, reason=asked.reason.strip())
        self._settled[settled.decision_id] = settled
        self._note(settled.at, f"lesson_{settled.status}", decision.run_id, lambda: lessons.audited(settled))
        return settled

    def settlements(self) -> list[Settlement]:
        return list(self._settled.values())

    # Effects

    def intend(self, effects: Sequence[Effect], needed: Approval = NOBODY) -> None:
        new: dict[str, Effect] = {}
        allowed: dict[str, Authorization] = {}
        adding: dict[str, tuple[Proposal, list[Limit]]] = {}
        for effect in effects:
            owner = self._of_effect.get(effect.key)
            if known := owner.effects[effect.key] if owner else new.get(effect.key):
                invariants.check_same_effect(known, effect)
                continue
            case, named = self._case(effect.run_id), self._of_proposal.get(effect.proposal_id)
            proposal = named.proposals[effect.proposal_id] if named else None
            invariants.check_intent(effect, proposal, case.run, case.latest)
            assert proposal is not None
            if proposal.proposal_id not in allowed:
                adding[effect.key] = proposal, self._within(case, proposal, needed)
                allowed[proposal.proposal_id] = self._authorize(case, proposal, needed, effect.at)
            invariants.check_part(effect, proposal, case.decisions)
            new[effect.key] = effect
        for given in allowed.values():
            self._authorized[given.proposal_id] = given
        for effect in new.values():
            case = self._of_effect[effect.key] = self._cases[effect.run_id]
            case.effects[effect.key] = effect
            made = self._commit(*adding[effect.key]) if effect.key in adding else ()
            body = partial(audit_chain.of_effect, effect, allowed[effect.proposal_id], made)
            self._note(effect.at, "effect_marked", effect.run_id, body)

    def mark_effect(
        self,
        key: str,
        status: EffectStatus,
        receipt: Mapping[str, Any] | None = None,
        error: str | None = None,
        *,
        at: datetime,
    ) -> Effect:
        case, effect = self._effect(key)
        invariants.check_not_closed(case.run)
        invariants.check_transition(effect, status)
        return self._moved(effect, status, receipt, error, moment(at))

    def leave_to_send(self, key: str, seconds: float) -> Leave:
        case, effect = self._effect(key)
        invariants.check_sendable(effect, case.run)
        return Leave(effect.run_id, 1, self._clock() + timedelta(seconds=seconds))

    def late(self, key: str, receipt: Mapping[str, Any] | None, error: str, at: datetime) -> Incident | None:
        at = moment(at)
        case, effect = self._effect(key)
        news = invariants.late_news(effect, case.run, receipt)
        if news is None:
            return None
        reopens = key if case.run.status == "closed" else ""
        if reopens:
            case.run = replace(case.run, status="running", verdict=None, outcome=None, ended_at=None)
        incident = self._open_incident(case, news, at, reopens)
        status: EffectStatus = "unknown" if receipt is None else "done"
        if status != effect.status:
            self._moved(effect, status, receipt, error or None, at)
        return incident

    def effects(self, run_id: str) -> list[Effect]:
        return self._of_run(run_id, "effects")

    # Incidents

    def incident(self, run_id: str, reason: str, at: datetime) -> Incident:
        at = moment(at)
        case = self._case(run_id)
        invariants.check_not_closed(case.run)
        known = (one for one in case.incidents if one.closed_at is None and one.reason == reason)
        return next(known, None) or self._open_incident(case, reason, at)

    def resume(self, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
        at = moment(at)
        case = self._case(run_id)
        person = authorization.check_settlement(case.run, self.person(by), by, reason)
        case.close_incidents(at)
        pending = any(one.status == "pending" for one in case.proposals.values())
        case.run = replace(case.run, status="waiting" if pending else "running")
        self._note(at, "run_resumed", run_id, lambda: audit_chain.of_resumption(person.name, reason))
        return case.run

    def restart(self, run_id: str, versions: Mapping[str, str], *, by: str, reason: str, at: datetime) -> Run:
        at = moment(at)
        case = self._case(run_id)
        person = authorization.check_settlement(case.run, self.person(by), by, reason)
        invariants.check_restart(case.run, case.effects.values())
        case.close_incidents(at)
        superseded = case.supersede()
        case.run = replace(case.run, status="running", versions=versions)
        self._note(at, "run_restarted", run_id, lambda: audit_chain.of_restart(person.name, reason, versions, superseded))
        return case.run

    def abandon(self, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
        case = self._case(run_id)
        person = authorization.check_settlement(case.run, self.person(by), by, reason)
        for effect in list(case.effects.values()):
            if effect.status == "executing":
                self._moved(effect, "unknown", None, GIVEN_UP.format(person.name), moment(at))
        verdict = case.latest.verdict if case.latest else "none"
        self._note(moment(at), "run_abandoned", run_id, lambda: audit_chain.of_resumption(person.name, reason))
        self.finish(run_id, verdict, "abandoned", at)
        return case.run

    def incidents(self, open_only: bool = True) -> list[Incident]:
        found = [made for case in self._cases.values() for made in case.incidents]
        return sorted((made for made in found if not (open_only and made.closed_at)), key=lambda made: made.at)

    # People

    def add_person(self, name: str, role: str, customer_id: str | None = None) -> Person:
        key = person_key(name)
        authorization.check_person(name, role, customer_id)
        known = self._people.get(key)
        if known is None or not authorization.is_called(known, name):
            skeleton = names.skeleton(name)
            authorization.check_new_name(
                name, next((n.name for n in self._people.values() if names.skeleton(n.name) == skeleton), None)
            )
        person = Person(name=known.name if known else name.strip(), role=role, customer_id=customer_id)
        if person != known:
            self._people[key] = person
            self._note(self._clock(), "person_added", "", lambda: audit_chain.of_person(person))
        return person

    def person(self, name: str) -> Person | None:
        return self._people.get(person_key(name)) if name.strip() else None

    def people(self) -> list[Person]:
        return sorted(self._people.values(), key=lambda person: person_key(person.name))

    # Audit

    def audit(self, run_id: str | None = None) -> list[AuditEntry]:
        for at, kind, run, body in self._noted:
            self._chain.append(audit_chain.entry(self._head(), at, kind, run, body()))
        self._noted.clear()
        return [entry for entry in self._chain if run_id in (None, entry.run_id)]

    def audit_head(self) -> tuple[int, str]:
        self.audit()
        return self._head()

    def verify_audit(self, head: tuple[int, str] | None = None) -> list[str]:
        return audit_chain.verify(self.audit(), head)

    def _head(self) -> tuple[int, str]:
        return (self._chain[-1].seq, self._chain[-1].digest) if self._chain else (0, audit_chain.START)

    def _note(self, at: datetime, kind: str, run_id: str, body: Callable[[], Mapping[str, Any]]) -> None:
        self._noted.append((at, kind, run_id, body))

    def _moved(
        self, effect: Effect, status: EffectStatus, receipt: Mapping[str, Any] | None, error: str | None, at: datetime
    ) -> Effect:
        marked = replace(effect, status=status, receipt=receipt, error=error, at=at)
        self._of_effect[effect.key].effects[effect.key] = marked
        self._note(at, "effect_marked", marked.run_id, lambda: audit_chain.of_effect(marked))
        return marked

    def _open_incident(self, case: _RunRecord, reason: str, at: datetime, reopens: str = "") -> Incident:
        made = Incident(incident_id=uuid4().hex, run_id=case.run.run_id, reason=reason, at=at)
        case.incidents.append(made)
        case.run = replace(case.run, status="incident")
        self._note(at, "incident_opened", made.run_id, lambda: audit_chain.of_incident(made, reopens))
        return made

    # Steps that several methods share

    def _case(self, run_id: str) -> _RunRecord:
        case = self._cases.get(run_id)
        if case is None:
            raise BadInput(NO_RUN.format(run_id))
        return case

    def _of_run(self, run_id: str, what: str) -> list[Any]:
        """What there is of a run; nothing of one that is not there."""
        kept = getattr(self._cases.get(run_id), what, ())
        return list(kept.values() if isinstance(kept, dict) else kept)

    def _effect(self, key: str) -> tuple[_RunRecord, Effect]:
        if key not in self._of_effect:
            raise BadInput(NO_EFFECT.format(key))
        return self._of_effect[key], self._of_effect[key].effects[key]

    def _within(self, case: _RunRecord, proposal: Proposal, needed: Approval) -> list[Limit]:
        """What the plan adds to. OverLimit where whoever approved it may not decide what that comes to."""
        approvals = case.about(proposal.proposal_id) if proposal.status == "approved" else ()
        asked = limits.asked(proposal, needed.limits, approvals)
        limits.check_begin(proposal, approvals, self.standings(proposal.run_id, asked))
        return asked

    def _commit(self, proposal: Proposal, asked: Sequence[Limit]) -> list[Commitment]:
        made = []
        for one in limits.commitments(proposal, asked, self._clock()):
            kept = self._commitments.setdefault((one.kind, one.per, one.key), {})
            before = kept.get((one.proposal_id, one.step), one)
            kept[one.proposal_id, one.step] = replace(one, cents=max(one.cents, before.cents))
            made.append(kept[one.proposal_id, one.step])
        return made

    def _gone_out(self, run_id: str, limit: Limit, since: datetime) -> int:
        """Cents of a total since a moment, without what another plan of this run would take the place of."""
        kept = self._commitments.get(limits.total(limit), {}).values()
        return sum(one.cents for one in kept if one.at > since and self._counts(one, run_id))

    def _counts(self, one: Commitment, run_id: str) -> bool:
        """Whether it was done or may have been, or is approved in another run that goes on."""
        case = self._cases[one.run_id]
        effects = case.effects.values()
        status = next((it.status for it in effects if (it.proposal_id, it.step) == (one.proposal_id, one.step)), None)
        if status in ("executing", "done", "unknown", "failed"):
            return status != "failed"
        if one.run_id == run_id or case.live is None or case.live.proposal_id != one.proposal_id:
            return False
        return status == "intended" or case.live.status in _OPEN

    def _authorize(self, case: _RunRecord, proposal: Proposal, needed: Approval, at: datetime) -> Authorization:
        """What allows the effects of a proposal, made once. Refused where the decisions do not give it."""
        known = self._authorized.get(proposal.proposal_id)
        if known is not None:
            return known
        made = authorization.authorize(proposal, needed, case.decisions if proposal.status == "approved" else (), at)
        least = replace(proposal.approval, role=made.role, four_eyes=made.four_eyes)
        wrong = "it takes an approval" if least.role != NOBODY.role else None
        if proposal.status == "approved":
            wrong = authorization.unapproved(proposal, case.run, case.decisions, least, self.person)
        if wrong:
            raise Refused(f"The effects of proposal {proposal.proposal_id} are not authorized: {wrong}.")
        return made

    def _touch(self, proposal: Proposal) -> str:
        """The run that a new proposal has to wait for, or nothing."""
        found = set()
        for record in proposal.touches:
            runs = self._touched.setdefault(record, set())
            found |= runs
            runs.add(proposal.run_id)
        for run_id in sorted(found - {proposal.run_id}):
            live = self._cases[run_id].live
            if live is None or live.status not in _OPEN or set(live.touches).isdisjoint(proposal.touches):
                continue
            if not invariants.waits_for(run_id, proposal.run_id, self._held_by):
                return run_id
        return ""

    def _held_by(self, run_id: str) -> str:
        live = self._cases[run_id].live
        return live.held_by if live is not None and live.status == "pending" else ""

    def _release(self, ended: _RunRecord, at: datetime) -> None:
        """Let the runs that waited for this one look again."""
        run_id = ended.run.run_id
        touched = [record for made in ended.proposals.values() for record in made.touches]
        for other in sorted({one for record in touched for one in self._touched.get(record, ())}):
            case = self._cases[other]
            if self._held_by(other) != run_id or (released := case.supersede()) is None:
                continue
            if case.run.status == "waiting":
                case.run = replace(case.run, status="running")
            self._note(at, "released", other, partial(audit_chain.of_release, released, run_id))
        for record in touched:
            self._touched[record].discard(run_id)


def _numbered(entry: NewObservation, seq: int, at: datetime) -> Observation:
    """Filled past the frozen constructor: an evaluation makes some thirty a run, and this takes a third of the time."""
    said = object.__new__(Observation)
    vars(said).update(vars(entry), seq=seq, at=at)
    return said
