"""Models that do well: one that takes the rules' first plan, and one that knows the right plans but may only copy.

What they answer is of what the prompt shows. Where it does not show enough, they say so in `missing` and give nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.model_server.shown import Shown

Answer = dict[str, Any]


def chooses_first(system: str, user: str, schema: Mapping[str, Any]) -> Answer:
    """The answer of a good model to a choice among plans: the first, with a reason for each step."""
    shown = Shown.of(user)
    plan = shown.rows("plans")[0]
    reasons = [f"The step {step['action'].replace('_', ' ')} follows from what was found." for step in plan["steps"]]
    letters = [
        {"step": step["step"], "text": shown.blocks["letters"][step["letter"]]} for step in plan["steps"] if step.get("letter")
    ]
    answer = {**_words(shown, reasons, plan["cites"]), "choice": plan["id"], "queue": None, "read": None, "letters": letters}
    return {name: answer[name] for name in schema["required"]}


class Knows:
    """Makes the plan that a recorded case expects, with ids and amounts that the prompt shows and no others."""

    def __init__(self, recorded: Sequence[Mapping[str, Any]]) -> None:
        self._recorded = recorded
        #: what a right plan needs and a prompt did not show; a test looks that there is none
        self.missing: list[str] = []

    def __call__(self, system: str, user: str, schema: Mapping[str, Any]) -> Answer | None:
        """The right plan; None where the prompt does not show enough for it."""
        shown = Shown.of(user)
        case = self._case(shown)
        if case is None:
            self.missing.append(f"which case is it? {shown.blocks.get('facts', {}).get('trigger')}")
            return None
        expected, before = case["expected"], len(self.missing)
        handed_over = expected["verdict"] == "escalate"
        actions = [] if handed_over else [self._action(one, shown, schema, case["case_id"]) for one in expected["actions"]]
        reasons = [f"The action {one['name'].replace('_', ' ')} follows from what was found." for one in expected["actions"]]
        answer = {
            **_words(shown, reasons, expected["cite"]),
            "verdict": expected["verdict"], "actions": actions, "letters": [],
            "queue": expected["actions"][0]["args"]["queue"] if handed_over else None,
        }  # fmt: skip
        return answer if len(self.missing) == before else None

    def _case(self, shown: Shown) -> Mapping[str, Any] | None:
        trigger, moment = shown.blocks.get("facts", {}).get("trigger", {}), shown.blocks["case"]["as_of"]
        alike = [
            one
            for one in self._recorded
            if trigger and all(one["trigger"].get(k) == v for k, v in trigger.items() if k != "text")
        ]
        if len(alike) > 1:
            alike = [one for one in alike if one["as_of"] == moment]
        return alike[0] if len(alike) == 1 else None

    def _action(self, expected: Mapping[str, Any], shown: Shown, schema: Mapping[str, Any], case_id: str) -> Answer:
        name = expected["name"]
        of = next((one for one in _actions(schema) if one["action"]["enum"] == [name]), None)
        if of is None:
            self.missing.append(f"{case_id}: the action {name}")
            return {}
        args = {}
        for arg, kind in of["args"]["properties"].items():
            if arg in expected["args"]:
                args[arg] = expected["args"][arg]
                if not _stands(args[arg], kind, shown):
                    self.missing.append(f"{case_id}: {name} {arg} {args[arg]}")
            else:
                # what does not count for the plan, as an address: the first that there is
                args[arg] = next(iter(kind.get("enum") or shown.named(arg) or [""]))
        return {"action": name, "args": args}


def _stands(value: str | int, kind: Mapping[str, Any], shown: Shown) -> bool:
    if "enum" in kind:
        return value in kind["enum"]
    return shown.gives(value) if isinstance(value, int) else shown.says(value)


def _actions(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one["properties"] for one in schema["properties"]["actions"]["items"].get("anyOf", [])]


def _words(shown: Shown, reasons: Sequence[str], cites: Sequence[str]) -> Answer:
    """Reasons that cite a finding, where there is one, and a clause of the plan."""
    evidence, clauses = shown.rows("evidence"), [one["id"] for one in shown.rows("clauses")]
    cited = [clause for clause in cites if clause in clauses] or clauses[:1]
    seqs = [one["seq"] for one in evidence if one["kind"] == "finding"] or [one["seq"] for one in evidence]
    told = [
        {"says": says, "observations": [seqs[n % len(seqs)]], "clauses": [cited[n % len(cited)]]}
        for n, says in enumerate(reasons[:8] or ["Nothing is to be done."])
    ]
    # each clause of the plan is cited once, where there are fewer reasons than clauses
    told[-1]["clauses"] = list(dict.fromkeys([*told[-1]["clauses"], *cited]))
    return {
        "reasons": told,
        "letters": [],
        "alternatives": [],
        "summary": "The plan follows from the findings.",
        "confidence": 0.95,
    }
