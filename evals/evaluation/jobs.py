"""What an evaluation has to do: recorded exceptions, each run once or several times, read one after the other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import BadInput
from evals.evaluation.selecting import Selection
from evals.recorded.cases import RecordedException, read_cases
from evals.recorded.labels import faults_of_form
from ledger.canonical import utc_now
from nodes.pack import Pack
from systems.catalogue import Catalogue
from systems.recorded import RecordedSystems

ALL_CASES = Selection()


@dataclass(frozen=True)
class Job:
    """One run of a recorded exception."""

    case: RecordedException
    #: which of the runs of this case, from 1
    trial: int = 1


def read_exceptions(file: Path, packs: Mapping[str, Pack]) -> Iterator[RecordedException]:
    """The recorded exceptions of a file, JSON lines or Parquet, one after the other. Raises BadInput."""
    if file.suffix == ".parquet":
        from evals.history import cases  # here, not above: other files need no engine of tables

        yield from cases.read_exceptions(file, packs)
    else:
        yield from read_cases(file, packs)


def read_jobs(
    files: Sequence[Path], packs: Mapping[str, Pack], trials: int = 1, selection: Selection = ALL_CASES
) -> Iterator[Job]:
    """The jobs of files in their order, the trials of a case behind each other; no file is held as a whole."""
    for case in selection.of(case for file in files for case in read_exceptions(file, packs)):
        yield from (Job(case, trial) for trial in range(1, trials + 1))


def count_jobs(
    files: Sequence[Path], packs: Mapping[str, Pack], catalogue: Catalogue, trials: int = 1, selection: Selection = ALL_CASES
) -> int:
    """How many jobs `read_jobs` gives; files are read to the end, so that no case is refused in the middle of an evaluation.

    Raises BadInput where there is none, one stands twice, or one is malformed.
    """
    return trials * sum(1 for _ in selection.of(_whole(files, packs, catalogue)))


def _whole(files: Sequence[Path], packs: Mapping[str, Pack], catalogue: Catalogue) -> Iterator[RecordedException]:
    for file, case in read_unique(files, packs):
        if case.expected is not None and (fault := next(faults_of_form(case.expected), None)):
            raise BadInput(f"the case {case.case_id}: {fault}; see evals/cases/README.md, or ask `missions eval lint`")
        try:
            RecordedSystems(case.systems, catalogue, utc_now)
        except BadInput as error:
            raise BadInput(f"{file}, case {case.case_id}: {error}; fix the case or remove it") from error
        yield case


def read_unique(files: Sequence[Path], packs: Mapping[str, Pack]) -> Iterator[tuple[Path, RecordedException]]:
    """The recorded exceptions of files, each with its file. Raises BadInput where a case id stands twice, or there is none."""
    seen: set[str] = set()
    for file in files:
        for case in read_exceptions(file, packs):
            if case.case_id in seen:
                raise BadInput(f"{file}: the case {case.case_id} appears twice; give each case a unique id")
            seen.add(case.case_id)
            yield file, case
    if not seen:
        raise BadInput(f"{', '.join(map(str, files))}: there is no recorded exception in it")
