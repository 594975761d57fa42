"""What an evaluation has finished, kept beside its results: after a kill it goes on where it was.

The journal of `results.jsonl` is `results.jsonl.partial`. Its lines are JSON: first what the results are made of (files,
versions), then the results in the order of the jobs. At the end they become the file of results, and the journal is gone.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from fasteners import InterProcessLock  # type: ignore[import-untyped]

from errors import BadInput, Refused

#: A part of what results are made of by its name: digests, numbers.
MadeOf = Mapping[str, Any]
Result = Mapping[str, Any]


class Journal:
    """The journal of an evaluation that is under way. Made by `open_journal`."""

    def __init__(self, out: Path, made_of: MadeOf, anew: bool) -> None:
        """See `open_journal`."""
        self._out, self.file = out, _beside(out, "partial")
        #: how many results it held already
        self.done = 0
        #: which parts of what it was made of are others now, so that it was dropped
        self.changed: list[str] = []
        if self.file.exists() and not anew:
            with self.file.open("r+b") as lines:
                self.changed = _changed(lines.readline(), made_of)
                if not self.changed:
                    self.done, end = _count(lines)
                    lines.truncate(end)
        # unbuffered: what is appended is the system's, whatever happens to this process
        self._end: BinaryIO = self.file.open("ab" if self.done else "wb", buffering=0)
        if not self.done:
            self._end.write(orjson.dumps(made_of) + b"\n")

    def results(self) -> Iterator[Result]:
        """The results that it held already, in the order of their jobs."""
        with self.file.open("rb") as lines:
            yield from map(orjson.loads, islice(lines, 1, self.done + 1))

    def append(self, result: Result) -> None:
        """Keep one more result. Raises BadInput where it cannot be written."""
        with _told(self._out):
            self._end.write(orjson.dumps(result) + b"\n")

    def finish(self) -> None:
        """Make the results a file, whole or not at all, and remove the journal. Raises BadInput as `append`."""
        whole = _beside(self._out, "whole")
        with _told(self._out):
            try:
                with self.file.open("rb") as lines, whole.open("wb") as results:
                    lines.readline()
                    shutil.copyfileobj(lines, results)
                os.replace(whole, self._out)
            finally:
                whole.unlink(missing_ok=True)
            self._end.close()
            self.file.unlink()

    def close(self) -> None:
        """Leave the journal for the next time; one without results goes."""
        self._end.close()
        with suppress(OSError), self.file.open("rb") as lines:
            if len(list(islice(lines, 2))) < 2:
                self.file.unlink()


@contextmanager
def open_journal(out: Path, made_of: MadeOf, *, anew: bool = False) -> Iterator[Journal]:
    """The journal of the results `out`: that of an evaluation that was broken off, or a new one.

    A journal is gone on with only where its results are made of the same as now, and not with `anew`; a last line that
    was not written to its end is dropped.

    Raises BadInput where it cannot be written, and Refused where another process writes it.
    """
    if out.is_dir():
        raise BadInput(f"{out}: is a folder; name a file")
    lock = InterProcessLock(_beside(out, "lock"))
    with _told(out):
        os.stat(out.parent)  # the lock would make it
        if not lock.acquire(blocking=False):
            raise Refused(f"{out}: another evaluation writes it; wait for its end, or name another file")
    try:
        with _told(out):
            journal = Journal(out, made_of, anew)
        try:
            yield journal
        finally:
            journal.close()
    finally:
        with suppress(OSError):  # one that is held cannot be removed everywhere
            _beside(out, "lock").unlink()
        lock.release()


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.name}.{what}")


def _changed(line: bytes, made_of: MadeOf) -> list[str]:
    before = _object(line)
    if before is None:
        return ["its first line"]
    now = orjson.loads(orjson.dumps(made_of))
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def _count(lines: BinaryIO) -> tuple[int, int]:
    """How many whole results come next, and where the last of them ends."""
    done, end = 0, lines.tell()
    for line in lines:
        if _object(line) is None:
            break
        done, end = done + 1, end + len(line)
    return done, end


def _object(line: bytes) -> dict[str, Any] | None:
    """A whole line of JSON; None for half of one."""
    try:
        found = orjson.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name a file in a folder that you may write") from error
