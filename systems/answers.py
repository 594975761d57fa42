"""What came back from a tool: one JSON object, or a sentence that says why it is of no use."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from mcp_types import CallToolResult

from errors import BadInput
from strict_json import require_kept, strict_json

#: An answer longer than this is refused: it would not be evidence that a person could read.
LIMIT_BYTES = 2_000_000

ErrorKind = Literal["refused", "try_again", "unknown"]


class Unusable(Exception):
    """The answer is of no use; the text says why."""


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The JSON object that a tool answered. Raises Unusable when it is too long, no JSON object, or what no ledger can keep."""
    text, value = "".join(block.text for block in result.content if block.type == "text"), result.structured_content
    try:
        if value is None and len(text) <= LIMIT_BYTES:
            value = strict_json(text)
        require_kept(value)
        # the text counts beside structured content too
        size = max(len(orjson.dumps(value)), len(text.encode("utf-8", "surrogatepass")))
    except BadInput as error:
        raise Unusable(f"its answer is {error}") from error
    except orjson.JSONEncodeError as error:
        raise Unusable(f"its answer holds what JSON cannot say ({error})") from error
    if size > LIMIT_BYTES:
        raise Unusable(f"its answer is longer than {LIMIT_BYTES:,} bytes")
    if not isinstance(value, dict):
        raise Unusable("its answer is not a JSON object")
    return value


def error_of(tool: str, result: CallToolResult) -> tuple[ErrorKind, str]:
    """Kind and sentence of an answer that is an error.

    A tool says its kind in structured content. Without that, an error with a text of its own is a refusal; one that
    says only that the tool failed leaves open what it did.
    """
    content = result.structured_content if isinstance(result.structured_content, dict) else {}
    text = " ".join("".join(block.text for block in result.content if block.type == "text").split())
    message = str(content.get("message") or text.removeprefix(f"Error executing tool {tool}: "))[:500]
    if content.get("error") == "try_again":
        return "try_again", message
    if message and message != f"Error executing tool {tool}":
        return "refused", message
    return "unknown", "it failed and did not say why"


#: what an answer to a write may call whether it was done, and where it may wrap its answer
_VERDICTS, _WRAPS = ("ok", "done", "success", "successful", "succeeded"), ("result", "data", "response")
#: a status that is no receipt, where no record shows what was done
_NOT_YET = ("rejected", "refused", "denied", "pending", "queued", "skipped", "cancelled", "unknown")


def denial(answer: Mapping[str, Any]) -> str | None:
    """What an answer to a write says against its having been done; None where it says nothing of the kind."""
    for name, value in {str(name).casefold(): value for name, value in answer.items()}.items():
        against = (
            (name in _VERDICTS and value is not True)
            or (name in ("error", "errors") and bool(value))
            or (name in ("iserror", "is_error") and value is not False)
            or (name == "status" and str(value).casefold() in ("error", "failed", "failure"))
        )
        if against:
            return f"{name}: {value!s:.200}"
        if name in _WRAPS and isinstance(value, Mapping) and (inner := denial(value)):
            return inner
    return None


def says_done(answer: Mapping[str, Any]) -> bool:
    """Whether an answer to a write says that it was done: it has a receipt, or a word for it, and nothing speaks against it."""
    receipt = answer.get("receipt_id")
    has_receipt = (isinstance(receipt, str) and bool(receipt.strip())) or type(receipt) is int
    confirmed = has_receipt or any(answer.get(name) is True for name in _VERDICTS)
    return confirmed and denial(answer) is None and str(answer.get("status")).casefold() not in _NOT_YET
