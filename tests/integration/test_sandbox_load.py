"""Recorded exceptions go into the sandbox company whole and read back as they were."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from systems.sandbox.serve import build
from systems.sandbox.toolbox import reads_of
from tests.integration.sandbox_world import (
    MISSIONS,
    Company,
    case,
    item,
    line,
    order,
    payment,
    recorded,
    shared_company,
    stock,
    world,
)
from tests.reference import READ_TOOLS, SYSTEMS
from tests.sandbox_records import snapshot


@pytest.fixture(scope="module")
def _shared(server_url: str) -> Iterator[Company]:
    with shared_company(server_url) as company:
        yield company


@pytest.fixture
def company(_shared: Company) -> Company:
    """A company that has nothing in it."""
    return _shared.empty()


def without_nul(value: Any) -> Any:
    return json.loads(json.dumps(value).replace("\\u0000", "\\ufffd"))


@pytest.mark.parametrize("mission", MISSIONS)
@pytest.mark.slow
def test_every_recorded_case_that_is_loaded_reads_back_as_it_was(company: Company, mission: str) -> None:
    cases = recorded(mission)
    report = load_cases(company.url, cases)
    there = {name: {json.dumps(one, sort_keys=True) for one in found} for name, found in snapshot(company.url).items()}
    for one in cases:
        if one["case_id"] in report.refused:
            continue
        for system, collections in without_nul(one["systems"]).items():
            for name, records in collections.items():
                if name != "locations":  # merged among cases
                    missing = [r for r in records if json.dumps(r, sort_keys=True) not in there[f"{system}.{name}"]]
                    assert not missing, one["case_id"]


def test_most_recorded_orders_load_and_each_refusal_says_why(company: Company) -> None:
    cases = recorded("order_exception")
    seen: list[str] = []
    report = load_cases(company.url, cases, on_progress=seen.append)
    assert len(report.loaded) >= 135
    assert seen == [one["case_id"] for one in cases]
    for sentence in report.refused.values():
        assert "could not be reached" in sentence or "says something else about" in sentence


def test_the_tools_answer_with_the_records_of_the_subject(company: Company) -> None:
    cases = recorded("order_exception")[:12]
    report = load_cases(company.url, cases)
    for one in without_nul([one for one in cases if one["case_id"] in report.loaded]):
        of = {f"{s}.{c}": records for s, found in one["systems"].items() for c, records in found.items()}
        order_id = one["trigger"]["order_id"]
        (subject,) = [record for record in of["oms.orders"] if record["order_id"] == order_id]
        skus = [each["sku"] for each in subject["lines"]]
        assert company.order(order_id) == subject
        siblings = [record for record in of["oms.orders"] if record["customer_id"] == subject["customer_id"]]
        assert company.call("oms.list_orders", customer_id=subject["customer_id"])["records"] == siblings
        on_shelf = [record for record in of.get("wms.stock", []) if record["sku"] in skus]
        assert company.call("wms.list_stock", skus=skus)["records"] == on_shelf


def test_loading_a_case_again_changes_nothing_and_counts_as_loaded(company: Company) -> None:
    assert company.load(world()).loaded == ["case-1"]
    before = company.snapshot()
    assert company.load(world()).loaded == ["case-1"]
    assert company.snapshot() == before


def test_loading_a_case_again_does_not_undo_what_was_written(company: Company) -> None:
    company.load(world())
    company.write("oms.cancel_order", order_id="O-1", reason="duplicate")
    company.load(world())
    assert company.order()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("systems", "what"),
    [
        ({"payments": {"payments": [payment(authorizations=[], charges=[])]}}, "order O-1"),
        ({"oms": {"orders": [order("O-9", lines=[])]}}, "customer C-1"),
        ({"wms": {"stock": [stock("LAMP", "DC-9")]}}, "sku LAMP"),
        ({"erp": {"items": [item("LAMP", title="other")]}}, "sku LAMP"),
    ],
)
def test_a_case_that_contradicts_another_is_refused_whole(company: Company, systems: Any, what: str) -> None:
    company.load(world())
    before = company.snapshot()
    systems.setdefault("erp", {}).setdefault("items", []).append(item("NEW-SKU"))
    report = company.load(systems, "case-2")
    assert what in report.refused["case-2"] and "case-1" in report.refused["case-2"]
    assert company.snapshot() == before


def test_a_case_with_a_system_that_was_down_is_refused(company: Company) -> None:
    report = company.load({**world(), "wms": None})
    assert "wms could not be reached" in report.refused["case-1"]
    assert company.snapshot()["oms.orders"] == []


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (order(total_cents="9000"), "total_cents is '9000'"),
        (order(created_at="yesterday"), "created_at is 'yesterday'"),
        (order(lines=None), "has no list of lines"),
        (order(lines=[line("1", "LAMP", qty=-2)]), "qty_positive"),
        (order(lines=[line("1", "LAMP"), line("2", "LAMP")]), "one_line_a_sku"),
        (order(status="lost in space"), "status_known"),
        ({**order(), "order_id": None}, "has no order_id"),
    ],
)
def test_a_malformed_record_is_refused_by_name(company: Company, broken: Any, what: str) -> None:
    report = company.load({"oms": {"orders": [broken]}})
    assert what in report.refused["case-1"]
    assert company.snapshot()["oms.orders"] == []


def test_locations_are_merged_and_a_known_distance_stays(company: Company) -> None:
    def places(*found: dict[str, Any]) -> dict[str, Any]:
        return {"wms": {"locations": list(found)}}

    company.load(places({"location": "DC-1", "type": "dc", "km_to": {"DC-2": 10}}), "a")
    company.load(places({"location": "DC-1", "type": "dc", "km_to": {"DC-2": 99, "DC-3": 5}}), "b")
    (found,) = company.call("wms.list_locations")["records"]
    assert found["km_to"] == {"DC-2": 10, "DC-3": 5}
    report = company.load(places({"location": "DC-1", "type": "store", "km_to": {}}), "c")
    assert "DC-1" in report.refused["c"]


def test_hostile_strings_read_back_as_they_were_except_for_nul(company: Company) -> None:
    nasty = "'; drop table sandbox.oms_orders; -- \u202e<script>{{7*7}}\x07\x1b[31m"
    assert company.load({"oms": {"orders": [order(note=nasty + "\0", channel="\ud800")]}}).loaded
    assert company.order()["note"] == nasty + "\ufffd"
    assert company.order()["channel"].strip("\ufffd") == ""


def test_absent_and_null_stay_apart(company: Company) -> None:
    company.load({"oms": {"orders": [order("O-1", note=None, ship_to=None), order("O-2")]}})
    assert company.order("O-1") == order("O-1", note=None, ship_to=None)
    assert "note" not in company.order("O-2")


def test_reset_empties_everything(company: Company) -> None:
    company.load(world())
    company.write("crm.open_case", queue="fraud", subject_id="O-1")
    reset(company.url)
    assert not any(company.snapshot().values())
    assert company.load(world()).loaded == ["case-1"]


def test_the_schema_can_be_made_twice(database_url: str) -> None:
    create_schema(database_url)
    create_schema(database_url)
    assert not any(snapshot(database_url).values())


def test_a_case_without_a_moment_or_systems_is_refused(database_url: str) -> None:
    cases: list[dict[str, Any]] = [{"case_id": "a"}, {**case({}), "case_id": "b", "as_of": "soon"}]
    assert list(load_cases(database_url, cases).refused) == ["a", "b"]


def test_the_sandbox_offers_every_read_tool_that_recorded_systems_answer(database_url: str) -> None:
    offered = {f"{system}.{read.name}": read for system in SYSTEMS for read in reads_of(system)}
    for name, tool in READ_TOOLS.items():
        assert offered[name].tool.collection == tool.collection
        assert offered[name].tool.one == tool.one
        assert list(offered[name].takes) == list(tool.by)


def test_no_two_tools_of_a_system_have_one_name(database_url: str) -> None:
    for system in SYSTEMS:
        names = [tool.name for tool in build(system, database_url)._tool_manager.list_tools()]
        assert len(names) == len(set(names)) > 2
