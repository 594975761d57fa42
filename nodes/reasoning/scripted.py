"""What a scripted model answers where a reasoner lets it choose among plans: for notebooks and tests, without a network.

>>> model = ScriptedModel(FirstPlan(hands_over_every=10))
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

from models.calls import Question


class FirstPlan:
    """Takes the first plan, which is the planner's, and hands one case in so many over to people; never one in 0."""

    def __init__(self, hands_over_every: int = 0) -> None:
        self._every, self._number = hands_over_every, count(1)

    def __call__(self, question: Question) -> Mapping[str, Any]:
        """The answer to a question of `hybrid`."""
        hands_over = bool(self._every) and next(self._number) % self._every == 0
        return choice(question.schema, -1 if hands_over else 0)


def choice(schema: Mapping[str, Any], which: int = 0) -> dict[str, Any]:
    """An answer of this schema that chooses what stands in this place: 0 for the first plan, -1 to hand the case over."""
    asked = schema["properties"]
    about = asked["reasons"]["items"]["properties"]
    cited = {name: [about[name]["items"]["enum"][0]] for name in ("observations", "clauses")}
    answer = {
        "reasons": [{"says": "It follows from the findings.", **cited}],
        "choice": asked["choice"]["enum"][which],
        "queue": asked["queue"]["enum"][0] if which else None,
        "summary": "The rules leave this way.",
        "confidence": 0.9,
        "letters": [],
        "alternatives": [],
        "read": None,
    }
    return {name: answer[name] for name in schema["required"]}
