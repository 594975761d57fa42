"""A pack that does not validate does not load; its error names the file, the place and the remedy."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from nodes.pack import Pack
from nodes.packs.loading import load_pack
from tests.actions import CANCEL_ORDER, SEND_MESSAGE
from tests.engine import AS_OF, MISSIONS, PACKS, recorded_cases
from tests.reference import READ_TOOLS

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def load(lab: EvalEnvironment, tmp_path: Path) -> Callable[[str], Pack]:
    clauses = lab.policies.period(datetime.fromisoformat(AS_OF)).clauses

    def of(text: str) -> Pack:
        file = tmp_path / "broken.yaml"
        file.write_text(text)
        return load_pack(file, catalogue=lab.catalogue, tools=READ_TOOLS, clauses=clauses)

    return of


def raw() -> Any:
    return yaml.safe_load((PACKS / "order_exception.yaml").read_text())


REPLY = {"action": SEND_MESSAGE, "to": "customer_id", "text": "text"}
PORTAL = {"event": "order.stock_short", "reply": REPLY}


def test_the_pack_loads_again_from_its_own_data_with_the_same_digest(load: Callable[[str], Pack], pack: Pack) -> None:
    assert load(yaml.safe_dump(raw(), sort_keys=False)).digest == pack.digest


def option(pack: Any, finding: str = "stock.short") -> Any:
    return pack["options"][finding][0]


@pytest.mark.parametrize(
    ("change", "place", "wrong"),
    [
        (
            lambda p: option(p)["do"][0].update(action="fly"),
            "option 'another distribution centre' of stock.short",
            "unknown action 'fly'",
        ),
        (lambda p: p["guards"][0].update({"for": "fly"}), "guard", "unknown action 'fly'"),
        (lambda p: p["approval"]["raises"][0].update({"for": "fly"}), "approval", "unknown action 'fly'"),
        (lambda p: p["escalation"].update(action="fly"), "escalation", "unknown action 'fly'"),
        (
            lambda p: option(p)["do"][0]["with"].pop("line_id"),
            "stock.short",
            "reallocate_line takes order_id, line_id, to_location",
        ),
        (
            lambda p: p["reads"]["order"].update(tool="oms.cancel_order"),
            "read order",
            "unknown read tool 'oms.cancel_order'",
        ),
        (
            lambda p: p["reads"]["order"]["with"].update(order_id="=payment.order_id"),
            "read order",
            "unknown name 'payment'",
        ),
        (
            lambda p: p["reads"]["order"]["with"].update(order_id="=order.order_id"),
            "read order",
            "unknown name 'order'",
        ),
        (
            lambda p: p["findings"]["fraud"][0].update(when="payment.fraud.score >="),
            "finding fraud.high",
            "does not compile",
        ),
        (
            lambda p: p["findings"]["fraud"][0].update(when="paymnt.score > 1"),
            "finding fraud.high",
            "unknown name 'paymnt'",
        ),
        (
            lambda p: p["findings"]["fraud"][0].update(when="guess(payment)"),
            "finding fraud.high",
            "unknown function 'guess'",
        ),
        (
            lambda p: p["findings"]["fraud"][0].update(says="It is {paymnt.score}."),
            "finding fraud.high",
            "unknown name 'paymnt'",
        ),
        (
            lambda p: p["findings"]["fraud"][0].update(when="payment.fraud.score >= FRD_9.from"),
            "finding fraud.high",
            "unknown name 'FRD_9'",
        ),
        (
            lambda p: p["findings"]["fraud"].append(dict(p["findings"]["fraud"][0])),
            "finding fraud.high",
            "appears twice",
        ),
        (lambda p: p["let"].update(paid="captured ++"), "let paid", "does not compile"),
        (lambda p: option(p).update(cites=["STK-99"]), "stock.short", "'STK-99', which no policy has"),
        (lambda p: p["missing"].update(cites=["STK-99"]), "missing", "'STK-99', which no policy has"),
        (lambda p: p["approval"].update(bands="GOV-99"), "approval", "'GOV-99', which no policy has"),
        (
            lambda p: p["guards"][2].update(cites="FRD-99"),
            "guard for release_payment_hold",
            "'FRD-99', which no policy has",
        ),
        (lambda p: p["options"].update({"stock.nothing": []}), "options", "unknown finding 'stock.nothing'"),
        (
            lambda p: p["verdicts"]["cancel"]["keeps"].append("stock.gone"),
            "verdict cancel",
            "unknown finding 'stock.gone'",
        ),
        (
            lambda p: p["conclusions"][-1].update(end="celebrate"),
            "conclusion order.unchanged",
            "unknown verdict 'celebrate'",
        ),
        (lambda p: p["verdicts"].pop("escalate"), "shipped.declined", "unknown verdict 'escalate'"),
        (
            lambda p: p["options"]["address.doubtful"][0]["do"][0].update(procedure="dance"),
            "address.doubtful",
            "unknown procedure 'dance'",
        ),
        (
            lambda p: p["procedures"]["hold"]["do"].append({"procedure": "hold"}),
            "procedure hold",
            "calls another procedure",
        ),
        (lambda p: option(p)["do"].append({"with": {}}), "stock.short", "either an action or a procedure"),
        (lambda p: option(p).update(colour="red"), "options.stock.short.0.colour", "not permitted"),
        (lambda p: p.pop("verdicts"), "verdicts", "required"),
        (lambda p: p.pop("reads"), "let twins", "unknown name 'order'"),
        (lambda p: p["trigger"].update(events={}), "trigger.events", "at least 1"),
        (
            lambda p: p["trigger"]["events"].update({"order.stock_short": "order_id"}),
            "trigger.events",
            "must name fields of the trigger",
        ),
        (
            lambda p: p["trigger"]["events"].update({"order.stock_short": "{order.order_id}"}),
            "trigger.events",
            "must name fields of the trigger",
        ),
        (
            lambda p: p["trigger"]["events"].update({"order.stock_short": 7}),
            "trigger.events",
            "string",
        ),
        (lambda p: p.update(version="new"), "version", "integer"),
        (lambda p: p.update(portal=PORTAL | {"event": "order.sung"}), "portal", "unknown event 'order.sung'"),
        (lambda p: p.update(portal=PORTAL | {"asks": "sing"}), "portal", "unknown verdict 'sing'"),
        (lambda p: p.update(portal=PORTAL | {"done": {"sing": ""}}), "portal", "unknown action 'sing'"),
        (lambda p: p.update(portal=PORTAL | {"done": {CANCEL_ORDER: "{song}"}}), "portal", "has no argument 'song'"),
        (lambda p: p.update(portal=PORTAL | {"reply": REPLY | {"to": "singer"}}), "portal", "has no argument 'singer'"),
    ],
)
def test_a_wrong_pack_is_refused_with_file_and_place(load: Callable[[str], Pack], change: Change, place: str, wrong: str) -> None:
    broken = raw()
    change(broken)
    with pytest.raises(BadInput) as caught:
        load(yaml.safe_dump(broken, sort_keys=False))
    sentence = str(caught.value)
    assert "broken.yaml" in sentence and place in sentence and wrong in sentence


@pytest.mark.parametrize("text", ["mission: [", "- a\n- list", "", "mission: order_exception", "\x00", "a: &a [*a]"])
def test_a_file_that_is_no_pack_is_refused(load: Callable[[str], Pack], text: str) -> None:
    with pytest.raises(BadInput, match=r"broken\.yaml.*fix it"):
        load(text)


def test_a_yaml_tag_that_would_run_code_is_refused(load: Callable[[str], Pack]) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load("mission: !!python/object/apply:os.getcwd []")


def test_what_a_finding_may_cite_is_known_before_any_case(pack: Pack) -> None:
    assert pack.cited["stock.short"] == ("STK-4",)
    assert set(pack.cited["duplicate.other_is_later"]) == {"DUP-1", "CAN-1"}
    assert {"GOV-3", "GOV-4", "GOV-7", "ORD-2", "STK-5"} <= set(pack.cited_anyway)


def test_the_query_for_the_index_holds_no_value_of_a_case(pack: Pack) -> None:
    assert all("{" not in topic for topic in pack.topics.values())
    assert "fraud high" in pack.topics["fraud.high"]


# What a language model is shown


def test_what_a_model_is_shown_is_no_part_of_the_digest_and_has_one_of_its_own(
    lab: EvalEnvironment, load: Callable[[str], Pack]
) -> None:
    digests = {name: pack.digest for name, pack in lab.packs.items()}
    assert digests == {  # those that paused runs are started with
        "account_save": "a72d6e733eee",
        "invoice_approval": "225a181de21d",
        "omnichannel_exception": "de19cc1d36f9",
        "order_exception": "229f09382a21",
        "support_resolution": "1be9b2250345",
    }
    less = raw()
    less["model"]["sees"].pop("customer")
    before, after = lab.packs["order_exception"], load(yaml.safe_dump(less, sort_keys=False))
    assert after.digest == before.digest and after.model_digest != before.model_digest


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda m: m["sees"].update(ordr=["status"]), "model sees the unknown read 'ordr'; did you mean order"),
        (lambda m: m["sees"].update(customer=["name"]), "model sees customer: 'name' identifies or locates a person"),
        (lambda m: m["sees"].update(order=["ship_to.city"]), "model sees order: 'city' identifies or locates a person"),
        (lambda m: m["sees"].update(order=["lines[0]"]), "'lines[0]' is not a field"),
        (
            lambda m: m["may_read"].update(order=deepcopy(m["may_read"]["shipments"])),
            "model may read order, which the pack reads itself",
        ),
        (lambda m: m["may_read"]["shipments"].update(tool="oms.fly"), "model may read shipments uses the unknown read tool"),
        (lambda m: m["may_read"]["shipments"]["with"].update(order_ids="=fly"), "uses the unknown name 'fly'"),
        (lambda m: m["may_read"]["shipments"].update({"with": {}}), "logistics.list_shipments takes order_ids, not nothing"),
        (lambda m: m["may_read"]["shipments"].update(sees=["email"]), "'email' identifies or locates a person"),
        (lambda m: m["may_read"]["shipments"].update(sees=[]), "at least 1 item"),
    ],
)
def test_a_pack_cannot_show_a_model_what_is_not_there_or_who_people_are(
    change: Change, wrong: str, load: Callable[[str], Pack]
) -> None:
    broken = raw()
    change(broken["model"])
    with pytest.raises(BadInput, match=re.escape(wrong)):
        load(yaml.safe_dump(broken, sort_keys=False))


def test_an_open_choice_is_between_options_that_can_be_told_apart(load: Callable[[str], Pack]) -> None:
    for options in ([{"id": "leave"}], [{"id": "leave"}, {"id": "leave"}]):
        broken = raw()
        broken["findings"]["fraud"][2]["choice"] = "any"
        broken["options"]["fraud.explained"] = options
        with pytest.raises(BadInput, match=r"the choice of fraud.explained is open, so it needs at least two options"):
            load(yaml.safe_dump(broken, sort_keys=False))


def test_every_field_that_a_shipped_pack_shows_is_one_of_its_records(lab: EvalEnvironment) -> None:
    there: dict[str, set[str]] = {}
    for recorded in (one for mission in MISSIONS for one in recorded_cases(mission)):
        there.setdefault(recorded["mission"], set()).update(recorded["trigger"])
        for system, collections in recorded["systems"].items():
            for name, records in (collections or {}).items():
                there.setdefault(f"{system}.{name}", set()).update(fields(records))
    there["oms.orders"].add("lines.backorder_po_id")  # as a line has it that waits
    there["erp.invoices"].update(f"special_items.{name}" for name in ("kind", "line", "amount_cents"))  # as few invoices have
    for mission, pack in lab.packs.items():
        for part in pack.parts.values() or [pack]:
            assert part.model is not None
            for name, shown in part.model.sees.items():
                tool = READ_TOOLS.get(part.reads[name].tool) if name in part.reads else None
                if tool or name == "trigger":
                    assert set(shown) <= there[tool.collection if tool else mission], (mission, name)


def fields(value: Any, path: str = "") -> Iterator[str]:
    """The fields of records, dotted into records and lists."""
    if isinstance(value, list):
        for one in value:
            yield from fields(one, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}{name}"
            yield from fields(inner, f"{path}{name}.")
