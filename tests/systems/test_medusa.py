"""A real shop, and Missions over it by YAML and Markdown alone; what they did is asked of the shop's own API."""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from graphs.events import event_of
from graphs.mapping import check_mapping, mapped_event, payload_texts
from ledger.records import Run
from systems.event_sources import load_mapping
from systems.webhooks import require_signature
from tests.integration.live_company import Company, plan_of
from tests.systems.medusa.company import Made, count_units, get, place_order, post, read_company
from tests.systems.medusa.shop import CONNECTOR, Place
from tests.systems.medusa.webhook import Webhook
from tests.systems.pages import Pages

pytest_plugins = ("tests.systems.medusa.fixtures",)

_NUMBERS = count(1)


def _order(made: Made, name: str) -> dict[str, Any]:
    return dict(get(made.admin, f"/orders/{made.orders[name]}")["order"])


def _state(made: Made, name: str) -> tuple[str, str, str]:
    order = _order(made, name)
    return order["status"], order["payment_status"], order["fulfillment_status"]


def test_the_company_is_in_the_shop_as_its_file_says(made: Made) -> None:
    assert _state(made, "short") == ("pending", "authorized", "not_fulfilled")
    assert _state(made, "unpaid") == ("pending", "authorized", "shipped")
    assert _state(made, "returned") == ("pending", "captured", "delivered")
    assert _state(made, "part_back") == ("pending", "partially_refunded", "delivered")
    assert _state(made, "pickup") == ("pending", "captured", "not_fulfilled")
    levels = get(made.admin, f"/inventory-items/{made.inventory['TENT-2P']}/location-levels")["inventory_levels"]
    free = {one["location_id"]: one["available_quantity"] for one in levels}
    named = {name: free[made.locations[name]] for name in ("DC-EAST", "DC-WEST", "ST-AUSTIN", "ST-DOMAIN")}
    assert named == {"DC-EAST": -1, "DC-WEST": 7, "ST-AUSTIN": -1, "ST-DOMAIN": 4}


def test_what_happens_to_an_order_is_posted_with_a_signature_and_the_order(made: Made, place: Place) -> None:
    order_id = made.orders["pickup"]
    post(made.admin, f"/orders/{order_id}", metadata={"pick_failed_at": "2026-11-25T09:30:00Z"})
    signature, body = _posted("order.updated", order_id)
    seconds, digest = (part.partition("=")[2] for part in signature.split(","))
    expected = hmac.new(place.webhook_secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, expected)
    assert abs(time.time() - int(seconds)) < 60
    assert json.loads(body)["order"]["metadata"]["pick_failed_at"] == "2026-11-25T09:30:00Z"
    assert _posted("shipment.created", made.orders["unpaid"])


def _posted(name: str, order_id: str) -> tuple[str, bytes]:
    """The signature and body of an event, once it is posted."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for signature, body in list(Webhook.taken):
            event = json.loads(body)
            if (event["name"], event["order"]["id"]) == (name, order_id):
                return signature, body
        time.sleep(0.1)
    raise AssertionError(f"{name} of {order_id} was not posted")


def test_nothing_of_the_shop_leaves_this_machine(made: Made, place: Place) -> None:
    kept = (place.folder / "connections").read_text().splitlines()
    assert kept and {one for one in map(json.loads, kept) if not one.startswith("/")} <= {"127.0.0.1", "localhost"}


def test_the_key_of_the_shop_is_readable_by_its_owner_alone(made: Made, place: Place) -> None:
    secret: list[Path] = [place.key_file, place.folder / "secret", place.folder / "webhook-secret"]
    assert [oct(file.stat().st_mode & 0o777) for file in secret] == ["0o600"] * 3


def test_a_webhook_of_the_shop_becomes_the_event_of_its_mission(
    missions: Company, made: Made, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_WEBHOOK_SECRET", place.webhook_secret)
    mapping = load_mapping(CONNECTOR / "sources" / "shop.yaml")
    packs, at = missions.runtime.context.packs, datetime.now(UTC)
    check_mapping(mapping, packs)
    assert mapping.signature
    post(made.admin, f"/orders/{made.orders['nobody']}", metadata={"address_failed_at": "2026-11-25T10:00:00Z"})
    for name, order, event in (
        ("order.placed", "clear", "order.placed"),
        ("shipment.created", "unpaid", "order.shipped"),
        ("order.return_received", "returned", "order.return_received"),
        ("order.updated", "pickup", "order.pick_failed"),
        ("order.updated", "nobody", "order.address_failed"),
    ):
        signature, body = _posted(name, made.orders[order])
        headers = [("content-type", "application/json"), ("x-shop-signature", signature)]
        seconds = int(signature.split(",")[0].removeprefix("t="))
        require_signature(mapping.signature, headers, body, datetime.fromtimestamp(seconds, UTC))
        (text,) = payload_texts(mapping, headers, body)
        mapped = mapped_event(text, mapping, packs, at, "shop")
        assert (mapped.name, mapped.subject) == (event, made.orders[order])


# What Missions do in it


def _look(missions: Company, made: Made, name: str, event: str = "order.placed") -> Run:
    """The run of an event about an order, as far as it goes by itself."""
    raw = {
        "source_id": f"shop-{next(_NUMBERS)}", "mission": "shop_order",
        "trigger": {"event": event, "order_id": made.orders[name]},
    }  # fmt: skip
    taken = missions.runtime.take_in(event_of(raw, missions.runtime.context.packs, datetime.now(UTC)))
    return missions.runtime.drive(taken.run_id)


def _approved(missions: Company, run: Run, verdict: str) -> None:
    """Approve what is proposed, which is this, and see it done."""
    assert missions.proposal(run).verdict == verdict
    run = missions.approve(run)
    assert (run.outcome, run.verdict, missions.incidents(run)) == ("executed", verdict, [])


def _reserved(made: Made, name: str) -> dict[str, str]:
    """Where each SKU of an order is reserved."""
    names = {location: name for name, location in made.locations.items()}
    order = get(made.admin, f"/orders/{made.orders[name]}", fields="*items")["order"]
    lines = {line["id"]: line["variant_sku"] for line in order["items"]}
    held = made.admin.get("/reservations", params={"line_item_id[]": list(lines)}).json()["reservations"]
    return {lines[one["line_item_id"]]: names[one["location_id"]] for one in held}


def _paid(made: Made, name: str) -> list[tuple[Any, ...]]:
    fields = "*payment_collections.payments,*payment_collections.payments.captures,*payment_collections.payments.refunds"
    order = get(made.admin, f"/orders/{made.orders[name]}", fields=fields)["order"]
    return [
        (sum(one["amount"] for one in payment["captures"]), sum(one["amount"] for one in payment["refunds"]))
        for payment in order["payment_collections"][0]["payments"]
    ]


def test_an_order_that_is_as_it_should_be_is_left_alone(missions: Company, made: Made) -> None:
    run = _look(missions, made, "clear")
    assert (run.status, run.verdict) == ("closed", "no_action")


def test_a_line_that_is_not_where_it_is_reserved_is_reserved_at_another_distribution_center(
    missions: Company, made: Made
) -> None:
    run = _look(missions, made, "short")
    assert _reserved(made, "short") == {"TENT-2P": "DC-EAST", "STOVE-1": "DC-EAST"}
    _approved(missions, run, "move")
    assert _reserved(made, "short") == {"TENT-2P": "DC-WEST", "STOVE-1": "DC-EAST"}


def test_the_later_of_two_same_orders_is_canceled_and_its_payment_voided(missions: Company, made: Made) -> None:
    run = _look(missions, made, "first")
    assert plan_of(missions.proposal(run)) == [("cancel_order", {"order_id": made.orders["again"], "reason": "duplicate"})]
    _approved(missions, run, "no_action")
    assert _state(made, "again")[:2] == ("canceled", "canceled")
    assert _state(made, "first")[:2] == ("pending", "authorized")


def test_an_order_that_nothing_can_fill_is_canceled_and_what_was_paid_is_returned_as_the_shop_s_own_pages_show(
    missions: Company, made: Made, pages: Pages
) -> None:
    page = f"{made.shop.url}/app/orders/{made.orders['nowhere']}"
    before = pages.show(page, "Payment captured", "shop-order-before")
    assert "Allocated" in before and "Canceled" not in before and "Refund" not in before
    run = _look(missions, made, "nowhere")
    assert missions.proposal(run).approval.role == "supervisor"
    _approved(missions, run, "cancel")
    assert _state(made, "nowhere")[0] == "canceled"
    assert _paid(made, "nowhere") == [(439.98, 439.98)]
    after = pages.show(page, "Refunded", "shop-order-after")
    assert "Canceled" in after and "Refunded" in after and "Allocated" not in after


def test_an_order_that_was_shipped_is_captured(missions: Company, made: Made) -> None:
    _approved(missions, _look(missions, made, "unpaid", "order.shipped"), "capture")
    assert _paid(made, "unpaid") == [(389.5, 0)]


def test_what_is_owed_after_a_return_is_refunded(missions: Company, made: Made) -> None:
    _approved(missions, _look(missions, made, "returned", "order.return_received"), "refund")
    assert _paid(made, "returned") == [(129.8, 64.9)]
    assert _look(missions, made, "returned", "order.return_received").verdict == "no_action"


def test_an_order_like_one_that_has_left_is_handed_to_the_team_that_looks_at_it(missions: Company, made: Made) -> None:
    made.orders["twice"] = place_order(made, read_company().orders["unpaid"].model_copy(update={"steps": ()}))
    run = _look(missions, made, "twice")
    assert (run.verdict, missions.incidents(run)) == ("escalate", [])
    assert _order(made, "twice")["metadata"]["team"] == "returns"
    post(made.admin, f"/orders/{made.orders['twice']}/cancel")


def test_a_pickup_that_failed_goes_to_the_next_store_as_the_shop_s_own_pages_show(
    missions: Company, made: Made, pages: Pages
) -> None:
    page = f"{made.shop.url}/app/inventory/{made.inventory['TENT-2P']}"
    assert _row(pages.show(page, "ST-DOMAIN", "shop-pickup-before"), "ST-DOMAIN") == ["0", "4", "4"]
    _approved(missions, _look(missions, made, "pickup", "order.pick_failed"), "reroute")
    assert _reserved(made, "pickup") == {"TENT-2P": "ST-DOMAIN"}
    assert _order(made, "pickup")["metadata"]["pickup_location"] == "ST-DOMAIN"
    after = pages.show(page, "ST-DOMAIN", "shop-pickup-after")
    assert (_row(after, "ST-DOMAIN"), _row(after, "ST-AUSTIN")) == (["1", "4", "3"], ["0", "0", "0"])


def _row(page: str, location: str) -> list[str]:
    """What the pages of an inventory item show of a location: reserved, in stock, available."""
    words = page.split()
    at = words.index(location)
    return words[at + 1 : at + 4]


def test_a_pickup_that_no_store_near_by_can_fill_is_shipped_home(missions: Company, made: Made) -> None:
    _approved(missions, _look(missions, made, "pickup_far", "order.pick_failed"), "reroute")
    assert _reserved(made, "pickup_far") == {"TENT-4P": "DC-EAST"}


def test_a_pickup_that_nobody_can_fill_is_held_while_it_could_be_shipped_home_and_else_canceled_and_refunded(
    missions: Company, made: Made
) -> None:
    held = _look(missions, made, "pickup_held", "order.pick_failed")
    assert (held.status, held.verdict, _order(made, "pickup_held")["metadata"]["hold"]) == ("closed", "hold", "stock")
    _approved(missions, _look(missions, made, "pickup_gone", "order.pick_failed"), "cancel")
    assert (_state(made, "pickup_gone")[0], _paid(made, "pickup_gone")) == ("canceled", [(439.98, 439.98)])


def test_an_address_that_the_carrier_does_not_find_is_corrected_where_it_is_sure_and_else_held(
    missions: Company, made: Made
) -> None:
    corrected = {"line1": "9 Canal Street", "city": "New Orleans", "region": "LA", "postal_code": "70112"}
    for name, sure in (("street", 0.97), ("nobody", 0.4)):
        check = {"address_failed_at": "2026-11-25T10:00:00Z", "address_check": {"confidence": sure, **corrected}}
        post(made.admin, f"/orders/{made.orders[name]}", metadata=check)
    _approved(missions, _look(missions, made, "street", "order.address_failed"), "correct")
    address = _order(made, "street")["shipping_address"]
    assert [address[part] for part in ("first_name", "address_1", "city", "province", "postal_code", "country_code")] == [
        "Leo", "9 Canal Street", "New Orleans", "LA", "70112", "us",
    ]  # fmt: skip
    assert _look(missions, made, "street", "order.address_failed").verdict == "no_action"
    held = _look(missions, made, "nobody", "order.address_failed")
    assert (held.verdict, _order(made, "nobody")["metadata"]["hold"]) == ("hold", "address")


def test_what_changed_in_the_shop_after_it_was_proposed_is_looked_at_again(missions: Company, made: Made) -> None:
    made.orders["late"] = place_order(made, read_company().orders["nowhere"].model_copy(update={"lines": {"STOVE-1": 1}}))
    count_units(made, "STOVE-1", "DC-EAST", 0)
    run = _look(missions, made, "late")
    assert missions.proposal(run).verdict == "move"
    post(made.admin, f"/orders/{made.orders['late']}/cancel")
    run = missions.approve(run)
    assert (run.verdict, missions.effects(run)) == ("no_action", [])


def test_what_was_done_is_in_an_audit_log_that_holds(missions: Company) -> None:
    assert missions.problems() == []
