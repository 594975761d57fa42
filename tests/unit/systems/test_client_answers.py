"""What a tool answers is one finite JSON object of a readable size, or it is of no use."""

from typing import Any

import pytest
from mcp_types import CallToolResult, TextContent

from systems.connection import LIMIT_BYTES, Unusable, answer_of, error_of


def said(*texts: str, structured: Any = None, is_error: bool = False) -> CallToolResult:
    content: list[Any] = [TextContent(type="text", text=text) for text in texts]
    return CallToolResult(content=content, structured_content=structured, is_error=is_error)


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (said('{"record": null}'), {"record": None}),
        (said("something else", structured={"record": {"a": 1}}), {"record": {"a": 1}}),
    ],
)
def test_an_object_is_taken_from_structured_content_or_from_the_text(result: CallToolResult, answer: Any) -> None:
    assert answer_of(result) == answer


@pytest.mark.parametrize(
    "result",
    [
        said(),
        said('{"a": NaN}'),
        said('{"a": Infinity}'),
        said('{"a": 1e999}'),
        said(structured={"a": [{"b": float("nan")}]}),
        said("[" * 100_000),
        said('"' + "x" * LIMIT_BYTES + '"'),
        said(structured={"a": "é" * (LIMIT_BYTES // 2)}),
    ],
)
def test_what_is_malformed_is_of_no_use(result: CallToolResult) -> None:
    with pytest.raises(Unusable, match="its answer"):
        answer_of(result)


@pytest.mark.parametrize(("text", "answer"), [("hello", "hello"), ("[1]", [1]), ("null", None)])
def test_an_answer_that_is_no_object_is_wrapped_as_mcp_servers_do(text: str, answer: object) -> None:
    assert answer_of(said(text)) == {"result": answer}


@pytest.mark.parametrize(
    ("result", "kind", "sentence"),
    [
        (said("No.", structured={"error": "refused", "message": "No."}), "refused", "No."),
        (said(structured={"error": "try_again", "message": "Busy."}), "try_again", "Busy."),
        (said(structured={"error": "unknown", "message": "Lost."}), "unknown", "Lost."),
        (said("Error executing tool pay: too much"), "refused", "too much"),
        (said("Error executing tool pay"), "unknown", "it failed and did not say why"),
        (said(), "unknown", "it failed and did not say why"),
    ],
)
def test_an_error_is_a_refusal_only_when_it_says_why(result: CallToolResult, kind: str, sentence: str) -> None:
    assert error_of("pay", result) == (kind, sentence)
