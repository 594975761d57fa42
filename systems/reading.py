"""Reading the systems of record over MCP: a plain facade over one background thread that holds the connections."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import REQUEST_TIMEOUT

from errors import Refused, TryAgain
from systems.answers import Unusable, answer_of, error_of
from systems.calls import Call, ReadResult
from systems.config import SystemsConfig
from systems.connection import Connection, Opened, is_closed, leaf
from systems.guard import ListedTool, require_configured_read, require_read
from systems.reads import READ_TOOLS

T = TypeVar("T")


class McpReads:
    """Reads of any MCP servers, guarded, and no way to write. Use it as a context manager, from any thread.

    A system is connected to when it is first called. `extra_env` takes the place of the process's own environment
    variables for the names that a system's `env` lists.
    """

    #: a connection lets nothing through but the READ tools of its system
    _only_reads = True

    def __init__(self, config: SystemsConfig, *, extra_env: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._env = {**os.environ, **(extra_env or {})}
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> Self:
        # What goes wrong is told in sentences; the library's tracebacks would quote what a system wrote.
        logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="systems", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        for call in calls:
            require_configured_read(self._config, call)
        return self._wait(self._read_all(calls))

    def tools(self) -> list[ListedTool]:
        """All tools of all systems as they are listed now. Raises TryAgain when a system cannot be reached."""
        return self._wait(self._tools())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _connection(self, system: str) -> Connection:
        if system not in self._connections:
            config = self._config.systems[system]
            self._connections[system] = Connection(config, self._env, self._config.source, only_reads=self._only_reads)
        return self._connections[system]

    async def _close(self) -> None:
        await asyncio.gather(*[connection.close() for connection in self._connections.values()])
        # a call that is still under way would wait for ever on a loop that has stopped, and its process with it
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _tools(self) -> list[ListedTool]:
        opened = await asyncio.gather(*[self._connection(system).opened() for system in self._config.systems])
        return [tool for one in opened for tool in one.tools.values()]

    async def _read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        opened = await self._open_all(call.system for call in calls)
        self._require_reads(calls, opened)
        results = await asyncio.gather(*[self._read(call, opened[call.system]) for call in calls])
        said = [system for system, on in opened.items() if isinstance(on, Opened) and on.changed.is_set()]
        if said:  # while it answered: what its tools are now decides whether that is taken
            self._require_reads(calls, await self._open_all(said))
        return results

    def _require_reads(self, calls: Sequence[Call], opened: Mapping[str, Opened | TryAgain]) -> None:
        for call in calls:
            on = opened.get(call.system)
            if isinstance(on, Opened):
                require_read(self._config, on.tools, call)

    async def _open_all(self, systems: Iterable[str]) -> dict[str, Opened | TryAgain]:
        async def attempt(system: str) -> Opened | TryAgain:
            try:
                return await self._current(system)
            except TryAgain as failure:
                return failure

        names = list(dict.fromkeys(systems))
        return dict(zip(names, await asyncio.gather(*map(attempt, names)), strict=True))

    async def _current(self, system: str) -> Opened:
        """A connection whose tools are listed as they are. Raises TryAgain where they cannot be."""
        connection = self._connection(system)
        on = await connection.opened()
        try:
            await connection.current_tools(on)
        except Exception:  # the system ended since it was last called; on a new connection they are listed anew
            connection.drop(on)
            on = await connection.opened()
        return on

    async def _read(self, call: Call, on: Opened | TryAgain) -> ReadResult:
        try:
            wrong = unsendable(call)
            if wrong:
                raise Refused(wrong)
            if isinstance(on, TryAgain):
                raise on
            value = await self._value(call, on)
            return ReadResult(call, "absent" if value is None else "ok", value, datetime.now(UTC))
        except (TryAgain, Refused) as failure:
            return ReadResult(call, "failed", None, datetime.now(UTC), str(failure))

    async def _value(self, call: Call, on: Opened) -> Any:
        connection = self._connection(call.system)
        try:
            try:
                result = await connection.call(on, call.name, call.args)
            except MCPError as error:
                if not is_closed(error):
                    raise
                # The system ended since it was last called; a read may simply be repeated on a new connection.
                connection.drop(on)
                on = await connection.opened()
                require_read(self._config, on.tools, call)
                result = await connection.call(on, call.name, call.args)
            if result.is_error:
                raise TryAgain(f"{call.tool} failed: {error_of(call.name, result)[1]}")
            value = _unwrapped(answer_of(result))
            if (known := READ_TOOLS.get(call.tool)) and (wrong := known.refuses(value, call.args)):
                raise Unusable(wrong)
            return value
        except (TryAgain, Refused):
            raise
        except Unusable as error:
            raise TryAgain(f"{call.tool} cannot be used: {error}.") from error
        except Exception as error:
            if not isinstance(error, MCPError) or is_closed(error):
                connection.drop(on)
            raise TryAgain(f"{call.tool} gave no answer ({self._why(call, error)}).") from error

    def _why(self, call: Call, error: BaseException) -> str:
        inside = leaf(error)
        if isinstance(inside, TimeoutError) or (isinstance(inside, MCPError) and inside.code == REQUEST_TIMEOUT):
            return f"{call.system} did not answer within {self._config.systems[call.system].timeout_seconds:g} seconds"
        if is_closed(inside):
            return f"{call.system} ended"
        return str(inside)[:300] or type(inside).__name__


def unsendable(call: Call) -> str | None:
    """Why a call cannot be sent, or None."""
    try:
        json.dumps(dict(call.args), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return f"{call.tool} was not sent: its arguments are no JSON ({error}); give plain finite values."
    return None


def _unwrapped(answer: dict[str, Any]) -> Any:
    for name in ("record", "records"):
        if answer.keys() == {name}:
            return answer[name]
    return answer
