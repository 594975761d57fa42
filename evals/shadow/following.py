"""Following the live company: each of its runs is run by the shadow once, one after the other and not too fast."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count

from errors import BadInput, TryAgain
from evals.shadow.keeping import ShadowFile, ShadowRun, ShadowWriter
from evals.shadow.opening import Shadow
from evals.shadow.running import shadowed
from ledger.listed import RunFilter
from ledger.records import Run

#: of this share of the time at most a shadow works: the systems that it reads are those of the live company
BUSY = 0.5
#: between two looks for new runs
LOOK_EVERY_S = 2.0
#: runs of a page of the ledger; and that --last may name
PAGE, MOST_LAST = 200, 10_000
#: by so much the clock of a machine that takes runs in may be behind that of another
SLOW_CLOCK = timedelta(minutes=10)

Told = Callable[[ShadowRun], None]


def over_last(shadow: Shadow, file: ShadowFile, number: int, told: Told = lambda _: None) -> int:
    """Run the last runs of the live company, the oldest first; how many of them were new to the shadow."""
    if not 1 <= number <= MOST_LAST:
        raise BadInput(f"The last {number:,} runs cannot be run; give a number from 1 to {MOST_LAST:,}")
    with file.writing(shadow.named(file.name)) as writer:
        runs = shadow.ledger.runs(limit=number)
        return sum(_run(shadow, writer, run, told) for run in reversed(runs) if _is_ready(run))


def follow(shadow: Shadow, file: ShadowFile, told: Told = lambda _: None, wait: Callable[[float], object] = time.sleep) -> None:
    """Run what the live company takes in, from the moment when the shadow of this name was first started; never ends.

    `wait` is called between two looks; what it raises ends this.
    """
    with file.writing(shadow.named(file.name)) as writer:
        following = Following(shadow, writer, told)
        while True:
            with suppress(TryAgain):  # the ledger does not answer; it is asked again
                following.catch_up()
            wait(LOOK_EVERY_S)


class Following:
    """What of the live company the shadow has met, and what it comes back to."""

    def __init__(self, shadow: Shadow, writer: ShadowWriter, told: Told = lambda _: None) -> None:
        self._shadow, self._writer, self._told = shadow, writer, told
        self._newest = writer.shadow.since
        #: ids of runs that were met before they were ready
        self._early: set[str] = set()

    def catch_up(self) -> None:
        """Run everything that is new and ready, the oldest first."""
        ledger = self._shadow.ledger
        started = self._started()
        still = {run.run_id for run in ledger.runs("running", MOST_LAST)} if self._early else set()
        for run in [*map(ledger.run, sorted(self._early - still - {run.run_id for run in started})), *started]:
            if run.run_id in self._writer.known:
                continue
            if _is_ready(run):
                self._early.discard(run.run_id)
                _run(self._shadow, self._writer, run, self._told)
            else:
                self._early.add(run.run_id)
        self._newest = max([self._newest, *(run.started_at for run in started)])

    def _started(self) -> list[Run]:
        """The runs that may be new, the oldest first, each once."""
        wanted = RunFilter(since=max(self._writer.shadow.since, self._newest - SLOW_CLOCK))
        found: dict[str, Run] = {}  # a run that is taken in meanwhile moves the others on by one
        for page in count():
            runs = self._shadow.desk.search(wanted, page * PAGE, PAGE).runs
            found |= {run.run_id: run for run in runs}
            if len(runs) < PAGE:
                break
        return list(reversed(found.values()))


def _is_ready(run: Run) -> bool:
    """Whether the live run has come as far as it does by itself: before, there is nothing to compare with."""
    return run.status != "running"


def _run(shadow: Shadow, writer: ShadowWriter, run: Run, told: Told) -> bool:
    if run.run_id in writer.known:
        return False
    done = shadowed(shadow, run)
    writer.add(done)
    told(done)
    time.sleep(done.seconds * (1 / BUSY - 1))
    return True
