"""LangGraph's own server: what it works with, opened with it and closed with it, and who asks it, each by their token.

Who asks is a person who signed in, or a source of events. What is not named here is refused to everybody: a thread's state is
not written by hand, nothing is scheduled, stored or called back.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from anyio import to_thread
from langchain_core.runnables import RunnableConfig
from langgraph_sdk import Auth
from starlette.applications import Starlette

from errors import MissionsError, Refused, TryAgain
from graphs.runtime import Runtime, open_runtime
from ledger.permissions import may
from ledger.postgres import PostgresLedger
from ledger.services import AdminService, Inbox
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
