"""The engine and an independent plain reading of the handbook decide generated cases alike."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.actions import CANCEL_LINE, CANCEL_ORDER, REFUND_CHARGE, VOID_AUTHORIZATION
from tests.engine import result
from tests.oracle import oracle
from tests.oracle.generate import clear_cases

SEED, CASES, PARTS = 20260310, 300, 6


def counted(found: Any) -> Counter[str]:
    """The actions by the arguments that count: the address of a correction is free, and the text of a message."""
    return Counter(
        json.dumps(
            [action["name"], {name: value for name, value in action["args"].items() if name not in ("ship_to", "text")}],
            sort_keys=True,
        )
        for action in found["actions"]
    )


def cited(found: Any) -> set[str]:
    """The clauses cited, without the known other reading.

    CAN-1 beside a cancelled order without any money to move: the plain reading cites it («with CAN-1»), the engine
    only where it voids or refunds («the clauses that produced an action or the verdict»).
    """
    cites = set(found["cite"])
    return cites if moves_money_of_a_cancelled_order(found) else cites - {"CAN-1"}


def moves_money_of_a_cancelled_order(found: Any) -> bool:
    names = [action["name"] for action in found["actions"]]
    return CANCEL_ORDER in names and (VOID_AUTHORIZATION in names or (REFUND_CHARGE in names and CANCEL_LINE not in names))


def no_more_is_refunded_than_is_left(case: Any, wanted: Any) -> bool:
    """Whether every charge covers its refunds: the handbook does not say what happens where the lines cost more."""
    payments = (case["systems"]["payments"] or {}).get("payments", [])
    left = {
        charge["charge_id"]: charge["amount_cents"] - charge["refunded_cents"]
        for payment in payments
        for charge in payment["charges"]
    }
    for action in wanted["actions"]:
        if action["name"] == REFUND_CHARGE:
            left[action["args"]["charge_id"]] -= action["args"]["amount_cents"]
    return all(cents >= 0 for cents in left.values())


def every_expiry_is_known(case: Any) -> bool:
    """Whether the order's live authorizations say when they expire: where not, the engine authorizes anew."""
    payments = (case["systems"]["payments"] or {}).get("payments", [])
    subject = case["trigger"]["order_id"]
    return not any(
        authorization["expires_at"] is None
        for payment in payments
        if payment["order_id"] == subject
        for authorization in payment["authorizations"]
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_engine_and_plain_reading_decide_alike(part: int) -> None:
    compared = 0
    for case in clear_cases(CASES // PARTS, SEED + part):
        wanted = oracle.decide(case)
        if not (every_expiry_is_known(case) and no_more_is_refunded_than_is_left(case, wanted)):
            continue
        compared += 1
        found = result(case)
        names = [action["name"] for action in found["actions"]]
        assert found["verdict"] == wanted["verdict"], case["case_id"]
        assert counted(found) == counted(wanted), case["case_id"]
        assert found["approval"] == wanted["approval"], case["case_id"]
        assert cited(found) == cited(wanted), case["case_id"]
        for earlier, later in oracle.before_pairs(wanted["actions"]):
            assert names.index(wanted["actions"][earlier]["name"]) <= names.index(wanted["actions"][later]["name"]), case[
                "case_id"
            ]
    assert compared > 0.85 * CASES / PARTS
