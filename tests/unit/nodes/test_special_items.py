"""Credit notes, allowances, charges, another payee … in invoices: what is recommended, and that none is paid by itself."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings import CHECKOUT
from tests.engine import result
from tests.unit.nodes.examples import an_invoice, an_invoice_received

FILE = CHECKOUT / "evals" / "cases" / "ubl" / "special.jsonl"
CASES: dict[str, Any] = {case["case_id"]: case for case in map(json.loads, FILE.read_text("utf-8").splitlines())}
#: an accountant has to look at these, whatever else there is
NEVER_PAID = {"credit_note", "other_document", "payee", "returned", "fraction", "prepaid", "withheld"}
KINDS = sorted(NEVER_PAID | {"price", "allowance", "charge", "rounding"})
ITEMS = st.builds(
    lambda kind, cents: {"kind": kind, "line": "10", "says": f"{kind} of {cents}", "amount_cents": cents},
    st.sampled_from(KINDS),
    st.integers(-6_000, 6_000),
)


@pytest.mark.parametrize("name", CASES)
def test_what_is_special_in_an_invoice_is_decided_as_a_careful_accountant_would(name: str) -> None:
    expected, found = CASES[name]["expected"], result(CASES[name])
    assert found["verdict"] == expected["verdict"]
    assert [action["name"] for action in found["actions"]] == [action["name"] for action in expected["actions"]]
    for action, wanted in zip(found["actions"], expected["actions"], strict=True):
        assert wanted["args"].items() <= action["args"].items()
    assert set(found["cite"]) == set(expected["cite"]) and found["approval"] == expected["approval"]


@given(st.lists(ITEMS, min_size=1, max_size=4), st.integers(-1, 1))
@settings(max_examples=60, deadline=None)
def test_nothing_special_is_paid_by_itself_and_most_of_it_not_at_all(items: list[dict[str, Any]], off: int) -> None:
    total = an_invoice()["total_cents"] + sum(item["amount_cents"] for item in items) + off
    invoice = an_invoice(special_items=items, total_cents=total)
    case = an_invoice_received()
    case["systems"]["erp"]["invoices"] = [invoice]
    found = result(case)
    paid = [action for action in found["actions"] if action["name"] == "post_payment"]
    assert not (paid and NEVER_PAID & {item["kind"] for item in items})
    assert not paid or found["approval"]["role"] != "none"
    assert all(action["args"]["amount_cents"] == total for action in paid)


@pytest.mark.parametrize("unknown", [{"special_items": "all of them"}, {"special_items": [{"kind": "payee"}]}])
def test_what_cannot_be_read_of_special_items_is_not_paid(unknown: dict[str, Any]) -> None:
    case = an_invoice_received()
    case["systems"]["erp"]["invoices"] = [an_invoice(**unknown)]
    assert result(case)["verdict"] == "escalate"
