"""The JSON schema of a model's answer, made for every case from what the model may see of it; and a scripted answer.

Strict: every property is required, none besides them is allowed. What the schema does not let a model say it cannot say:
an action that the pack does not know, a clause that was not retrieved, an address that nobody wrote.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from models.answers import object_schema
from models.calls import Question
from nodes.reasoning.prompt_context import PromptView
from systems.arguments import MAX_ELEMENTS, Kind, opened

Schema = dict[str, Any]

MOST_ACTIONS, MOST_REASONS, MOST_ALTERNATIVES, MOST_LETTERS = 60, 8, 6, 12
#: what a model chooses where it hands the case over to people, and where it wants to make a plan itself
HAND_OVER, OWN_PLAN = "hand_over", "own_plan"


def plan_schema(view: PromptView) -> Schema:
    """A plan of the model's own: reasons, verdict, queue, actions, letters."""
    actions = [schema for one in view.actions if (schema := _action(one, view))]
    return object_schema(
        {
            "reasons": _reasons(view),
            "verdict": _one_of(list(view.verdicts)),
            "queue": _one_of(view.queues, or_none=True),
            "actions": _list({"anyOf": actions} if actions else object_schema({}), MOST_ACTIONS if actions else 0),
            **_words(view),
        }
    )


def choice_schema(view: PromptView) -> Schema:
    """A choice among the plans that follow from the rules, another plan, or one more read before it."""
    return object_schema(
        {
            **({"read": _one_of(list(view.reads), or_none=True)} if view.reads else {}),
            "reasons": _reasons(view),
            "choice": _one_of([*(plan["id"] for plan in view.plans), OWN_PLAN, HAND_OVER]),
            "queue": _one_of(view.queues, or_none=True),
            **_words(view),
        }
    )


def _reasons(view: PromptView) -> Schema:
    observations: Schema = {"type": "integer", "enum": [one["seq"] for one in view.evidence]}
    clauses = _one_of([clause["id"] for clause in view.clauses])
    reason = {"says": _TEXT, "observations": _list(observations, least=1), "clauses": _list(clauses, least=1)}
    return _list(object_schema(reason), MOST_REASONS, least=1)


def _words(view: PromptView) -> Schema:
    """What else is said, in the same words for both; the steps that letters are for count from 1."""
    alternative = {"option": _TEXT, "for": _one_of([finding["id"] for finding in view.findings] or [""]), "lost_because": _TEXT}
    return {
        "letters": _list(object_schema({"step": {"type": "integer"}, "text": _TEXT}), MOST_LETTERS if view.letters else 0),
        "alternatives": _list(object_schema(alternative), MOST_ALTERNATIVES),
        "summary": _TEXT,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    }


def _action(action: Mapping[str, Any], view: PromptView) -> Schema | None:
    """One action with its arguments but texts, which are letters; None where a model cannot give them all: it needs an address
    and there is none, or has words inside of a list or an object."""
    args: Schema = {}
    for name, kind in action["args"].items():
        if opened(kind)[0] == "text":
            continue
        schema = _argument(kind, view.addresses)
        if schema is None:
            return None
        args[name] = schema
    return object_schema({"action": _one_of([action["name"]]), "args": object_schema(args)})


def _argument(kind: Kind, addresses: Sequence[str]) -> Schema | None:
    name, of, optional = opened(kind)
    match name:
        case "list":
            element = _argument(of, ())
            schema = element and _list(element, MAX_ELEMENTS, least=0 if optional else 1)
        case "object":
            fields = {field: _argument(one, ()) for field, one in of.items()}
            schema = None if None in fields.values() else object_schema({field: one for field, one in fields.items() if one})
        case "words":
            schema = _one_of(of)
        case "address":
            schema = _one_of(addresses) if addresses else None
        case _:
            schema = None if name == "text" else {"type": _TYPES.get(name, "string")}
    return {"anyOf": [schema, {"type": "null"}]} if schema and optional else schema


_TEXT: Schema = {"type": "string"}
#: of kinds that are no text
_TYPES = {"cents": "integer", "whole": "integer", "number": "number", "money": "number", "flag": "boolean"}


def _one_of(words: Sequence[str], or_none: bool = False) -> Schema:
    return {"type": ["string", "null"], "enum": [*words, None]} if or_none else {"type": "string", "enum": list(words)}


def _list(of: Schema, most: int = 20, least: int = 0) -> Schema:
    return {"type": "array", "items": of, "minItems": least, "maxItems": most}


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
