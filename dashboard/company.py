"""What the pages of one process share: the ledger, the desk, and a runtime that drives runs after a decision.

Opened once a process. The ledger is there at once; the runtime (LangGraph, Chroma, the systems over MCP) is opened
in the background, so that nobody waits for it before the first page.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from graphs.runtime import Runtime, open_database, open_runtime
from graphs.settings import Settings, settings
from ledger.desk import Desk
from ledger.postgres import PostgresLedger

#: runs that are driven side by side
HANDS = 4

#: See `evals`: what a change of policies would do to recorded exceptions. Handed in, for the dashboard does not know evals.
WhatIf = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class Tools:
    """What others give the dashboard to work with."""

    what_if: WhatIf | None = None


class Company:
    """Ledger, desk and runtime of this process."""

    def __init__(self, chosen: Settings, tools: Tools) -> None:
        self.settings, self.tools = chosen, tools
        self._stack = ExitStack()
        self.url = open_database(chosen)
        self.ledger = PostgresLedger.open(self.url)
        self._stack.callback(self.ledger.close)
        self.desk = Desk(self.ledger)
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="drive")
        self._opening: Future[Runtime] = ThreadPoolExecutor(1, thread_name_prefix="open").submit(self._open)
        self._driving: dict[str, Future[Any]] = {}
        self._lock = Lock()

    def _open(self) -> Runtime:
        runtime = self._stack.enter_context(open_runtime(self.settings))
        for run in self.ledger.runs("running"):  # of a process that stopped while it drove them
            self.drive(run.run_id)
        return runtime

    @property
    def runtime(self) -> Runtime:
        """The runtime; waits until it is open."""
        return self._opening.result()

    @property
    def is_open(self) -> bool:
        """Whether the runtime is open already."""
        return self._opening.done()

    def drive(self, run_id: str) -> None:
        """Drive a run in the background, as far as it goes by itself. What comes of it stands in the ledger."""
        with self._lock:
            known = self._driving.get(run_id)
            if known is None or known.done():
                self._driving[run_id] = self._hands.submit(lambda: self.runtime.drive(run_id))

    def is_driving(self, run_id: str) -> bool:
        """Whether this process works on the run now."""
        with self._lock:
            known = self._driving.get(run_id)
        return known is not None and not known.done()

    def close(self) -> None:
        """Finish what is being driven, then close everything."""
        self._hands.shutdown(wait=True)
        self._stack.close()


@dataclass
class _Kept:
    company: Company | None = None
    tools: Tools = field(default_factory=Tools)
    lock: Any = field(default_factory=Lock)


_kept = _Kept()


def company() -> Company:
    """The company of this process, opened at the first call."""
    with _kept.lock:
        if _kept.company is None:
            _kept.company = Company(settings(), _kept.tools)
        return _kept.company


def use(opened: Company | None) -> None:
    """Make this the company of the process, or none."""
    with _kept.lock:
        _kept.company = opened


def equip(tools: Tools) -> None:
    """Hand in what the company of this process is opened with."""
    _kept.tools = tools
