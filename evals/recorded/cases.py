"""Recorded exceptions: their lines (JSONL) are read and validated, and a case is added to a dataset, once."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from errors import BadInput
from evals.atomic_write import reading, writing
from graphs.events import event_of_trigger
from ledger.canonical import storable
from ledger.records import Event
from nodes.pack import Pack
from settings import settings
from strict_json import strict_json
from systems.records import Records
from systems.schema import RecordSchema

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

    def records(self, schema: RecordSchema) -> Records:
        """A world that holds what the systems hold; not to be changed, but in a copy."""
        world = Records(schema)
        for system, collections in self.systems.items():
            for name, rows in (collections or {}).items():
                if f"{system}.{name}" in schema.collections:
                    world.add(f"{system}.{name}", rows)
        return world


def read_cases(file: Path, packs: Mapping[str, Pack]) -> Iterator[RecordedException]:
    """The recorded exceptions of a file. Raises BadInput with file, line and remedy."""
    for raw, where in read_objects(file):
        yield recorded(raw, packs, where)


def read_objects(
    file: Path, hint: str = "give a file of recorded exceptions", *, one: bool = False
) -> Iterator[tuple[dict[str, Any], str]]:
    """The JSON objects of a file, one a line (or the whole is `one`), each with where it stands. Raises BadInput."""
    for number, line in bounded_lines(file, hint, one=one):
        where = f"{file}, line {number}"
        yield parse_line(line, where), where


def bounded_lines(
    file: Path, hint: str = "give a file of recorded exceptions", *, one: bool = False
) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of a file, without blank lines; one that is too long for `parse_line` comes cut. Raises BadInput."""
    with reading(file, hint), file.open("rb") as opened:
        read = opened.read if one else opened.readline
        # never more than a line may have: a device has no end
        lines = enumerate(iter(lambda: read(MAX_LINE_BYTES + 1), b""), start=1)
        yield from ((number, line) for number, line in lines if line.strip())


def recorded_cases(mission: str, packs: Mapping[str, Pack]) -> list[RecordedException]:
    """The recorded exceptions of a Mission in the folder of MISSIONS_CASES. Raises BadInput for a Mission without any."""
    return list(read_cases(settings().cases / f"{mission}.jsonl", packs))


def recorded_files() -> list[Path]:
    """The recorded exceptions in the folder of MISSIONS_CASES, a file a Mission; those of a sample stand in these too.

    Raises BadInput where there are none.
    """
    folder = settings().cases
    found = [file for file in sorted(folder.glob("*.jsonl")) if file.name != "sample.jsonl"]
    if not found:
        raise BadInput(
            f"{folder} has no recorded exceptions; record decided runs there (missions record RUN --out {folder}/NAME.jsonl), "
            "or name the folder of yours as MISSIONS_CASES"
        )
    return found


def recorded_case(case_id: str, packs: Mapping[str, Pack]) -> RecordedException:
    """The recorded exception in the folder of MISSIONS_CASES with this id. Raises BadInput where there is none."""
    for file in recorded_files():
        for case in read_cases(file, packs):
            if case.case_id == case_id:
                return case
    raise BadInput(f"there is no recorded exception {case_id}; the files in {settings().cases} name theirs")


def parse_line(line: bytes, where: str) -> dict[str, Any]:
    """One line as a JSON object. Raises BadInput that says `where` and what is wrong."""
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"{where}: longer than {MAX_LINE_BYTES:,} bytes; a recorded exception holds one case")
    try:
        raw = strict_json(line)
    except BadInput as error:
        raise BadInput(f"{where}: {error}; fix the line or take it out") from error
    if not isinstance(raw, dict):
        raise BadInput(f"{where}: must be a JSON object; fix the line or take it out")
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
    known = packs[event.mission].record_schema.systems
    for system in raw["systems"]:
        if system not in known:
            raise BadInput(f"{where}: systems.{system[:60]} is unknown; systems.yaml has {', '.join(known)}")
    return RecordedException(raw["case_id"], event, storable(raw["systems"]), expected, raw)


#: what was recorded of a company holds records of its customers
_MODE = 0o600


def line_of(raw: Mapping[str, Any]) -> bytes:
    """A recorded exception as one line. Raises BadInput for one that is too long to be read again."""
    try:
        line = orjson.dumps(raw) + b"\n"
    except TypeError as error:
        raise BadInput(f"{raw['case_id']} cannot be written as a recorded exception: {error}") from error
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"{raw['case_id']} has {len(line):,} bytes, more than the {MAX_LINE_BYTES:,} of a recorded exception")
    return line


def add_case(file: Path, case_id: str, line: bytes) -> bool:
    """Add a line to a dataset, which is made with mode 600 where there is none; False where this very line is in it.

    Raises BadInput where the case is in it with other content, others can read the file, or it cannot be written.
    """
    with writing(file), os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE), "r+b") as dataset:
        if sys.platform != "win32":
            import fcntl  # Windows has neither this nor modes

            fcntl.flock(dataset, fcntl.LOCK_EX)  # who adds at the same moment waits until the file is closed
            if os.fstat(dataset.fileno()).st_mode & 0o077:
                own = "name a file of your own (mode 600)"
                raise BadInput(f"{file}: others can read it, and the case holds customers' records; {own}")
        ends = b"\n"
        for number, known in enumerate(dataset, start=1):
            ends, where = known[-1:], f"{file}, line {number}"
            if known.rstrip(b"\n") == line.rstrip(b"\n"):
                return False
            if known.strip() and parse_line(known, where).get("case_id") == case_id:
                raise BadInput(f"{where}: the case {case_id} is already there with other content; name another file")
        dataset.write((b"" if ends == b"\n" else b"\n") + line)
        dataset.flush()
        os.fsync(dataset.fileno())
    return True
