"""A pack whose events are about different things has parts; what it says for all of them holds in each."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from graphs.events import event_of_trigger
from graphs.pack_files import load_pack_file
from nodes.pack import Pack
from tests.actions import OPEN_CASE
from tests.engine import AS_OF, PACKS

Raw = dict[str, Any]
EVENTS = {
    "bopis.pick_failed": ("pickup", {"order_id": "O-1"}, "O-1"),
    "inventory.discrepancy": ("stock", {"sku": "A", "location": "DC-1"}, "A@DC-1"),
    "inbound.delayed": ("inbound", {"po_id": "PO-1"}, "PO-1"),
    "return.unreconciled": ("return", {"return_id": "R-1"}, "R-1"),
    "order.vip_conflict": ("vip", {"order_id": "O-1", "line_id": "1"}, "O-1"),
}


@pytest.fixture
def omnichannel(lab: EvalEnvironment) -> Pack:
    return lab.packs["omnichannel_exception"]


@pytest.fixture
def load(lab: EvalEnvironment, tmp_path: Path) -> Callable[[Any], Pack]:
    def of(raw: Any) -> Pack:
        file = tmp_path / "broken.yaml"
        file.write_text(yaml.safe_dump(raw, sort_keys=False))
        return load_pack_file(file, lab.catalogue, lab.policies)

    return of


def raw() -> Any:
    return yaml.safe_load((PACKS / "omnichannel_exception.yaml").read_text())


def test_the_events_of_a_pack_are_those_of_its_parts(omnichannel: Pack) -> None:
    assert omnichannel.trigger.events.keys() == EVENTS.keys()
    assert omnichannel.parts.keys() == {part for part, _, _ in EVENTS.values()}


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_gets_its_part(omnichannel: Pack, event: str) -> None:
    part, _, _ = EVENTS[event]
    assert omnichannel.of(event) is omnichannel.parts[part]
    assert list(omnichannel.of(event).trigger.events) == [event]


def test_a_pack_without_parts_handles_its_events_itself(pack: Pack) -> None:
    assert all(pack.of(event) is pack for event in pack.trigger.events)


@pytest.mark.parametrize("event", EVENTS)
def test_the_subject_of_an_event_is_put_together_of_the_fields_of_its_trigger(lab: EvalEnvironment, event: str) -> None:
    _, fields, subject = EVENTS[event]
    trigger = {"event": event, **fields}
    assert event_of_trigger("omnichannel_exception", trigger, AS_OF, "e-1", lab.packs).subject == subject
    for field in fields.keys() - {"line_id"}:
        for bad in ({}, {field: ""}, {field: None}, {field: 7}):
            rest = {name: value for name, value in trigger.items() if name != field}
            with pytest.raises(BadInput, match=f"give it «{field}»"):
                event_of_trigger("omnichannel_exception", rest | bad, AS_OF, "e-1", lab.packs)


def test_braces_in_a_subject_stay_what_they_are(lab: EvalEnvironment) -> None:
    trigger = {"event": "inventory.discrepancy", "sku": "{location}", "location": "{sku.__class__}"}
    found = event_of_trigger("omnichannel_exception", trigger, AS_OF, "e-1", lab.packs)
    assert found.subject == "{location}@{sku.__class__}"


def test_a_part_has_what_the_pack_says_for_all(omnichannel: Pack) -> None:
    shared = raw()
    for part in omnichannel.parts.values():
        assert part.mission == "omnichannel_exception"
        assert part.verdicts == omnichannel.verdicts and part.approval == omnichannel.approval
        assert part.missing == omnichannel.missing and part.escalation == omnichannel.escalation
        assert shared["drafts"].keys() <= part.drafts.keys()
    assert "late" in omnichannel.parts["inbound"].drafts and "late" not in omnichannel.parts["vip"].drafts


def test_what_a_part_says_itself_comes_before_what_is_said_for_all(load: Callable[[Any], Pack]) -> None:
    changed = raw()
    everywhere = {"for": OPEN_CASE, "that": "args.subject_id == subject", "says": "the case is about the subject"}
    changed["guards"] = [everywhere]
    changed["let"] = {"phantom": "false", "common": "true"}
    changed["parts"]["vip"]["drafts"] = {"stock_choice": "Hello,"}
    loaded = load(changed)
    for part in loaded.parts.values():
        assert part.guards[-1].says == "the case is about the subject"
        assert len(part.guards) == len(raw()["parts"][_name_of(loaded, part)].get("guards", [])) + 1
        assert part.let["common"] == "true"
    assert loaded.parts["stock"].let["phantom"] != "false" and loaded.parts["vip"].let["phantom"] == "false"
    assert loaded.parts["vip"].drafts["stock_choice"] == "Hello," != loaded.parts["pickup"].drafts["stock_choice"]


def _name_of(pack: Pack, part: Pack) -> str:
    return next(name for name, one in pack.parts.items() if one is part)


def test_parts_do_not_see_one_another(omnichannel: Pack) -> None:
    reads = {name: set(part.reads) for name, part in omnichannel.parts.items()}
    assert "returned" in reads["return"] and all("returned" not in found for name, found in reads.items() if name != "return")
    assert "stock.phantom" not in omnichannel.parts["vip"].topics


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda p: p["parts"]["vip"]["reads"]["order"].update(tool="oms.cancel_order"), "read order"),
        (lambda p: p["parts"]["inbound"]["let"].update(late="waiting_for(trigger.po_id"), "let late"),
        (lambda p: p["parts"]["stock"]["guards"][0].update({"for": "fly"}), "'fly'"),
        (lambda p: p["parts"]["return"]["findings"]["return"][0].update(when="phantom"), "'phantom'"),
        (lambda p: p["parts"]["stock"]["findings"]["orders"][0].update(priority="OMN-9"), "'OMN-9'"),
        (lambda p: p["parts"]["pickup"].pop("findings"), "neither findings nor parts"),
    ],
)
def test_a_broken_part_is_refused_with_its_line(load: Callable[[Any], Pack], change: Callable[[Raw], Any], wrong: str) -> None:
    broken = raw()
    change(broken)
    with pytest.raises(BadInput) as caught:
        load(broken)
    sentence = str(caught.value)
    assert "broken.yaml, line " in sentence and wrong in sentence and "\n" not in sentence


@pytest.mark.parametrize("part", ["pickup", "stock", "inbound", "return", "vip"])
@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda part: part.update(colour="red"), "colour"),
        (lambda part: part.pop("trigger"), "trigger"),
        (lambda part: part.update(findings=[]), "findings"),
    ],
)
def test_a_part_of_another_shape_names_itself(load: Callable[[Any], Pack], part: str, change: Any, wrong: str) -> None:
    broken = raw()
    change(broken["parts"][part])
    with pytest.raises(BadInput) as caught:
        load(broken)
    assert f"parts.{part}" in str(caught.value) and wrong in str(caught.value)


def test_an_event_without_a_subject_is_named(load: Callable[[Any], Pack]) -> None:
    broken = raw()
    broken["parts"]["return"]["trigger"]["events"] = {"return.unreconciled": "nothing"}
    with pytest.raises(BadInput, match=r"the subject of return\.unreconciled must name fields of the trigger"):
        load(broken)


def test_two_parts_do_not_handle_one_event(load: Callable[[Any], Pack]) -> None:
    broken = raw()
    broken["parts"]["vip"]["trigger"]["events"]["bopis.pick_failed"] = "{order_id}"
    with pytest.raises(BadInput, match=r"bopis\.pick_failed is an event of the parts pickup and vip"):
        load(broken)


@pytest.mark.parametrize("parts", [[], "vip", 7, {"vip": []}, {"vip": None}, {"vip": "all"}])
def test_parts_that_are_none_are_refused(load: Callable[[Any], Pack], parts: Any) -> None:
    with pytest.raises(BadInput, match=r"broken\.yaml"):
        load(raw() | {"parts": parts})


def test_a_book_belongs_to_a_part(load: Callable[[Any], Pack], lab: EvalEnvironment) -> None:
    book = {"event": "inbound.delayed", "tool": "crm.list_accounts", "field": "account_id", "rank": "1", "says": "one"}
    with pytest.raises(BadInput, match="a book belongs to the part whose events it lists"):
        load(raw() | {"book": book})
    inside = raw()
    inside["parts"]["inbound"]["book"] = book
    assert load(inside).of("inbound.delayed").book is not None
    inside["parts"]["vip"]["book"] = dict(book)
    with pytest.raises(BadInput, match="must be an event of the pack"):
        load(inside)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"event": "account.weekly_review"}, "must be an event of the pack"),
        ({"tool": "crm.send_outreach"}, "read tool"),
        ({"rank": "at_rsk ? 1 : 0"}, "'at_rsk'"),
        ({"says": "{acount.name}"}, "'acount'"),
    ],
)
def test_a_book_of_what_is_not_there_is_refused(load: Callable[[Any], Pack], change: Raw, wrong: str) -> None:
    broken = yaml.safe_load((PACKS / "account_save.yaml").read_text())
    broken["book"].update(change)
    with pytest.raises(BadInput, match=wrong):
        load(broken)


def test_a_pack_with_parts_loads_again_with_the_same_digest(load: Callable[[Any], Pack], omnichannel: Pack) -> None:
    assert load(raw()).digest == omnichannel.digest
    changed = deepcopy(raw())
    changed["parts"]["vip"]["findings"]["line"][-1]["says"] = "Short."
    assert load(changed).digest != omnichannel.digest


# Drafts


def draft_of(pack: Raw) -> Raw:
    step: Raw = pack["parts"]["pickup"]["options"]["pickup.elsewhere"][0]["do"][1]["with"]
    return step


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda p: draft_of(p).update(text={"draft": "pickup_movd"}), "the unknown draft 'pickup_movd'"),
        (lambda p: draft_of(p).update(text={"draft": "late"}), "the unknown draft 'late'"),
        (lambda p: p["drafts"].update(pickup_moved="Hello {custmer.name},"), "'custmer'"),
        (lambda p: p["drafts"].update(pickup_moved="Hello {customer.name"), ""),
        (lambda p: p["drafts"].update(pickup_moved="At {place.location}."), "'place'"),
        (lambda p: p["drafts"].update(pickup_moved="{refund(order)}"), "'refund'"),
        (lambda p: p["drafts"].update(pickup_moved=7), "drafts.pickup_moved"),
        (lambda p: draft_of(p).pop("text"), "text"),
    ],
    ids=["misspelt", "of another part", "unknown name", "open brace", "unbound name", "unknown function", "no text", "no draft"],
)
def test_a_draft_that_cannot_be_written_is_refused(load: Callable[[Any], Pack], change: Callable[[Raw], Any], wrong: str) -> None:
    broken = raw()
    change(broken)
    if wrong:
        with pytest.raises(BadInput, match=wrong):
            load(broken)
    else:  # no hole: it is said as it is
        assert load(broken)
