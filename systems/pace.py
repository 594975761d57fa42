"""How fast a system is called, and that it is left alone for a while after it asked for that or failed again and again.

limits: {per_second: 5, at_once: 4}      # of each process that calls the system
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from email.utils import parsedate_to_datetime

import httpx2
from pydantic import BaseModel, Field

from errors import TryAgain, TurnedAway

#: failures in a row after which a system is left alone
FAILURES = 5
#: seconds for which it is; then one call tries it
REST_SECONDS = 15.0
#: seconds; a system that asks for a longer rest is tried again after these
LONGEST_REST = 300.0


class LimitsConfig(BaseModel, extra="forbid", frozen=True):
    """How a system may be called by one process; None: as fast as there is something to call."""

    #: calls a second
    per_second: float | None = Field(default=None, strict=True, gt=0, le=10_000)
    #: calls at the same time
    at_once: int | None = Field(default=None, strict=True, ge=1, le=10_000)


class AsksToWait(TurnedAway):
    """A system did not do what it was asked, and asks to wait before the next call (429, or 503 with Retry-After)."""


class Pace:
    """When one system may be called. Used on one event loop; moments are by the clock of `time.monotonic`."""

    def __init__(self, name: str, limits: LimitsConfig, patience: float) -> None:
        self._name, self._patience = name, patience
        self._gap = 1 / limits.per_second if limits.per_second else 0.0
        self._slots = asyncio.Semaphore(limits.at_once) if limits.at_once else nullcontext()
        self._next = self._asked_until = self._rest_until = 0.0
        self._failures, self._last_failure = 0, 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until one call may be sent, which the block does.

        Raises TryAgain, with nothing sent, where the system asked for a longer rest than `patience` seconds.
        """
        async with self._slots:
            now = time.monotonic()
            if (left := self._asked_until - now) > self._patience:
                raise TryAgain(f"{self._name} was not called (it asks to wait {left:.0f} more seconds); try again then.")
            begins = max(now, self._next, self._asked_until)
            self._next = begins + self._gap
            await asyncio.sleep(begins - now)
            yield

    def asked(self, seconds: float) -> None:
        """It asks to wait before the next call."""
        self._asked_until = max(self._asked_until, time.monotonic() + min(seconds, LONGEST_REST))

    def admit(self) -> None:
        """Raise TryAgain while the system is left alone; after that one caller may try it, and the others still may not."""
        now = time.monotonic()
        if self._failures >= FAILURES:
            if now < self._rest_until:
                left = f"is left alone for {self._rest_until - now:.0f} more seconds"
                why = f"it failed {self._failures} times in a row, and {left}"
                raise TryAgain(f"{self._name} was not called ({why}); look at it, and try again then.")
            self._rest_until = now + REST_SECONDS

    def answered(self) -> None:
        """It answers."""
        self._failures = 0

    def failed(self, begun: float) -> None:
        """What began at a moment failed. Calls that were under way together count as one."""
        if begun >= self._last_failure:
            self._failures += 1
            self._last_failure = time.monotonic()
            self._rest_until = self._last_failure + REST_SECONDS


def asked_wait(response: httpx2.Response) -> float:
    """The seconds that an answer asks to wait by its Retry-After, seconds or a date; 1 where it does not say."""
    said = response.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 1.0
