"""Recorded exceptions as analysts take them: by Mission, by file, by frame."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, overload

import pandas as pd

from errors import BadInput
from evals import plots
from evals.evaluation.jobs import read_exceptions
from evals.history.cases import exceptions_of
from evals.recorded.cases import RecordedException, recorded_files
from missions.opened import present
from rendering import Displayable, Part, frame, table

#: what the functions of this package take for cases: None for all that the company has recorded; a Mission; a file of recorded
#: exceptions (JSONL), or of a scan (parquet); exceptions, or several of these; or the frame of a scan
Source: TypeAlias = str | Path | pd.DataFrame | RecordedException | Iterable[Any] | None
#: of a notebook
_SHOWN = 10


class Cases(Displayable, Sequence[RecordedException]):
    """Recorded exceptions in their order, each with an id of its own: by number, by id, or a part of them by a slice."""

    def __init__(self, cases: Iterable[RecordedException]) -> None:
        """Raises BadInput where an id stands twice."""
        self._cases = tuple(cases)
        self._by_id = {case.case_id: case for case in self._cases}
        if len(self._by_id) < len(self._cases):
            twice, _ = Counter(case.case_id for case in self._cases).most_common(1)[0]
            raise BadInput(f"the case {twice} appears twice; give each case once")

    def __len__(self) -> int:
        return len(self._cases)

    @overload
    def __getitem__(self, key: int | str) -> RecordedException: ...
    @overload
    def __getitem__(self, key: slice) -> "Cases": ...
    def __getitem__(self, key: int | str | slice) -> "RecordedException | Cases":
        if isinstance(key, slice):
            return Cases(self._cases[key])
        if isinstance(key, int):
            return self._cases[key]
        if key not in self._by_id:
            raise BadInput(f"there is no recorded exception {key}; `frame()` lists those that there are")
        return self._by_id[key]

    def only(self, ids: "pd.Series[Any] | Iterable[str]") -> "Cases":
        """Those with these ids, such as a column of a frame. Raises BadInput for an id that there is not."""
        return Cases(self[str(one)] for one in dict.fromkeys(ids))

    def frame(self) -> pd.DataFrame:
        """A row a case: case, mission, event, subject, as_of (UTC), expected (the verdict; None where it is not known)."""
        found: pd.DataFrame = frame(self._rows(), ["case", "mission", "event", "subject", "as_of", "expected"])
        return found

    def plot(self) -> "plots.Drawing":
        """A chart: cases by event, and what is expected of them."""
        rows = self.frame()
        return plots.bars(rows.assign(cases=1, expected=rows["expected"].fillna("not known")), "cases", "event", "mission")

    def parts(self) -> Iterator[Part]:
        """How many, and the first of them."""
        missions = Counter(case.event.mission for case in self._cases)
        counted = ", ".join(f"{number:,} of {mission}" for mission, number in missions.items())
        yield f"{len(self):,} recorded exceptions{f': {counted}' if counted else ''}."
        if rows := self._rows()[:_SHOWN]:
            yield table([{**row, "as_of": f"{row['as_of']:%Y-%m-%d %H:%M}"} for row in rows])

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {"case": one.case_id, "mission": one.event.mission, "event": one.event.name, "subject": one.event.subject,
             "as_of": one.event.as_of, "expected": (one.expected or {}).get("verdict")}
            for one in self._cases
        ]  # fmt: skip


def cases(source: Source = None) -> Cases:
    """Recorded exceptions.

    >>> ms.cases()                              # all that the company has recorded
    >>> ms.cases("order_exception")             # of one Mission
    >>> ms.cases("exceptions.parquet")          # of a file: recorded (JSONL), or what a scan wrote
    >>> ms.cases(ms.scan(orders).exceptions)    # of a scan

    Raises BadInput for what cannot be read, with file, line and remedy, and where an id stands twice.
    """
    return source if isinstance(source, Cases) else Cases(_read(source))


def _read(source: Source) -> Iterator[RecordedException]:
    packs = present().packs
    if source is None:
        yield from _read(recorded_files())
    elif isinstance(source, RecordedException):
        yield source
    elif isinstance(source, pd.DataFrame):
        yield from exceptions_of(source, packs)
    elif isinstance(source, str) and source in packs:
        yield from (case for file in recorded_files() for case in read_exceptions(file, packs) if case.event.mission == source)
    elif isinstance(source, str | Path):
        if isinstance(source, str) and not Path(source).suffix:
            raise BadInput(f"{source} is neither a Mission ({', '.join(packs)}) nor a file of recorded exceptions")
        yield from read_exceptions(Path(source), packs)
    else:
        for one in source:
            yield from _read(one)
