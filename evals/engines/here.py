"""In this process, one job after the other."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evals.engines.engine import Result, Run
from evals.jobs import Job
from evals.run import Evaluation, Laboratory
from graphs.settings import Settings


@dataclass(frozen=True)
class Here:
    """The engine of one process."""

    @contextmanager
    def open(self, laboratory: Laboratory, chosen: Settings) -> Iterator[Run]:
        """See Engine."""
        evaluation = Evaluation(laboratory)

        def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
            return ((job, evaluation.run(job.case)) for job in jobs)

        yield run

    def __str__(self) -> str:
        return "1 process"
