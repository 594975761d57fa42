"""The sandbox company over MCP, as the configuration that ships with the project names it."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from errors import BadInput, Refused, TryAgain
from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin
from systems.sandbox.serve import serve
from tests.integration.sandbox_world import Company, order, shared_company, world


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    with shared_company(server_url) as company:
        yield company.reset_to(world())


@pytest.fixture(scope="module")
def systems(company: Company) -> Iterator[LiveSystems]:
    with LiveSystems(load_config(), extra_env={"DATABASE_URL": company.url}) as opened:
        yield opened


def test_all_six_systems_answer_side_by_side(systems: LiveSystems) -> None:
    calls = [
        Call("oms.get_order", {"order_id": "O-1"}),
        Call("payments.get_payment", {"order_id": "O-1"}),
        Call("wms.list_stock", {"skus": ["LAMP"]}),
        Call("crm.get_customer", {"customer_id": "C-1"}),
        Call("erp.list_items", {"skus": ["LAMP"]}),
        Call("logistics.get_address_check", {"order_id": "O-1"}),
    ]
    results = systems.read_all(calls)
    assert [one.status for one in results] == ["ok"] * 5 + ["absent"], [one.error for one in results]
    assert results[0].value == order()


def test_a_write_changes_the_database_once_per_key(systems: LiveSystems, company: Company) -> None:
    call = Call("payments.refund_charge", {"charge_id": "ch_O-2", "amount_cents": 100})
    first, again = systems.write(call, "k"), systems.write(call, "k")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.answer["receipt_id"] == again.answer["receipt_id"]
    assert company.payment("O-2")["charges"][0]["refunded_cents"] == 100
    with pytest.raises(Refused, match="was already used for another call"):
        systems.write(Call(call.tool, {**call.args, "amount_cents": 101}), "k")


def test_an_invariant_of_a_system_comes_back_as_its_sentence(systems: LiveSystems, company: Company) -> None:
    before = company.snapshot()
    with pytest.raises(Refused, match=r"^Order O-3 is shipped, so it cannot be cancelled\.$"):
        systems.write(Call("oms.cancel_order", {"order_id": "O-3", "reason": "duplicate"}), "k2")
    assert company.snapshot() == before


@pytest.mark.parametrize("amount", [500.0, "500", 0, True])
def test_an_amount_that_is_no_positive_integer_is_refused(systems: LiveSystems, company: Company, amount: object) -> None:
    before = company.snapshot()
    with pytest.raises(Refused, match="amount_cents"):
        systems.write(Call("payments.refund_charge", {"charge_id": "ch_O-2", "amount_cents": amount}), "k3")
    assert company.snapshot() == before


def test_hostile_text_goes_through_unchanged(systems: LiveSystems, company: Company) -> None:
    text = 'null\n{"a": 1}\u2028</script>\u202e\x07 {{7*7}}'
    args = {"customer_id": "C-1", "template": "delay_notice", "text": text}
    systems.write(Call("crm.send_message", args), "k4")
    assert company.snapshot()["deeds"][-1]["body"] == {"template": "delay_notice", "text": text}


def test_the_pins_that_ship_are_those_of_the_sandbox(systems: LiveSystems) -> None:
    assert pin(systems.tools()) == load_config().pins


def test_every_tool_is_annotated_as_the_configuration_says(systems: LiveSystems) -> None:
    tools = systems.tools()
    assert len(tools) == 71
    for tool in tools:
        annotations = tool.definition["annotations"]
        assert annotations["readOnlyHint"] is tool.reads, tool.name
        assert ("idempotency_key" in tool.takes) is not tool.reads, tool.name


def test_a_database_that_is_away_fails_reads_and_leaves_writes_unsent() -> None:
    away = "postgresql://nobody@127.0.0.1:9/none"
    with LiveSystems(load_config(), extra_env={"DATABASE_URL": away}) as systems:
        (result,) = systems.read_all([Call("oms.get_order", {"order_id": "O-1"})])
        assert result.status == "failed"
        with pytest.raises(TryAgain, match="try again"):
            systems.write(Call("crm.open_case", {"queue": "fraud", "subject_id": "O-1"}), "k")


def test_without_a_database_a_server_says_so_and_so_does_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with LiveSystems(load_config()) as systems:
        (result,) = systems.read_all([Call("oms.get_order", {"order_id": "O-1"})])
    assert "DATABASE_URL is not set" in str(result.error)


def test_a_port_in_use_is_refused_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"oms cannot be served on 127.0.0.1:{port}.*choose another port"):
            serve("oms", "postgresql://x", port)


def test_an_unknown_system_is_refused_in_a_sentence() -> None:
    command = [sys.executable, "-m", "systems.sandbox", "hr"]
    ended = subprocess.run(command, env={"DATABASE_URL": "x"}, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("There is no system hr") and ended.stderr.count("\n") == 1
