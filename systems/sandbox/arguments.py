"""The types of the tools' arguments: strict, so that "500" and 500.0 are no amounts."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

Id = Annotated[str, Field(min_length=1, max_length=500)]
#: a word or two of a fixed vocabulary of the caller's: a reason, a template, a queue
Words = Annotated[str, Field(min_length=1, max_length=500)]
#: text for a person
Prose = Annotated[str, Field(max_length=20_000)]
#: an amount of money in integer US cents
Cents = Annotated[int, Field(gt=0, le=10**12)]


def _with_zone(value: str) -> str:
    if datetime.fromisoformat(value).tzinfo is None:
        raise ValueError("it has no time zone")
    return value


class FencingToken(TypedDict):
    """Who writes: refused where a greater token of the same scope has been here, or after its moment."""

    scope: Id
    token: Annotated[int, Field(ge=0, lt=2**63)]
    valid_until: Annotated[str, Field(max_length=50), AfterValidator(_with_zone)]


class Expected(TypedDict):
    """What a field of a record is before a write, or nothing is written."""

    system: Id
    record: Id
    field: Id
    before: Any
