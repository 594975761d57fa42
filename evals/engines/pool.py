"""In several processes of this machine."""

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection, forkserver, get_all_start_methods, get_context, parent_process
from threading import Thread

from errors import TryAgain
from evals.cases import RecordedException
from evals.engines.engine import Result, Run
from evals.engines.in_order import in_order
from evals.engines.worker import Opening, Worker
from evals.jobs import Job
from evals.run import Laboratory
from graphs.settings import Settings

_LOST = (
    "A process of the evaluation was ended from outside, perhaps because memory ran out. Give the same command again: it goes "
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
    def open(self, laboratory: Laboratory, chosen: Settings) -> Iterator[Run]:
        """See Engine."""
        begin = partial(_begin, Opening.of(laboratory, chosen))
        context = get_context("forkserver" if self._forks else "spawn")
        pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=begin)

        def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
            try:
                yield from in_order(jobs, lambda cases: pool.submit(_run, cases), self._workers)
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


def _begin(opening: Opening) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, and is for the first to answer
    Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(opening)


def _end_with_parent() -> None:
    """A worker waits for chunks in a queue that it holds open itself: it would outlive a parent that was killed."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _run(cases: list[RecordedException]) -> list[Result]:
    return _worker.run(cases)
