"""One connection to one system, for as long as it lasts, and what comes back over it."""

import asyncio
import re
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TextIO, TypeVar

import httpx2
import orjson
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT, CallToolResult, ToolListChangedNotification
from pydantic import BaseModel, ValidationError

from errors import BadInput, MissionsError, Refused, TryAgain
from strict_json import require_kept, strict_json
from systems.config import SystemConfig, listed_tool
from systems.credentials import SHORTEST_SECRET
from systems.http import Credentials, errors_met, http_client, refusal
from systems.pace import AsksToWait, Pace, asked_wait
from systems.pins import ListedTool
from systems.replies import RESULT, unpacked

T = TypeVar("T")

#: a READ that a system turned away is sent so often, as late as it asks
_READ_TRIES = 3
#: seconds after which the tools of a connection are listed again before they read, whether or not they changed
LISTED_FOR = 30.0
#: in an address
_PASSWORD = re.compile(r"://[^/@:]*:([^/@]+)@")


@dataclass(eq=False)
class Session:
    """A connection that answered, and the tools as the system listed them on it last."""

    #: what it is reached by: of MCP, a Client
    client: Any
    tools: Mapping[str, ListedTool]
    #: set by the system when it says that its tools are others now
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    #: by the clock of `time.monotonic`
    listed_at: float = field(default_factory=time.monotonic)


class Connection:
    """Opens when it is first needed, and again after it broke. All methods run on one event loop.

    What speaks MCP here stands in `_open`, `_list` and `_send`; a connection of another kind has its own.
    """

    def __init__(self, config: SystemConfig, env: Mapping[str, str], source: str, *, only_reads: bool, person: str = "") -> None:
        self._config, self._only_reads = config, only_reads
        self._env = {name: env[name] for name in config.env if name in env}
        self._credentials = Credentials(config, env, person)
        self.pace = Pace(config.name, config.limits, config.timeout_seconds)
        self._source = source
        self._pending: asyncio.Future[Session] | None = None
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def session(self) -> Session:
        """The connection; callers at the same time share one attempt.

        Raises TryAgain with a sentence, also while the system is left alone because it failed again and again.
        """
        pending = self._pending
        if pending is None or pending.done():
            self.pace.admit()
        if pending is None or (pending.done() and (pending.cancelled() or pending.exception())):
            pending = self._pending = asyncio.get_running_loop().create_future()
            self._stop = asyncio.Event()
            task = asyncio.create_task(self._hold(pending, self._stop))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(pending)

    def drop(self, broken: Session) -> None:
        """Forget a connection that broke, unless a newer one has taken its place already."""
        now = self._pending
        if now is None or not now.done() or now.cancelled() or now.exception() is not None:
            return  # a newer one that could not be opened says nothing about what was sent over this one
        if now.result() is broken:
            self._pending = None
            self._stop.set()

    async def close(self) -> None:
        """Close, and wait until the system's process has ended."""
        self._stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    async def patiently(self, request: Callable[[], Awaitable[T]]) -> T:
        """What a request that only reads answers when it is its turn; it is repeated where the system asks to wait."""
        for _ in range(_READ_TRIES - 1):
            with suppress(AsksToWait):  # the next turn comes when that is over
                async with self.pace.turn():
                    return await request()
        async with self.pace.turn():
            return await request()

    async def call(self, session: Session, name: str, args: Mapping[str, Any]) -> CallToolResult:
        """Call a tool, once, in a turn of its `pace`.

        Raises Refused for a WRITE where it only reads, or which the system does not accept; TryAgain where it turned the call
        away for now, or a secret is missing; Unusable, also of an answer that repeats one; MCPError, TimeoutError, or the
        errors of its transport.
        """
        if self._only_reads and not (name in session.tools and session.tools[name].reads):
            raise Refused(f"{self._config.name}.{name} is not a READ tool, and this connection only reads.")
        await self._credentials.ready()  # a secret that is missing is said before anything is sent
        async with self._watched(reads=name in session.tools and session.tools[name].reads):
            # The client's own timeout starts once the request is written; a system that does not read is met by this one.
            async with asyncio.timeout(self._config.timeout_seconds + 1):
                result = await self._send(session, name, args)
        return self._without_secrets(result)

    @asynccontextmanager
    async def _watched(self, *, reads: bool) -> AsyncIterator[None]:
        """One request: what its HTTP status means, whether the system is well, and no secret in the text of its error."""
        begun = time.monotonic()
        with errors_met() as met:
            try:
                yield
                self._require_accepted(met, reads=reads)  # of what came as an answer, and is an error by its status
            except Exception as error:
                self._require_accepted(met, reads=reads)
                if _is_outage(error):
                    self.pace.failed(begun)
                if isinstance(error, MCPError):
                    raise MCPError(error.code, self.hide(error.message)) from None
                if isinstance(error, Unusable | MissionsError):
                    raise type(error)(self.hide(str(error))) from None
                raise
        if met and met[-1].is_server_error:
            self.pace.failed(begun)
        else:
            self.pace.answered()

    def _require_accepted(self, met: list[httpx2.Response], *, reads: bool) -> None:
        """Raise Refused or AsksToWait where the last answer of an error status says so. A WRITE that met a 503 may be done."""
        if not met:
            return
        if met[-1].status_code == 429 or (met[-1].status_code == 503 and reads and "retry-after" in met[-1].headers):
            seconds = asked_wait(met[-1])
            self.pace.asked(seconds)
            what = f"{self._config.name} asks to wait {seconds:.0f} seconds before the next call ({met[-1].status_code})"
            raise AsksToWait(f"{what}; try again then, or lower its `limits`.")
        if sentence := refusal(self._config, met[-1]):
            raise Refused((met[-1].status_code == 401 and self._credentials.trouble) or sentence)

    def _without_secrets(self, result: CallToolResult) -> CallToolResult:
        if result.is_error:
            return CallToolResult.model_validate_json(self.hide(result.model_dump_json()))
        if self._credentials.secrets.shown_in(result):
            raise Unusable("its answer repeats a secret of the connection")
        return result

    def hide(self, text: str) -> str:
        """What a system wrote, or an error that may quote it, without the secrets of the connection."""
        return _without(self._env, self._credentials.secrets.hide(text))

    async def _send(self, session: Session, name: str, args: Mapping[str, Any]) -> CallToolResult:
        client: Client = session.client
        return await client.call_tool(name, dict(args), read_timeout_seconds=self._config.timeout_seconds)

    async def refresh_tools(self, session: Session, *, always: bool = True) -> Mapping[str, ListedTool]:
        """The tools as the system lists them now, but for names that it lists twice.

        Unless `always`, they are listed again only if they changed or it was long ago. Raises TryAgain, Refused, MCPError,
        TimeoutError, or the errors of its transport.
        """
        if always or session.changed.is_set() or time.monotonic() - session.listed_at > LISTED_FOR:
            session.changed.clear()  # first: what changes while they are listed counts again
            async with self._watched(reads=True), asyncio.timeout(self._config.timeout_seconds):
                found = await self._list(session)
            times = Counter(tool.name for tool in found)
            session.tools = {tool.name: tool for tool in found if times[tool.name] == 1}
            session.listed_at = time.monotonic()
        return session.tools

    async def _list(self, session: Session) -> list[ListedTool]:
        found: list[ListedTool] = []
        cursor, first = None, True
        while first or cursor:
            page = await session.client.list_tools(cursor=cursor, cache_mode="bypass")
            definitions = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
            found += [listed_tool(self._config, definition) for definition in definitions]
            cursor, first = page.next_cursor, False
            self._require_no_secret(page)
        return found

    def _require_no_secret(self, listed: BaseModel | str) -> None:
        if self._credentials.secrets.shown_in(listed):
            what = "the description of a tool repeats a secret of the connection"
            raise TryAgain(f"{self._config.name} cannot be used ({what}); have that taken out there.")

    async def _hold(self, pending: "asyncio.Future[Session]", stop: asyncio.Event) -> None:
        # One task enters and leaves the client: its cancel scopes must be left where they were entered.
        last_line, changed, met, begun = "", asyncio.Event(), list[httpx2.Response](), time.monotonic()
        scratch = partial(tempfile.TemporaryFile, "w+", encoding="utf-8", errors="replace")
        try:
            with await asyncio.to_thread(scratch) as stderr, errors_met() as met:  # a disk may let one wait
                try:
                    async with (
                        asyncio.timeout(self._config.start_seconds) as start,
                        self._open(stderr, changed) as client,
                    ):
                        session = Session(client, {}, changed)
                        await self.refresh_tools(session)
                        start.reschedule(None)
                        pending.set_result(session)
                        await stop.wait()
                finally:
                    stderr.seek(0)
                    last_line = (stderr.read()[-4000:].strip().splitlines() or [""])[-1].strip()[:300]
        except (Exception, asyncio.CancelledError) as error:
            # After the connection was open, whoever called has seen the failure already.
            if not pending.done():
                if _is_outage(error):
                    self.pace.failed(begun)
                pending.set_exception(TryAgain(self._why_not_open(error, last_line, met)))
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            if self._pending is pending and pending.exception() is None:
                self._pending = None  # it was open and has ended: the next call opens another

    @asynccontextmanager
    async def _open(self, stderr: TextIO, changed: asyncio.Event) -> AsyncIterator[Any]:
        async with self._client(stderr, changed) as client, _listening(client, changed):
            yield client

    @asynccontextmanager
    async def _client(self, stderr: TextIO, changed: asyncio.Event) -> AsyncIterator[Client]:
        async def hear(message: object) -> None:
            if isinstance(message, ToolListChangedNotification):
                changed.set()

        if self._config.url is None:
            program, *arguments = self._config.command or ("",)
            parameters = StdioServerParameters(command=program, args=arguments, env=self._env)
            async with Client(stdio_client(parameters, errlog=stderr), message_handler=hear) as client:
                yield client
            return
        await self._credentials.ready()
        async with http_client(self._config, self._credentials) as http:
            transport = streamable_http_client(self._config.url, http_client=http)
            async with Client(transport, message_handler=hear) as client:
                yield client

    def _why_not_open(self, error: BaseException, last_line: str, met: list[httpx2.Response]) -> str:
        try:
            self._require_accepted(met, reads=True)
        except (Refused, AsksToWait) as turned_away:
            return str(turned_away)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, MissionsError) and str(error).endswith("."):
            return str(error)
        late = f"it was not ready after {self._config.start_seconds:g} seconds"
        said = last_line or why(error, late, "it ended before it answered")
        remedy = f"start it, or correct its entry in {self._source}"
        return f"{self._config.name} cannot be reached ({self.hide(said)}); {remedy}."


@asynccontextmanager
async def _listening(client: Client, changed: asyncio.Event) -> AsyncIterator[None]:
    """A system of the newer protocol says that its tools changed only to whoever listens; an older one notifies everybody."""

    async def listen() -> None:
        with suppress(Exception):  # it does not offer it, or ended it: then the tools are listed by the clock
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    changed.set()

    tools = client.server_capabilities.tools
    if tools is None or not tools.list_changed:
        yield
        return
    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _without(env: Mapping[str, str], text: str) -> str:
    """What a system wrote, with the names of the variables that it was given in the place of their values and passwords."""
    for name, value in env.items():
        for secret in (value, *_PASSWORD.findall(value)):
            text = text.replace(secret, f"[{name}]") if len(secret) >= SHORTEST_SECRET else text
    return text


def _is_outage(error: BaseException) -> bool:
    """Whether an error says that a system is not well, and not what it thinks of a call."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        return error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT, INTERNAL_ERROR)
    return not isinstance(error, MissionsError | Unusable | asyncio.CancelledError)


def is_closed(error: BaseException) -> bool:
    """Whether a call failed because its connection had ended; servers use the code for errors of their own."""
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED and error.message == "Connection closed"


def why(error: BaseException, late: str, ended: str) -> str:
    """Why a connection or a call failed: `late`, `ended`, or what the failure itself says."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError) or (isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT):
        return late
    if is_closed(error):
        return ended
    if isinstance(error, ValidationError):
        return "its answer is none of MCP"
    said = str(getattr(error, "strerror", None) or error)[:300]
    if not said and (cause := error.__cause__ or error.__context__):  # httpx says less than what it comes from
        return why(cause, late, ended)
    return said or type(error).__name__


# What comes back over it

#: An answer longer than this is refused: it would not be evidence that a person could read.
LIMIT_BYTES = 2_000_000

ErrorKind = Literal["refused", "try_again", "unknown"]


class Unusable(Exception):
    """The answer is of no use; the text says why."""


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The JSON object that a tool answered, also as text; what is none, a list or other text, as {"result": …}.

    Raises Unusable when it is too long, malformed, or what no ledger can keep.
    """
    text, value = "".join(block.text for block in result.content if block.type == "text"), result.structured_content
    try:
        if value == {RESULT: text} and len(text) <= LIMIT_BYTES:  # a tool that answers text, which may be JSON all the same
            value = unpacked(text)
        if value is None and len(text) <= LIMIT_BYTES:
            value = strict_json(text) if text.lstrip().startswith(("{", "[")) or text.strip() == "null" else text
        require_kept(value)
        # the text counts beside structured content too
        size = max(len(orjson.dumps(value)), len(text.encode("utf-8", "surrogatepass")))
    except BadInput as error:
        raise Unusable(f"its answer is {error}") from error
    except orjson.JSONEncodeError as error:
        raise Unusable(f"its answer holds what JSON cannot say ({error})") from error
    if size > LIMIT_BYTES:
        raise Unusable(f"its answer is longer than {LIMIT_BYTES:,} bytes")
    if value == "":
        raise Unusable("its answer is empty")
    return value if isinstance(value, dict) else {RESULT: value}


def error_of(tool: str, result: CallToolResult) -> tuple[ErrorKind, str]:
    """Kind and sentence of an answer that is an error.

    A tool says its kind in structured content. Without that, an error with a text of its own is a refusal; one that
    says only that the tool failed leaves open what it did.
    """
    content = result.structured_content if isinstance(result.structured_content, dict) else {}
    text = " ".join("".join(block.text for block in result.content if block.type == "text").split())
    message = str(content.get("message") or text.removeprefix(f"Error executing tool {tool}: "))[:500]
    if (kind := content.get("error")) in ("try_again", "unknown"):
        return kind, message
    if message and message != f"Error executing tool {tool}":
        return "refused", message
    return "unknown", "it failed and did not say why"
