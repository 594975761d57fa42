"""What an evaluation has finished, kept beside its results: after a kill it goes on where it was.

The journal of `results.jsonl` is `results.jsonl.partial`. Its lines are JSON: first what the results are made of (files,
versions), then the results in the order of the jobs. At the end they become the file of results, and the journal is gone.
Rows to be measured wait in a buffer on disk: a hundred thousand of them need not fit into memory.
"""

import os
import pickle
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, islice
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

import orjson
from fasteners import InterProcessLock  # type: ignore[import-untyped]

from errors import BadInput, Refused
from evals.atomic_write import atomic_write, writing
from evals.evaluation.engines import Engine, Result
from evals.evaluation.environment import EvalEnvironment, code_digest, file_digest, versions_of
from evals.evaluation.jobs import Job
from evals.evaluation.store import EvaluationCase
from settings import Settings

#: A part of what results are made of by its name: digests, numbers.
MadeOf = Mapping[str, Any]


class Journal:
    """The journal of an evaluation that is under way. Made by `open_journal`."""

    def __init__(self, out: Path, made_of: MadeOf, restart: bool) -> None:
        """See `open_journal`."""
        self._out, self.file = out, _beside(out, "partial")
        #: how many results it held already
        self.done = 0
        #: which parts of what it was made of are others now, so that it was dropped
        self.changed: list[str] = []
        if self.file.exists() and not restart:
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
        with writing(self._out):
            self._end.write(orjson.dumps(result) + b"\n")

    def finish(self) -> None:
        """Make the results a file, whole or not at all, and remove the journal. Raises BadInput as `append`."""
        with atomic_write(self._out) as whole, self.file.open("rb") as lines, whole.open("wb") as results:
            lines.readline()
            shutil.copyfileobj(lines, results)
        self._end.close()
        with writing(self._out):
            self.file.unlink()

    def close(self) -> None:
        """Leave the journal for the next time; one without results goes."""
        self._end.close()
        with suppress(OSError), self.file.open("rb") as lines:
            if len(list(islice(lines, 2))) < 2:
                self.file.unlink()


@contextmanager
def open_journal(out: Path, made_of: MadeOf, *, restart: bool = False) -> Iterator[Journal]:
    """The journal of the results `out`: that of an evaluation that was broken off, or a new one.

    A journal is gone on with only where its results are made of the same as now, and not with `restart`; a last line that
    was not written to its end is dropped.

    Raises BadInput where it cannot be written, and Refused where another process writes it.
    """
    if out.is_dir():
        raise BadInput(f"{out}: is a folder; name a file")
    lock = InterProcessLock(_beside(out, "lock"))
    with writing(out):
        os.stat(out.parent)  # the lock would make it
        if not lock.acquire(blocking=False):
            raise Refused(f"{out}: another evaluation writes it; wait until it finishes, or name another file")
    try:
        with writing(out):
            journal = Journal(out, made_of, restart)
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


def made_of(files: Iterable[Path], trials: int, environment: EvalEnvironment, chosen: Settings) -> dict[str, Any]:
    """What the results of a batch are made of: where one part is another, what is finished does not count."""
    return {
        "cases": [file_digest(file) for file in files],
        "trials": trials,
        "code": code_digest(),
        **versions_of(environment, chosen.phrasings),
    }


def run_jobs(
    jobs: Iterable[Job], journal: Journal, engine: Engine, environment: EvalEnvironment, chosen: Settings
) -> Generator[tuple[Job, Result]]:
    """Each job with its result, in order: those of the journal at once, the others from the engine into the journal.

    Raises BadInput where the journal holds other cases.
    """
    rest = iter(jobs)
    for result, job in zip(journal.results(), rest, strict=False):
        if (result.get("case_id"), result.get("trial")) != (job.case.case_id, job.trial):
            raise BadInput(f"{journal.file} holds other cases than the ones being evaluated; start over with --restart")
        yield job, result
    first = next(rest, None)
    if first is None:  # no worker is started for nothing
        return
    with engine.open(environment, chosen) as run:
        for job, answer in run(chain([first], rest)):
            result = {**answer, "trial": job.trial}
            journal.append(result)
            yield job, result


class DiskBuffer:
    """Cases in the order in which they were added; read as often as one likes. Made by `open_disk_buffer`."""

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
def open_disk_buffer(out: Path) -> Iterator[DiskBuffer]:
    """A buffer in a file without a name beside `out`, which nobody else reads and which is gone however the process ends.

    Raises BadInput where nothing can be written there.
    """
    with ExitStack() as stack:
        with writing(out):
            file = stack.enter_context(TemporaryFile(dir=out.parent))
        yield DiskBuffer(file)
