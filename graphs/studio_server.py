"""What LangGraph's own server works with: one runtime, opened with the server and closed with it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from anyio import to_thread
from starlette.applications import Starlette

from errors import TryAgain
from graphs.runtime import Runtime, open_runtime
from ledger.postgres import PostgresLedger
from ledger.services import AdminService, Inbox
from settings import settings


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
