"""A Mission as LangGraph's own server and Studio show it (`langgraph.json`, docs/studio.md).

    START → work → review → decide → work …
              └→ END

`work` takes an event in and has the engine drive its run (`graphs/mission.py`): under the run's lease, with the
checkpoints of the ledger's database, as every worker does, so that a run that this server and a worker drive is one run.
The server's own checkpoints hold what this thread shows, and nothing is believed that stands there: resuming by hand
makes it look into the ledger again. What a person decides goes to the ledger with the name of who signed in.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Literal, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StreamWriter, interrupt
from starlette.applications import Starlette

from errors import BadInput, Refused, TakenOver, TryAgain
from graphs.hitl import response_of
from graphs.ingestion import Intake, RawEvent, by_post, ingest
from graphs.studio_auth import Caller, caller
from graphs.studio_server import Served, lifespan, served
from ledger.records import Run
from nodes.review import request, standings

#: opened and closed with the server; it has no pages
app = Starlette(lifespan=lifespan)


class Asked(TypedDict, total=False):
    """What a thread is begun with: an event of a source, or a run that there is."""

    event: dict[str, Any]
    run_id: str


class Shown(TypedDict, total=False):
    """What a thread shows of its run, as the ledger said when it was last looked at."""

    run_id: str
    status: str
    verdict: str | None
    outcome: str | None
    #: [{"step", "action", "status"}] of the steps that were begun
    effects: list[dict[str, Any]]
    #: what became of the last answer; empty before the first
    told: str


class Thread(Asked, Shown, total=False):
    """The state of a thread."""

    #: what the interrupt was resumed with, until it is judged
    answer: Any
    #: whether whoever asks waits for a decision
    asks: bool


@cache
def mission() -> CompiledStateGraph[Thread, None, Asked, Shown]:
    """The graph, compiled once for all requests: a look at a thread opens nothing."""
    graph = StateGraph(Thread, input_schema=Asked, output_schema=Shown)
    graph.add_node("work", work)
    graph.add_node("review", review)
    graph.add_node("decide", decide)
    graph.add_edge(START, "work")
    graph.add_conditional_edges("work", after_work)
    graph.add_edge("review", "decide")
    graph.add_edge("decide", "work")
    return graph.compile()


def work(state: Thread, config: RunnableConfig, writer: StreamWriter) -> Thread:
    """Take the event in, if there is one, and drive the run until it waits or is closed.

    A source of events learns what `POST /events` tells it too, and no more; a person sees the run.
    What is refused is told as the end of the thread: the server keeps errors to its own log.
    """
    opened = served()
    try:
        asking = caller(config)
        if asking.kind == "source":
            return {"run_id": _handed_in(opened, state.get("event"), asking.name), "asks": False}
        opened.desk.require(asking.name, "read")
        if state.get("event") is not None:
            raise Refused("an event comes with the token of its source; a person names a run_id")
        run = opened.runtime.drive(str(state.get("run_id", "")), writer)
    except (BadInput, Refused, TakenOver, TryAgain) as error:
        return {"told": str(error), "asks": False}
    return {**_shown(opened, run), "told": state.get("told", ""), "asks": run.status == "waiting"}


def after_work(state: Thread) -> Literal["review", "__end__"]:
    """A run that waits for a person is shown to the person who asks."""
    return "review" if state["asks"] else "__end__"


def review(state: Thread) -> Thread:
    """Interrupt with a HITLRequest, and what became of the answer before."""
    context = served().runtime.context
    proposal = context.ledger.proposal(state["run_id"])
    return {
        "answer": interrupt(
            {**request(proposal, context.catalogue, standings(context.ledger, proposal)), "told": state.get("told", "")}
        )
    }


def decide(state: Thread, config: RunnableConfig) -> Thread:
    """Hand the answer to the ledger as the decision of whoever signed in; what it says where it takes none."""
    try:
        return {"told": _decided(served(), state, caller(config)), "answer": None}
    except (Refused, BadInput) as error:
        return {"told": f"Nothing is decided: {error}", "answer": None}


def _decided(opened: Served, state: Thread, asking: Caller) -> str:
    runtime, run_id = opened.runtime, state["run_id"]
    if asking.kind != "person":
        raise Refused("a person who signed in decides")
    proposal = runtime.ledger.proposal(run_id)
    if proposal is None or proposal.status != "pending":
        raise Refused(f"run {run_id} does not wait for a decision any more")
    given = response_of(state.get("answer"), proposal)
    if given.kind == "edit" and (objections := runtime.preview(run_id, given.details["plan"]).objections):
        raise BadInput(f"the plan does not hold so: {'; '.join(objections)}")
    _, status = runtime.decide(run_id, given.kind, asking.name, given.reason, given.digest, given.details)
    if status == "pending":
        return f"{asking.name} approved; a second person must approve it too."
    return f"{asking.name}: {given.kind}."


def _handed_in(opened: Served, event: Mapping[str, Any] | None, name: str) -> str:
    """The id of the run of an event that a source handed in, within what that source may do."""
    source = opened.inbox.source_named(name)
    if source is None or source.ended_at is not None:
        raise Refused(f"the token of {name} is good for nothing any more")
    raw = RawEvent(json.dumps(event, ensure_ascii=False), by_post(name), source.bounds)
    report = ingest(Intake(opened.runtime, opened.inbox), [raw])
    if report.stopped:
        raise TryAgain(report.stopped)
    if report.dead_letters:
        raise BadInput(report.dead_letters[0].reason)
    run_id = (report.taken_in or report.known)[0].run_id
    with suppress(Refused, TakenOver, TryAgain):  # another works on it, or will
        opened.runtime.drive(run_id)
    return run_id


def _shown(opened: Served, run: Run) -> Thread:
    effects = opened.runtime.ledger.effects(run.run_id)
    return {
        "run_id": run.run_id,
        "status": run.status,
        "verdict": run.verdict,
        "outcome": run.outcome,
        "effects": [{"step": one.step, "action": one.action, "status": one.status} for one in effects],
    }
