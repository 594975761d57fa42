"""Many exceptions of one company: copies of recorded exceptions, each with identifiers of its own.

Locations stay, because they are the same company's in all cases; only missions that read nothing else without naming it
can be copied.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from settings import CHECKOUT

SAMPLE = CHECKOUT / "evals" / "cases" / "sample.jsonl"
#: missions whose reads name every record that they want, but for locations
MISSIONS = ("order_exception", "omnichannel_exception")
#: a field that identifies something; a line is told apart within its order
_IDENTIFIES = re.compile(r"(?!line_id$)(\w+_id|sku)$")

Case = Mapping[str, Any]


def recorded_cases() -> dict[str, Case]:
    """The recorded exceptions that can be copied, by case id."""
    cases = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    return {case["case_id"]: case for case in cases if case["mission"] in MISSIONS}


def clone(case: Case, mark: str) -> Case:
    """The case with `mark` behind every identifier, so that it shares nothing but locations with any other."""
    text = json.dumps(case)
    for name in sorted(set(_identifiers(case)), key=len, reverse=True):
        text = text.replace(json.dumps(name), json.dumps(f"{name}{mark}"))
    copied: Case = json.loads(text)
    return copied


def _identifiers(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, str) and _IDENTIFIES.match(name):
                yield inner
            else:
                yield from _identifiers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _identifiers(inner)
