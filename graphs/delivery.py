"""Outgoing events are delivered: signed as Standard Webhooks, in the order of the log, at least once, by one sender at a time.

A destination is told the next event after it has answered the one before with 2xx. Whatever else it answers, or does not,
the same event is sent again, later and later, until it is taken; so none is left out. It is given little: a deadline over
the whole try, no redirects, and of its answer nothing is taken but the status and Retry-After.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import ssl
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx2
import orjson

from graphs.outgoing import Destination, Outgoing, check_missions, cloud_event, envelope
from ledger.canonical import utc_now
from ledger.outbox import OutboxLease, Pause
from ledger.services import Outbox

_log = logging.getLogger(__name__)
#: rows of the log that are read at a time
_AT_ONCE = 200
#: of the pauses between two tries, which double; and of those that a destination asks for (Retry-After)
_LONGEST_PAUSE_S, _LONGEST_WISH_S = 900.0, 3_600.0
#: seconds for which a sender is let be beyond the deadline of a try, before another takes over
_GRACE_S = 15.0
#: after which a failing destination is reported as an error, not as a warning
_TOO_LONG = timedelta(days=1)
#: of an answer's body that are read at most
_SHORT_BYTES = 16_384
_TYPE = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True)
class DeliveryFailure:
    """A try that was not answered with 2xx. Its sentence holds no word of the destination."""

    says: str
    #: seconds that the destination asks to wait
    wish_s: float = 0.0


class OutgoingSender:
    """Sends to one destination. Raises BadInput or TryAgain where its secret cannot be read."""

    def __init__(self, to: Destination, dashboard: str, outbox: Outbox) -> None:
        for name in ("httpx2", "httpcore2"):
            # they write down the address, which may be a key
            logging.getLogger(name).setLevel(logging.WARNING)
        self._to, self._dashboard, self._outbox = to, dashboard, outbox
        self._secret = to.signing_key()
        self._lasts = to.timeout_seconds + _GRACE_S
        self._tls = ssl.create_default_context()

    async def deliver(self) -> None:
        """Send what the log has for the destination, until there is no more, a try fails, or another sender has taken over.

        Raises TryAgain where the database does not answer.
        """
        lease = await asyncio.to_thread(self._outbox.take, self._to.name, self._lasts)
        if lease is None:
            return
        try:
            async with self._client() as http:
                told: int | None = lease.seq
                while told is not None:
                    told = await self._deliver_after(http, lease, told)
        finally:
            await asyncio.to_thread(self._outbox.give_back, lease)

    async def test(self) -> DeliveryFailure | None:
        """Send an event that tells of nothing, `missions.test`, whatever else waits."""
        event = envelope(uuid4().hex, "test", self._dashboard, time=datetime.now(UTC).isoformat(), data={})
        async with self._client() as http:
            return await self._send(http, event)

    async def _deliver_after(self, http: httpx2.AsyncClient, lease: OutboxLease, told: int) -> int | None:
        """The last of the next rows, now that all of them are delivered; None where it goes no further."""
        rows = await asyncio.to_thread(self._outbox.rows, told, _AT_ONCE)
        for row in rows:
            event = cloud_event(row, self._to, self._dashboard)
            if event is not None:
                failure = await self._send(http, event)
                if failure is not None:
                    await self._note(lease, told, failure)
                    return None
                if not await self._advance(lease, row.entry.seq, delivered=True):
                    return None
            told = row.entry.seq
        return told if rows and await self._advance(lease, told, delivered=False) else None

    async def _advance(self, lease: OutboxLease, seq: int, *, delivered: bool) -> bool:
        return await asyncio.to_thread(self._outbox.advance, lease, seq, self._lasts, delivered=delivered)

    async def _note(self, lease: OutboxLease, told: int, failure: DeliveryFailure) -> None:
        pause = Pause(failure.wish_s, _LONGEST_PAUSE_S, random.uniform(0.5, 1.0))  # so that not all come back at once
        failing = await asyncio.to_thread(self._outbox.fail, lease, told, failure.says, pause)
        if failing is None:
            return
        if utc_now() - failing.since > _TOO_LONG:
            _log.error("the destination %s has failed for more than a day: it %s", self._to.name, failure.says)
        elif failing.failures == 1:
            _log.warning("the destination %s %s; the event is sent again", self._to.name, failure.says)

    def _client(self) -> httpx2.AsyncClient:
        """One for which the environment names no proxies."""
        return httpx2.AsyncClient(
            trust_env=False, follow_redirects=False, verify=self._tls, timeout=self._to.timeout_seconds,
            headers={"user-agent": "missions", "accept-encoding": "identity", "content-type": _TYPE},
        )  # fmt: skip

    async def _send(self, http: httpx2.AsyncClient, event: dict[str, Any]) -> DeliveryFailure | None:
        body = orjson.dumps(event)
        headers = signature(self._secret, event["id"], int(time.time()), body)
        came: DeliveryFailure | None = DeliveryFailure(f"did not answer within {self._to.timeout_seconds:g} seconds")
        try:
            async with (
                asyncio.timeout(self._to.timeout_seconds),  # over all of it: each byte might come just in time
                http.stream("POST", self._to.url, content=body, headers=headers) as answer,
            ):
                came = None if answer.is_success else _refusal(answer)
                http.cookies.clear()
                await _drain(answer)
        except (TimeoutError, httpx2.TimeoutException):
            pass
        except (httpx2.HTTPError, OSError) as error:
            if came is not None and not came.says.startswith("answered"):
                came = DeliveryFailure(f"could not be reached ({type(error).__name__})")
        return came


def open_senders(outgoing: Outgoing, outbox: Outbox, missions: Collection[str]) -> list[OutgoingSender]:
    """A sender for each destination; a new one is told what happens from now on.

    Raises BadInput for a Mission that there is not, and as a sender does.
    """
    check_missions(outgoing, missions)
    senders = [OutgoingSender(one, outgoing.dashboard, outbox) for one in outgoing.outgoing.values()]
    for name in outgoing.outgoing:
        outbox.begin(name)
    return senders


def signature(secret: bytes, event_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks; `at` is of this try, in seconds since 1970."""
    signed = hmac.digest(secret, f"{event_id}.{at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


async def _drain(answer: httpx2.Response) -> None:
    """Read a short body, so that the next event takes the same connection; a longer one costs the connection."""
    left = _SHORT_BYTES
    async for piece in answer.aiter_raw():
        left -= len(piece)
        if left < 0:
            return


def _refusal(answer: httpx2.Response) -> DeliveryFailure:
    return DeliveryFailure(f"answered {answer.status_code}", _wish_s(answer.headers.get("retry-after", "")))


def _wish_s(retry_after: str) -> float:
    """Seconds that Retry-After (RFC 9110) asks to wait: a number or a date; 0 for what is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:12]), _LONGEST_WISH_S)
    try:
        asked = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    return min(max((asked - utc_now()).total_seconds(), 0.0), _LONGEST_WISH_S)
