"""A system is called as fast as its limits allow, and left alone after it asked for that or failed again and again."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import TryAgain
from systems import pace as module
from systems.pace import FAILURES, LONGEST_REST, REST_SECONDS, LimitsConfig, Pace, asked_wait


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of the clock, which sleeping moves on."""
    now = [1000.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return now


def made(patience: float = 10.0, **limits: float) -> Pace:
    return Pace("shop", LimitsConfig.model_validate(limits), patience)


async def begin(pace: Pace, clock: list[float]) -> float:
    async with pace.turn():
        return clock[0]


def test_calls_begin_as_many_a_second_as_the_limit_says(clock: list[float]) -> None:
    pace = made(per_second=4.0)

    async def all_of_them() -> list[float]:
        return [await begin(pace, clock) for _ in range(9)]

    begun = asyncio.run(all_of_them())
    assert begun[-1] - begun[0] == 2.0


def test_no_more_calls_are_under_way_than_the_limit_says() -> None:
    pace, running, most = made(at_once=3), 0, 0

    async def one() -> None:
        nonlocal running, most
        async with pace.turn():
            running, most = running + 1, max(most, running + 1)
            await asyncio.sleep(0.001)
            running -= 1

    async def all_of_them() -> None:
        await asyncio.gather(*[one() for _ in range(20)])

    asyncio.run(all_of_them())
    assert most == 3


def test_the_next_call_waits_as_long_as_was_asked_for_and_is_not_sent_where_that_is_too_long(clock: list[float]) -> None:
    pace = made(patience=10.0)
    pace.asked(7.0)
    assert asyncio.run(begin(pace, clock)) == 1007.0
    pace.asked(3600.0)
    with pytest.raises(TryAgain, match=r"^shop was not called \(it asks to wait 300 more seconds\); try again then\.$"):
        asyncio.run(begin(pace, clock))
    clock[0] += LONGEST_REST
    asyncio.run(begin(pace, clock))


def fail(pace: Pace, clock: list[float]) -> None:
    begun = clock[0]
    clock[0] += 0.1
    pace.failed(begun)


def test_after_failures_in_a_row_nobody_calls_then_one_tries_and_what_it_meets_decides(clock: list[float]) -> None:
    pace = made()
    for _ in range(FAILURES):
        pace.admit()
        fail(pace, clock)
    with pytest.raises(TryAgain, match="it failed 5 times in a row, and is left alone for 15 more seconds"):
        pace.admit()
    clock[0] += REST_SECONDS
    pace.admit()
    with pytest.raises(TryAgain, match="left alone"):
        pace.admit()  # one tries it, and no second
    fail(pace, clock)
    clock[0] += REST_SECONDS - 1
    with pytest.raises(TryAgain, match="it failed 6 times"):
        pace.admit()
    clock[0] += 1
    pace.admit()
    pace.answered()
    for _ in range(FAILURES - 1):
        pace.admit()
        fail(pace, clock)
    pace.admit()


def test_calls_that_fail_together_count_as_one_failure(clock: list[float]) -> None:
    pace, begun = made(), clock[0]
    clock[0] += 1
    for _ in range(3 * FAILURES):
        pace.failed(begun)
    pace.admit()


def answer(retry_after: str | None) -> httpx2.Response:
    return httpx2.Response(429, headers={} if retry_after is None else {"Retry-After": retry_after})


def test_a_wait_is_asked_for_in_seconds_or_until_a_date() -> None:
    assert (asked_wait(answer("7")), asked_wait(answer(None)), asked_wait(answer("soon"))) == (7.0, 1.0, 1.0)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < asked_wait(answer(date)) <= 60
    assert asked_wait(answer("Wed, 21 Oct 2015 07:28:00 GMT")) == 0.0


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60))
def test_whatever_a_server_writes_there_is_a_time_to_wait(said: str) -> None:
    seconds = asked_wait(httpx2.Response(429, headers=[(b"retry-after", said.encode("latin-1"))]))
    assert 0.0 <= seconds < float("inf")
    pace = made(patience=0.0)
    pace.asked(seconds)
    assert pace._asked_until <= time.monotonic() + LONGEST_REST
