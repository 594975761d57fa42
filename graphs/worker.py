"""A worker: drives the runs that there are jobs for, and sees to it that no run is forgotten.

Any number may work, on any number of machines that share the PostgreSQL. A job is tried again while a system or the
database does not answer; a job whose worker has died is taken over when it gave no sign of life for as long as a lease
is good. Asked to stop, a worker takes no new job and finishes what it has; what it cannot finish in time is found by the
others.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from errors import Refused, TakenOver, TryAgain, loggable
from graphs.checkpoints import GIVES_UP
from graphs.delivery import OutgoingSender
from graphs.ingestion import Intake
from graphs.mailboxes import poll_mailbox
from graphs.mapping import by_mailbox
from graphs.sources import poll, run_schedule, schedules
from ledger.jobs import DRIVE, forgotten, sweep
from ledger.roles import patient
from systems.config import FeedConfig

_log = logging.getLogger(__name__)
#: seconds between two passes over the runs that nobody works on, and between two sweeps over the states of all
PASSES, SWEEPS = 5.0, 60.0
#: seconds between two looks at the log for outgoing events
SENDS = 1.0
#: seconds for which a worker that was asked to stop goes on with what it has
GRACE = 60.0
#: of the seconds between two tries of a job, which double
LONGEST_PAUSE = 60

#: the task that opens a book, and for how many seconds after its moment it still does
SCHEDULE = "schedule"
LATEST = 12 * 3600


class _UntilItAnswers(BaseRetryStrategy):
    """A system or the database that does not answer, or a run that another process holds: later again."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, TryAgain | Refused) or isinstance(exception, TakenOver):
            return None
        pause = timedelta(seconds=min(LONGEST_PAUSE, 2 ** min(job.attempts, 10)))
        return RetryDecision(retry_at=datetime.now(UTC) + pause)


class MissionsWorker:
    """One worker. `stop` may be called from any thread."""

    def __init__(
        self,
        intake: Intake,
        feeds: Sequence[FeedConfig],
        concurrency: int,
        lease_seconds: float,
        keep_head: Callable[[], None] | None = None,
        *,
        with_schedules: bool = True,
        senders: Sequence[OutgoingSender] = (),
    ) -> None:
        """`concurrency` runs are driven side by side; what `feeds`, mailboxes and schedules bring is taken in by `intake`.

        `keep_head` keeps the head of the audit log outside; `senders` tell destinations what happens.
        """
        self._runtime, self._concurrency, self._lease_seconds = intake.runtime, concurrency, lease_seconds
        polls = [
            (one.every_seconds, partial(self._poll, intake, one.name, one.every_seconds, partial(poll, intake, one)))
            for one in feeds
        ]
        polls += [
            (
                box.every_seconds,
                partial(self._poll, intake, by_mailbox(one.name), box.every_seconds, partial(poll_mailbox, intake, one)),
            )
            for one in intake.mappings.values()
            if (box := one.mailbox)
        ]
        self._periodic: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (PASSES, self._find),
            (SWEEPS, self._sweep),
            *([(SWEEPS, partial(asyncio.to_thread, keep_head))] if keep_head else []),
            *polls,
            *((SENDS, sender.deliver) for sender in senders),
        ]
        self._app = _app(intake, with_schedules)
        self._worker: Worker | None = None
        #: set while there is a connection to the jobs
        self._connected = asyncio.Event()
        #: jobs that this process does; and those that were listed as its own at the last pass, and were not
        self._at_hand: set[int] = set()
        self._astray: set[int] = set()
        #: set by another thread, which may be earlier than there is a loop
        self._asked_to_stop, self._stopping = threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        """Work until `stop`, SIGINT or SIGTERM."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """Take no new job, finish what is under way, and end."""
        self._asked_to_stop.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._asked_to_stop.is_set():
            return
        # the loops find a thread also while every hand waits for a system
        self._loop.set_default_executor(ThreadPoolExecutor(self._concurrency + len(self._periodic)))
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, NotImplementedError, RuntimeError):  # not in the main thread, or on Windows
                self._loop.add_signal_handler(number, self._stopping.set)
        others = [asyncio.create_task(self._again_and_again(*one)) for one in self._periodic]
        try:
            while not self._stopping.is_set():
                try:
                    await self._work()
                except Exception as error:  # whatever a database that is away or full makes of it: a worker does not give up
                    _log.warning("work was broken off (%s); trying again", loggable(error))
                    await self._pause(1.0)
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _work(self) -> None:
        """Until asked to stop, or until the database is lost."""
        # a pool asks a database that is away less and less often: it is opened when the database answers
        await (await psycopg.AsyncConnection.connect(patient(self._runtime.database_url))).close()
        async with self._app.open_async():
            self._connected.set()
            worker = self._worker = Worker(
                self._app,
                concurrency=self._concurrency,
                worker_middleware=[self._do],
                fetch_job_polling_interval=1.0,
                delete_jobs="successful",
                install_signal_handlers=False,
                shutdown_graceful_timeout=GRACE,
                update_heartbeat_interval=self._lease_seconds / 3,
                stalled_worker_timeout=self._lease_seconds,
            )
            running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            worker.stop()  # type: ignore[no-untyped-call]  # once it runs: it forgets what it was asked before
            self._connected.clear()
            await running

    async def _again_and_again(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await do()
            except Exception as error:  # the next time comes, whatever became of this one
                name = getattr(do, "__name__", "poll").lstrip("_")
                _log.warning("%s did not succeed (%s); trying again", name, loggable(error))
            await self._pause(seconds)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _do(self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _: Worker) -> Any:
        """Note which jobs this process does."""
        job_id = context.job.id or 0
        self._at_hand.add(job_id)
        try:
            return await call_next()
        finally:
            self._at_hand.discard(job_id)

    async def _find(self) -> None:
        """Jobs of workers that have died go back, and those gone astray; runs that nobody works on get a job."""
        await self._connected.wait()
        manager = self._app.job_manager
        stalled = await manager.get_stalled_jobs(seconds_since_heartbeat=self._lease_seconds)
        for job in (*stalled, *await self._gone_astray()):
            await manager.retry_job(job, retry_at=datetime.now(UTC))
        for run_id, subject in await asyncio.to_thread(forgotten, self._runtime.database_url):
            await self._app.configure_task(DRIVE, lock=subject).defer_async(run_id=run_id)

    async def _gone_astray(self) -> list[Job]:
        """Jobs of this worker that it does not do, because the database was lost as it took or ended them.

        Whoever waits for their subject would wait as long as this process lives. One pass is not enough to know: a job
        that was just taken is not at hand yet, and one that was just done is not ended yet.
        """
        if self._worker is None or self._worker.worker_id is None:
            return []
        own = await self._app.job_manager.list_jobs_async(status="doing", worker_id=self._worker.worker_id)
        loose = [job for job in own if job.id not in self._at_hand]
        before, self._astray = self._astray, {job.id or 0 for job in loose}
        return [job for job in loose if job.id in before]

    async def _sweep(self) -> None:
        """What is in no state becomes an incident."""
        await asyncio.to_thread(sweep, self._runtime.ledger, self._runtime.database_url)

    async def _poll(self, intake: Intake, name: str, every_seconds: int, read: Callable[[], object]) -> None:
        """Read a feed or a mailbox, unless another worker has just done so."""
        known = await asyncio.to_thread(intake.inbox.feed, name)
        if known is None or datetime.now(UTC) - known.polled_at >= timedelta(seconds=every_seconds / 2):
            await asyncio.to_thread(read)


def _app(intake: Intake, with_schedules: bool) -> App:
    url = patient(intake.runtime.database_url)
    connector = PsycopgConnector(conninfo=url, min_size=1, max_size=4, timeout=GIVES_UP, reconnect_timeout=GIVES_UP)
    app = App(connector=connector, periodic_defaults={"max_delay": LATEST})

    @app.task(name=DRIVE, retry=_UntilItAnswers())
    def drive(run_id: str) -> None:
        with suppress(TakenOver):  # the other one goes on
            intake.runtime.drive(run_id)

    @app.task(name=SCHEDULE, retry=_UntilItAnswers())
    def schedule(timestamp: int, event: str) -> None:
        report = run_schedule(intake, event, datetime.fromtimestamp(timestamp, UTC))
        if report.stopped:  # again: what was taken in is known then
            raise TryAgain(report.stopped)

    for one in schedules(intake.runtime.context.packs) if with_schedules else ():
        app.periodic(cron=one.cron, periodic_id=one.event, task_kwargs={"event": one.event})(schedule)
    return app
