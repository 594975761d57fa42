"""A Mission as LangGraph's own server and Studio show it (`langgraph.json`, docs/studio.md).

    START → work → review → decide → work …
              └→ END

`work` takes an event in and has the engine drive its run (`graphs/mission.py`): under the run's lease, with the
checkpoints of the ledger's database, as every worker does, so that a run that this server and a worker drive is one run.
The server's own checkpoints hold what this thread shows, and nothing is believed that stands there: resuming by hand
makes it look into the ledger again. What a person decides goes to the ledger with the name of who signed in: as LangChain's
`HITLResponse`, with the reason that every decision needs and the digest of the proposal that was seen,
{"decisions": [{"type": "approve"}], "reason": "…", "digest": "…"}. There is one decision for the whole plan, or one for each
step; of a plan whose steps are decided differently, what is rejected is left out: that is an edit.

Who asks is a person who signed in, or a source of events. What is not named here is refused to everybody: a thread's state is
not written by hand, nothing is scheduled, stored or called back.
The server works with one runtime, opened with it and closed with it.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypedDict, cast

from anyio import to_thread
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StreamWriter, interrupt
from langgraph_sdk import Auth
from starlette.applications import Starlette

from errors import BadInput, MissionsError, Refused, TakenOver, TryAgain
from graphs.ingestion import Intake, RawEvent, by_post, ingest
from graphs.runtime import Runtime, open_runtime
from ledger.decision_requests import edited_step
from ledger.permissions import may
from ledger.postgres import PostgresLedger
from ledger.records import DecisionKind, Proposal, Run
from ledger.services import AdminService, Inbox
from nodes.review import request, standings
from settings import settings

auth = Auth()


@dataclass(frozen=True)
class StudioServer:
    """The runtime, and the doors of the ledger that its callers come in by."""

    runtime: Runtime
    desk: AdminService
    inbox: Inbox
    #: the roles that take one
    second_factor: frozenset[str]


_OPEN: list[StudioServer] = []


def studio_server() -> StudioServer:
    """What the server has open. Raises TryAgain before its start and after its end."""
    if not _OPEN:
        raise TryAgain("The server is starting or stopping; ask again in a moment")
    return _OPEN[-1]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Open everything with the server, in a thread that may wait, and close it at the end."""
    async with AsyncExitStack() as stack:
        opened = open_runtime(settings())
        runtime = await to_thread.run_sync(opened.__enter__)
        stack.push_async_callback(to_thread.run_sync, opened.__exit__, None, None, None)
        ledger = runtime.ledger
        assert isinstance(ledger, PostgresLedger)
        _OPEN.append(StudioServer(runtime, AdminService(ledger), Inbox(ledger), settings().second_factor_roles))
        stack.callback(_OPEN.clear)
        yield


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    kind: Literal["person", "source"]
    name: str


def caller(config: RunnableConfig) -> Caller:
    """Who asked for what a node does; the server puts it there, over whatever a client wrote. Raises Refused for nobody."""
    user = config.get("configurable", {}).get("langgraph_auth_user")
    identity = user.get("identity", "") if isinstance(user, Mapping) else getattr(user, "identity", "")
    kind, _, name = str(identity).partition(":")
    if kind not in ("person", "source") or not name:
        raise Refused("no one is signed in")
    return Caller(cast(Literal["person", "source"], kind), name)


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """The person or the source whose token it is."""
    scheme, _, token = (authorization or "").partition(" ")
    try:
        identity = await to_thread.run_sync(_identity, token.strip() if scheme.lower() == "bearer" else "")
    except MissionsError as error:
        raise Auth.exceptions.HTTPException(status_code=503, detail=str(error)) from error
    if not identity:
        sentence = "This takes the token of a session or of an event source, as Authorization: Bearer TOKEN."
        raise Auth.exceptions.HTTPException(status_code=401, detail=sentence)
    return {"identity": identity, "is_authenticated": True}


def _identity(token: str) -> str:
    opened = studio_server()
    if person := opened.desk.who(token, opened.second_factor):
        return f"person:{person.name}" if may(person, "read") else ""
    source = opened.inbox.source_of(token)
    return f"source:{source.name}" if source else ""


@auth.on
async def nothing_else(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
    """Whatever nobody thought of."""
    return False


async def the_graph(ctx: Auth.types.AuthContext, value: Any) -> bool:
    """Everybody who may come in sees that there is a graph."""
    return True


auth.on.assistants.read(the_graph)
auth.on.assistants.search(the_graph)


@auth.on.threads.create
async def begin(ctx: Auth.types.AuthContext, value: Any) -> dict[str, str]:
    """The threads of people are of all people: a second person may have to decide. A source has its own."""
    # in place: the server goes on with the mapping that it handed over
    value.setdefault("metadata", {}).update(_own(ctx))
    return _own(ctx)


async def look(ctx: Auth.types.AuthContext, value: Any) -> dict[str, str]:
    """A thread that is one's own. What people are shown of a run stands in none of a source."""
    return _own(ctx)


auth.on.threads.read(look)
auth.on.threads.search(look)


@auth.on.threads.create_run
async def ask(ctx: Auth.types.AuthContext, value: Any) -> dict[str, str] | bool:
    """Give an input, or resume. Nobody jumps, writes state, or has the server call out."""
    given = value.get("kwargs") or {}
    command = given.get("command") or {}
    if given.get("webhook") or not set(command) <= {"resume"}:
        return False
    return _own(ctx)


def _own(ctx: Auth.types.AuthContext) -> dict[str, str]:
    identity = ctx.user.identity
    return {"owner": "people" if identity.startswith("person:") else identity}


#: opened and closed with the server; it has no pages
app = Starlette(lifespan=lifespan)


class Asked(TypedDict, total=False):
    """What a thread is begun with: an event of a source, or a run that there is."""

    event: dict[str, Any]
    run_id: str


class Shown(TypedDict, total=False):
    """What a thread shows of its run, as the ledger said when it was last read."""

    run_id: str
    status: str
    verdict: str | None
    outcome: str | None
    #: [{"step", "action", "status"}] of the steps that were begun
    effects: list[dict[str, Any]]
    #: what became of the last answer; empty before the first
    message: str


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
    The sentence of BadInput, Refused, TakenOver and TryAgain is the message at the end of the thread: the server keeps errors
    to its own log.
    """
    opened = studio_server()
    try:
        asking = caller(config)
        if asking.kind == "source":
            return {"run_id": _handed_in(opened, state.get("event"), asking.name), "asks": False}
        opened.desk.require(asking.name, "read")
        if state.get("event") is not None:
            raise Refused("an event comes with the token of its source; a person names a run_id")
        run = opened.runtime.drive(str(state.get("run_id", "")), writer)
    except (BadInput, Refused, TakenOver, TryAgain) as error:
        return {"message": str(error), "asks": False}
    return {**_shown(opened, run), "message": state.get("message", ""), "asks": run.status == "waiting"}


def after_work(state: Thread) -> Literal["review", "__end__"]:
    """A run that waits for a person is shown to the person who asks."""
    return "review" if state["asks"] else "__end__"


def review(state: Thread) -> Thread:
    """Interrupt with a HITLRequest, and what became of the answer before."""
    context = studio_server().runtime.context
    proposal = context.ledger.proposal(state["run_id"])
    return {
        "answer": interrupt(
            {**request(proposal, context.catalogue, standings(context.ledger, proposal)), "message": state.get("message", "")}
        )
    }


def decide(state: Thread, config: RunnableConfig) -> Thread:
    """Hand the answer to the ledger as the decision of whoever signed in; what it says where it takes none."""
    try:
        return {"message": _decided(studio_server(), state, caller(config)), "answer": None}
    except (Refused, BadInput) as error:
        return {"message": f"Nothing is decided: {error}", "answer": None}


def _decided(opened: StudioServer, state: Thread, asking: Caller) -> str:
    runtime, run_id = opened.runtime, state["run_id"]
    if asking.kind != "person":
        raise Refused("a person who signed in decides")
    proposal = runtime.ledger.proposal(run_id)
    if proposal is None or proposal.status != "pending":
        raise Refused(f"run {run_id} does not wait for a decision any more")
    given = response_of(state.get("answer"), proposal)
    if given.kind == "edit" and (objections := runtime.preview(run_id, given.details["plan"]).objections):
        raise BadInput(f"the plan does not pass the check: {'; '.join(objections)}")
    _, status = runtime.decide(run_id, given.kind, asking.name, given.reason, given.digest, given.details)
    if status == "pending":
        return f"{asking.name} approved; a second person must approve it too."
    return f"{asking.name}: {given.kind}."


def _handed_in(opened: StudioServer, event: Mapping[str, Any] | None, name: str) -> str:
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


def _shown(opened: StudioServer, run: Run) -> Thread:
    effects = opened.runtime.ledger.effects(run.run_id)
    return {
        "run_id": run.run_id,
        "status": run.status,
        "verdict": run.verdict,
        "outcome": run.outcome,
        "effects": [{"step": one.step, "action": one.action, "status": one.status} for one in effects],
    }


_FIELDS: Mapping[str, frozenset[str]] = {
    "approve": frozenset({"type"}),
    "reject": frozenset({"type", "message"}),
    "respond": frozenset({"type", "message"}),
    "edit": frozenset({"type", "edited_action"}),
}


@dataclass(frozen=True)
class Response:
    """A decision as a person words it, which the ledger has yet to take."""

    kind: DecisionKind
    reason: str
    digest: str
    details: Mapping[str, Any] = field(default_factory=dict)


def response_of(answer: Any, proposal: Proposal) -> Response:
    """The decision that an answer means. Raises BadInput for whatever is not wholly one."""
    if not isinstance(answer, dict) or not set(answer) <= {"decisions", "reason", "digest"}:
        raise BadInput("a decision is {decisions, reason, digest} and nothing else; see docs/studio.md")
    decisions = _decisions(answer.get("decisions"), len(proposal.plan))
    reason, digest = answer.get("reason", _message(decisions)), answer.get("digest")
    if not isinstance(reason, str) or not reason.strip():
        raise BadInput("every decision needs a reason; give «reason»")
    if not isinstance(digest, str) or not digest:
        raise BadInput("give the «digest» of the proposal that you saw, as the request names it")
    kinds = {decision["type"] for decision in decisions}
    if kinds == {"approve"}:
        return Response("approve", reason, digest)
    if kinds == {"reject"}:
        return Response("reject", reason, digest)
    if kinds == {"respond"}:
        return Response("respond", reason, digest, {"remark": reason})
    if "respond" in kinds or len(decisions) != len(proposal.plan):
        raise BadInput("to edit or skip steps, give one decision for each step, in order")
    plan = [
        edited_step(step, _args(step, decision.get("edited_action")))
        for step, decision in zip(proposal.plan, decisions, strict=True)
        if decision["type"] != "reject"
    ]
    return Response("edit", reason, digest, {"plan": plan})


def _decisions(given: Any, steps: int) -> Sequence[Mapping[str, Any]]:
    if not isinstance(given, list) or len(given) not in (1, steps):
        raise BadInput(f"«decisions» is a list of one decision for the plan, or of {steps}, one for each step")
    for decision in given:
        kind = decision.get("type") if isinstance(decision, dict) else None
        if not isinstance(kind, str) or kind not in _FIELDS or not set(decision) <= _FIELDS[kind]:
            raise BadInput(f"the type of a decision is {', '.join(_FIELDS)}, and it has no other fields than its type takes")
    return given


def _message(decisions: Sequence[Mapping[str, Any]]) -> Any:
    """The messages of those that reject or ask, where they all say the same."""
    messages = [decision["message"] for decision in decisions if "message" in decision]
    return messages[0] if messages and all(message == messages[0] for message in messages) else None


def _args(step: Mapping[str, Any], edited: Any) -> dict[str, Any]:
    """The arguments of a step with those that were edited; letters and addresses, which a request does not show, stay."""
    if edited is None:
        return dict(step["args"])
    args = edited.get("args") if isinstance(edited, dict) else None
    if not isinstance(args, dict) or edited.get("name") != step["name"] or not set(edited) <= {"name", "args"}:
        raise BadInput(f"an edit of {step['name']} must keep its name; give {{name, args}}")
    if unknown := [name for name in args if name not in step["args"]]:
        raise BadInput(f"{step['name']} has no argument {str(unknown[0])[:60]!r}; it has {', '.join(step['args'])}")
    return {**step["args"], **args}
