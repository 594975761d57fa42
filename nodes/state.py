"""What travels through the mission graph: plain data and references, under 20 KB.

Facts, observations, proposals and effects live in the ledger; the state names the run they belong to.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, TypedDict

from langgraph.runtime import Runtime

from knowledge_index.index import KnowledgeIndex
from knowledge_index.policies import Clause, PolicyBook
from ledger.base import Ledger
from ledger.records import Event, Fact, Lease, NewObservation, Observation, Outcome, Run, RunHistory
from nodes.case import Case
from nodes.clause_values import ClauseReads, ClauseValues
from nodes.pack import Pack
from systems.calls import Reader, Writer
from systems.catalogue import Catalogue


class MissionState(TypedDict, total=False):
    """The state of the mission graph."""

    run_id: str
    #: True where the ledger has a proposal of the run, and no checkpoint has its pause
    proposed: bool
    #: 1 for the first look at the world; a person's remark or a changed world adds one
    look: int
    #: [{"id", "lacking"}]; a finding with `lacking` is not known
    findings: list[dict[str, Any]]
    #: clause id -> version, as retrieved
    grounded: dict[str, int]
    #: predictions: name -> value between 0 and 1
    risks: dict[str, float]
    #: id in the ledger of what is put forward, until `check` has passed it
    draft: str | None
    #: why the last draft did not pass
    objections: list[str]
    #: how often a draft was sent back since the last look, or the last proposal
    tries: int
    #: the proposal that the last check made; None until then, and where the world is to be looked at again
    proposal_id: str | None
    #: True if the proposal waits for a person
    waits: bool
    #: the proposal whose steps are to be taken back, because one of them failed
    undoing: str | None
    #: {"id", "kind", "by", "about": id of the proposal} of the person's decision; what it says stands in the ledger
    decision: dict[str, Any] | None
    verdict: str | None
    outcome: Outcome | None


@dataclass(frozen=True, kw_only=True)
class Task:
    """A case to make a draft for. The planner needs the case, its findings and the catalogue; a model the rest too."""

    case: Case
    catalogue: Catalogue
    run_id: str = ""
    look: int = 1
    #: the retrieved clauses, as they are in force at the moment of the case
    clauses: Mapping[str, Clause] = field(default_factory=dict)
    #: clause values in force, by clause id with an underscore
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: what this look has said so far on the Explain rail
    rail: Sequence[Observation] = ()
    #: predictions: name -> value between 0 and 1
    risks: Mapping[str, float] = field(default_factory=dict)
    #: why the last draft did not pass, and that draft
    objections: Sequence[str] = ()
    refused: Mapping[str, Any] | None = None
    #: of the person who asked to look again
    remark: str = ""
    #: where questions to a model are kept; None where no run asks
    ledger: Ledger | None = None
    #: for the one more read that a pack allows a model
    reader: Reader | None = None


class RiskModel(Protocol):
    """Predicts a risk of a case."""

    name: str

    def predict(self, case: Case) -> float:
        """Between 0 and 1."""
        ...


class Reasoner(Protocol):
    """Makes a draft of a proposal from the case and its findings."""

    #: one of `ledger.records.REASONERS`
    name: str
    #: what it stands on, recorded with every run: its name, the model and the prompts, if it has any
    version: str
    #: drafts that it is asked for in one look; when none of them has passed, another way is taken
    asked: int

    def propose(self, task: Task) -> dict[str, Any]:
        """A draft: {"verdict", "plan", "rationale", "cites", "alternatives", "confidence"}; of a model more (`nodes.reasoning`).

        What it says besides for the rail stands under "said", sentences or observations; who made it, if not this reasoner
        itself, under "author".
        """
        ...


@dataclass(kw_only=True)
class CaseContext:
    """What cases are read and judged by, as it is now or as it was at an earlier moment."""

    reader: Reader
    packs: Mapping[str, Pack]
    catalogue: Catalogue
    policies: PolicyBook
    clock: Callable[[], datetime]
    #: keeps what is read of clauses; None where nobody asks
    clause_reads: ClauseReads | None = None
    _cases: dict[str, Case] = field(default_factory=dict)

    def pack(self, event: Event) -> Pack:
        """What describes the handling of an event: the pack of its mission, or the part of it for this event."""
        return self.packs[event.mission].of(event.name)

    def case(self, run: Run, facts: Sequence[Fact]) -> Case:
        """The case of a run on what was read; the one that is kept, where it stands on the same."""
        kept = self._cases.get(run.run_id)
        if kept is not None and kept.event == run.event:
            before, now = ([(one.name, one.status, one.value, one.error) for one in read] for read in (kept.facts, facts))
            if before == now:
                return kept
        return Case(self.pack(run.event), run.event, facts, self.values(run.event))

    def values(self, event: Event) -> Mapping[str, Mapping[str, Any]]:
        """The clause values of the moment of an event, by clause id with an underscore; whoever decides takes them from here."""
        plain = self.policies.period(event.as_of).values
        return plain if self.clause_reads is None else ClauseValues(plain, self.clause_reads)


@dataclass(kw_only=True)
class MissionContext(CaseContext):
    """What the nodes work with; opened once by the runtime, never in the state."""

    ledger: Ledger
    #: only `execute` uses it; None where nothing may be written
    writer: Writer | None
    knowledge: KnowledgeIndex
    reasoner: Reasoner
    #: mission -> its risk models
    risk_models: Mapping[str, Sequence[RiskModel]] = field(default_factory=dict)
    #: hours for which a proposal can be approved
    proposal_hours: float = 72.0
    #: acts as the executor in the database, for `execute` and `close`; None where the ledger has no roles
    executor: Ledger | None = None
    #: what a step has observed, until it is streamed
    said: list[Observation] = field(default_factory=list)
    #: what whoever drove the run before has said, and not come to the end of (`nodes.state.unfinished`)
    echo: list[NewObservation] = field(default_factory=list)

    def under(self, held: Lease) -> "MissionContext":
        """The same, for whoever holds the lease of a run."""
        ledger = self.ledger.under(held)
        executor = None if self.executor is None else self.executor.under(held, ledger)
        return replace(self, ledger=ledger, executor=executor, said=[], echo=[])

    def case_of(self, history: RunHistory) -> Case:
        """The case of a run on what its last look has read; kept until it is forgotten."""
        case = self._cases[history.run.run_id] = self.case(history.run, history.facts)
        return case

    def forget(self, run_id: str) -> None:
        """Let go of what is kept of a run."""
        self._cases.pop(run_id, None)
        self.ledger.forget()


def observe(runtime: Runtime[MissionContext], run_id: str, observations: Sequence[NewObservation]) -> None:
    """Keep observations with what else the step writes, and stream them then.

    What whoever drove the run before had said is not written again, as long as it is said again word for word: from the first
    difference on this is another look, and all of it is said.
    """
    context, entries = runtime.context, list(observations)
    if context.echo[: len(entries)] == entries:
        del context.echo[: len(entries)]
        return
    context.echo.clear()
    context.said += context.ledger.observe(run_id, entries)


def commit(runtime: Runtime[MissionContext], run_id: str) -> None:
    """Write what the step has handed in so far, and stream (stream mode `custom`) what it has observed.

    Each is {"run_id", "seq", "step", "kind", "text"}.
    """
    context = runtime.context
    context.ledger.commit()
    for one in context.said:
        runtime.stream_writer({"run_id": run_id, "seq": one.seq, "step": one.step, "kind": one.kind, "text": one.text})
    context.said.clear()


def unfinished(rail: Iterable[Observation]) -> list[NewObservation]:
    """What was said since the last proposal or decision: by whoever drives the run on it is said again."""
    since: list[NewObservation] = []
    for one in rail:
        since.append(NewObservation(one.step, one.kind, one.text, one.evidence))
        if one.step == "review" or (one.step == "check" and "proposal" in one.evidence):
            since.clear()
    return since


def brief(context: MissionContext, state: MissionState, history: RunHistory, case: Case) -> Task:
    """The case as the reasoner is asked about it; the planner needs no more than its findings, so nothing more is looked up."""
    task = Task(case=case, catalogue=context.catalogue, run_id=state["run_id"], look=state["look"])
    if context.reasoner.name == "planner":
        return task
    in_force = context.policies.period(case.event.as_of).clauses
    put_forward = state.get("draft") if state["objections"] else None
    draft = context.ledger.drafted(put_forward) if put_forward else None
    asked = [one for one in history.decisions if one.kind == "respond"]
    rail = context.ledger.observations(task.run_id)
    begun = max((place for place, one in enumerate(rail) if one.kind == "event"), default=0)  # of this attempt
    return replace(
        task,
        clauses={clause: in_force[clause] for clause in state["grounded"] if clause in in_force},
        values=context.values(case.event),
        rail=rail[begun:],
        risks=state.get("risks", {}),
        objections=state["objections"],
        refused=draft if draft and draft.get("by") == "model" else None,
        remark=asked[-1].details.get("remark", "") if asked else "",
        ledger=context.ledger,
        reader=context.reader,
    )
