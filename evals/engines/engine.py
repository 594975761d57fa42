"""What every engine is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from evals.jobs import Job
from evals.run import Laboratory
from graphs.settings import Settings

#: in the format of `evals.run.result`
Result = Mapping[str, Any]
#: Jobs to their results, in the order of the jobs. Jobs are taken as they are needed: they need not fit into memory.
Run = Callable[[Iterable[Job]], Iterator[tuple[Job, Result]]]


class Engine(Protocol):
    """Runs jobs; the results are the same whichever engine it is."""

    def open(self, laboratory: Laboratory, chosen: Settings) -> AbstractContextManager[Run]:
        """Start the workers, which open by themselves what `laboratory` has opened by the settings.

        What it gives raises what a job raises, and TryAgain where workers are lost.
        """

    def __str__(self) -> str:
        """What it consists of, for a person: "2 processes"."""
