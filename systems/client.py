"""The systems of record over MCP: what `systems.reading` does, and writes."""

import asyncio
from collections.abc import Sequence

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

from errors import OutcomeUnknown, Refused, TryAgain
from systems.answers import Unusable, answer_of, error_of
from systems.calls import Call, Reader, ReadResult, Receipt
from systems.connection import Opened, is_closed
from systems.guard import ListedTool, require_known
from systems.reading import McpReads, unsendable


class McpSystems(McpReads):
    """Reads and writes of any MCP servers, guarded. Use it as a context manager, from any thread."""

    _only_reads = False

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer. `key` goes with the call where the tool takes an `idempotency_key`."""
        if call.system not in self._config.systems:
            raise Refused(f"{call.tool} belongs to no system of {self._config.source}; correct its name.")
        return self._wait(self._write(call, key))

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return self._wait(self._ready_to_write(call))[1].takes_key

    def reader(self) -> Reader:
        """Reads, and nothing else: what a reasoner is given."""
        return _OnlyReads(self)

    async def _write(self, call: Call, key: str) -> Receipt:
        wrong = unsendable(call)
        if wrong:
            raise Refused(wrong)
        on, tool = await self._ready_to_write(call)
        args = {**call.args, **({"idempotency_key": key} if tool.takes_key else {})}
        if call.expects and tool.takes_conditions:
            args["expects"] = [{name: one[name] for name in ("system", "record", "field", "before")} for one in call.expects]
        if call.leave is not None:
            # the last thing before it is sent, at every try; whoever is stopped after it is met by the fence
            fence = await asyncio.to_thread(call.leave, self._config.systems[call.system].timeout_seconds)
            if tool.takes_fence:
                args["fencing_token"] = {**vars(fence), "valid_until": fence.valid_until.isoformat()}
        if on.changed.is_set():
            raise TryAgain(f"{call.tool} was not sent, for {call.system} says that its tools have changed; try again.")
        connection = self._connection(call.system)
        try:
            result = await connection.call(on, call.name, args)
            answer = None if result.is_error else answer_of(result)
        except Exception as error:
            if isinstance(error, MCPError) and error.code in (INVALID_PARAMS, METHOD_NOT_FOUND):
                raise Refused(f"{call.system} refused {call.name}: {error.message}") from error
            if not isinstance(error, MCPError | Unusable) or is_closed(error):
                connection.drop(on)
            why = str(error) if isinstance(error, Unusable) else self._why(call, error)
            raise OutcomeUnknown(
                f"{call.tool} was sent and its outcome is not known ({why}); look at the system before anything else."
            ) from error
        if answer is not None:
            return Receipt(call.tool, key, answer, answer.get("replayed") is True)
        kind, sentence = error_of(call.name, result)
        if kind == "refused":
            raise Refused(sentence)
        if kind == "try_again":
            raise TryAgain(sentence)
        raise OutcomeUnknown(f"{call.tool}: {sentence}; look at the system before anything else.")

    async def _ready_to_write(self, call: Call) -> tuple[Opened, ListedTool]:
        """A connection that answered just now, and the tool as it is listed on it now: nothing is sent to any other."""
        connection = self._connection(call.system)
        for attempt in (1, 2):
            on = await connection.opened()
            try:
                tools = await connection.list_anew(on)
                return on, require_known(self._config, tools, call)
            except Refused:
                raise
            except Exception as error:  # whatever the transport raises: nothing but a question was sent
                connection.drop(on)
                if attempt == 2:
                    raise TryAgain(f"{call.tool} was not sent ({self._why(call, error)}); try again.") from error
        raise AssertionError("unreachable")


class _OnlyReads:
    """A Reader that holds no way to write."""

    def __init__(self, systems: McpSystems) -> None:
        def read_all(calls: Sequence[Call]) -> list[ReadResult]:
            return systems.read_all(calls)

        self._read_all = read_all

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        return self._read_all(calls)
