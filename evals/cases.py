"""Recorded exceptions: reading and validating their lines (JSONL)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import BadInput
from graphs.events import event_of_trigger
from graphs.settings import CHECKOUT
from ledger.canonical import storable
from ledger.records import Event
from nodes.pack import Pack
from strict_json import strict_json

MAX_LINE_BYTES = 4_000_000


@dataclass(frozen=True)
class RecordedException:
    """What happened, what every system said at that moment, and what was expected (if it is known)."""

    case_id: str
    event: Event
    systems: Mapping[str, Any]
    expected: Mapping[str, Any] | None
    #: the whole line
    raw: Mapping[str, Any]


def read_cases(file: Path, packs: Mapping[str, Pack]) -> Iterator[RecordedException]:
    """The recorded exceptions of a file. Raises BadInput with file, line and remedy."""
    for raw, where in read_objects(file):
        yield recorded(raw, packs, where)


def read_objects(
    file: Path, hint: str = "give a file of recorded exceptions", *, one: bool = False
) -> Iterator[tuple[dict[str, Any], str]]:
    """The JSON objects of a file, one a line (or the whole is `one`), each with where it stands. Raises BadInput."""
    try:
        with file.open("rb") as opened:
            read = opened.read if one else opened.readline
            number = 0
            # never more than a line may have: a device has no end
            while line := read(MAX_LINE_BYTES + 1):
                number += 1
                if line.strip():
                    where = f"{file}, line {number}"
                    yield parse_line(line, where), where
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); {hint}") from error


def recorded_cases(mission: str, packs: Mapping[str, Pack]) -> list[RecordedException]:
    """The recorded exceptions of a Mission that this checkout comes with. Raises BadInput for a Mission without any."""
    return list(read_cases(CHECKOUT / "evals" / "cases" / f"{mission}.jsonl", packs))


def recorded_case(case_id: str, packs: Mapping[str, Pack]) -> RecordedException:
    """The recorded exception of this checkout with this id. Raises BadInput where there is none."""
    for file in sorted((CHECKOUT / "evals" / "cases").glob("*_*.jsonl")):
        for case in read_cases(file, packs):
            if case.case_id == case_id:
                return case
    raise BadInput(f"there is no recorded exception {case_id}; the files in evals/cases name theirs")


def parse_line(line: bytes, where: str) -> dict[str, Any]:
    """One line as a JSON object. Raises BadInput that says `where` and what is wrong."""
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"{where}: longer than {MAX_LINE_BYTES:,} bytes; a recorded exception holds one case")
    try:
        raw = strict_json(line)
    except BadInput as error:
        raise BadInput(f"{where}: {error}; mend the line or take it out") from error
    if not isinstance(raw, dict):
        raise BadInput(f"{where}: must be a JSON object; mend the line or take it out")
    return raw


def recorded(raw: Mapping[str, Any], packs: Mapping[str, Pack], where: str) -> RecordedException:
    """A parsed line, validated. Raises BadInput that says `where` and what is wrong."""
    for field, kind in (("case_id", str), ("mission", str), ("as_of", str), ("trigger", dict), ("systems", dict)):
        if not isinstance(raw.get(field), kind):
            raise BadInput(f"{where}: «{field}» must be {'text' if kind is str else 'an object'}; see evals/cases/README.md")
    expected = raw.get("expected")
    if expected is not None and not isinstance(expected, dict):
        raise BadInput(f"{where}: «expected» must be an object or absent; see evals/cases/README.md")
    for system, collections in raw["systems"].items():
        listed = collections.values() if isinstance(collections, dict) else () if collections is None else (None,)
        if not all(isinstance(records, list) and all(isinstance(one, dict) for one in records) for records in listed):
            raise BadInput(f"{where}: systems.{system} must be null, or an object of lists of records; see evals/cases/README.md")
    try:
        event = event_of_trigger(raw["mission"], raw["trigger"], raw["as_of"], raw["case_id"], packs)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    return RecordedException(raw["case_id"], event, storable(raw["systems"]), expected, raw)
