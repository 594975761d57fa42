"""What people note on results of a run: a file of JSON lines beside the run, to which lines are only added."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import orjson

from errors import BadInput
from evals.atomic_write import reading, writing
from evals.evaluation.store import EvaluationStore, read_lines, record_reader
from harmless import harmless
from ledger.canonical import utc_now

MOST_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class ResultNote:
    """What somebody noted on the result of a case."""

    case_id: str
    at: datetime
    by: str
    text: str


#: case id -> its notes in the order of time
Notes = Mapping[str, Sequence[ResultNote]]


@dataclass(frozen=True)
class ResultNotes:
    """The notes on a run."""

    file: Path

    @classmethod
    def of(cls, store: EvaluationStore, run_id: str) -> Self:
        """Those of a run of this id. Raises BadInput for what is none."""
        return cls(store.file(run_id).with_suffix(".notes"))

    def add(self, case_id: str, by: str, text: str) -> None:
        """Add one. Raises BadInput where it is empty or too long, or the folder cannot be written."""
        text = harmless(text).strip()
        if not text or len(text) > MOST_CHARACTERS:
            raise BadInput(f"A note has 1 to {MOST_CHARACTERS:,} characters, and this one {len(text):,}; write what you saw")
        note = ResultNote(case_id=case_id, at=utc_now(), by=by, text=text)
        with writing(self.file), self.file.open("ab", buffering=0) as lines:
            lines.write(orjson.dumps(note) + b"\n")

    def by_case(self) -> Notes:
        """All of them; a line that cannot be read is left out. Raises BadInput."""
        found: defaultdict[str, list[ResultNote]] = defaultdict(list)
        if self.file.exists():
            with reading(self.file, "make it readable"):
                lines = self.file.read_bytes().splitlines()
            notes: list[ResultNote] = read_lines(lines, record_reader(ResultNote))[0]
            for note in notes:
                found[note.case_id].append(note)
        return dict(found)
