"""A system that asks to wait, fails, or has limits is called accordingly; a WRITE is never sent again by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from errors import OutcomeUnknown, TryAgain
from systems.calls import Call
from systems.client import LiveSystems
from systems.pace import FAILURES
from tests.integration.http_shop import Gate, HttpShop, configured, http_shop

GET, PUT = Call("shop.get", {"what": "one"}), Call("shop.put", {"what": "one"})


@pytest.fixture(name="shop")
def _shop() -> Iterator[HttpShop]:
    with http_shop() as shop:
        yield shop


def turning_away(tool: str, status: int, times: int, **headers: str) -> Gate:
    """A gate that turns calls of a tool away so often."""
    left = [times]

    def gate(request: Request) -> Response | None:
        if request.scope["tool"] != tool or not left[0]:
            return None
        left[0] -= 1
        return Response(status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return gate


def sent(shop: HttpShop, tool: str) -> int:
    return sum(name == tool for _, name, _ in shop.requests)


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_that_is_turned_away_is_sent_again_when_the_system_says(shop: HttpShop, tmp_path: Path, status: int) -> None:
    shop.gate = turning_away("get", status, 2, Retry_After="0")
    with LiveSystems(configured(tmp_path, shop, "timeout_seconds: 5")) as systems:
        assert systems.read_all([GET])[0].status == "ok"
        assert sent(shop, "get") == 3
        shop.gate = turning_away("get", status, 9, Retry_After="0")
        (result,) = systems.read_all([GET])
        assert sent(shop, "get") == 6
    assert f"shop asks to wait 0 seconds before the next call ({status})" in str(result.error)


def test_nothing_is_sent_to_a_system_that_asks_for_a_long_rest(shop: HttpShop, tmp_path: Path) -> None:
    shop.gate = turning_away("get", 429, 9, Retry_After="60")
    with LiveSystems(configured(tmp_path, shop, "timeout_seconds: 2")) as systems:
        (result,) = systems.read_all([GET])
        with pytest.raises(TryAgain, match=r"shop was not called \(it asks to wait \d\d more seconds\)"):
            systems.write(PUT, "k")
    assert "it asks to wait 60 more seconds" in str(result.error)
    assert (sent(shop, "get"), sent(shop, "put"), shop.puts) == (1, 0, [])


def test_a_write_that_is_turned_away_is_not_sent_again_and_one_that_met_an_error_is_in_doubt(
    shop: HttpShop, tmp_path: Path
) -> None:
    with LiveSystems(configured(tmp_path, shop, "timeout_seconds: 5")) as systems:
        shop.gate = turning_away("put", 429, 1, Retry_After="0")
        with pytest.raises(TryAgain, match="asks to wait 0 seconds"):
            systems.write(PUT, "k")
        assert sent(shop, "put") == 1
        for status in (500, 502, 503):
            shop.gate = turning_away("put", status, 1, Retry_After="0")
            with pytest.raises(OutcomeUnknown, match="its outcome is not known"):
                systems.write(PUT, "k")
        assert (sent(shop, "put"), shop.puts) == (4, [])
        assert systems.write(PUT, "k").answer == {"done": True}


def test_a_system_that_fails_again_and_again_is_left_alone_at_once_and_says_so(shop: HttpShop, tmp_path: Path) -> None:
    shop.gate = turning_away("get", 500, 99)
    with LiveSystems(configured(tmp_path, shop, "timeout_seconds: 2")) as systems:
        for _ in range(FAILURES):
            assert "gave no answer" in str(systems.read_all([GET])[0].error)
        (result,) = systems.read_all([GET])
        with pytest.raises(TryAgain, match="left alone"):
            systems.write(PUT, "k")
    assert "shop was not called (it failed 5 times in a row, and is left alone for 15 more seconds)" in str(result.error)
    assert (sent(shop, "get"), sent(shop, "put")) == (FAILURES, 0)


def test_what_a_system_answers_about_a_call_does_not_count_as_a_failure(shop: HttpShop, tmp_path: Path) -> None:
    refused = Call("shop.get", {"what": "refuse"})
    with LiveSystems(configured(tmp_path, shop, "timeout_seconds: 2")) as systems:
        for _ in range(FAILURES + 1):
            assert "We do not tell" in str(systems.read_all([refused])[0].error)


def test_no_more_calls_reach_a_system_at_once_than_its_limits_say(shop: HttpShop, tmp_path: Path) -> None:
    slow = Call("shop.get", {"what": "slow"})
    with LiveSystems(configured(tmp_path, shop, "limits: {at_once: 2}")) as systems:
        assert {result.status for result in systems.read_all([slow] * 6)} == {"ok"}
    assert shop.most_running == 2
