"""A recorded run is the run: recorded systems answer each of its reads as the systems did."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from errors import BadInput
from evals.recorded.cases import recorded
from evals.recorded.labels import order_that_matters
from evals.recorded.recording import facts_behind, record, recorded_systems
from evals.walk import Walk
from ledger.records import Fact
from systems.calls import Call
from systems.recorded import RecordedSystems
from tests.engine import MISSIONS, Raw, an_exception, an_order, laboratory, recorded_cases
from tests.reference import SYSTEMS

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def walked(raw: Mapping[str, Any]) -> Walk:
    return Walk(laboratory(), recorded(raw, laboratory().packs, "test")).drive()


def again(walk: Walk) -> dict[str, Any]:
    """The walk as a recorded exception."""
    return record(walk.ledger, walk.run.run_id, laboratory().catalogue)


def told(walk: Walk) -> tuple[list[Any], Any]:
    """What was read, and what was made of it, without ids and moments."""
    facts = [(one.name, one.tool, one.args, one.status, one.value) for one in walk.ledger.facts(walk.run.run_id)]
    made = walk.ledger.proposals(walk.run.run_id)[0]
    return facts, (made.digest, made.verdict, made.plan, made.cites, made.approval, made.changes)


@pytest.mark.parametrize("mission", MISSIONS)
def test_what_a_run_read_is_enough_to_run_it_again(mission: str) -> None:
    cases = recorded_cases(mission)
    down = [raw for raw in cases if None in raw["systems"].values()][:2]
    for raw in [*cases[::25], *down]:
        walk = walked(raw)
        kept = json.loads(json.dumps(again(walk)))
        assert kept["case_id"] == raw["case_id"] and kept["trigger"] == raw["trigger"]
        assert told(walk) == told(walked(kept)), raw["case_id"]


def test_a_list_that_was_absent_cannot_be_recorded() -> None:
    with pytest.raises(BadInput, match="wms.list_locations did not answer with a list"):
        recorded_systems([a_fact("wms.list_locations", None, "absent")], laboratory().catalogue)


def test_nothing_is_recorded_that_was_not_read() -> None:
    raw = next(raw for raw in recorded_cases("order_exception") if raw["expected"]["verdict"] == "fulfil_with_changes")
    stranger = an_order("O-stranger", customer_id="C-stranger", lines=[])
    raw = {**raw, "systems": {**raw["systems"], "oms": {"orders": [*raw["systems"]["oms"]["orders"], stranger]}}}
    walk = walked(raw)
    assert "O-stranger" not in json.dumps(again(walk))


def test_what_people_approved_is_expected_and_what_nobody_decided_is_not() -> None:
    for raw in recorded_cases("order_exception")[:12]:
        walk = walked(raw)
        if walk.run.status != "waiting":
            continue
        before = again(walk)
        for by in ("fay", "finn"):
            if walk.run.status == "waiting":
                walk.approve(by=by, reason="in order")
        after = again(walk)
        assert "expected" not in before and after["systems"] == before["systems"]
        expected = after["expected"]
        assert expected["verdict"] == raw["expected"]["verdict"]
        assert sorted(expected["cite"]) == sorted(raw["expected"]["cite"])
        assert expected["approval"] == raw["expected"]["approval"]


def test_the_order_that_matters_is_in_the_catalogue() -> None:
    catalogue = laboratory().catalogue
    for mission in MISSIONS:
        for raw in recorded_cases(mission):
            found = order_that_matters(raw["expected"]["actions"], catalogue)
            assert all(pair in found for pair in raw["expected"]["before"]), raw["case_id"]


def a_fact(tool: str, value: Any, status: Any = "ok", **args: Any) -> Fact:
    return Fact(name=f"{tool} {args}", tool=tool, args=args, status=status, value=value, read_at=NOW)


ORDER = an_order("O-1")


def test_a_record_that_was_read_twice_is_recorded_once_and_an_absent_one_not_at_all() -> None:
    facts = [
        a_fact("oms.get_order", ORDER, order_id="O-1"),
        a_fact("oms.list_orders", [an_order("O-2"), ORDER], customer_id="C-1"),
        a_fact("crm.get_customer", None, "absent", customer_id="C-1"),
        a_fact("wms.list_locations", None, "failed"),
        a_fact("erp.list_items", None, "failed"),  # was not asked: there was no order
    ]
    systems = recorded_systems(facts, laboratory().catalogue)
    assert [order["order_id"] for order in systems["oms"]["orders"]] == ["O-2", "O-1"]
    assert systems["crm"] == {"customers": []}
    assert systems["wms"] is None and systems["erp"] is None  # not answered, and not asked


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            [
                a_fact("oms.get_order", ORDER, order_id="O-1"),
                a_fact("oms.list_orders", [{**ORDER, "status": "cancelled"}], customer_id="C-1"),
            ],
            r"oms\.list_orders\(C-1\) and another read of the run contradict each other",
        ),
        (
            [
                a_fact("oms.get_order", None, "absent", order_id="O-1"),
                a_fact("oms.list_orders", [ORDER], customer_id="C-1"),
            ],
            "contradict each other",
        ),
        (
            [
                a_fact("oms.get_order", ORDER, order_id="O-1"),
                a_fact("oms.list_orders", None, "failed", customer_id="C-1"),
            ],
            r"oms answered some reads and not oms\.list_orders",
        ),
        ([a_fact("pim.get_item", {"sku": "A"}, sku="A")], r"pim\.get_item is not a READ tool"),
    ],
)
def test_reads_that_no_recorded_systems_could_answer_are_refused_with_a_sentence(facts: list[Fact], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        recorded_systems(facts, laboratory().catalogue)


def test_a_run_without_a_proposal_is_not_recorded() -> None:
    walk = Walk(laboratory(), recorded(recorded_cases("order_exception")[0], laboratory().packs, "test"))
    with pytest.raises(BadInput, match=f"{walk.run.run_id} has no proposal yet"):
        again(walk)


_ID = st.sampled_from(["A", "B", "C"])
_STOCK = st.lists(st.fixed_dictionaries({"sku": _ID, "location": _ID, "on_hand": st.integers(0, 2)}), max_size=6)
_ORDERS = st.lists(
    st.fixed_dictionaries({"order_id": _ID, "customer_id": _ID, "lines": st.just([]), "note": st.sampled_from(["", "x\x00"])}),
    max_size=5,
)
_CALLS = st.lists(
    st.one_of(
        st.builds(lambda i: Call("oms.get_order", {"order_id": i}), _ID),
        st.builds(lambda i: Call("oms.list_orders", {"customer_id": i}), _ID),
        st.builds(lambda i: Call("wms.list_stock", {"skus": i}), st.lists(_ID, min_size=1, max_size=2)),
        st.builds(lambda i, j: Call("wms.get_stock", {"sku": i, "location": j}), _ID, _ID),
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@example(
    stock=[],
    orders=[{"order_id": "A", "customer_id": one, "lines": [], "note": ""} for one in ("B", "A")],
    calls=[Call("oms.get_order", {"order_id": "A"}), Call("oms.list_orders", {"customer_id": "B"})],
    down=set(),
)
@given(_STOCK, _ORDERS, _CALLS, st.sets(st.sampled_from(["oms", "wms"])))
def test_whatever_was_read_of_whatever_company_is_answered_alike(
    stock: list[Raw], orders: list[Raw], calls: list[Call], down: set[str]
) -> None:
    """Doubles, keys that two records share, and systems that are down are recorded too."""
    catalogue = laboratory().catalogue
    company: dict[str, Any] = {**{name: {} for name in SYSTEMS}, "oms": {"orders": orders}, "wms": {"stock": stock}}
    read = RecordedSystems({**company, **dict.fromkeys(down)}, catalogue, lambda: NOW).read_all(calls)
    facts = [a_fact(one.call.tool, one.value, one.status, **one.call.args) for one in read]
    again = RecordedSystems(recorded_systems(facts, catalogue), catalogue, lambda: NOW).read_all(calls)
    assert [(one.status, one.value) for one in again] == [(one.status, one.value) for one in read]


def test_of_a_run_that_looked_twice_the_world_of_its_last_proposal_is_recorded() -> None:
    exception = recorded(an_exception(), laboratory().packs, "test")
    walk = Walk(laboratory(), exception).drive()
    first = again(walk)
    oms = exception.systems["oms"]
    assert oms is not None
    orders = oms["orders"]
    orders[0] = {**orders[0], "note": "the customer called"}
    walk.respond("the customer called", by="rita")
    last = again(walk)
    assert "note" not in first["systems"]["oms"]["orders"][0]
    assert last["systems"]["oms"]["orders"][0]["note"] == "the customer called"
    earlier, later = walk.ledger.proposals(walk.run.run_id)
    assert facts_behind(walk.ledger, earlier)[0].value == first["systems"]["oms"]["orders"][0]
    assert facts_behind(walk.ledger, later)[0].value == last["systems"]["oms"]["orders"][0]
