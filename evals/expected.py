"""What is expected of a recorded exception, validated: figures need all of it."""

from collections.abc import Iterator, Mapping
from typing import Any


def faults_of_form(expected: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each part of `expected` that is not as evals/cases/README.md has it; without any it can be compared."""
    if not isinstance(expected.get("verdict"), str):
        yield "expected.verdict must be text"
    actions = expected.get("actions")
    if not isinstance(actions, list) or not all(map(_is_action, actions)):
        yield "expected.actions must be a list of actions with name (text) and args (an object)"
        actions = []
    cite = expected.get("cite")
    if not isinstance(cite, list) or not all(isinstance(clause, str) for clause in cite):
        yield "expected.cite must be a list of clauses"
    approval = expected.get("approval")
    if (
        not isinstance(approval, dict)
        or not isinstance(approval.get("role"), str)
        or not isinstance(approval.get("four_eyes"), bool)
    ):
        yield "expected.approval must have role (text) and four_eyes (true or false)"
    before = expected.get("before")
    if not isinstance(before, list) or not all(map(_is_pair, before)):
        yield "expected.before must be a list of pairs of whole numbers"
        return
    for pair in before:
        if not all(0 <= place < len(actions) for place in pair):
            yield f"expected.before names the pair {pair}, and there are {len(actions)} actions, counted from 0"


def _is_action(action: Any) -> bool:
    return isinstance(action, dict) and isinstance(action.get("name"), str) and isinstance(action.get("args"), dict)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(place) is int for place in pair)
