"""Recorded exceptions decided about by people, without a database: a ledger in memory that lives as long as the notebook.

>>> rehearsal = Rehearsal(laboratory, {"rita": "reviewer", "ana": "analyst"})
>>> run = rehearsal.propose(case)
>>> if run.status == "waiting":
...     rehearsal.decide(run.run_id, "escalate", "rita", "the score is too high for me", queue="fraud")
>>> lessons(rehearsal.ledger, laboratory.catalogue)
"""

from collections.abc import Mapping
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from errors import Refused
from evals.cases import RecordedException
from evals.run import Laboratory
from graphs.mission import GRAPH_VERSION, mission_graph
from graphs.runtime import utc_now
from ledger.memory import MemoryLedger
from ledger.records import DecisionKind, Run
from nodes.listening import Listening
from nodes.planner import Planner
from nodes.state import MissionContext
from systems.recorded import RecordedSystems


class Rehearsal:
    """Runs recorded exceptions to where people decide, and on: writes are simulated on each case's own systems.

    Every case is a world of its own, and the ledger takes what two of them call the same record for one: decide about a
    case before the next is proposed, or the later one may have to wait for it.
    """

    def __init__(self, laboratory: Laboratory, people: Mapping[str, str]) -> None:
        """`people` are names and roles."""
        self.ledger = MemoryLedger()
        for name, role in people.items():
            self.ledger.add_person(name, role)
        self._laboratory = laboratory
        self._graph = mission_graph(InMemorySaver())
        self._contexts: dict[str, MissionContext] = {}

    def propose(self, case: RecordedException) -> Run:
        """Take a case in and run its Mission to where it waits for a person, or ends; the run has the case's id."""
        lab, systems = self._laboratory, RecordedSystems(case.systems, self._laboratory.catalogue, utc_now)
        context = MissionContext(
            ledger=self.ledger, reader=Listening(systems, lab.phrasebook, utc_now), writer=systems, packs=lab.packs,
            catalogue=lab.catalogue, policies=lab.policies, knowledge=lab.knowledge, reasoner=Planner(), clock=utc_now,
        )  # fmt: skip
        run = self.ledger.take_in(case.event, case.case_id, {"graph": GRAPH_VERSION})
        self._contexts[run.run_id] = context
        return self._drive(run.run_id, {"run_id": run.run_id})

    def decide(self, run_id: str, kind: DecisionKind, by: str, reason: str, **details: Any) -> Run:
        """Decide about the proposal that waits, and do what follows. Raises Refused where that is not allowed.

        `details` are those of `ledger.records.Decision`: plan= of an edit, queue= of an escalation, without= of an approval.
        """
        proposal = self.ledger.proposal(run_id)
        if proposal is None:
            raise Refused(f"run {run_id} has no proposal to decide about")
        _, status = self.ledger.decide(
            proposal.proposal_id, kind=kind, by=by, reason=reason, digest=proposal.digest, details=details, at=utc_now()
        )
        if status == "pending":  # a second person must approve it too
            return self.ledger.run(run_id)
        return self._drive(run_id, Command(resume="the ledger holds the decision"))

    def _drive(self, run_id: str, given: Any) -> Run:
        self._graph.invoke(given, {"configurable": {"thread_id": run_id}}, context=self._contexts[run_id])
        return self.ledger.run(run_id)
