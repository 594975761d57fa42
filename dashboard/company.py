"""What the pages of one process share: the ledger, the desk, and a runtime that drives runs after a decision.

Opened once a process. The ledger is there at once; the runtime (LangGraph, Chroma, the systems over MCP) is opened
in the background, so that nobody waits for it before the first page.
"""

import gc
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock, Thread

from errors import MissionsError, TryAgain
from evals.what_if.answer import WhatIf
from graphs.ingestion import Intake
from graphs.ledgers import database_logins, front_ledger, heads_outside
from graphs.runtime import Runtime, open_database, open_runtime
from graphs.worker import MissionsWorker
from ledger.jobs import open_jobs
from ledger.services import AdminService, Inbox
from settings import Settings, settings
from systems.event_sources import load_mappings

_log = logging.getLogger(__name__)
#: runs that are driven side by side
DRIVERS = 4
#: seconds between two tries to open the runtime
PASS_SECONDS = 5.0

#: Runs the recorded exceptions and keeps the run: (by whom, on_progress, called with how many of how many are done) to its id.
Evaluate = Callable[[str, Callable[[int, int], None]], str]


@dataclass(frozen=True)
class Tools:
    """What others give the dashboard to work with."""

    #: `evals.what_if.what_if`, handed in, for the dashboard does not know evals
    what_if: Callable[..., WhatIf] | None = None
    evaluate: Evaluate | None = None


class Company:
    """Ledger, desk and runtime of this process, and the way to the workers where those do the work."""

    def __init__(self, chosen: Settings, tools: Tools) -> None:
        self.settings, self.tools = chosen, tools
        #: how what event sources send becomes events
        self.mappings = load_mappings(chosen.sources)
        self._stack = ExitStack()
        self.url = open_database(chosen)
        self.ledger = front_ledger(self.url, database_logins(chosen))
        self._stack.callback(self.ledger.close)
        self.desk, self.heads = AdminService(self.ledger), heads_outside(chosen)
        self._jobs = self._stack.enter_context(open_jobs(self.url))
        self._closing = Event()
        self._lock = Lock()
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="open")
        self._opening: Future[Runtime] = self._opener.submit(self._open)

    def _open(self) -> Runtime:
        while True:
            try:
                runtime = self._stack.enter_context(open_runtime(self.settings))
                break
            except MissionsError as error:  # the pages say what is wrong, and somebody fixes it
                _log.warning("the runtime could not be opened: %s", error)
                # there is nobody else who would try again
                if not isinstance(error, TryAgain) or self._closing.wait(PASS_SECONDS):
                    raise
            except Exception:
                _log.exception("the runtime could not be opened")
                raise
        # Streamlit collects garbage after every run of a script: what is loaded by now stays, and need not be walked each time
        gc.collect()
        gc.freeze()
        if self.settings.workers == "here":
            intake, keep_head = Intake(runtime, Inbox(self.ledger)), partial(self.heads.look, self.ledger)
            worker = MissionsWorker(intake, (), DRIVERS, self.settings.lease_seconds, keep_head, with_schedules=False)
            working = Thread(target=worker.run, name="worker", daemon=True)
            working.start()
            self._stack.callback(working.join)
            self._stack.callback(worker.stop)
        return runtime

    @property
    def runtime(self) -> Runtime:
        """The runtime; waits until it is open. Where something was missing, as the index, it is tried again at each call."""
        self.opening()
        return self._opening.result()

    def opening(self) -> str:
        """What of the runtime there is, in a word; where it could not be opened, it is tried once more."""
        with self._lock:
            if not self._opening.done():
                return "opening"
            if self._opening.exception() is None:
                return "ok"
            self._opening = self._opener.submit(self._open)
            return "cannot be opened"

    def drive(self, run_id: str) -> None:
        """Have a worker drive a run, as far as it goes by itself. What comes of it stands in the ledger."""
        self._jobs.drive(self.ledger.run(run_id))

    def is_driving(self, run_id: str) -> bool:
        """Whether a worker drives the run now, or is going to."""
        return self._jobs.has(self.ledger.run(run_id))

    def close(self) -> None:
        """Finish what is being driven, then close everything."""
        self._closing.set()
        wait([self._opening])
        self._stack.close()


_lock = Lock()
#: the company of this process, and what it is opened with
_company: Company | None = None
_tools = Tools()


def company() -> Company:
    """The company of this process, opened at the first call."""
    global _company
    with _lock:
        if _company is None:
            _company = Company(settings(), _tools)
        return _company


def use(opened: Company | None, tools: Tools | None = None) -> None:
    """Make this the company of the process; without one, `tools` are what it is opened with."""
    global _company, _tools
    with _lock:
        _company, _tools = opened, tools or _tools
