"""A line of the log says what happened and where, and nothing of anybody."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Stuck, TryAgain
from graphs.worker import MissionsWorker
from logs import JsonLines, masked

CANARY = "Zebulon Quarkfeather"


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, logging.Logger, Any]]:
    """A logger of ours, one of somebody else, and what they wrote."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    ours, foreign = logging.getLogger("dashboard.test_logs"), logging.getLogger("library.test_logs")
    for log in (ours, foreign):
        log.handlers, log.propagate = [handler], False
        log.setLevel(logging.DEBUG)
    yield ours, foreign, lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    for log in (ours, foreign):
        log.handlers, log.propagate = [], True


def test_a_line_has_moment_level_logger_message_place_and_the_fields_that_are_allowed(lines: Any) -> None:
    ours, _, written = lines
    ours.info("run %s waits for %d people", "r-1f2e", 2, extra={"run_id": "r-1f2e", "job": 7, "customer": CANARY, "seconds": 0.5})
    (line,) = written()
    assert line.pop("at").endswith("+00:00")
    assert line.pop("where").startswith("tests/unit/test_logs.py:")
    assert line == {
        "level": "info", "logger": "dashboard.test_logs", "message": "run r-1f2e waits for 2 people",
        "run_id": "r-1f2e", "job": 7, "seconds": 0.5,
    }  # fmt: skip


HIDDEN = [CANARY, "zeb@quark.example", "Zebulon", {"name": CANARY}, b"Zeb", "4111111111111111", "+4915112345678", ""]


@pytest.mark.parametrize("value", HIDDEN)
def test_an_argument_that_may_be_about_somebody_is_left_out(lines: Any, value: object) -> None:
    ours, foreign, written = lines
    for log in (ours, foreign):
        log.warning("%s of %r", value, value)
        log.warning("of %(who)s", {"who": value})
        log.warning("of somebody", extra={"run_id": value})
    assert all("Zeb" not in line["message"] and "4111" not in line["message"] for line in written())
    assert [line["message"] for line in written()][1] == "of …"
    assert all(line.get("run_id", "…") == "…" for line in written())


def test_of_an_error_the_types_and_places_are_told_and_not_what_it_says(lines: Any) -> None:
    ours, _, written = lines
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise Stuck(f"{CANARY} is not known") from error
    except Stuck as error:
        ours.exception("run %s was not driven on: %s", "r-1", error)
    (line,) = written()
    assert line["message"] == "run r-1 was not driven on: Stuck"
    assert line["error"]["types"] == ["Stuck", "KeyError"]
    assert line["error"]["at"][-1].startswith("tests/unit/test_logs.py:")
    assert "Quark" not in json.dumps(line)


def test_what_somebody_elses_code_put_together_is_not_repeated(lines: Any) -> None:
    _, foreign, written = lines
    foreign.error(f"no such customer: {CANARY}")
    foreign.error("Started process [%d]", 12)
    assert [line["message"] for line in written()] == ["", "Started process [12]"]


def test_our_own_constant_message_is_masked_too(lines: Any) -> None:
    ours, _, written = lines
    ours.info("ask rita@company.example or call +49 151 1234 5678 with Bearer abc.def or card 4111-1111-1111-1111")
    assert [line["message"] for line in written()] == ["ask [address] or call [number] with [token] or card [number]"]


ANYTHING = st.one_of(st.none(), st.text(), st.integers(), st.binary(), st.floats())


@given(ANYTHING, st.lists(ANYTHING, max_size=3))
def test_whatever_is_logged_there_is_one_line_of_json(message: Any, args: list[Any]) -> None:
    record = logging.LogRecord("graphs.x", logging.INFO, "/x/y/z.py", 1, message, tuple(args), None)
    written = JsonLines().format(record)
    assert "\n" not in written
    assert json.loads(written)["logger"] == "graphs.x"


@given(st.emails())
def test_every_address_is_masked(address: str) -> None:
    assert address not in masked(f"write to {address} now")


def test_an_id_of_many_digits_is_no_telephone_number(lines: Any) -> None:
    ours, _, written = lines
    ours.info("run %s", "r-123456789012")
    assert written()[0]["message"] == "run r-123456789012"


def test_a_record_without_a_trace_is_told(lines: Any) -> None:
    ours, _, written = lines
    ours.error("nothing is raised here", exc_info=True)
    assert "error" not in written()[0]
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (psycopg.errors.UniqueViolation("Key (email)=(ann@private.example) already exists."), "(UniqueViolation)"),
        (TryAgain("The ERP is away."), "(The ERP is away.)"),
    ],
)
def test_of_an_error_that_is_not_ours_a_worker_logs_the_type_alone(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = object.__new__(MissionsWorker)
    worker._stopping = asyncio.Event()

    async def fail_once() -> None:
        worker._stopping.set()
        raise error

    asyncio.run(worker._again_and_again(0.01, fail_once))
    assert told in caplog.text and "private" not in caplog.text
