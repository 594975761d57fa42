"""The systems of record, over MCP (Model Context Protocol) or REST: a plain facade over one thread that holds the connections.

Schemas and annotations of tools are claims of their server (MCP, "Tools"): what reads is what the configuration says.
"""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, TypeVar

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

from errors import OutcomeUnknown, Refused, TryAgain, TurnedAway
from systems.calls import Call, Reader, ReadResult, Receipt
from systems.conditions import Unknown
from systems.config import SystemsConfig, require_configured_read, require_known, require_read
from systems.connection import LIMIT_BYTES, Connection, Session, Unusable, answer_of, error_of, is_closed, why
from systems.operations import IF_MATCH, Operation
from systems.pace import AsksToWait
from systems.pins import ListedTool
from systems.replies import Answers
from systems.rest import ETAG, RestConnection
from systems.schema import ReadTool

T = TypeVar("T")


@dataclass(frozen=True)
class AskedRead:
    """A read as a pack asks it; `tool` is what systems.yaml says of it."""

    call: Call
    tool: ReadTool | None

    @property
    def sent(self) -> Call:
        """The same, of the tool that its server has."""
        return self.call if self.tool is None else replace(self.call, tool=self.tool.tool)

    def served(self, config: SystemsConfig, tools: Mapping[str, ListedTool]) -> Call:
        """What is sent. Raises Unknown where an argument cannot be computed."""
        args = self.call.args if self.tool is None else self.tool.sent(self.call.args)
        return replace(self.sent, args=with_constants(config, tools, self.sent, args))

    def answers(self, config: SystemsConfig) -> Answers:
        """How its answer is read."""
        return config.answers[self.call.system] if self.tool is None else self.tool.answers


def with_constants(
    config: SystemsConfig, tools: Mapping[str, ListedTool], call: Call, args: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Arguments with those that every call of the system gets, as far as its tool takes them."""
    takes = tools[call.name].takes if call.name in tools else frozenset()
    return {**{name: value for name, value in config.systems[call.system].always.items() if name in takes}, **args}


class LiveReader:
    """Reads of any systems, guarded, and no way to write. Use it as a context manager, from any thread.

    A system is connected to when it is first called; of `extra_env` and the environment it gets what its `env` lists.
    """

    #: a connection lets nothing through but the READ tools of its system
    _only_reads = True

    def __init__(self, config: SystemsConfig, *, extra_env: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._env = {**os.environ, **(extra_env or {})}
        self._connections: dict[tuple[str, str], Connection] = {}

    def __enter__(self) -> Self:
        # What goes wrong is reported in sentences; the libraries would quote what a system wrote, and whose record was read.
        for name in ("mcp.client", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
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
        tools = self._config.record_schema.tools
        asked = [AskedRead(call, tools.get(call.tool)) for call in calls]
        for one in asked:
            require_configured_read(self._config, one.sent)
        return self._wait(self._read_all(asked))

    def tools(self) -> list[ListedTool]:
        """All tools of all systems as they are listed now. Raises TryAgain when a system cannot be reached."""

        async def listed() -> list[ListedTool]:
            sessions = await asyncio.gather(*[self._connection(system).session() for system in self._config.systems])
            return [tool for one in sessions for tool in one.tools.values()]

        return self._wait(listed())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _connection(self, system: str, person: str = "") -> Connection:
        """The connection to a system; a person's own where calls go out in her name, for a server knows a session by its user."""
        config = self._config.systems[system]
        if not (config.auth and config.auth.oauth and config.auth.oauth.on_behalf):
            person = ""
        if (system, person) not in self._connections:
            kind = RestConnection if config.openapi else Connection
            opened = kind(config, self._env, self._config.source, only_reads=self._only_reads, person=person)
            if person:
                opened.pace = self._connection(system).pace
            self._connections[system, person] = opened
        return self._connections[system, person]

    async def _close(self) -> None:
        await asyncio.gather(*[connection.close() for connection in self._connections.values()])
        # a call that is still under way would wait for ever on a loop that has stopped, and its process with it
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _read_all(self, asked: Sequence[AskedRead]) -> list[ReadResult]:
        calls = [one.sent for one in asked]
        sessions = await self._open_all(calls, list(dict.fromkeys(call.system for call in calls)))
        results = await asyncio.gather(*[self._read(one, sessions[one.sent.system]) for one in asked])
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

    async def _read(self, asked: AskedRead, session: Session | TryAgain) -> ReadResult:
        call, connection = asked.call, self._connection(asked.call.system)
        try:
            if isinstance(session, TryAgain):
                raise session
            served = asked.served(self._config, session.tools)
            require_sendable(served)
            try:
                value = await self._value(asked, connection, session, served)
            except MCPError as error:
                if not is_closed(error):
                    raise
                # The system ended since it was last called; a read may simply be repeated on a new connection.
                connection.drop(session)
                session = await connection.session()
                require_read(self._config, session.tools, served)
                value = await self._value(asked, connection, session, served)
            if asked.tool is not None and (wrong := asked.tool.refuses(value, call.args)):
                raise Unusable(wrong)
            return ReadResult(call, "absent" if value is None else "ok", value, datetime.now(UTC))
        except Unknown as unknown:
            failure = f"{call.tool} cannot be used: «{unknown.expression.source}» is not known ({unknown})."
        except (TryAgain, Refused) as error:
            failure = str(error)
        except Unusable as error:
            failure = f"{call.tool} cannot be used: {error}."
        except Exception as error:
            if isinstance(session, Session) and (not isinstance(error, MCPError) or is_closed(error)):
                connection.drop(session)
            failure = f"{call.tool} gave no answer ({self._why(call, error)})."
        return ReadResult(call, "failed", None, datetime.now(UTC), str(TryAgain(failure)))  # its text is one harmless line

    async def _value(self, asked: AskedRead, connection: Connection, session: Session, served: Call) -> Any:
        """What one read answers, of a list in pages all of them; None where there is no such record.

        Raises TryAgain, Unusable, Unknown, or what `Connection.call` raises.
        """
        answers, tool, args, page = asked.answers(self._config), asked.tool, served.args, 1
        found, size = list[Any](), 0
        while True:
            result = await connection.patiently(partial(connection.call, session, served.name, args))
            answer = answer_of(result)
            if answers.absent(answer) and page == 1:
                return None
            if result.is_error:
                raise TryAgain(f"{asked.call.tool} failed: {error_of(served.name, result)[1]}")
            if failure := answers.failure(answer):
                raise TryAgain(f"{asked.call.tool} failed: {failure}")
            value = answers.value(answer)
            if tool is None:
                return value
            value = self._config.record_schema.made_of(tool, value, asked.call.args)
            if not tool.next_page:
                return value
            if not isinstance(value, list):
                raise Unusable("one of its pages is no list of records")
            found, size = [*found, *value], size + len(orjson.dumps(answer))
            if not (further := tool.asked_next(answer, page)):
                keys = {str(self._config.record_schema.key_of(tool.collection, one)) for one in found if isinstance(one, dict)}
                if page > 1 and len(keys) < len(found):
                    raise Unusable("a record stands on two of its pages, so it changed meanwhile, or its pages repeat")
                return found
            if page == tool.most_pages:
                raise Unusable(f"it has more than {page} pages; ask for larger ones, or raise `most`")
            if size > LIMIT_BYTES:
                raise Unusable(f"its pages are longer than {LIMIT_BYTES:,} bytes")
            args, page = {**served.args, **further}, page + 1

    def _why(self, call: Call, error: BaseException) -> str:
        seconds = self._config.systems[call.system].timeout_seconds
        said = why(error, f"{call.system} did not answer within {seconds:g} seconds", f"{call.system} ended")
        return self._connection(call.system, call.approved_by).hide(said)


def require_sendable(call: Call) -> None:
    """Raise Refused for a call that cannot be sent."""
    try:
        json.dumps(dict(call.args if call.sends is None else call.sends), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        sentence = f"{call.tool} was not sent: its arguments are not JSON ({error}); give plain finite values."
        raise Refused(sentence) from error


class LiveSystems(LiveReader):
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
        async with self._connection(call.system, call.approved_by).pace.turn():
            return await self._write_now(call, key)

    async def _write_now(self, call: Call, key: str) -> Receipt:
        session, tool = await self._ready_to_write(call)
        sends = call.args if call.sends is None else call.sends
        args = {
            **with_constants(self._config, session.tools, call, sends),
            **({"idempotency_key": key} if "idempotency_key" in tool.takes else {}),
        }
        if call.expects and "expects" in tool.takes:
            args["expects"] = [{name: one[name] for name in ("system", "record", "field", "before")} for one in call.expects]
        if isinstance(tool, Operation) and tool.if_match:
            args[IF_MATCH] = await self._version(call, tool, tool.if_match, session, args)
        if call.leave is not None:
            # the last thing before it is sent, at every try; whoever is stopped after it is met by the fence
            fence = await asyncio.to_thread(call.leave, self._config.systems[call.system].timeout_seconds)
            if "fencing_token" in tool.takes:
                args["fencing_token"] = {**vars(fence), "valid_until": fence.valid_until.isoformat()}
        if session.changed.is_set():
            raise TryAgain(f"{call.tool} was not sent, for {call.system} says that its tools have changed; try again.")
        connection = self._connection(call.system, call.approved_by)
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
            try:
                if refusal := self._config.answers[call.system].failure(answer):
                    raise Refused(refusal)
            except Unknown as unknown:
                what = f"{call.tool} was sent, and whether it was done is not known: «{unknown.expression.source}» ({unknown})"
                raise OutcomeUnknown(f"{what}; look at the system before anything else.") from unknown
            return Receipt(call.tool, key, answer, answer.get("replayed") is True)
        kind, sentence = error_of(call.name, result)
        if kind == "refused":
            raise Refused(sentence)
        if kind == "try_again":
            raise TurnedAway(sentence)
        raise OutcomeUnknown(f"{call.tool}: {sentence}; look at the system before anything else.")

    async def _version(self, call: Call, operation: Operation, read: str, session: Session, args: Mapping[str, Any]) -> str:
        """The ETag of the record that a WRITE changes, by a look right before it is sent: whatever changes after it is refused.

        Raises Refused where the record is not as expected, or has no ETag; TryAgain where it cannot be read.
        """
        looked = session.tools.get(read)
        asked = Call(
            f"{call.system}.{read}", {name: args[name] for name in looked.required} if isinstance(looked, Operation) else {}
        )
        require_read(self._config, session.tools, asked)
        schema = self._config.record_schema
        tool = next(one for one in schema.tools.values() if one.one and one.tool == asked.tool)
        try:
            result = await self._connection(call.system, call.approved_by).call(session, read, asked.args)
            answer = answer_of(result)
            if result.is_error or tool.answers.failure(answer):
                raise Unusable(f"{read} fails")
            record = schema.made_of(tool, tool.answers.value(answer), asked.args)
        except (Refused, TryAgain) as error:
            raise TryAgain(f"{call.tool} was not sent: {error}") from error
        except Exception as error:  # nothing but a question was sent
            reason = str(error) if isinstance(error, Unusable | Unknown) else self._why(call, error)
            raise TryAgain(f"{call.tool} was not sent, for its record cannot be looked at ({reason}); try again.") from error
        if not isinstance(record, dict):
            raise Refused(f"{call.tool} was not sent, for its record is not there")
        name = "/".join(map(str, schema.key_of(tool.collection, record)))
        for one in call.expects:
            field = str(one["field"])
            grows = schema.part_key(tool.collection, field)  # what is added to was not there before
            if (one["system"], one["record"]) == (call.system, name) and not grows:
                found = schema.found(tool.collection, record, field)
                if found != one["before"]:
                    raise Refused(
                        f"{call.tool} was not sent, for {name} {field} is {found!r:.100} now and was {one['before']!r:.100}"
                    )
        if not (etag := str((result.meta or {}).get(ETAG) or "")):
            raise Refused(f"{call.tool} was not sent, for the answer of {read} has no ETag; take its `if_match` out")
        return etag

    async def _ready_to_write(self, call: Call) -> tuple[Session, ListedTool]:
        """A connection that answered just now, and the tool as it is listed on it now: nothing is sent to any other."""
        connection = self._connection(call.system, call.approved_by)
        for attempt in (1, 2):
            session = await connection.session()
            try:
                tools = await connection.refresh_tools(session)
                return session, require_known(self._config, tools, call)
            except TurnedAway as error:
                raise TryAgain(f"{call.tool} was not sent: {error}") from error
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
