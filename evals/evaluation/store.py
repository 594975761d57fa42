"""Evaluations that were run, kept as files: no database is needed to write or to read them.

A run is one file of JSON lines, `<id>.jsonl`: first the run itself, then a line a case. All of them are kept; the 520
recorded exceptions of this project take 0.5 MB a run. Delete the files that are no longer wanted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import uuid4

import orjson
from pydantic import TypeAdapter

from errors import BadInput
from evals.atomic_write import atomic_write, reading
from evals.evaluation.answers import CaseAnswer
from graphs.transcripts import Exchange

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{4}")
_LAST = re.compile(r"last(?:~([0-9]{1,6}))?")
_MOST_HEADER_BYTES = 1_000_000
#: of the figures over the cases of all missions
ALL = "all"
Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """A file of recorded exceptions, as it was when it was run."""

    name: str
    #: the first 12 hexadecimal digits of its sha256
    digest: str


@dataclass(frozen=True, kw_only=True)
class EvaluationRun:
    """One run of the harness."""

    run_id: str
    #: when it was finished
    at: datetime
    #: the person, or the account of the machine
    by: str
    files: Sequence[CaseFile]
    #: code (the git commit; empty where there is none), graph, reasoner, policies, phrasings, catalogue, a "pack …" a mission
    versions: Mapping[str, str]
    seconds: float
    cases: int
    #: {mission or ALL: {"cases": int, figure: mean or None}} over the cases of which something was expected
    figures: Mapping[str, Mapping[str, float | None]]
    #: the arguments of each action that make it this action and not another: the others are not compared
    counting: Mapping[str, Sequence[str]]
    #: how often each case was run: `cases` counts every time
    trials: int = 1
    #: why it ended before its cases did; empty where it did not
    stopped: str = ""


@dataclass(frozen=True, kw_only=True)
class EvaluationCase:
    """One recorded exception of a run: what was expected, what came out, how they compare."""

    case_id: str
    mission: str
    result: CaseAnswer
    #: None where it is not known
    expected: CaseAnswer | None
    #: `evals.evaluation.scorers.Figures` by name, yes as 1 and no as 0; empty where nothing was expected
    figures: Mapping[str, float | None]
    #: what happened, such as order.stock_short; empty in files of an older release
    event: str = ""
    #: which time it is that the case was run, from 1
    trial: int = 1
    #: reads, tries, tokens, cost_cents; empty in files of an older release
    usage: Mapping[str, float] = field(default_factory=dict)
    #: from the event to the proposal
    latency_ms: float | None = None
    #: what a model was asked and answered; empty where none was
    transcript: Sequence[Exchange] = field(default_factory=list)


@dataclass(frozen=True)
class StoredEvaluations:
    """What the folder has: the runs, the newest first, and a sentence for each file that is not what it should be."""

    runs: Sequence[EvaluationRun]
    faults: Sequence[str]


@dataclass(frozen=True)
class StoredEvaluation:
    """One run with its cases, and messages about what of its file could not be read."""

    run: EvaluationRun
    cases: Sequence[EvaluationCase]
    faults: Sequence[str]


class EvaluationStore:
    """The folder of the evaluations that were run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, home: Path) -> Self:
        """The store in the folder of this checkout's data."""
        return cls(home / "evaluations")

    def file(self, run_id: str) -> Path:
        """Where a run lies. Raises BadInput for what is no id of a run."""
        if not _NAME.fullmatch(run_id):
            raise BadInput("There is no evaluation with that id; choose one from the list.")
        return self._folder / f"{run_id}.jsonl"

    def write(self, run: EvaluationRun, cases: Iterable[EvaluationCase]) -> Path:
        """Keep a run, whole or not at all. Raises BadInput where the folder cannot be written."""
        write_kept(file := self.file(run.run_id), run, cases)
        return file

    def runs(self) -> StoredEvaluations:
        """Every run that was kept, without its cases."""
        runs, faults = [], []
        for file in sorted(self._folder.glob("*.jsonl"), reverse=True):
            try:
                with file.open("rb") as lines:
                    runs.append(_run(lines.readline(_MOST_HEADER_BYTES)))
            except (OSError, ValueError):
                faults.append(f"{file.name} is not a readable evaluation and is skipped. Delete the file if you do not need it.")
        return StoredEvaluations(sorted(runs, key=lambda run: run.at, reverse=True), faults)

    def open(self, run_id: str) -> StoredEvaluation:
        """A run with its cases. Raises BadInput where there is none; a broken line is left out, and said."""
        file = self.file(run_id)
        if not file.exists():
            raise BadInput(f"The evaluation {run_id} is no longer available; choose one from the list.")
        return open_kept(file)

    def find(self, name: str) -> str:
        """The id of the run that is meant: an id or the beginning of one, `last`, `last~1` for the one before it.

        Raises BadInput where there is none, or several begin so.
        """
        ids = [run.run_id for run in self.runs().runs]
        if back := _LAST.fullmatch(name):
            place = int(back[1] or 0)
            if place < len(ids):
                return ids[place]
            raise BadInput(f"There is no evaluation {name}: {len(ids)} are saved; run `missions eval` on a file of cases first.")
        found = [one for one in ids if name and one.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadInput(f"Several evaluations begin with {name!r}: {', '.join(found[:5])}; give more of the id.")
        raise BadInput(f"No evaluation is called {name[:80]!r}; give `last`, `last~1`, an id from the list, or a saved file.")


def write_kept(file: Path, run: EvaluationRun, cases: Iterable[EvaluationCase]) -> None:
    """Write a run into a file, whole or not at all. Raises BadInput where its folder cannot be written."""
    with atomic_write(file, make_folder=True) as unfinished, unfinished.open("wb") as lines:
        lines.writelines(orjson.dumps(line) + b"\n" for line in chain([run], cases))


def open_kept(file: Path) -> StoredEvaluation:
    """A kept run with its cases. Raises BadInput where it cannot be read; a broken line is left out, and said."""
    try:
        with reading(file, "give a saved run"):
            first, *rest = file.read_bytes().splitlines()
        run = _run(first)
    except ValueError as error:
        raise BadInput(f"{file}: is not a saved run; give one of those the dashboard lists under Evaluations") from error
    cases, broken = read_lines(rest, record_reader(EvaluationCase))
    faults = []
    if broken:
        faults.append(f"{broken} lines of {file.name} cannot be read; they are skipped.")
    if missing := run.cases - len(cases) - broken:
        faults.append(f"{file.name} has {missing} cases fewer than were run: its end is missing.")
    return StoredEvaluation(run, cases, faults)


def new_id(at: datetime) -> str:
    """An id for a run that is finished now; in the order of time."""
    return f"{at:%Y%m%dT%H%M%S}-{uuid4().hex[:4]}"


@cache
def record_reader(kind: type[Any]) -> TypeAdapter[Any]:
    """Reads records of a class from JSON."""
    return TypeAdapter(kind)


def read_lines(lines: Iterable[bytes], reader: TypeAdapter[Record]) -> tuple[list[Record], int]:
    """The records of a class that lines of JSON hold, and how many lines cannot be read."""
    records, broken = [], 0
    for line in lines:
        try:
            records.append(reader.validate_json(line))
        except ValueError:
            broken += 1
    return records, broken


def _run(line: bytes) -> EvaluationRun:
    run: EvaluationRun = record_reader(EvaluationRun).validate_json(line)
    if not _NAME.fullmatch(run.run_id) or run.at.tzinfo is None:
        raise ValueError("not an id, or a moment without a zone")
    return run
