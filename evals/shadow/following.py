"""Following the live company: each of its runs is run by the shadow once, one after the other and not too fast."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

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

Told = Callable[[ShadowRun], None]


def over_last(shadow: Shadow, file: ShadowFile, number: int, told: Told = lambda _: None) -> int:
    """Run the last runs of the live company, the oldest first; how many of them were new to the shadow."""
    if not 1 <= number <= MOST_LAST:
        raise BadInput(f"The last {number:,} runs cannot be run; give a number from 1 to {MOST_LAST:,}")
    with file.writing(shadow.named(file.name)) as writer:
        runs = shadow.ledger.runs(limit=number)
        return sum(_run(shadow, writer, run, told) for run in reversed(runs) if _is_ready(shadow, run))


def follow(shadow: Shadow, file: ShadowFile, told: Told = lambda _: None, wait: Callable[[float], object] = time.sleep) -> None:
    """Run what the live company takes in, from the moment when the shadow of this name was first started; never ends.

    `wait` is called between two looks; what it raises ends this.
    """
    with file.writing(shadow.named(file.name)) as writer:
        since = writer.shadow.since
        while True:
            with suppress(TryAgain):  # the ledger does not answer; it is asked again
                since = _catch_up(shadow, writer, since, told)
            wait(LOOK_EVERY_S)


def _catch_up(shadow: Shadow, writer: ShadowWriter, since: datetime, told: Told) -> datetime:
    """Run everything that is new; the moment from which on the next look has to look."""
    open_since = None
    for run in _started(shadow, since):
        if run.run_id not in writer.known and not _is_ready(shadow, run):
            open_since = open_since or run.started_at
            continue
        _run(shadow, writer, run, told)
        since = run.started_at
    return open_since or since


def _started(shadow: Shadow, since: datetime) -> Iterator[Run]:
    """The runs from a moment on, the oldest first."""
    wanted = RunFilter(since=since)
    pages = [shadow.desk.search(wanted, 0, PAGE)]
    while len(pages) * PAGE < pages[0].total:
        pages.append(shadow.desk.search(wanted, len(pages) * PAGE, PAGE))
    seen: set[str] = set()  # a run that is taken in meanwhile moves the others on by one
    for run in (run for page in reversed(pages) for run in reversed(page.runs)):
        if run.run_id not in seen:
            seen.add(run.run_id)
            yield run


def _is_ready(shadow: Shadow, run: Run) -> bool:
    """Whether the live run has come as far as it does by itself: before, there is nothing to compare with."""
    return run.status != "running" or shadow.ledger.proposal(run.run_id) is not None


def _run(shadow: Shadow, writer: ShadowWriter, run: Run, told: Told) -> bool:
    if run.run_id in writer.known:
        return False
    done = shadowed(shadow, run)
    writer.add(done)
    told(done)
    time.sleep(done.seconds * (1 / BUSY - 1))
    return True
