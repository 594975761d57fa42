"""The MCP server of the ERP: the tools of `reads` and `actions`, as one user of Tryton."""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from trytond.backend import DatabaseOperationalError
from trytond.exceptions import UserError, UserWarning

from . import actions, entering, erp, reads

_KEY = inspect.Parameter("idempotency_key", inspect.Parameter.KEYWORD_ONLY, annotation=str)
#: one after the other: Tryton locks whole tables, and does not wait for a lock
_WRITING = threading.Lock()


def build() -> MCPServer:
    """The server with its tools; the modules of Tryton are loaded. Raises ValueError where its user is not there."""
    user = erp.user_id(erp.CONNECTOR)
    server = MCPServer("tryton", log_level="ERROR")
    for tool in reads.TOOLS:
        server.add_tool(_read(tool, user), annotations=ToolAnnotations(read_only_hint=True))
    for tool in (*actions.TOOLS, entering.enter_invoice):
        annotations = ToolAnnotations(read_only_hint=False, destructive_hint=tool in actions.FINAL, idempotent_hint=True)
        server.add_tool(_write(tool, user), annotations=annotations)
    return server


def _read(tool: Callable[..., Any], user: int) -> Callable[..., Any]:
    @functools.wraps(tool)
    def read(**arguments: Any) -> Any:
        return _answer(lambda: erp.run(lambda: tool(**arguments), user))

    return read


def _write(tool: Callable[..., dict[str, Any]], user: int) -> Callable[..., dict[str, Any]]:
    @functools.wraps(tool)
    def write(idempotency_key: str, **arguments: Any) -> dict[str, Any]:
        request = {name: str(value) for name, value in arguments.items()}
        done = functools.partial(actions.once, idempotency_key, tool.__name__, request, lambda: tool(**arguments))
        with _WRITING:
            answer: dict[str, Any] = _answer(lambda: erp.run(done, user, readonly=False))
        return answer

    signature = inspect.signature(tool)
    write.__signature__ = signature.replace(parameters=[*signature.parameters.values(), _KEY])  # type: ignore[attr-defined]
    write.__annotations__ = {**tool.__annotations__, "idempotency_key": str}
    return write


def _answer(does: Callable[[], Any]) -> Any:
    """What it answers. ToolError with Tryton's own sentence where Tryton refuses, or asks its user whether to go on."""
    try:
        return does()
    except (UserError, UserWarning) as refused:
        sentence = " ".join(f"{refused.message} {refused.description or ''}".split())
        raise ToolError(f"Tryton refuses: {sentence} Nothing was done.") from refused
    except DatabaseOperationalError as failed:
        raise ToolError("Tryton's database does not answer, or others change the same records; nothing was done.") from failed
