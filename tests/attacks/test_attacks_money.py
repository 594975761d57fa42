"""Money that goes out without being called money: what costs something is counted, or does not load."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput
from graphs.pack_files import load_packs
from knowledge_index.policies import PolicyBook
from ledger.records import ROLES
from nodes.check import Judgement
from nodes.governance import approval, stake
from settings import CHECKOUT
from systems.catalogue import Catalogue
from tests.actions import (
    CAPTURE_PAYMENT,
    EXPEDITE_PO,
    OFFER_CREDIT,
    OPEN_CASE,
    POST_PAYMENT,
    POST_RETURN_RECEIPT,
    REALLOCATE_LINE,
    REAUTHORIZE,
    REFUND_CHARGE,
    RESHIP_ORDER,
    SUBSTITUTE_LINE,
    SWAP_RESERVATION,
)
from tests.engine import (
    a_customer,
    a_line,
    a_payment,
    a_stock,
    an_exception,
    an_inbound,
    an_order,
    drafted,
    judged,
    laboratory,
    opened,
)  # fmt: skip
from tests.reference import SCHEMA

ACTIONS = yaml.safe_load((CHECKOUT / "systems" / "actions.yaml").read_text())
POLICIES = CHECKOUT / "knowledge_index" / "policies"
PACKS = CHECKOUT / "graphs" / "packs"

pytestmark = pytest.mark.promise("Money counts, whatever it is called")


def catalogue(folder: Path, name: str, **entry: Any) -> Catalogue:
    raw = {**ACTIONS[name], **entry}
    if entry.get("money", "") is None:
        del raw["money"]
    file = folder / "actions.yaml"
    file.write_text(yaml.safe_dump({**ACTIONS, name: raw}, sort_keys=False))
    return Catalogue.load([file], SCHEMA)


def of_a_vip(total: int, **other: Any) -> dict[str, Any]:
    """A VIP's order whose only line is short, nowhere else to be had."""
    lines = [a_line(qty=1, unit_price_cents=total)]
    systems: dict[str, Any] = {"orders": [an_order(status="new", lines=lines)], "payments": [a_payment(on_hold=False)],
                               "stock": [a_stock("A", "DC-1", 0)], "customers": [a_customer(tier="vip")]}  # fmt: skip
    raw = an_exception(**{**systems, **other})
    raw |= {"mission": "omnichannel_exception",
            "trigger": {"event": "order.vip_conflict", "order_id": "O-1", "line_id": "1"}}  # fmt: skip
    return raw


def expedited(cost_cents: int) -> Judgement:
    inbound = an_inbound(eta="2026-04-20T12:00:00Z", expedited_eta="2026-03-14T12:00:00Z", expedite_cost_cents=cost_cents)
    items = [{"sku": "A", "title": "A", "unit_price_cents": 10**8, "unit_cost_cents": 1, "category": "home",
              "final_sale": False, "substitutes": []}]  # fmt: skip
    raw = of_a_vip(10**8, inbound=[inbound], items=items)
    draft = drafted(raw)
    assert [action["name"] for action in draft["plan"]] == [EXPEDITE_PO]
    return judged(raw, draft)


@pytest.mark.parametrize(
    ("cents", "role", "four_eyes"),
    [
        (100_000, "reviewer", False),
        (100_001, "supervisor", False),
        (1_000_000, "supervisor", False),
        (1_000_001, "finance", True),
    ],
)
def test_a_delivery_is_expedited_for_more_than_a_reviewer_may_give(cents: int, role: str, four_eyes: bool) -> None:
    found = expedited(cents)
    assert (found.money_at_stake_cents, found.approval.role, found.approval.four_eyes) == (cents, role, four_eyes)


def test_a_credit_stands_in_the_queue_with_its_amount() -> None:
    raw = of_a_vip(50_000)
    found = judged(raw, drafted(raw))
    assert [action["name"] for action in found.plan] == [OFFER_CREDIT, OPEN_CASE]
    assert found.money_at_stake_cents == 10_000


def test_moving_a_line_counts_what_the_policy_says_that_it_costs() -> None:
    raw = of_a_vip(9_000, stock=[a_stock("A", "DC-1", 0), a_stock("A", "DC-2", 10)])
    found = judged(raw, drafted(raw))
    assert [action["name"] for action in found.plan] == [REALLOCATE_LINE]
    assert found.money_at_stake_cents == 500 and ROLES.index(found.approval.role) >= ROLES.index("reviewer")


@pytest.mark.parametrize("name", [EXPEDITE_PO, OFFER_CREDIT, REFUND_CHARGE, CAPTURE_PAYMENT, POST_PAYMENT, REAUTHORIZE])
@pytest.mark.parametrize(
    "money", ["none", None, {}, {"cost": 0}, {"cost": "=0"}, {"cost": "=5 - 5"}, {"cost": -1}, {"cost": "x"}]
)
def test_an_action_that_costs_something_says_that_it_does_not(tmp_path: Path, name: str, money: Any) -> None:
    with pytest.raises(BadInput, match=rf"(action {name}: |{name}\.).*mo"):
        catalogue(tmp_path, name, money=money)


@pytest.mark.parametrize(
    ("name", "money"),
    [
        (OFFER_CREDIT, {"credit": "=amount_cents * 0"}),
        (OFFER_CREDIT, {"credit": "=amount_cents - amount_cents"}),
        (OFFER_CREDIT, {"credit": "=-amount_cents"}),
        (EXPEDITE_PO, {"cost": "=inbound.expedite_cost_cents * 0"}),
        (RESHIP_ORDER, {"cost": "=total_cents - total_cents"}),
        (REFUND_CHARGE, {"refund": "=charge.amount_cents"}),  # not what is refunded
    ],
)
def test_what_counts_is_worked_out_to_nothing(tmp_path: Path, name: str, money: Any) -> None:
    with pytest.raises(BadInput, match=f"action {name}: .*money"):
        catalogue(tmp_path, name, money=money)


@pytest.mark.parametrize("name", [RESHIP_ORDER, SUBSTITUTE_LINE, POST_RETURN_RECEIPT, REALLOCATE_LINE, SWAP_RESERVATION])
def test_a_catalogue_that_calls_a_cost_nothing_loads_no_pack(tmp_path: Path, name: str) -> None:
    free = catalogue(tmp_path, name, money="none")
    with pytest.raises(BadInput, match=name):
        load_packs(PACKS, free, PolicyBook.load(POLICIES))


@pytest.mark.parametrize("money", [{"cost": None}, {"refund": 1, "cost": None}])
def test_what_is_sent_again_has_no_price_on_record_and_goes_out_on_one_reviewers_word(money: dict[str, int | None]) -> None:
    case, values = opened(of_a_vip(9_000)), laboratory().policies.period(datetime(2026, 3, 14, tzinfo=UTC)).values
    found = approval(case, [{"name": RESHIP_ORDER, "args": {"order_id": "O-1"}, "tier": "recommend"}], stake([money]), values)
    assert (found.role, found.four_eyes) == ("finance", True)
