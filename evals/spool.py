"""Rows of an evaluation, kept on disk while it is under way: a hundred thousand of them need not fit into memory."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from ledger.evaluations import EvaluationCase


class Spool:
    """Cases in the order in which they were added; read as often as one likes. Made by `open_spool`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._rows = file, 0

    def add(self, case: EvaluationCase) -> None:
        """Keep one more."""
        self._file.seek(0, SEEK_END)
        pickle.dump(case, self._file, pickle.HIGHEST_PROTOCOL)
        self._rows += 1

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[EvaluationCase]:
        at = 0
        for _ in range(self._rows):
            self._file.seek(at)
            case: EvaluationCase = pickle.load(self._file)
            at = self._file.tell()
            yield case

    def __contains__(self, case: object) -> bool:
        return any(case == one for one in self)


@contextmanager
def open_spool(folder: Path) -> Iterator[Spool]:
    """A spool in a file without a name of `folder`, which nobody else reads and which is gone however the process ends."""
    with TemporaryFile(dir=folder) as file:
        yield Spool(file)
