"""What came back from a tool: one JSON object, or a sentence that says why it is of no use."""

import json
from typing import Any, Literal, NoReturn

from mcp_types import CallToolResult

from errors import BadInput
from strict_json import strict_json

#: An answer longer than this is refused: it would not be evidence that a person could read.
LIMIT_BYTES = 2_000_000

ErrorKind = Literal["refused", "try_again", "unknown"]


class Unusable(Exception):
    """The answer is of no use; the text says why."""


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The JSON object that a tool answered. Raises Unusable when it is too long, no JSON object, or what no ledger can keep."""
    texts = [block.text for block in result.content if block.type == "text"]
    if sum(map(len, texts)) > LIMIT_BYTES:
        _too_long()
    written = "".join(texts) if result.structured_content is None else _written(result.structured_content)
    if len(written.encode("utf-8", "surrogatepass")) > LIMIT_BYTES:
        _too_long()
    try:
        value = strict_json(written)
    except BadInput as error:
        raise Unusable(f"its answer is {error}") from error
    if not isinstance(value, dict):
        raise Unusable("its answer is no JSON object")
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


def _written(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        raise Unusable("its answer holds a number that is not finite, or lies too deep") from error


def _too_long() -> NoReturn:
    raise Unusable(f"its answer is longer than {LIMIT_BYTES:,} bytes")
