"""Where the jobs of an evaluation run: in this process, in several of this machine, or on Ray (`on_ray`).

>>> engine = engine_of("processes", 2, settings())
>>> with engine.open(environment, settings()) as run:
...     for job, result in run(jobs): ...
"""

import atexit
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from multiprocessing import connection, forkserver, get_all_start_methods, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Literal, Protocol, Self

from errors import BadInput, TryAgain
from evals.evaluation.environment import EvalEnvironment, Evaluation, code_digest, versions_of
from evals.evaluation.jobs import Job
from evals.recorded.cases import RecordedException
from knowledge_index.index import Answers
from settings import CHECKOUT, Settings, settings

#: in the format of `evals.evaluation.environment.result`
Result = Mapping[str, Any]
#: Jobs to their results, in the order of the jobs. Jobs are taken as they are needed: they need not fit into memory.
Run = Callable[[Iterable[Job]], Iterator[tuple[Job, Result]]]


class Engine(Protocol):
    """Runs jobs; the results are the same whichever engine it is."""

    def open(self, environment: EvalEnvironment, chosen: Settings) -> AbstractContextManager[Run]:
        """Start the workers, which open by themselves what `environment` has opened by the settings.

        What it gives raises what a job raises, and TryAgain where workers are lost.
        """

    def __str__(self) -> str:
        """What it consists of, for a person: "2 processes"."""


#: Jobs that are sent together: to send one takes a tenth of a millisecond, to run it some.
CHUNK = 16
#: Chunks a worker that are under way, so that none waits for work behind one that is slow.
CHUNKS_A_WORKER = 4

Submit = Callable[[list[RecordedException]], Future[list[Result]]]


def in_order(jobs: Iterable[Job], submit: Submit, workers: int, *, alone: bool) -> Iterator[tuple[Job, Result]]:
    """Each job with its result; at most CHUNKS_A_WORKER chunks a worker are in memory.

    `alone`: one case a worker is under way, so that what it costs a model is known before the next one is sent.
    """
    rest = iter(jobs)
    size, ahead = (1, workers) if alone else (CHUNK, workers * CHUNKS_A_WORKER)
    under_way: deque[tuple[list[Job], Future[list[Result]]]] = deque()
    while True:
        while len(under_way) < ahead and (chunk := list(islice(rest, size))):
            under_way.append((chunk, submit([job.case for job in chunk])))
        if not under_way:
            return
        chunk, results = under_way.popleft()
        yield from zip(chunk, results.result(), strict=True)


_FOLDERS = ("home", "policies", "packs", "phrasings", "prompts")


@dataclass(frozen=True)
class Opening:
    """What a worker opens its environment with: plain data without secrets, to be sent to another machine."""

    #: by the name of the setting; those of the checkout relative to it, for it may lie elsewhere there
    folders: Mapping[str, Path]
    #: what the packs ask the index, already searched
    answers: Answers
    #: those that the worker must have too
    versions: Mapping[str, str]
    #: the name of the reasoner; its model, and the key to it, are those of the worker's environment
    reasoner: str = "planner"
    #: as of when what is in force counts for cases of any day; None: what was in force then
    standing: datetime | None = None

    @classmethod
    def of(cls, environment: EvalEnvironment, chosen: Settings) -> Self:
        """For workers that do as this environment does."""
        folders = {name: _portable(getattr(chosen, name)) for name in _FOLDERS}
        return cls(
            folders, environment.answers(), _versions(environment, chosen), environment.reasoner.name, environment.standing
        )

    def evaluation(self, given: Settings | None = None) -> Evaluation:
        """Open it here, by the settings of this process where none are given.

        Raises BadInput where policies, packs or anything else is another than where the jobs come from.
        """
        chosen = given or settings().model_copy(update={name: CHECKOUT / folder for name, folder in self.folders.items()})
        opened = ExitStack()
        atexit.register(opened.close)
        asked = EvalEnvironment.with_reasoner(chosen, self.reasoner, self.answers, self.standing)
        environment = opened.enter_context(asked)
        found = _versions(environment, chosen)
        if other := sorted(name for name in {**found, **self.versions} if found.get(name) != self.versions.get(name)):
            raise BadInput(
                f"a worker on {socket.gethostname()} has another {', '.join(other)}; "
                "give every worker the same checkout and the same model"
            )
        return Evaluation(environment)


class Worker:
    """Opens its environment with the first cases, so that whoever gave them hears where it cannot be opened."""

    def __init__(self, opening: Opening, given: Settings | None = None) -> None:
        self._opening, self._given = opening, given

    @cached_property
    def _evaluation(self) -> Evaluation:
        return self._opening.evaluation(self._given)

    def run(self, cases: Sequence[RecordedException]) -> list[Result]:
        """The results of cases, in their order."""
        return [self._evaluation.run(case) for case in cases]


def _portable(folder: Path) -> Path:
    folder = folder.absolute()
    return folder.relative_to(CHECKOUT) if folder.is_relative_to(CHECKOUT) else folder


def _versions(environment: EvalEnvironment, chosen: Settings) -> dict[str, str]:
    return {"code": code_digest(), **versions_of(environment, chosen.phrasings)}


@dataclass(frozen=True)
class Here:
    """The engine of one process."""

    @contextmanager
    def open(self, environment: EvalEnvironment, chosen: Settings) -> Iterator[Run]:
        """See Engine."""
        evaluation = Evaluation(environment)

        def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
            return ((job, evaluation.run(job.case)) for job in jobs)

        yield run

    def __str__(self) -> str:
        return "1 process"


_LOST = (
    "An evaluation process was killed, perhaps because memory ran out. Give the same command again: it goes "
    "on where it was; with fewer --workers it takes less memory."
)


class Pool:
    """The engine of several processes.

    They are forked from a server that has imported all they need, and not from this process: a fork of a process whose
    libraries run threads can hang.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        # two workers that each calculate on all cores wait for each other
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        self._forks = "forkserver" in get_all_start_methods()
        if self._forks:
            get_context("forkserver").set_forkserver_preload([Worker.__module__])
            forkserver.ensure_running()

    @contextmanager
    def open(self, environment: EvalEnvironment, chosen: Settings) -> Iterator[Run]:
        """See Engine."""
        # the settings with their key go to a process of this machine, through a pipe
        begin = partial(_begin, Opening.of(environment, chosen), chosen)
        context = get_context("forkserver" if self._forks else "spawn")
        pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=begin)

        def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
            try:
                yield from in_order(jobs, lambda cases: pool.submit(_run, cases), self._workers, alone=environment.asks_model)
            except BrokenProcessPool as error:
                raise TryAgain(_LOST) from error

        try:
            yield run
        finally:
            pool.shutdown(cancel_futures=True)

    def __str__(self) -> str:
        return f"{self._workers} processes"


#: of this process, where it is one of a pool
_worker: Worker


def _begin(opening: Opening, chosen: Settings) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, and is for the first to answer
    Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(opening, chosen)


def _end_with_parent() -> None:
    """A worker waits for chunks in a queue that it holds open itself: it would outlive a parent that was killed."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _run(cases: list[RecordedException]) -> list[Result]:
    return _worker.run(cases)


EngineName = Literal["processes", "ray"]


def engine_of(name: EngineName, workers: int | None, chosen: Settings) -> Engine:
    """The engine of that name with so many workers; None: one process, or as many as Ray has processors.

    It begins at once to load what its workers need. Raises BadInput where it is not installed.
    """
    if name == "ray":
        from evals.evaluation.on_ray import OnRay  # here, not above: it is made of what stands here

        return OnRay(workers, chosen.ray_address)
    return Here() if workers in (None, 1) else Pool(workers)
