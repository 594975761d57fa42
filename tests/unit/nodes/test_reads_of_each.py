"""A read that is made for each element of a list, what stands for an absent record, and a case that no system is told of."""

from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded
from ledger.canonical import utc_now
from nodes.case import Case
from nodes.drift import _pairs
from nodes.gather import MOST_OF_EACH, read_facts
from nodes.pack import Pack
from nodes.packs.loading import load_pack
from nodes.planner import compose
from systems.recorded import RecordedSystems
from tests.actions import CANCEL_ORDER
from tests.engine import an_exception, an_order

APPROVAL = {"automate": "GOV-1", "base": "GOV-2", "bands": "GOV-3", "costs": "GOV-8", "limits": ["GOV-9"]}
PACK: dict[str, Any] = {
    "mission": "order_exception",
    "title": "Conversations",
    "version": 1,
    "trigger": {"events": {"order.payment_review": "{order_id}"}},
    "reads": {
        "orders": {
            "tool": "oms.get_order",
            "each": {"request": "trigger.requests"},
            "with": {"order_id": "=request.order_id"},
            "if_absent": {"order_id": None, "customer_id": "C-1"},
        },
        "customers": {"tool": "crm.list_customers", "with": {"customer_ids": "=orders.map(o, o.customer_id)"}},
    },
    "findings": {"orders": [{"id": "gone", "each": {"one": "orders"}, "when": "one.order_id == null", "says": "No such order."}]},
    "options": {"gone": [{"id": "hand over", "escalate": "night desk"}]},
    "conclusions": [{"id": "none", "says": "Nothing is to be done.", "end": "no_action"}],
    "verdicts": {
        "escalate": {"keeps": [], "says": "Hand {subject} over to {queue}."},
        "no_action": {"keeps": None, "says": "Nothing for {subject}."},
    },
    "queues": ["night desk", "day desk"],
    "approval": APPROVAL,
    "missing": {"escalate": "day desk", "cites": ["GOV-7"]},
}


def loaded(lab: EvalEnvironment, folder: Path, **changes: Any) -> Pack:
    file = folder / "pack.yaml"
    file.write_text(yaml.safe_dump(PACK | changes, sort_keys=False))
    tools = lab.catalogue.record_schema.readable
    return load_pack(file, catalogue=lab.catalogue, tools=tools, clauses=lab.policies.period(utc_now()).clauses)


def case_of(lab: EvalEnvironment, pack: Pack, *ids: str, orders: list[Any] | None = None, **more: Any) -> tuple[Case, list[Any]]:
    raw = an_exception(orders=[an_order(one) for one in ("O-1", "O-2")] if orders is None else orders, **more)
    raw["trigger"] = {**raw["trigger"], "requests": [{"order_id": one} for one in ids]}
    exception = recorded(raw, lab.packs, "test")
    systems = RecordedSystems(exception.systems, lab.catalogue, utc_now)
    facts = read_facts(pack, exception.event, systems, utc_now)
    return Case(pack, exception.event, facts, lab.policies.period(exception.event.as_of).values), facts


def test_the_value_is_the_list_of_the_answers_and_each_is_a_fact_of_its_own(lab: EvalEnvironment, tmp_path: Path) -> None:
    case, facts = case_of(lab, loaded(lab, tmp_path), "O-2", "O-1")
    assert [(one.name, one.read, one.args) for one in facts][:2] == [
        ("orders[0]", "orders", {"order_id": "O-2"}),
        ("orders[1]", "orders", {"order_id": "O-1"}),
    ]
    assert [one["order_id"] for one in case.scope.names["orders"]] == ["O-2", "O-1"]
    assert case.findings == []


def test_what_several_elements_ask_for_is_read_and_counted_once(lab: EvalEnvironment, tmp_path: Path) -> None:
    case, facts = case_of(lab, loaded(lab, tmp_path), "O-2", "O-1", "O-2")
    assert [one.name for one in facts if one.read == "orders"] == ["orders[0]", "orders[1]"]
    assert [one["order_id"] for one in case.scope.names["orders"]] == ["O-2", "O-1"]


def an_option(name: str, reason: str = "duplicate") -> dict[str, Any]:
    step = {"action": CANCEL_ORDER, "with": {"order_id": "=one.order_id", "reason": reason}}
    return {"id": name, "do": [step], "cites": ["GOV-7"]}


@pytest.mark.parametrize("left", [True, False])
def test_an_option_that_cannot_be_done_is_passed_over_for_the_next_one(lab: EvalEnvironment, tmp_path: Path, left: bool) -> None:
    findings = {"orders": [{"id": "gone", "each": {"one": "orders"}, "says": "It is asked about."}]}
    ends = [{"id": "leave it", "says": "It is left as it is.", "cites": ["GOV-7"]}] if left else []
    pack = loaded(lab, tmp_path, findings=findings, options={"gone": [an_option("cancel"), *ends]})
    case, _ = case_of(lab, pack, "O-1", "O-2", orders=[an_order("O-1", status="shipped"), an_order("O-2")])
    made = compose(case, lab.catalogue).draft
    cancelled = [one["args"]["order_id"] for one in made["plan"]]
    if left:
        assert cancelled == ["O-2"]
        why = "the order is neither open nor ready"
        assert f"It is asked about. Not cancel: {why}. It is left as it is." in made["said"]
        assert {"option": "cancel", "for": "gone", "lost_because": why} in made["alternatives"]
    else:  # the check says what is wrong with it, and a person decides
        assert cancelled == ["O-1", "O-2"]


def test_what_stands_for_an_absent_record_is_handed_on_to_the_reads_that_need_it(lab: EvalEnvironment, tmp_path: Path) -> None:
    case, facts = case_of(lab, loaded(lab, tmp_path), "O-9")
    assert (facts[0].status, facts[1].status, facts[1].args) == ("absent", "ok", {"customer_ids": ["C-1"]})
    assert [one["says"] for one in case.findings] == ["No such order."]


def test_nothing_to_read_is_an_empty_list_and_what_could_not_be_read_makes_all_of_it_unknown(
    lab: EvalEnvironment, tmp_path: Path
) -> None:
    pack = loaded(lab, tmp_path)
    nobody, facts = case_of(lab, pack)
    assert nobody.scope.names["orders"] == [] and [one.read for one in facts] == ["customers"]
    down, _ = case_of(lab, pack, "O-1", oms=None)
    assert "orders" not in down.scope.names and down.findings[0]["lacking"]
    many, facts = case_of(lab, pack, *["O-1"] * (MOST_OF_EACH + 1))
    assert facts[0].status == "failed" and "at most 100" in str(facts[0].error) and many.findings[0]["lacking"]


def test_facts_of_another_number_are_compared_by_name(lab: EvalEnvironment, tmp_path: Path) -> None:
    pack = loaded(lab, tmp_path)
    (_, before), (_, now) = case_of(lab, pack, "O-1", "O-2"), case_of(lab, pack, "O-1")
    pairs = [(old.name, old.status, new.status) for old, new in _pairs(before, now)]
    assert pairs == [("orders[0]", "ok", "ok"), ("orders[1]", "ok", "absent"), ("customers", "ok", "ok")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"missing": {"escalate": "nobody", "cites": ["GOV-7"]}}, "unknown queue 'nobody'"),
        (
            {"escalation": {"action": "hand_over", "with": {"queue": "=queue", "subject": "=orders[0].order_id"}}},
            "is not known of every order.payment_review",
        ),
        (
            {"escalation": {"action": "hand_over", "with": {"queue": "=queue", "subject": "=trigger.note"}}},
            "use what the event always has",
        ),
        ({"escalation": {"action": "open_case", "with": {"queue": "=queue", "subject_id": "=subject"}}}, "night desk"),
    ],
)
def test_an_escalation_that_would_not_always_be_possible_does_not_load(
    lab: EvalEnvironment, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        loaded(lab, tmp_path, **changes)


def test_a_field_that_the_records_have_not_is_named_with_the_one_that_was_meant(lab: EvalEnvironment, tmp_path: Path) -> None:
    schema = lab.catalogue.record_schema
    fields = {"order_id": "=it.id", "customer_id": "=it.who", "total_cents": "=cents(it.total)"}
    orders = schema.collections["oms.orders"].model_copy(update={"fields": fields})
    catalogue = copy(lab.catalogue)
    catalogue.record_schema = replace(schema, collections={**schema.collections, "oms.orders": orders})
    reads = {"order": {"tool": "oms.get_order", "with": {"order_id": "=trigger.order_id"}}}
    findings = {"orders": [{"id": "gone", "when": "order.totl_cents > 0", "says": "No such order."}]}
    file = tmp_path / "pack.yaml"
    clauses = lab.policies.period(utc_now()).clauses
    for field in ("totl_cents", "total_cents"):
        found = {"orders": [{**findings["orders"][0], "when": f"order.{field} > 0 && order.lines.size() > 0"}]}
        file.write_text(yaml.safe_dump(PACK | {"reads": reads, "findings": found}, sort_keys=False))
        refused = pytest.raises(BadInput, match="unknown field 'totl_cents'; did you mean total_cents")
        with refused if field == "totl_cents" else nullcontext():
            load_pack(file, catalogue=catalogue, tools=catalogue.record_schema.readable, clauses=clauses)
        let = {
            "dear": f"orders.filter(o, o.{field} > 0)",
            "own": "orders.filter(o, o.order_id != '')",
            "all": f"own.map(o, o.lines.size() + o.{field})",
        }
        file.write_text(yaml.safe_dump(PACK | {"let": let}, sort_keys=False))
        with refused if field == "totl_cents" else nullcontext():
            load_pack(file, catalogue=catalogue, tools=catalogue.record_schema.readable, clauses=clauses)
