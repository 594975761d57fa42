"""The systems of record, over MCP (Model Context Protocol) or REST: a plain facade over one thread that holds the connections.

Schemas and annotations of tools are claims of their server (MCP, "Tools"): what reads is what the configuration says.
"""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

from errors import OutcomeUnknown, Refused, TryAgain
from systems.calls import Call, Reader, ReadResult, Receipt
from systems.config import ListedTool, SystemsConfig, require_configured_read, require_known, require_read
from systems.connection import Connection, Session, Unusable, answer_of, error_of, is_closed, why
from systems.pace import AsksToWait
from systems.rest import RestConnection

T = TypeVar("T")


class McpReads:
    """Reads of any systems, guarded, and no way to write. Use it as a context manager, from any thread.

    A system is connected to when it is first called; of `extra_env` and the environment it gets what its `env` lists.
    """

    #: a connection lets nothing through but the READ tools of its system
    _only_reads = True

    def __init__(self, config: SystemsConfig, *, extra_env: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._env = {**os.environ, **(extra_env or {})}
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> Self:
        # What goes wrong is reported in sentences; the library's tracebacks would quote what a system wrote.
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

        async def listed() -> list[ListedTool]:
            sessions = await asyncio.gather(*[self._connection(system).session() for system in self._config.systems])
            return [tool for one in sessions for tool in one.tools.values()]

        return self._wait(listed())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _connection(self, system: str) -> Connection:
        if system not in self._connections:
            config = self._config.systems[system]
            kind = RestConnection if config.openapi else Connection
            self._connections[system] = kind(config, self._env, self._config.source, only_reads=self._only_reads)
        return self._connections[system]

    async def _close(self) -> None:
        await asyncio.gather(*[connection.close() for connection in self._connections.values()])
        # a call that is still under way would wait for ever on a loop that has stopped, and its process with it
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        sessions = await self._open_all(calls, list(dict.fromkeys(call.system for call in calls)))
        results = await asyncio.gather(*[self._read(call, sessions[call.system]) for call in calls])
        changed = [system for system, session in sessions.items() if isinstance(session, Session) and session.changed.is_set()]
        if changed:  # while it answered: what its tools are now decides whether that is taken
            await self._open_all(calls, changed)
        return results

    async def _open_all(self, calls: Sequence[Call], systems: Sequence[str]) -> dict[str, Session | TryAgain]:
        """Connections whose tools are listed as they are. Raises Refused where one of the calls does not read."""

        async def current(system: str) -> Session | TryAgain:
            connection = self._connection(system)
            try:
                session = await connection.session()
                try:
                    await connection.patiently(partial(connection.refresh_tools, session, always=False))
                except AsksToWait:
                    raise
                except Exception:  # the system ended since it was last called; a new connection lists them again
                    connection.drop(session)
                    session = await connection.session()
                return session
            except TryAgain as failure:
                return failure

        opened = dict(zip(systems, await asyncio.gather(*map(current, systems)), strict=True))
        for call in calls:
            if isinstance(session := opened.get(call.system), Session):
                require_read(self._config, session.tools, call)
        return opened

    async def _read(self, call: Call, session: Session | TryAgain) -> ReadResult:
        connection = self._connection(call.system)
        try:
            require_sendable(call)
            if isinstance(session, TryAgain):
                raise session
            try:
                result = await connection.patiently(partial(connection.call, session, call.name, call.args))
            except MCPError as error:
                if not is_closed(error):
                    raise
                # The system ended since it was last called; a read may simply be repeated on a new connection.
                connection.drop(session)
                session = await connection.session()
                require_read(self._config, session.tools, call)
                result = await connection.patiently(partial(connection.call, session, call.name, call.args))
            if result.is_error:
                raise TryAgain(f"{call.tool} failed: {error_of(call.name, result)[1]}")
            value: Any = answer_of(result)
            if value.keys() in ({"record"}, {"records"}):
                (value,) = value.values()
            if (known := self._config.record_schema.tools.get(call.tool)) and (wrong := known.refuses(value, call.args)):
                raise Unusable(wrong)
            return ReadResult(call, "absent" if value is None else "ok", value, datetime.now(UTC))
        except (TryAgain, Refused) as error:
            failure = str(error)
        except Unusable as error:
            failure = f"{call.tool} cannot be used: {error}."
        except Exception as error:
            if isinstance(session, Session) and (not isinstance(error, MCPError) or is_closed(error)):
                connection.drop(session)
            failure = f"{call.tool} gave no answer ({self._why(call, error)})."
        return ReadResult(call, "failed", None, datetime.now(UTC), str(TryAgain(failure)))  # its text is one harmless line

    def _why(self, call: Call, error: BaseException) -> str:
        seconds = self._config.systems[call.system].timeout_seconds
        return why(error, f"{call.system} did not answer within {seconds:g} seconds", f"{call.system} ended")


def require_sendable(call: Call) -> None:
    """Raise Refused for a call that cannot be sent."""
    try:
        json.dumps(dict(call.args), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        sentence = f"{call.tool} was not sent: its arguments are not JSON ({error}); give plain finite values."
        raise Refused(sentence) from error


class McpSystems(McpReads):
    """Reads and writes of any systems, guarded. Use it as a context manager, from any thread."""

    _only_reads = False

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer. `key` goes with the call where the tool takes an `idempotency_key`."""
        if call.system not in self._config.systems:
            raise Refused(f"{call.tool} belongs to no system of {self._config.source}; correct its name.")
        return self._wait(self._write(call, key))

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return "idempotency_key" in self._wait(self._ready_to_write(call))[1].takes

    def reader(self) -> Reader:
        """Reads, and nothing else: what a reasoner is given."""
        return _OnlyReads(lambda calls: self.read_all(calls))  # a bound method would lead to what writes

    async def _write(self, call: Call, key: str) -> Receipt:
        require_sendable(call)
        async with self._connection(call.system).pace.turn():
            return await self._write_now(call, key)

    async def _write_now(self, call: Call, key: str) -> Receipt:
        session, tool = await self._ready_to_write(call)
        args = {**call.args, **({"idempotency_key": key} if "idempotency_key" in tool.takes else {})}
        if call.expects and "expects" in tool.takes:
            args["expects"] = [{name: one[name] for name in ("system", "record", "field", "before")} for one in call.expects]
        if call.leave is not None:
            # the last thing before it is sent, at every try; whoever is stopped after it is met by the fence
            fence = await asyncio.to_thread(call.leave, self._config.systems[call.system].timeout_seconds)
            if "fencing_token" in tool.takes:
                args["fencing_token"] = {**vars(fence), "valid_until": fence.valid_until.isoformat()}
        if session.changed.is_set():
            raise TryAgain(f"{call.tool} was not sent, for {call.system} says that its tools have changed; try again.")
        connection = self._connection(call.system)
        try:
            result = await connection.call(session, call.name, args)
            answer = None if result.is_error else answer_of(result)
        except (Refused, TryAgain):
            raise  # the system did not accept the call, or it was not sent
        except Exception as error:
            if isinstance(error, MCPError) and error.code in (INVALID_PARAMS, METHOD_NOT_FOUND):
                raise Refused(f"{call.system} refused {call.name}: {error.message}") from error
            if not isinstance(error, MCPError | Unusable) or is_closed(error):
                connection.drop(session)
            reason = str(error) if isinstance(error, Unusable) else self._why(call, error)
            raise OutcomeUnknown(
                f"{call.tool} was sent and its outcome is not known ({reason}); look at the system before anything else."
            ) from error
        if answer is not None:
            return Receipt(call.tool, key, answer, answer.get("replayed") is True)
        kind, sentence = error_of(call.name, result)
        if kind == "refused":
            raise Refused(sentence)
        if kind == "try_again":
            raise TryAgain(sentence)
        raise OutcomeUnknown(f"{call.tool}: {sentence}; look at the system before anything else.")

    async def _ready_to_write(self, call: Call) -> tuple[Session, ListedTool]:
        """A connection that answered just now, and the tool as it is listed on it now: nothing is sent to any other."""
        connection = self._connection(call.system)
        for attempt in (1, 2):
            session = await connection.session()
            try:
                tools = await connection.refresh_tools(session)
                return session, require_known(self._config, tools, call)
            except (Refused, TryAgain):
                raise
            except Exception as error:  # whatever the transport raises: nothing but a question was sent
                connection.drop(session)
                if attempt == 2:
                    raise TryAgain(f"{call.tool} was not sent ({self._why(call, error)}); try again.") from error
        raise AssertionError("unreachable")


@dataclass(frozen=True)
class _OnlyReads:
    """A Reader that holds no way to write."""

    read_all: Callable[[Sequence[Call]], list[ReadResult]]
