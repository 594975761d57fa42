"""The form of a decision as somebody hands it in: plain data of a certain size, before anybody asks what it means.

Pure, and the same for every ledger. Raises BadInput with one sentence; nothing has been looked up or kept then.
"""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from errors import BadInput
from ledger.canonical import clean
from ledger.records import DecisionKind

#: characters of a reason or a remark, and of a name
LONGEST_TEXT, LONGEST_NAME = 4_000, 500
#: characters of why somebody settles a policy, a lesson or a dead letter
LONGEST_REASON = 2_000
#: steps of a plan; values in one step, lists and objects inside each other, characters of all its texts
MOST_STEPS, MOST_VALUES, DEEPEST, MOST_CHARACTERS = 200, 1_000, 10, 100_000
#: what a step may say of itself; the check works out the rest, whatever stands there
_OF_STEP = ("name", "args", "for", "part", "cites", "tier", "says", "tool", "undo", "written_by")
#: what may go with a decision, by its kind
_OF_KIND: Mapping[str, str] = {"approve": "without", "edit": "plan", "respond": "remark", "escalate": "queue"}
#: whole numbers are kept in 64 bits
_MOST = 2**63


def check_form(kind: object, by: object, reason: object, digest: object, details: object, at: object) -> None:
    """Raises BadInput unless this is a decision by its form, so far as every ledger asks: types and sizes."""
    if not isinstance(kind, str) or kind not in get_args(DecisionKind):
        raise BadInput(f"{_shown(kind)} is not a decision; choose one of {', '.join(get_args(DecisionKind))}.")
    check_length("The name of who decides", by, LONGEST_NAME)
    check_length("The reason", reason, LONGEST_TEXT)
    check_length("The digest of the proposal", digest, LONGEST_NAME)
    if not isinstance(at, datetime):
        raise BadInput(f"The moment of a decision is a datetime in UTC, and not {_shown(at)}.")
    if not isinstance(details, Mapping):
        raise BadInput(f"The details of a decision are an object, and not {_shown(details)}.")
    for name, value in details.items():
        if name not in _OF_KIND.values():
            raise BadInput(f"{_shown(name)} goes with no decision: leave it out.")
        if name == "plan":
            check_plan(value)
        elif name == "without":
            if not isinstance(value, list | tuple) or len(value) > MOST_STEPS:
                raise BadInput(f"The parts to leave out must be a list of at most {MOST_STEPS} names, and not {_shown(value)}.")
            for part in value:
                check_length("A part to leave out", part, LONGEST_NAME)
        else:
            check_length(f"The {name}", value, LONGEST_TEXT if name == "remark" else LONGEST_NAME)


def check_decision(kind: str, by: str, reason: str, digest: str, details: Mapping[str, Any], at: datetime) -> None:
    """Raises BadInput unless a person can have meant this decision: what goes with it is of its kind, and can be seen."""
    check_form(kind, by, reason, digest, details, at)
    _check_name("The name of who decides", by)
    _check_name("The digest of the proposal", digest)
    if reason.strip() and not _is_seen(reason):
        raise BadInput("The reason has no letter that can be seen: say in a few words why.")
    for name in details:
        if name != _OF_KIND.get(kind):
            raise BadInput(f"«{name}» does not go with the decision {kind}: leave it out.")
    if kind == "edit" and not details.get("plan"):
        raise BadInput("An edit that leaves no step is a rejection: reject the proposal, or keep a step.")
    for part in (*details.get("without", ()), *([details["queue"]] if "queue" in details else ())):
        _check_name("A part or a queue", part)


def check_reason(reason: str) -> None:
    """Raises BadInput unless somebody said why, and not at length."""
    if not reason.strip():
        raise BadInput("A reason is missing: say in a few words why.")
    check_length("The reason", reason, LONGEST_REASON)


def check_run_id(run_id: object) -> None:
    """Whether a run can be looked up by this."""
    _check_name("The id of a run", run_id)


def check_plan(plan: object) -> None:
    """Raises BadInput unless this is a plan by its form: steps with a name and arguments."""
    if not isinstance(plan, Sequence) or isinstance(plan, str | bytes | bytearray):
        raise BadInput(f"A plan is a list of steps, and not {_shown(plan)}.")
    if len(plan) > MOST_STEPS:
        raise BadInput(f"The plan has {len(plan):,} steps, more than {MOST_STEPS} that can be decided at once: leave some out.")
    for number, step in enumerate(plan, start=1):
        _check_step(f"Step {number} of the plan", step)


def edited_step(step: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """A step of a proposed plan with other arguments, as an edit gives it: without what the check adds."""
    return {**{field: step[field] for field in ("name", "for", "part", "cites")}, "args": dict(args)}


def _check_step(what: str, step: object) -> None:
    if not isinstance(step, Mapping):
        raise BadInput(f"{what} is {_shown(step)}: give an object with «name» and «args».")
    for key in step:
        if key not in _OF_STEP:
            raise BadInput(f"{what} has no field {_shown(key)}: it has {', '.join(_OF_STEP)}.")
    _check_name(f"{what}: the name", step.get("name"))
    if not isinstance(step.get("args"), Mapping):
        raise BadInput(f"{what} has {_shown(step.get('args'))} for its arguments: give an object.")
    _check_plain(what, step)


def _check_plain(what: str, step: object) -> None:
    """Plain data that JSON and the ledger can hold, not too much of it, and not too deep; a circle is deep."""
    level: list[object] = [step]
    values = characters = 0
    for _ in range(DEEPEST):
        inner: list[object] = []
        for one in level:
            if isinstance(one, Mapping):
                if not all(isinstance(key, str) for key in one):
                    raise BadInput(f"{what} contains an object whose keys are not text; correct it.")
                inner += [*one.keys(), *one.values()]
            elif isinstance(one, list | tuple):
                inner += one
            else:
                characters += _size(what, one)
        values += len(inner)
        if values > MOST_VALUES or characters > MOST_CHARACTERS:
            raise BadInput(f"{what} holds more than {MOST_VALUES:,} values or {MOST_CHARACTERS:,} characters: leave some out.")
        level = inner
    if level:
        raise BadInput(f"{what} has more than {DEEPEST} lists and objects inside each other: make it flat.")


def _size(what: str, value: object) -> int:
    """The characters of a value that holds no others."""
    if isinstance(value, str):
        if clean(value) != value:
            raise BadInput(f"{what} holds text with NUL or half characters: fix it.")
        return len(value)
    whole = isinstance(value, int) and -_MOST <= value < _MOST
    if value is None or whole or (isinstance(value, float) and math.isfinite(value)):
        return 1
    raise BadInput(f"{what} holds {_shown(value)}: a step has texts, finite numbers of 64 bits, lists and objects.")


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not _is_seen(name) or len(name) > LONGEST_NAME or clean(name) != name:
        raise BadInput(f"{what} is {_shown(name)}: give text of 1 to {LONGEST_NAME} characters.")


def check_length(what: str, text: object, longest: int) -> None:
    """Raises BadInput unless this is a text of at most `longest` characters; `what` begins the sentence."""
    if not isinstance(text, str):
        raise BadInput(f"{what} is {_shown(text)}: give a text.")
    if len(text) > longest:
        raise BadInput(f"{what} has {len(text):,} characters, more than {longest:,}: say it shorter.")


def _is_seen(text: str) -> bool:
    """Whether it has a character that is neither a blank nor a control or format character, nor half of one."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def _shown(value: object) -> str:
    """What was handed in, in a few words: never the whole of it, and nothing that a terminal follows."""
    if isinstance(value, str):
        return ascii(value[:40])
    if value is None or isinstance(value, bool):
        return str(value)
    return f"of the type {type(value).__name__}"
