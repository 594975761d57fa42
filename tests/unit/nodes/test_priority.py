"""Orders that compete for stock: whose turn is first, when the clause decided, and who got what."""

from typing import Any

import pytest

from tests.actions import EXPEDITE_PO, OPEN_CASE, QUARANTINE_STOCK, REALLOCATE_LINE, REQUEST_CYCLE_COUNT, SEND_MESSAGE
from tests.engine import AS_OF, LiveRun, Raw, a_customer, a_line, a_stock, an_order, drafted, judged, names
from tests.unit.nodes.examples import LATE, SOON, customers, delay, discrepancy, reserving

EARLY = "2026-03-11T12:00:00Z"
DOUBTED = a_stock("A", "DC-1", 10, failed_picks_14d=2)


def competing(quantities: dict[str, int], stock: dict[str, int], tiers: dict[str, str] | None = None, **other: Any) -> Raw:
    """Orders that count on phantom stock, what they need, and what other places have; all of one tier unless told."""
    orders = [reserving(order_id, qty) for order_id, qty in quantities.items()]
    people = customers(**{order_id.replace("O-", "C"): (tiers or {}).get(order_id, "gold") for order_id in quantities})
    rows = [DOUBTED, *(a_stock("A", place, free) for place, free in stock.items())]
    return discrepancy(orders=orders, customers=people, stock=rows, **other)


def got(raw: Raw) -> dict[str, str]:
    """Order -> the place that it gets its line from, in the order of the plan."""
    plan = drafted(raw)["plan"]
    return {step["args"]["order_id"]: step["args"]["to_location"] for step in plan if step["name"] == REALLOCATE_LINE}


@pytest.mark.parametrize(
    ("quantities", "stock", "tiers", "moved", "cited"),
    [
        ({"O-1": 2}, {"DC-2": 5}, {}, {"O-1": "DC-2"}, False),
        ({"O-1": 2, "O-2": 3}, {"DC-2": 5}, {}, {"O-1": "DC-2", "O-2": "DC-2"}, False),
        ({"O-1": 2, "O-2": 3}, {"DC-2": 99}, {"O-2": "vip"}, {"O-2": "DC-2", "O-1": "DC-2"}, False),
        ({"O-1": 2, "O-2": 3}, {"DC-2": 4}, {}, {"O-1": "DC-2"}, True),
        ({"O-1": 2, "O-2": 3}, {"DC-2": 4}, {"O-2": "vip"}, {"O-2": "DC-2"}, True),
        ({"O-1": 2, "O-2": 2}, {"DC-2": 2}, {}, {"O-1": "DC-2"}, True),
        ({"O-1": 2, "O-2": 2}, {"DC-2": 1}, {}, {}, False),
        ({"O-1": 2, "O-2": 9}, {"DC-2": 5}, {"O-2": "vip"}, {"O-1": "DC-2"}, False),
        ({"O-1": 2, "O-2": 3}, {"DC-2": 4, "DC-3": 3}, {}, {"O-1": "DC-2", "O-2": "DC-3"}, True),
        ({"O-1": 2, "O-2": 2}, {"DC-2": 3, "DC-3": 2}, {}, {"O-1": "DC-2", "O-2": "DC-3"}, True),
        ({"O-1": 2, "O-2": 2}, {}, {}, {}, False),
        ({"O-1": 1, "O-2": 1, "O-3": 2}, {"DC-2": 2}, {}, {"O-1": "DC-2", "O-2": "DC-2"}, True),
        ({"O-1": 2, "O-2": 9, "O-3": 3}, {"DC-2": 5}, {"O-2": "vip"}, {"O-1": "DC-2", "O-3": "DC-2"}, False),
    ],
    ids=[
        "alone",
        "just enough",
        "plenty",
        "scarce",
        "scarce, a vip",
        "equal demand",
        "none fits",
        "the vip fits nowhere",
        "two places",
        "two places, equal demand",
        "no stock",
        "two small ones before a large one",
        "one of three fits nowhere",
    ],
)
def test_the_clause_is_cited_where_another_order_gives_another_plan(
    quantities: dict[str, int], stock: dict[str, int], tiers: dict[str, str], moved: dict[str, str], cited: bool
) -> None:
    raw = competing(quantities, stock, tiers)
    assert got(raw) == moved and list(got(raw)) == list(moved)
    draft = drafted(raw)
    assert ("OMN-1" in draft["cites"]) is cited
    assert ("another order of priority" in draft["rationale"].lower()) is cited
    assert not judged(raw, draft).objections


@pytest.mark.parametrize(
    ("quantities", "stock"),
    [
        ({"O-1": 3, "O-2": 2, "O-3": 1}, {"DC-2": 3}),
        ({"O-1": 2, "O-2": 2, "O-3": 6, "O-4": 1}, {"DC-2": 6}),
        ({"O-1": 4, "O-2": 1, "O-3": 2, "O-4": 5}, {"DC-2": 13, "DC-3": 2, "DC-4": 3}),
    ],
    ids=["the last would have fit with the second", "only if the third were first", "only if one were last"],
)
def test_the_clause_is_cited_also_where_neither_the_reverse_nor_a_swap_of_neighbours_differs(
    quantities: dict[str, int], stock: dict[str, int]
) -> None:
    raw = competing(quantities, stock)
    raw["systems"]["wms"]["locations"].append({"location": "DC-4", "type": "dc", "km_to": {}})
    assert "OMN-1" in drafted(raw)["cites"]


@pytest.mark.parametrize(
    ("promised", "tiers", "first"),
    [
        ({"O-1": LATE, "O-2": EARLY}, {}, "O-2"),
        ({"O-1": EARLY, "O-2": LATE}, {}, "O-1"),
        ({"O-1": EARLY, "O-2": EARLY}, {}, "O-1"),
        ({"O-1": EARLY, "O-2": LATE}, {"O-1": "standard"}, "O-2"),
        ({"O-1": EARLY, "O-2": LATE}, {"O-2": "vip"}, "O-2"),
    ],
    ids=["the earlier promise", "the earlier promise is the first id", "the first id", "gold before standard", "vip before gold"],
)
def test_scarce_stock_goes_to_whose_turn_it_is(promised: dict[str, str], tiers: dict[str, str], first: str) -> None:
    raw = competing({"O-1": 2, "O-2": 2}, {"DC-2": 2}, tiers)
    for order in raw["systems"]["oms"]["orders"]:
        order["promised_at"] = promised[order["order_id"]]
    assert got(raw) == {first: "DC-2"}
    raw["systems"]["oms"]["orders"].reverse()
    assert got(raw) == {first: "DC-2"}


@pytest.mark.parametrize("world", [discrepancy, delay])
def test_an_order_that_fits_nowhere_does_not_stop_the_rest(world: Any) -> None:
    waits: Raw = {"backorder_po_id": "PO-1", "status": "backordered"} if world is delay else {}
    orders = [reserving("O-1", 2, **waits), reserving("O-2", 9, **waits), reserving("O-3", 2, **waits)]
    rows = [DOUBTED, a_stock("A", "DC-2", 4)] if world is discrepancy else [a_stock("A", "DC-2", 4)]
    raw = world(orders=orders, customers=customers(C1="gold", C2="vip", C3="standard"), stock=rows)
    assert got(raw) == {"O-1": "DC-2", "O-3": "DC-2"}
    draft = drafted(raw)
    assert draft["verdict"] == ("mitigate" if world is delay else "quarantine")
    assert names(draft).count(OPEN_CASE) == (world is discrepancy)
    assert names(draft).count(SEND_MESSAGE) == (world is delay)


@pytest.mark.parametrize(
    ("stock", "moved"),
    [
        ({"ST-2": 9, "FL-1": 9}, {}),
        ({"DC-1": 99}, {}),
        ({"DC-2": 2, "DC-3": 3}, {"O-1": "DC-3"}),
        ({"DC-3": 2, "DC-2": 2}, {"O-1": "DC-2"}),
    ],
    ids=["only distribution centres", "not its own place", "the most available", "equal, by id"],
)
def test_a_move_takes_the_place_that_the_handbook_prefers(stock: dict[str, int], moved: dict[str, str]) -> None:
    raw = competing({"O-1": 2}, {})
    raw["systems"]["wms"]["stock"] += [a_stock("A", place, free) for place, free in stock.items() if place != "DC-1"]
    assert got(raw) == moved


@pytest.mark.parametrize(
    "other",
    [
        {"failed_picks_14d": 2},
        {"last_counted_at": "2026-02-08T11:59:59Z"},
        {"reserved": 9},
        {"on_hand": None},
        {"safety_stock": 9},
    ],
)
def test_stock_that_is_not_trusted_or_not_free_moves_nobody(other: Raw) -> None:
    raw = competing({"O-1": 2}, {})
    raw["systems"]["wms"]["stock"].append(a_stock("A", "DC-2", **{"on_hand": 10, **other}))
    assert got(raw) == {}
    assert names(drafted(raw)) == [QUARANTINE_STOCK, REQUEST_CYCLE_COUNT, OPEN_CASE]


def test_orders_that_are_closed_or_elsewhere_or_wait_do_not_compete() -> None:
    orders = [
        reserving("O-1", 2),
        reserving("O-2", 2, status="ready"),
        reserving("O-3", 2, backorder_po_id="PO-1"),
        an_order("O-4", lines=[a_line(location="DC-3")]),
        an_order("O-5", lines=[a_line(sku="B")]),
    ]
    raw = discrepancy(
        orders=orders, customers=customers(C1="standard", C2="vip", C3="vip"), stock=[DOUBTED, a_stock("A", "DC-2", 2)]
    )
    assert got(raw) == {"O-1": "DC-2"} and "OMN-1" not in drafted(raw)["cites"]


@pytest.mark.parametrize(
    ("shelf", "phantom"),
    [
        ({"failed_picks_14d": 2}, True),
        ({"failed_picks_14d": 1}, False),
        ({"on_hand": 100, "last_counted_qty": 95}, True),
        ({"on_hand": 100, "last_counted_qty": 96}, False),
        ({"on_hand": 10, "last_counted_qty": 8}, True),
        ({"on_hand": 10, "last_counted_qty": 9}, False),
        ({"on_hand": 5, "last_counted_qty": 4}, True),
        ({"on_hand": 6, "last_counted_qty": 5}, False),
        ({"on_hand": 0, "last_counted_qty": 0}, False),
        ({"on_hand": 5, "last_counted_qty": 50}, False),
        ({"on_hand": 100, "last_counted_qty": None}, False),
        ({"on_hand": 100}, False),
    ],
)
def test_stock_is_phantom_from_the_limits_on(shelf: Raw, phantom: bool) -> None:
    raw = discrepancy(stock=[a_stock("A", "DC-1", **shelf), a_stock("A", "DC-2", 5)])
    draft = drafted(raw)
    assert (draft["verdict"] == "quarantine") is phantom
    assert (QUARANTINE_STOCK in names(draft)) is phantom
    assert REQUEST_CYCLE_COUNT in names(draft)


@pytest.mark.parametrize(
    ("delivery", "qty", "expedites"),
    [
        ({"expedited_eta": SOON, "expedite_cost_cents": 3_999}, 2, True),
        ({"expedited_eta": SOON, "expedite_cost_cents": 4_000}, 2, False),
        ({"expedited_eta": "2026-03-14T12:00:00Z", "expedite_cost_cents": 1}, 2, True),
        ({"expedited_eta": "2026-03-14T12:00:01Z", "expedite_cost_cents": 1}, 2, False),
        ({"expedited_eta": None, "expedite_cost_cents": 1}, 2, False),
        ({"expedited_eta": SOON, "expedite_cost_cents": None}, 2, False),
        ({}, 2, False),
        ({"expedited_eta": SOON, "expedite_cost_cents": 0}, 2, True),
    ],
)
def test_a_delivery_is_expedited_where_it_comes_in_time_and_costs_less_than_it_earns(
    delivery: Raw, qty: int, expedites: bool
) -> None:
    inbound = [{"po_id": "PO-1", "sku": "A", "location": "DC-1", "qty": 9, "eta": LATE, **delivery}]
    raw = delay(orders=[reserving("O-1", qty, backorder_po_id="PO-1")], stock=[], inbound=inbound)
    draft = drafted(raw)
    assert (names(draft), draft["verdict"]) == (([EXPEDITE_PO], "mitigate") if expedites else ([SEND_MESSAGE], "notify"))
    assert not judged(raw, draft).objections


@pytest.mark.parametrize(("eta", "late"), [("2026-03-14T12:00:00Z", False), ("2026-03-14T12:00:01Z", True)])
def test_an_order_is_late_when_its_delivery_comes_after_the_promise(eta: str, late: bool) -> None:
    inbound = [{"po_id": "PO-1", "sku": "A", "location": "DC-1", "qty": 9, "eta": eta}]
    draft = drafted(delay(inbound=inbound))
    assert (draft["verdict"] == "no_action") is not late
    assert draft["cites"] == (["INB-2"] if late else ["INB-1"])


# Parts of a plan


@pytest.mark.parametrize("world", [discrepancy, delay])
def test_every_move_is_a_part_named_by_its_order(world: Any) -> None:
    for step in drafted(world())["plan"]:
        assert step["part"] == (step["args"]["order_id"] if step["name"] == REALLOCATE_LINE else None)


def test_every_notice_is_a_part_named_by_its_order() -> None:
    plan = drafted(delay(stock=[]))["plan"]
    assert [(step["name"], step["part"], step["args"]["customer_id"]) for step in plan] == [
        (SEND_MESSAGE, "O-2", "C-2"),
        (SEND_MESSAGE, "O-1", "C-1"),
    ]


def test_the_rail_says_who_got_the_stock_and_why() -> None:
    run = LiveRun.of(competing({"O-1": 2, "O-2": 3}, {"DC-2": 4}, {"O-2": "vip"}))
    said = [one.text for one in run.observed() if one.step == "propose"]
    (gets,) = [text for text in said if text.startswith("Order O-2 (VIP customer, promised")]
    assert "depends on 3 × A there. DC-2 fills it; it has the most stock left (4)" in gets
    (nothing,) = [text for text in said if text.startswith("Order O-1 (gold customer, promised")]
    assert "depends on 2 × A there" in nothing
    assert "Nothing helps: no other distribution center reliably has 2 left" in nothing
    assert said.index(gets) < said.index(nothing)
    assert any("Another order of priority would have given another plan" in text for text in said)


def test_the_proposal_keeps_what_each_step_is_for_and_its_part() -> None:
    run = LiveRun.of(discrepancy())
    kept = [(step["name"], step["for"], step["part"], step["cites"]) for step in run.proposal.plan]
    assert kept == [
        (QUARANTINE_STOCK, "stock.phantom", None, ["PHA-1"]),
        (REQUEST_CYCLE_COUNT, "stock.phantom", None, ["PHA-1"]),
        (REALLOCATE_LINE, "order.affected", "O-2", ["PHA-2"]),
        (REALLOCATE_LINE, "order.affected", "O-1", ["PHA-2"]),
    ]


def test_an_approval_without_a_part_does_the_rest() -> None:
    run = LiveRun.of(discrepancy())
    run.decide("approve", without=["O-2"])
    done = [(action, args.get("order_id")) for action, args in run.done()]
    assert done == [(QUARANTINE_STOCK, None), (REQUEST_CYCLE_COUNT, None), (REALLOCATE_LINE, "O-1")]
    told = [one.text for one in run.observed() if one.step == "execute"]
    assert any("skipped, its part was rejected" in text and "O-2" in text for text in told)
    assert run.ledger.run("r-1").outcome == "executed"


def test_an_approval_of_everything_does_everything() -> None:
    run = LiveRun.of(discrepancy())
    run.decide("approve")
    assert len(run.done()) == 4


def test_two_approvals_leave_out_what_either_left_out() -> None:
    raw = delay(stock=[a_stock("A", "DC-2", 50)])
    run = LiveRun.of(raw)
    before = run.proposal.approval
    run.decide("approve", by="sam", without=["O-1"])
    assert before.role == "reviewer" and [args["order_id"] for _, args in run.done()] == ["O-2"]


def test_a_rejection_does_nothing() -> None:
    run = LiveRun.of(discrepancy())
    run.decide("reject", by="vera")
    assert run.done() == [] and run.ledger.run("r-1").outcome == "rejected"


def test_a_part_that_was_left_out_is_not_done_when_the_run_goes_on() -> None:
    run = LiveRun.of(discrepancy())
    run.decide("approve", without=["O-1", "O-2"])
    assert [action for action, _ in run.done()] == [QUARANTINE_STOCK, REQUEST_CYCLE_COUNT]


def test_an_edited_text_goes_through_the_check_and_is_what_is_sent() -> None:
    run = LiveRun.of(delay(stock=[], customers=[a_customer(customer_id="C-1"), a_customer(customer_id="C-2")]))
    assert run.ledger.run("r-1").status == "closed", "notices of delay run by themselves"
    assert [args["customer_id"] for _, args in run.done()] == ["C-1", "C-2"]


def test_the_moment_of_the_case_decides_and_not_the_clock() -> None:
    assert drafted(discrepancy())["verdict"] == "quarantine" and AS_OF.startswith("2026")
