"""A walk through one Mission: the live graph over a recorded exception, node by node if you like, without a database.

>>> lab = EvalEnvironment.open(settings())
>>> walk = Walk(lab, recorded_case("dev-ord-0007", lab.packs))
>>> walk.step()      # gather: what the node read and said
>>> walk.drive()     # on to where a person decides
>>> walk.proposal
>>> walk.approve(by="rita", reason="the move explains the score")
>>> walk.effects

Systems are recorded, ledger and checkpoints are in memory, and the clock stands at the moment of the case; nodes, rules of
decisions and the runtime that drives them are those of every run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
from langgraph.checkpoint.memory import InMemorySaver

from errors import Refused
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import RecordedException
from evals.walk.views import Picture, ProposalCard, Rail, before_and_after, picture
from graphs.runtime import Runtime, thread
from knowledge_index.policies import Clause
from ledger.memory import MemoryLedger
from ledger.records import DecisionKind, Run
from nodes.state import Reasoner
from rendering import Displayable, Part, Title, approver, words
from systems.recorded import RecordedSystems

#: The people of the sandbox company who have to do with proposals.
PEOPLE: Mapping[str, str] = {"ana": "analyst", "rita": "reviewer", "sam": "supervisor", "fay": "finance", "finn": "finance"}


@dataclass(frozen=True)
class NodeStep(Displayable):
    """What one node added."""

    node: str
    said: Rail
    #: the update of the state
    update: Mapping[str, Any]

    def parts(self) -> Iterator[Part]:
        """What it said, and what it put into the state of the graph."""
        yield from self.said.parts() if self.said else (f"{self.node} had nothing to say.",)
        put = [
            f"{name} ({len(value)})" if isinstance(value, dict | list) else name for name, value in self.update.items() if value
        ]
        yield f"Into the state: {', '.join(put) or 'nothing'}."


class Walk(Displayable):
    """One run over one recorded exception. Shows where it stands."""

    def __init__(
        self,
        environment: EvalEnvironment,
        case: RecordedException,
        *,
        reasoner: Reasoner | None = None,
        people: Mapping[str, str] = PEOPLE,
        ledger: MemoryLedger | None = None,
    ) -> None:
        """Take the case in, as the run `case.case_id`. Raises BadInput for an exception whose systems are malformed.

        Args:
            reasoner: who makes the proposals; that of the environment unless given.
            people: who may decide, name -> role; they are added to the ledger.
            ledger: one that walks over several cases share. Every case is a world of its own, and the ledger takes what two
                of them call the same record for one: a later walk may have to wait until it is decided about an earlier one.
        """
        self.environment, self.case = environment, case
        self.systems = RecordedSystems(case.systems, environment.catalogue, self._now)
        self.ledger = MemoryLedger(self._now) if ledger is None else ledger
        for name, role in people.items():
            self.ledger.add_person(name, role)
        shared = replace(environment, reasoner=reasoner) if reasoner else environment
        self._context = shared.context(self.ledger, self.systems, self.systems, self._now)
        self._runtime = Runtime(self._context, InMemorySaver(), "", self.ledger, durability="sync")
        self._run_id = self._runtime.take_in(case.event, case.case_id).run_id

    # Going on

    def step(self) -> NodeStep:
        """Run the next node. Raises Refused where the run waits for a person, or is over."""
        if self.run.status != "running":
            raise Refused(f"run {self._run_id} {self._standing()}; there is no next node")
        before = len(self.rail)
        node, update = self._runtime.step(self._run_id)
        return NodeStep(node, Rail(self.rail[before:]), update)

    def drive(self) -> "Walk":
        """Go on until the run waits for a person, is closed or an incident."""
        self._runtime.drive_one(self._run_id)  # what waited for it in a shared ledger is another world
        return self

    # Deciding: the rules are the ledger's, as for every run

    def approve(self, *, by: str, reason: str, without: Sequence[str] = ()) -> "Walk":
        """Approve the proposal, but the parts in `without`, and go on. Raises Refused."""
        return self._decide("approve", by, reason, {"without": list(without)} if without else {})

    def edit(self, plan: Sequence[Mapping[str, Any]], *, by: str, reason: str) -> "Walk":
        """Put another plan ([{"name", "args"}]) in the place of the proposed one, to be checked and approved by another."""
        return self._decide("edit", by, reason, {"plan": [dict(action) for action in plan]})

    def reject(self, *, by: str, reason: str) -> "Walk":
        """Reject the proposal, which ends the run."""
        return self._decide("reject", by, reason, {})

    def respond(self, remark: str, *, by: str) -> "Walk":
        """Send the Mission back to look again."""
        return self._decide("respond", by, remark, {"remark": remark})

    def escalate(self, queue: str, *, by: str, reason: str) -> "Walk":
        """Hand the case to a queue of people."""
        return self._decide("escalate", by, reason, {"queue": queue})

    def _decide(self, kind: DecisionKind, by: str, reason: str, details: Mapping[str, Any]) -> "Walk":
        self._runtime.decide(self._run_id, kind, by, reason, details=details)
        return self.drive()

    # What there is to see

    @property
    def run(self) -> Run:
        """The run as the ledger has it."""
        return self.ledger.run(self._run_id)

    @property
    def rail(self) -> Rail:
        """The Explain rail so far."""
        return Rail(self.ledger.observations(self._run_id))

    @property
    def proposal(self) -> ProposalCard | None:
        """The latest proposal; None before there is one."""
        proposal = self.ledger.proposal(self._run_id)
        return ProposalCard.of(proposal, self.clauses) if proposal else None

    @property
    def clauses(self) -> Mapping[str, Clause]:
        """The clauses in force at the moment of the case, by id."""
        return self._context.policies.period(self.case.event.as_of).clauses

    @property
    def graph(self) -> Picture:
        """The graph, with the nodes that have run and the one that comes next."""
        history = list(self._runtime.graph.get_state_history(thread(self._run_id)))
        been = {name for earlier in history[1:] for name in earlier.next}
        here = set(history[0].next) if history else {"gather"}
        return picture(self._runtime.graph.get_graph(), been - here, here)

    @property
    def observations(self) -> pd.DataFrame:
        """The Explain rail as a frame."""
        return pd.DataFrame([asdict(one) for one in self.rail], columns=["seq", "at", "step", "kind", "text", "evidence"])

    @property
    def facts(self) -> pd.DataFrame:
        """What was read in the last look: a row a read."""
        rows = [
            {"fact": one.name, "tool": one.tool, "asked with": dict(one.args), "status": one.status, "value": one.value}
            for one in self.ledger.facts(self._run_id)
        ]
        return pd.DataFrame(rows)

    @property
    def findings(self) -> pd.DataFrame:
        """What the facts mean: a row a finding, with the reads that it is made of, and why one cannot be told."""
        found = self._context.case_of(self.ledger.history(self._run_id)).findings
        columns = ["id", "dimension", "says", "facts", "lacking"]
        return pd.DataFrame([{name: one[name] for name in columns} for one in found], columns=columns)

    @property
    def effects(self) -> pd.DataFrame:
        """What was done: a row a step, with what the system answered."""
        rows = [
            {
                "step": one.step + 1,
                "action": one.action,
                "tool": one.tool,
                "status": one.status,
                "receipt": (one.receipt or {}).get("receipt_id", one.error),
                "changed": "; ".join(
                    f"{change['record']} {before_and_after(change)}" for change in (one.receipt or {}).get("changed", ())
                ),
            }
            for one in self.ledger.effects(self._run_id)
        ]
        return pd.DataFrame(rows)

    @property
    def audit(self) -> pd.DataFrame:
        """The audit log of the walk: a row an entry, each chained to the one before it."""
        rows = [{"seq": one.seq, "kind": one.kind, "run": one.run_id, "digest": one.digest} for one in self.ledger.audit()]
        return pd.DataFrame(rows)

    def parts(self) -> Iterator[Part]:
        """What it is about, and where it stands."""
        event = self.case.event
        yield Title(f"{event.subject}: {event.name}")
        yield f"{self.case.case_id}, looked at as of {event.as_of:%d %B %Y, %H:%M} UTC by {event.mission}; it {self._standing()}."

    def _standing(self) -> str:
        run, proposal = self.run, self.ledger.proposal(self._run_id)
        if run.status == "closed":
            return f"is closed: {words(run.verdict or '')}, {words(run.outcome or '')}"
        if run.status == "waiting" and proposal:
            return f"waits for {approver(proposal.approval.role, proposal.approval.four_eyes)}"
        if run.status == "incident":
            return f"is an incident: {self.ledger.incidents()[-1].reason}"
        return "is running"

    def _now(self) -> datetime:
        return self.case.event.as_of
