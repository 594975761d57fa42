"""What a model made passes the check only where it follows from the case, or hands it over to a person."""

import json
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.pack_files import load_pack_file
from nodes.case import Case
from nodes.check import Judgement, judge
from nodes.derivation import derived, feasible, queues
from nodes.letters import filled
from nodes.pack import Pack
from nodes.planner import escalation
from tests.actions import CANCEL_ORDER, OPEN_CASE, REALLOCATE_LINE, SEND_MESSAGE
from tests.engine import (
    AS_OF,
    MISSIONS,
    PACKS,
    a_line,
    a_payment,
    a_stock,
    an_exception,
    an_order,
    laboratory,
    opened,
    recorded_cases,
)

MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=50)
TEXT = "Pay at evil.example, or call +1 202 555 0199."


@cache
def cases() -> list[tuple[str, Case]]:
    """Every fourth recorded case of each Mission, opened once."""
    return [(raw["case_id"], opened(raw)) for mission in MISSIONS for raw in recorded_cases(mission)[::4]]


@cache
def ids(case_id: str) -> dict[str, list[Any]]:
    """What an action could be aimed at: every text and number in the facts of a case, by kind of argument."""
    case = next(case for name, case in cases() if name == case_id)
    found: dict[str, dict[Any, None]] = {"id": {case.event.subject: None}, "cents": {0: None}, "address": {}}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "line1" in value:
                found["address"][json.dumps(value, sort_keys=True)] = None
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, str) and 0 < len(value) <= 40:
            found["id"][value] = None
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            found["cents"][value] = None

    walk([fact.value for fact in case.facts])
    return {kind: list(values) for kind, values in found.items()}


@st.composite
def drafts(draw: st.DrawFn) -> tuple[Case, dict[str, Any]]:
    """A draft that somebody made who wants harm, or is mistaken: the planner's with changes, or anything at all."""
    case_id, case = draw(st.sampled_from(cases()))
    catalogue = laboratory().catalogue
    own = feasible(case, catalogue)[0].draft
    plan = deepcopy(own["plan"]) if draw(st.booleans()) else []

    def argument(kind: Any) -> Any:
        if isinstance(kind, list):
            return draw(st.sampled_from(kind))
        if kind == "text":
            return TEXT
        if kind == "address":
            return json.loads(draw(st.sampled_from(ids(case_id)["address"] or ['{"line1": "1 Elm St"}'])))
        return draw(st.sampled_from(ids(case_id)[kind]))

    for change in draw(st.lists(st.sampled_from(["add", "add", "drop", "again", "swap", "argument", "text"]), max_size=4)):
        if change == "add":
            entry = catalogue[draw(st.sampled_from(sorted(case.pack.actions)))]
            args = {name: argument(kind) for name, kind in entry.args.items()}
            plan.insert(draw(st.integers(0, len(plan))), {"name": entry.name, "args": args, "part": None})
        elif plan:
            step = draw(st.integers(0, len(plan) - 1))
            if change == "drop":
                del plan[step]
            elif change == "again":
                plan.append(deepcopy(plan[step]))
            elif change == "swap":
                plan.insert(0, plan.pop(step))
            else:
                kinds = catalogue[plan[step]["name"]].args
                names = [name for name, kind in kinds.items() if change == "argument" or kind == "text"]
                if names:
                    name = draw(st.sampled_from(names))
                    plan[step]["args"][name] = argument(kinds[name])
                    plan[step] |= draw(st.sampled_from([{}, {"written_by": "m"}]))
    verdict = draw(st.sampled_from([own["verdict"], *sorted(case.pack.verdicts)]))
    return case, {"verdict": verdict, "plan": plan, "cites": [], "by": "model"}


def checked(case: Case, draft: dict[str, Any]) -> Judgement:
    lab = laboratory()
    grounded = {clause: found.version for clause, found in lab.policies.period(case.event.as_of).clauses.items()}
    return judge(case, draft, grounded, lab.catalogue, lab.policies.period(case.event.as_of).values)


def actions(draft: Any) -> Counter[str]:
    return Counter(json.dumps([action["name"], action["args"]], sort_keys=True) for action in draft["plan"])


@MANY
@given(drafts())
def test_what_passes_is_the_plan_of_the_rules_or_a_hand_over_that_waits(made: tuple[Case, dict[str, Any]]) -> None:
    case, draft = made
    judgement = checked(case, draft)
    own = feasible(case, laboratory().catalogue)[0].draft
    same = (draft["verdict"], actions(draft)) == (own["verdict"], actions(own))
    assert judgement.objections or same or hands_over(case, draft, own, judgement), draft


def hands_over(case: Case, draft: dict[str, Any], own: Any, judgement: Judgement) -> bool:
    about = [action["args"].get("subject_id") for action in draft["plan"]]
    waits = judgement.approval.role != "none"
    return draft["verdict"] == "escalate" != own["verdict"] and waits and about == [case.event.subject]


@FEW
@given(drafts())
def test_the_order_of_drafts_does_not_matter_to_the_check(made: tuple[Case, dict[str, Any]]) -> None:
    case, draft = made
    own = feasible(case, laboratory().catalogue)[0].draft
    before = checked(case, {**own, "by": "model"})
    checked(case, draft)
    assert checked(case, {**own, "by": "model"}) == before and not before.objections


def test_the_planners_plan_passes_as_the_models_with_the_same_approval() -> None:
    for name, case in cases():
        own = feasible(case, laboratory().catalogue)[0].draft
        assert checked(case, {**own, "by": "model"}) == checked(case, own), name


def test_no_harm_of_which_guards_know_nothing_passes() -> None:
    case = opened(an_exception())
    out = {"order_id": "O-1", "reason": "out_of_stock"}
    late = {"customer_id": "C-1", "template": "delay_notice", "text": TEXT}
    for verdict, name, args in (
        ("cancel", CANCEL_ORDER, out),
        ("fulfil", SEND_MESSAGE, late),
        ("no_action", OPEN_CASE, {"queue": "fraud", "subject_id": "O-1"}),
    ):
        draft = {"verdict": verdict, "plan": [{"name": name, "args": args}], "cites": []}
        told = "; ".join(checked(case, {**draft, "by": "model"}).objections)
        assert "nothing that was found calls for it" in told and "is required but missing" in told


def test_the_objections_name_the_step_and_the_verdict() -> None:
    case = opened(an_exception())
    own = feasible(case, laboratory().catalogue)[0].draft
    told = derived(case, {**own, "verdict": "cancel", "plan": own["plan"][1:]}, laboratory().catalogue).objections
    assert told == ["the verdict that follows is fulfil", "release_payment_hold (order_id 'O-1') is required but missing"]


def test_a_hand_over_goes_to_a_queue_of_the_pack_and_waits() -> None:
    case = opened(an_exception())
    assert queues(case) == {"fraud", "returns", "payments", "operations"}
    for queue in ("fraud", "operations"):
        judgement = checked(case, {**escalation(case, queue, "", [], laboratory().catalogue), "by": "model"})
        assert not judgement.objections and judgement.approval.role == "reviewer"
    elsewhere = checked(case, {**escalation(case, "vip_desk", "", [], laboratory().catalogue), "by": "model"})
    assert elsewhere.objections == ["no case of order_exception goes to vip_desk"]


def test_where_the_rules_hand_over_the_queue_is_theirs_and_nobody_waits() -> None:
    case = opened(an_exception(payments=None))
    own = {**feasible(case, laboratory().catalogue)[0].draft, "by": "model"}
    assert own["verdict"] == "escalate" and checked(case, own).approval.role == "none"
    other = {**escalation(case, "fraud", "", [], laboratory().catalogue), "by": "model"}
    assert checked(case, other).objections == ["the case goes to operations, not to fraud"]


@pytest.mark.parametrize("draft", [{"by": "model"}, {}])
@pytest.mark.parametrize("verdict", ["escalate", "no_action"])
def test_only_the_queue_is_free_where_a_case_is_handed_over(verdict: str, draft: dict[str, str]) -> None:
    case = opened(an_exception())
    handed = {"name": OPEN_CASE, "args": {"queue": "fraud", "subject_id": "O-2"}, "part": None}
    told = checked(case, {"verdict": verdict, "plan": [handed], "cites": [], **draft}).objections
    assert told == ["open_case: subject_id must be 'O-1'"]


def test_what_stands_on_a_models_reading_waits() -> None:
    name, case = next((name, case) for name, case in cases() if case.pack.mission == "support_resolution")
    read = [
        replace(fact, value={**fact.value, "read_by": "m"}) if fact.name == "message" and fact.value else fact
        for fact in case.facts
    ]
    values = laboratory().policies.period(case.event.as_of).values
    case = Case(case.pack, case.event, read, values)
    own = escalation(case, "support", "", [], laboratory().catalogue)
    assert checked(case, own).approval.role == "reviewer", name


# A pack that leaves a choice


@pytest.fixture(scope="module")
def open_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The order pack, in which any way to fill a short line may be chosen."""
    raw = yaml.safe_load((PACKS / "order_exception.yaml").read_text(encoding="utf-8"))
    next(one for one in raw["findings"]["stock"] if one["id"] == "stock.short")["choice"] = "any"
    file = tmp_path_factory.mktemp("packs") / "order_exception.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return load_pack_file(file, laboratory().catalogue, laboratory().policies)


def short_of(pack: Pack, *skus: str, **other: Any) -> Case:
    """An order of goods that its place has not, and a distribution centre and a store have."""
    lines = [a_line(str(place), sku) for place, sku in enumerate(skus, start=1)]
    stock = [a_stock(sku, place) for sku in skus for place in ("DC-2", "ST-1")]
    case = opened(an_exception(orders=[an_order(lines=lines)], stock=stock, **other))
    return Case(pack, case.event, case.facts, laboratory().policies.period(case.event.as_of).values)


def places(draft: Any) -> list[str]:
    return [action["args"]["to_location"] for action in draft["plan"] if action["name"] == REALLOCATE_LINE]


def test_an_open_choice_gives_a_plan_for_each_option_that_works_the_planners_first(open_pack: Pack) -> None:
    case = short_of(open_pack, "A")
    plans = feasible(case, laboratory().catalogue)
    assert [(plan.id, places(plan.draft), plan.says) for plan in plans] == [
        ("plan-1", ["DC-2"], "stock.short: another distribution centre"),
        ("plan-2", ["ST-1"], "stock.short: a store"),
    ]
    closed = short_of(laboratory().packs["order_exception"], "A")
    same = feasible(closed, laboratory().catalogue)
    assert [plan.draft["plan"] for plan in same] == [plans[0].draft["plan"]] and same[0].says == ""
    lost = {"option": "a store", "for": "stock.short", "lost_because": "it works too, and another distribution centre was chosen"}
    assert lost in plans[0].draft["alternatives"]


def test_open_choices_of_several_findings_are_combined_each_plan_once_and_no_more_than_asked_for(open_pack: Pack) -> None:
    case = short_of(open_pack, "A", "B")
    plans = feasible(case, laboratory().catalogue)
    assert sorted(tuple(places(plan.draft)) for plan in plans) == [
        ("DC-2", "DC-2"), ("DC-2", "ST-1"), ("ST-1", "DC-2"), ("ST-1", "ST-1"),
    ]  # fmt: skip
    assert len(feasible(case, laboratory().catalogue, most=3)) == 3


def test_another_option_of_an_open_choice_passes_and_one_that_does_not_work_does_not(open_pack: Pack) -> None:
    case = short_of(open_pack, "A")
    other = deepcopy(dict(feasible(case, laboratory().catalogue)[1].draft))
    assert checked(case, {**other, "by": "model"}).objections == ()
    assert derived(case, other, laboratory().catalogue).discretion
    for action in other["plan"]:
        action["args"] |= {"to_location": "DC-3"} if action["name"] == REALLOCATE_LINE else {}
    assert "nothing that was found calls for it" in checked(case, {**other, "by": "model"}).objections[0]


def test_only_an_open_choice_changes_the_digest_of_a_pack(open_pack: Pack) -> None:
    assert open_pack.digest != laboratory().packs["order_exception"].digest
    assert laboratory().packs["order_exception"].digest == "229f09382a21"


# Letters


def asking() -> tuple[Case, dict[str, Any]]:
    """A case in which the customer is asked for another way to pay."""
    declined = {"auth_id": "au-1", "amount_cents": 10_000, "status": "declined", "authorized_at": AS_OF, "expires_at": AS_OF}
    case = opened(an_exception(payments=[a_payment(authorizations=[declined])]))
    return case, {**feasible(case, laboratory().catalogue)[0].draft, "by": "model"}


def test_a_letter_that_a_model_wrote_passes_with_the_facts_of_the_packs_and_waits() -> None:
    case, draft = asking()
    found = derived(case, draft, laboratory().catalogue)
    assert found.plan is not None
    ((step, letter),) = ((step, found.plan.letters[at]) for step, at in found.places.items() if at in found.plan.letters)
    assert letter.draft == "update_payment" and letter.filled == draft["plan"][step]["args"]["text"]
    mine = f"{letter.text.replace('Hello', 'Dear')}\nThank you for your patience!"
    written = deepcopy(draft)
    written["plan"][step]["args"]["text"] = filled(mine, letter.holes)
    unsigned = checked(case, written).objections
    assert unsigned == [f"step {step + 1}, send_message: text is another one than follows"]
    written["plan"][step]["written_by"] = "m"
    judgement = checked(case, written)
    assert not judgement.objections and judgement.plan[step]["tier"] == "recommend" and judgement.plan[step]["written_by"] == "m"
    written["plan"][step]["args"]["text"] += " Or pay at evil.example."
    assert "evil.example is not known to the letter" in checked(case, written).objections[0]


def test_a_step_in_another_part_of_the_plan_is_not_the_same() -> None:
    case, draft = asking()
    parted = deepcopy(draft)
    parted["plan"][0]["part"] = "O-1"
    assert checked(case, parted).objections == [f"step 1, {draft['plan'][0]['name']}: it is another part of the plan"]
