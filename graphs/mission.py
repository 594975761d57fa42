"""The mission graph. START HERE: every node and every edge of a Mission.

    event → gather → diagnose → ground → assess → propose → check → review → decision → execute → close
              ↑                                     ↑         │                  │          │
              │                                     ├─────────┘                  │          │  objections of the check
              │                                     ├────────────────────────────┤          │  an edit, an escalation
              └─────────────────────────────────────────────────────────────────┴──────────┘  look again; the world has changed

A plan that nobody must approve goes from check to execute, a rejected one from decision to close. `decision` takes what
the person decided from the ledger: the graph believes nobody else.

Every Mission runs on this graph; what differs between them is data (`graphs/packs/`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, Protocol

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from ledger.canonical import digest
from nodes.check import check
from nodes.diagnose import assess, diagnose, ground
from nodes.execute import close, execute
from nodes.gather import gather
from nodes.propose import propose
from nodes.review import decision, review
from nodes.state import MissionContext, MissionState, commit


class Node(Protocol):
    """A step: state in, update of the state out."""

    __name__: str

    def __call__(self, state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
        """Run the step."""
        ...


def mission_graph(
    checkpointer: BaseCheckpointSaver[Any] | None = None, step: Callable[[Node], Node] | None = None
) -> CompiledStateGraph[MissionState, MissionContext, MissionState, MissionState]:
    """The compiled graph of a Mission; without a checkpointer it cannot pause. `step` makes what runs of a node: `as_step`."""
    graph = StateGraph(MissionState, context_schema=MissionContext)
    for node in (gather, diagnose, ground, assess, propose, check, review, decision, execute, close):
        graph.add_node(node.__name__, (step or as_step)(node))

    graph.add_conditional_edges(START, after_start)
    graph.add_edge("gather", "diagnose")
    graph.add_edge("diagnose", "ground")
    graph.add_edge("ground", "assess")
    graph.add_edge("assess", "propose")
    graph.add_edge("propose", "check")
    graph.add_conditional_edges("check", after_check)
    graph.add_edge("review", "decision")
    graph.add_conditional_edges("decision", after_decision)
    graph.add_conditional_edges("execute", after_execute)
    graph.add_edge("close", END)
    return graph.compile(checkpointer=checkpointer)


def as_step(node: Node) -> Node:
    """A node as a unit of work: what it writes is written as one at its end, by the executor where it is one of its steps."""
    by_executor = node in (execute, close)

    def step(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
        context = runtime.context
        ledger = (context.executor if by_executor else None) or context.ledger
        mine = runtime.override(context=replace(context, ledger=ledger, said=[]))
        with ledger.step():
            update = node(state, mine)
            commit(mine, state["run_id"])
        return update

    return step


@cache
def compiled_graph() -> CompiledStateGraph[MissionState, MissionContext, MissionState, MissionState]:
    """The graph, compiled once a process; `copy({"checkpointer": …})` makes one that can pause."""
    return mission_graph()


@cache
def graph_version() -> str:
    """Digest of the nodes and edges, recorded with every run: a paused run resumes on the graph it was started with."""
    drawn = compiled_graph().get_graph()
    return digest([sorted(drawn.nodes), sorted([edge.source, edge.target, edge.conditional] for edge in drawn.edges)])


def after_start(state: MissionState) -> Literal["gather", "decision"]:
    """A run that has a proposal, and no checkpoint of its pause, goes on with what became of that one."""
    return "decision" if state.get("proposed") else "gather"


def after_check(state: MissionState) -> Literal["propose", "review", "execute"]:
    """Objections go back to the reasoner; a plan that nobody must approve is executed."""
    if state["objections"]:
        return "propose"
    return "review" if state["waits"] else "execute"


def after_decision(state: MissionState) -> Literal["execute", "propose", "gather", "close"]:
    """An approval is executed, an edit or an escalation proposed, a remark makes the Mission look again."""
    decided = state["decision"] or {}
    kind = decided.get("kind")
    if kind == "approve":
        return "execute"
    if kind in ("edit", "escalate"):  # of a proposal that came after the last checkpoint, the state knows nothing
        return "propose" if decided["about"] == state.get("proposal_id") else "gather"
    return "gather" if kind == "respond" else "close"


def after_execute(state: MissionState) -> Literal["gather", "close"]:
    """A world that changed before the first effect, or a step that failed, is looked at again."""
    return "gather" if state["proposal_id"] is None else "close"


@dataclass(frozen=True)
class Flow:
    """The compiled graph as data, so that no picture of it is out of date."""

    #: from the first to the last, in the order in which the graph names them
    steps: Sequence[str]
    #: (from, to) between steps
    edges: Sequence[tuple[str, str]]

    @classmethod
    def of_missions(cls) -> "Flow":
        """The flow that every Mission has."""
        drawn = compiled_graph().get_graph()
        steps = [name for name in drawn.nodes if name not in (START, END)]
        return cls(
            steps, [(step, one.target) for step in steps for one in drawn.edges if one.source == step and one.target in steps]
        )

    def lines(self) -> list[str]:
        """The way from the first step to the last, then every other way that a step may take."""
        lines = [" → ".join(self.steps)]
        for place, step in enumerate(self.steps):
            others = [to for one, to in self.edges if one == step and [to] != self.steps[place + 1 : place + 2]]
            back = [to for to in others if self.steps.index(to) < place]
            ahead = [to for to in others if to not in back]
            if ways := [f"{way} {' or '.join(to)}" for way, to in (("back to", back), ("straight to", ahead)) if to]:
                lines.append(f"{step} may also go {' or '.join(ways)}")
        return lines
