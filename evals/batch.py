"""A batch: the jobs of an evaluation, of which some are finished already."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from errors import BadInput
from evals.engines import Engine
from evals.engines.engine import Result
from evals.jobs import Job
from evals.journal import Journal
from evals.run import Laboratory
from evals.versions import code_digest, file_digest, versions_of
from graphs.settings import Settings


def made_of(files: Iterable[Path], trials: int, laboratory: Laboratory, chosen: Settings) -> dict[str, Any]:
    """What the results of a batch are made of: where one part is another, what is finished does not count."""
    return {
        "cases": [file_digest(file) for file in files],
        "trials": trials,
        "code": code_digest(),
        **versions_of(laboratory, chosen.phrasings),
    }


def run_jobs(
    jobs: Iterable[Job], journal: Journal, engine: Engine, laboratory: Laboratory, chosen: Settings
) -> Iterator[tuple[Job, Result]]:
    """Each job with its result, in order: those of the journal at once, the others from the engine into the journal."""
    rest = iter(jobs)
    for result, job in zip(journal.results(), rest, strict=False):
        if (result.get("case_id"), result.get("trial")) != (job.case.case_id, job.trial):
            raise BadInput(f"{journal.file} has other cases in it than are evaluated; begin anew with --anew")
        yield job, result
    first = next(rest, None)
    if first is None:  # no worker is started for nothing
        return
    with engine.open(laboratory, chosen) as run:
        for job, answer in run(chain([first], rest)):
            result = {**answer, "trial": job.trial}
            journal.append(result)
            yield job, result
