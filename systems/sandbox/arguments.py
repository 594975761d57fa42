"""The types of the tools' arguments: strict, so that "500" and 500.0 are no amounts."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

Id = Annotated[str, Field(min_length=1, max_length=500)]
#: a word or two of a fixed vocabulary of the caller's: a reason, a template, a queue
Words = Annotated[str, Field(min_length=1, max_length=500)]
#: text for a person
Prose = Annotated[str, Field(max_length=20_000)]
#: an amount of money in integer US cents
Cents = Annotated[int, Field(gt=0, le=10**12)]


class Expected(TypedDict):
    """What a field of a record is before a write, or nothing is written."""

    system: Id
    record: Id
    field: Id
    before: Any
