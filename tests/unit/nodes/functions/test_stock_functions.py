"""Where stock for all lines is, how far it is, and what lines earn."""

from typing import Any

import pytest

from nodes.case import PlanSoFar
from nodes.functions.stock import MissingCollection, RecordFunctions
from systems.records import Records
from tests.engine import AS_OF, a_line, a_stock
from tests.reference import SCHEMA

TRUST = {"counted_within_days": 30, "failed_picks_below": 2}
PLACES = [("DC-1", "dc"), ("DC-2", "dc"), ("DC-3", "dc"), ("ST-1", "store"), ("FL-1", "flagship")]
TWO = [a_line("1", "A"), a_line("2", "B")]


def company(
    stock: Any = (), items: Any = (), km: Any = None, missing: tuple[str, ...] = (), plan: PlanSoFar | None = None
) -> RecordFunctions:
    records = Records(SCHEMA)
    records.add("wms.stock", stock)
    records.add("wms.locations", [{"location": place, "type": kind, "km_to": (km or {}).get(place)} for place, kind in PLACES])
    records.add("erp.items", items)

    def needs(collection: str) -> None:
        if collection in missing:
            raise MissingCollection(f"{collection} was not read")

    return RecordFunctions(records, needs, {"STK_2": TRUST}, AS_OF, "O-1", lambda: plan.taken if plan else {})


def names(places: Any) -> list[str]:
    return [place["location"] for place in places]


@pytest.mark.parametrize(
    ("stock", "found"),
    [
        ([a_stock("A", "DC-2"), a_stock("B", "DC-2")], ["DC-2"]),
        ([a_stock("A", "DC-2")], []),
        ([a_stock("A", "DC-2"), a_stock("B", "DC-3")], []),
        ([a_stock("A", "DC-2"), a_stock("B", "DC-2", 1)], []),
        ([a_stock("A", "DC-2"), a_stock("B", "DC-2", failed_picks_14d=2)], []),
        ([a_stock("A", "DC-1"), a_stock("B", "DC-1")], []),
        ([a_stock("A", "ST-1"), a_stock("B", "ST-1")], []),
        ([a_stock("A", "DC-2", 3), a_stock("B", "DC-2", 99), a_stock("A", "DC-3", 4), a_stock("B", "DC-3", 2)], ["DC-3", "DC-2"]),
        ([a_stock("A", "DC-3"), a_stock("B", "DC-3"), a_stock("A", "DC-2"), a_stock("B", "DC-2")], ["DC-2", "DC-3"]),
    ],
    ids=["both", "one of two", "apart", "too few", "not trusted", "itself", "another kind", "most of the first", "equal, by id"],
)
def test_a_place_for_all_lines_has_every_one(stock: Any, found: list[str]) -> None:
    assert names(company(stock).places_for_all("dc", TWO, "DC-1")) == found


def test_what_was_taken_is_not_there_for_all_lines() -> None:
    stock = [a_stock("A", "DC-2", 3), a_stock("B", "DC-2", 3)]
    assert names(company(stock, plan=PlanSoFar().taking("B", "DC-2", 2)).places_for_all("dc", TWO, "DC-1")) == []
    assert names(company(stock, plan=PlanSoFar()).places_for_all("dc", TWO, "DC-1")) == ["DC-2"]


def test_what_a_plan_takes_makes_another_plan_and_leaves_the_one_before() -> None:
    stock = [a_stock("A", "DC-2", 3)]
    before = PlanSoFar().taking("A", "DC-2", 1)
    after = before.taking("A", "DC-2", 2)
    assert company(stock, plan=after).available("A", "DC-2") == 0
    assert company(stock, plan=before).available("A", "DC-2") == 2 and before.taken == {("A", "DC-2"): 1}


@pytest.mark.parametrize("gone", ["wms.stock", "wms.locations"])
def test_places_need_stock_and_locations(gone: str) -> None:
    with pytest.raises(MissingCollection):
        company(missing=(gone,)).places_for_all("dc", TWO, "DC-1")


def near(km: Any, within: float = 25) -> list[tuple[str, float]]:
    found = company(km=km).nearest([{"location": "DC-2"}, {"location": "DC-3"}, {"location": "FL-1"}], "ST-1", within)
    return [(place["location"], place["km"]) for place in found]


@pytest.mark.parametrize(
    ("km", "found"),
    [
        ({"ST-1": {"DC-2": 9, "DC-3": 3}}, [("DC-3", 3), ("DC-2", 9)]),
        ({"ST-1": {"DC-3": 9, "DC-2": 9}}, [("DC-2", 9), ("DC-3", 9)]),
        ({"ST-1": {"DC-2": 25, "DC-3": 25.001}}, [("DC-2", 25)]),
        ({"DC-2": {"ST-1": 7}}, [("DC-2", 7)]),
        ({"ST-1": {"DC-2": 5}, "DC-2": {"ST-1": 50}}, [("DC-2", 5)]),
        ({"ST-1": {"DC-2": 0}}, [("DC-2", 0)]),
        ({"ST-1": {"DC-2": None}}, []),
        ({}, []),
    ],
    ids=["nearest first", "equal, by id", "at the limit", "told by the other", "told by both", "next door", "not known", "none"],
)
def test_the_nearest_places_are_those_known_to_be_near(km: Any, found: Any) -> None:
    assert near(km) == found


def test_a_place_keeps_what_was_known_of_it() -> None:
    (place,) = company(km={"ST-1": {"DC-2": 4}}).nearest([{"location": "DC-2", "available": 7}], "ST-1", 25)
    assert place == {"location": "DC-2", "available": 7, "km": 4}


@pytest.mark.parametrize(
    ("lines", "cents"),
    [
        ([], 0),
        ([a_line("1", "A")], 4_000),
        ([a_line("1", "A"), a_line("2", "B", qty=3, unit_price_cents=100)], 4_000 - 3 * 900),
    ],
)
def test_lines_earn_their_price_less_the_cost(lines: Any, cents: int) -> None:
    items = [{"sku": "A", "unit_cost_cents": 3_000}, {"sku": "B", "unit_cost_cents": 1_000}]
    assert company(items=items).margin(lines) == cents


@pytest.mark.parametrize("items", [[], [{"sku": "A", "unit_cost_cents": None}]])
def test_what_lines_earn_is_not_guessed(items: Any) -> None:
    with pytest.raises(KeyError):
        company(items=items).margin([a_line("1", "A")])


def test_the_kind_of_a_place_that_nobody_knows_is_empty() -> None:
    assert (company().location_type("FL-1"), company().location_type("DC-9")) == ("flagship", "")
