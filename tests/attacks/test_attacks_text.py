"""Hostile text in every field of every record of recorded exceptions: nothing more is done, and nothing crashes.

Every text that a recorded exception has is replaced, one place after another, ids and moments and statuses too.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from errors import BadInput
from evals.recorded.cases import parse_line
from tests.actions import OPEN_CASE
from tests.engine import MISSIONS, LiveRun, Raw, recorded_cases, result
from tests.reference import KEYS, PART_KEYS, READ_TOOLS

pytestmark = pytest.mark.promise("Text from outside is data")

#: name -> what a text becomes
HOSTILE: dict[str, Callable[[str], str]] = {
    "markup": lambda _: "<script>alert(1)</script><img src=x onerror=alert(1)> **b** [x](javascript:alert(1)) :material/bug:",
    "controls": lambda said: f"\x1b]0;owned\x07\x1b[31m{said}\r\n\x08\x9b2J\x00",
    "direction": lambda said: f"\u202e{said}\u2066\u200b\ufeff",
    "formula": lambda _: '=HYPERLINK("http://evil.example","pay") {order.order_id} {0} %s ${x} =order.total_cents',
    "long": lambda said: said + "x" * 1_000_000,
    "half": lambda said: f"{said}\ud800",
    "nothing": lambda _: "",
}
#: fields by which records are found and told apart
NAMES = {field for key in KEYS.values() for field in key} | set(PART_KEYS.values())
NAMES |= {field.split(".")[-1] for tool in READ_TOOLS.values() for field in tool.by.values()} - {"name"}
#: of a list of words that mean something: a status, a kind
_WORD = re.compile("[a-z_]+")
#: fields of free text
FREE = ("name", "title", "note", "line1", "city", "channel", "category", "carrier", "subject", "reason")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in a value."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, name))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands there."""
    for name in path:
        value = value[name]
    return value


def attacked(raw: Raw, path: tuple[Any, ...], becomes: Callable[[str], str]) -> Raw:
    """The exception with one text replaced."""
    changed = deepcopy(raw)
    *way, last = path
    inner: Any = changed
    for name in way:
        inner = inner[name]
    inner[last] = becomes(inner[last])
    return changed


def outcome(raw: Raw) -> tuple[str, list[str]] | None:
    """Verdict and actions of an exception as a file holds it; None where it is refused. All else that is raised is a crash."""
    try:
        found = result(parse_line(json.dumps(raw).encode(), "a test"))
    except BadInput as error:
        assert "\n" not in str(error) and "\x1b" not in str(error), "a refusal is one harmless sentence"
        return None
    return found["verdict"], [one["name"] for one in found["actions"]]


def wrong_with(raw: Raw, kind: str) -> list[str]:
    """Where a hostile text made a Mission do something that it would not do else, other than to hand the case over.

    A record with another name is another record, and one with another word for its status or kind another case: of those the
    Mission has only to come to an end.
    """
    before, changed = outcome(raw), list[str]()
    assert before is not None
    for path in places(raw["systems"]):
        after = outcome(attacked(raw, ("systems", *path), HOSTILE[kind]))
        if path[-1] in NAMES or _WORD.fullmatch(at(raw["systems"], path)):
            continue
        more = after and Counter(after[1]) - Counter([*before[1], OPEN_CASE])
        if after is None or more or after[0] not in (before[0], "escalate"):
            changed.append(f"{raw['case_id']} {path}: {before} and then {after}")
    return changed


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("mission", MISSIONS)
@pytest.mark.slow
def test_hostile_text_in_any_one_field_does_no_more_than_before_or_hands_the_case_over(mission: str, kind: str) -> None:
    raw = recorded_cases(mission)[1]
    assert len(list(places(raw["systems"]))) > 20
    assert wrong_with(raw, kind) == []


@pytest.mark.slow
@pytest.mark.parametrize("mission", MISSIONS)
def test_hostile_text_in_the_fields_of_other_exceptions_does_not_either(mission: str) -> None:
    assert [one for raw in recorded_cases(mission)[5::40] for kind in HOSTILE for one in wrong_with(raw, kind)] == []


@pytest.mark.parametrize("kind", ["markup", "controls", "direction", "formula", "half"])
def test_an_exception_full_of_hostile_text_can_be_approved_and_executed_or_is_handed_over(kind: str) -> None:
    for mission in MISSIONS:
        raw = recorded_cases(mission)[3]
        for path in places(raw["systems"]):
            if path[-1] in FREE:
                raw = attacked(raw, ("systems", *path), HOSTILE[kind])
        run = LiveRun.of(parse_line(json.dumps(raw).encode(), "a test"))
        told = " ".join(one.text for one in run.observed())
        assert not set(told) & set("\x00\x1b\x07\x08\x9b\u202e\u2066\ud800")
        assert run.proposal.verdict
        if run.proposal.status == "pending":
            run.decide("reject")
            assert run.done() == []
