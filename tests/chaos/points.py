"""The places at which a process can be made to die, and the fuse that makes it.

Every place is a method of the project that writes: it is wrapped in the process that is to die, and nowhere else.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graphs.checkpoints import Checkpoints
from ledger.postgres import HeldLedger, PostgresLedger
from systems.client import LiveSystems

#: a place and which time it is passed, from 1
Hit = tuple[str, int]

#: methods of the ledger, and what has happened when they return
_LEDGER = {
    "take_in": "event taken in",
    "record_facts": "facts kept",
    "propose": "proposal written",
    "decide": "decision committed",
    "intend": "intent written",
    "incident": "incident written",
    "finish": "terminal row",
}
#: passed inside a system, which then kills its caller (`faults.py`)
CALL_SENT, REMOTE_COMMITTED = "call sent", "remote committed"
ANSWER_RECEIVED, BEFORE_COMMIT = "answer received", "just before a commit"
MARKED, LEAVE_GIVEN, STEP_WRITTEN = "effect marked", "leave given", "step written"


@dataclass(frozen=True)
class Passed:
    """How often each place was passed in a life."""

    in_all: Mapping[str, int]
    #: until the first step that failed was marked so, or nothing where none did
    before_failure: Mapping[str, int]


class Fuse:
    """Counts how often each place is passed, and kills this process at one of them, or stops it there."""

    def __init__(self, at: Hit | None = None, by: signal.Signals = signal.SIGKILL) -> None:
        self.passed: Counter[str] = Counter()
        self.before_failure: Counter[str] = Counter()
        self._at, self._by, self._lock = at, by, threading.Lock()

    def reach(self, place: str) -> None:
        """A place is passed."""
        with self._lock:
            self.passed[place] += 1
            if (place, self.passed[place]) == self._at:
                os.kill(os.getpid(), self._by)

    def mark(self, status: str) -> None:
        """An effect was marked."""
        if status == "failed" and not self.before_failure:
            self.before_failure = Counter(self.passed)
        self.reach(MARKED)


def install(fuse: Fuse) -> None:
    """Put the fuse into every place of this process."""
    for method, place in _LEDGER.items():
        _after(PostgresLedger, method, lambda *_, place=place, **__: fuse.reach(place))
    _after(HeldLedger, "mark_effect", lambda _ledger, _key, status, *_, **__: fuse.mark(status))
    _after(HeldLedger, "leave_to_send", lambda *_, **__: fuse.reach(LEAVE_GIVEN))
    _inside(PostgresLedger, "lease", lambda: fuse.reach("resume taken"), at_end=False)
    _inside(PostgresLedger, "_writing", lambda: fuse.reach(BEFORE_COMMIT), at_end=True)
    _after(HeldLedger, "record_facts", lambda *_, **__: fuse.reach(_LEDGER["record_facts"]))
    _inside(HeldLedger, "_writing", lambda: fuse.reach(BEFORE_COMMIT), at_end=True)
    _after(HeldLedger, "commit", lambda *_, **__: fuse.reach(STEP_WRITTEN))
    _after(Checkpoints, "put", lambda *_, **__: fuse.reach("checkpoint"))
    _after(Checkpoints, "put_writes", lambda _saver, _config, writes, *_, **__: fuse.reach(_written(writes)))
    _after(LiveSystems, "write", lambda *_, **__: fuse.reach(ANSWER_RECEIVED))


def _written(writes: Any) -> str:
    return "interrupt persisted" if any(channel == "__interrupt__" for channel, _ in writes) else "writes of a node kept"


def _after(owner: type, method: str, then: Callable[..., None]) -> None:
    original = getattr(owner, method)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        then(*args, **kwargs)
        return result

    setattr(owner, method, wrapped)


def _inside(owner: type, method: str, then: Callable[[], None], *, at_end: bool) -> None:
    original = getattr(owner, method)

    @contextmanager
    def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with original(*args, **kwargs) as given:
            if not at_end:
                then()
            yield given
            if at_end:
                then()

    setattr(owner, method, wrapped)
