"""Make the company of `company.yaml` through Medusa's own API: its shops and customers through the Admin API, its orders as a
customer's browser places them, from a cart.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from pydantic import BaseModel

from strict_yaml import read_yaml
from tests.systems.medusa.shop import CONNECTOR, Shop

_FILE = CONNECTOR / "company.yaml"
#: what Medusa brings with it
_FREE, _MANUAL = "pp_system_default", "manual_manual"

Body = dict[str, Any]


class _Variant(BaseModel, extra="forbid"):
    price: float
    cost: float
    stock: dict[str, int]


class NewOrder(BaseModel, extra="forbid"):
    """An order to be placed: `lines` are quantities by SKU, `at` where they are reserved, `steps` what follows."""

    customer: str
    lines: dict[str, int]
    at: str
    pickup: bool = False
    steps: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class Company(BaseModel, extra="forbid"):
    """See company.yaml."""

    name: str
    currency: str
    countries: list[str]
    locations: dict[str, dict[str, Any]]
    products: dict[str, dict[str, _Variant]]
    customers: dict[str, dict[str, Any]]
    addresses: dict[str, dict[str, str]]
    orders: dict[str, NewOrder]
    counted: dict[str, dict[str, int]]

    @property
    def variants(self) -> dict[str, _Variant]:
        """By SKU."""
        return {sku: one for variants in self.products.values() for sku, one in variants.items()}


@dataclass
class Made:
    """A company as Medusa has it: ids by the names of company.yaml."""

    shop: Shop
    company: Company
    admin: httpx2.Client
    store: httpx2.Client
    region: str
    locations: Mapping[str, str] = field(default_factory=dict)
    #: shipping options by location; None is delivery
    options: dict[str | None, str] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    inventory: Mapping[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)


def read_company() -> Company:
    """The company that the shop is made with."""
    return read_yaml(_FILE, "company of the shop").as_model(Company, "tests/systems/medusa/company.py")


def make_company(shop: Shop, stack: ExitStack) -> Made:
    """Make it in an empty shop; its clients are closed with the stack. Raises httpx2.HTTPStatusError where Medusa refuses."""
    company, admin = read_company(), stack.enter_context(shop.client())
    channel = admin.get("/sales-channels").json()["sales_channels"][0]["id"]
    profile = admin.get("/shipping-profiles").json()["shipping_profiles"][0]["id"]
    post(admin, f"/stores/{admin.get('/stores').json()['stores'][0]['id']}", name=company.name,
         supported_currencies=[{"currency_code": company.currency, "is_default": True}])  # fmt: skip
    region = post(admin, "/regions", name="Home", currency_code=company.currency, countries=company.countries,
                  payment_providers=[_FREE])["region"]["id"]  # fmt: skip
    key = post(admin, "/api-keys", title="Web shop", type="publishable")["api_key"]
    post(admin, f"/api-keys/{key['id']}/sales-channels", add=[channel])
    headers = {"x-publishable-api-key": key["token"]}
    store = stack.enter_context(httpx2.Client(base_url=f"{shop.url}/store", headers=headers, timeout=60))
    made = Made(shop, company, admin, store, region)
    _make_locations(made, channel, profile)
    _make_products(made, channel, profile)
    _make_customers(made)
    for name, order in company.orders.items():
        made.orders[name] = place_order(made, order)
    for sku, found in company.counted.items():
        for location, quantity in found.items():
            count_units(made, sku, location, quantity)
    return made


def post(client: httpx2.Client, path: str, **body: Any) -> Body:
    """The answer to a POST. Raises httpx2.HTTPStatusError, with what was answered, where it is refused."""
    answer = client.post(path, json=body)
    if answer.is_error:
        raise httpx2.HTTPStatusError(f"{path}: {answer.status_code} {answer.text[:500]}", request=answer.request, response=answer)
    return dict(answer.json())


def get(client: httpx2.Client, path: str, **query: Any) -> Body:
    """The answer to a GET. Raises httpx2.HTTPStatusError where it is refused."""
    answer = client.get(path, params=query)
    answer.raise_for_status()
    return dict(answer.json())


def _make_locations(made: Made, channel: str, profile: str) -> None:
    made.locations = {name: _location(made, name, about) for name, about in made.company.locations.items()}
    delivery = next(iter(made.locations))
    for name, location in made.locations.items():
        post(made.admin, f"/stock-locations/{location}/sales-channels", add=[channel])
        pickup = made.company.locations[name]["type"] == "store"
        if pickup or name == delivery:
            made.options[name if pickup else None] = _option(made, name, location, profile, pickup)


def _location(made: Made, name: str, about: Mapping[str, Any]) -> str:
    address = {"address_1": name, "country_code": made.company.countries[0]}
    return str(post(made.admin, "/stock-locations", name=name, address=address, metadata=about)["stock_location"]["id"])


def _option(made: Made, name: str, location: str, profile: str, pickup: bool) -> str:
    """How goods leave a location: its shipping option."""
    admin, kind = made.admin, "pickup" if pickup else "shipping"
    post(admin, f"/stock-locations/{location}/fulfillment-providers", add=[_MANUAL])
    post(admin, f"/stock-locations/{location}/fulfillment-sets", name=f"{name} {kind}", type=kind)
    sets = get(admin, f"/stock-locations/{location}", fields="fulfillment_sets.id")["stock_location"]["fulfillment_sets"]
    zones = [{"type": "country", "country_code": country} for country in made.company.countries]
    path = f"/fulfillment-sets/{sets[0]['id']}/service-zones"
    zone = post(admin, path, name=f"{name} {kind}", geo_zones=zones)["fulfillment_set"]["service_zones"][0]["id"]
    option = post(
        admin, "/shipping-options", name=f"Pickup at {name}" if pickup else "Delivery", service_zone_id=zone,
        shipping_profile_id=profile, provider_id=_MANUAL, price_type="flat", rules=[],
        type={"label": kind, "description": kind, "code": kind}, prices=[{"currency_code": made.company.currency, "amount": 0}],
    )  # fmt: skip
    return str(option["shipping_option"]["id"])


def _make_products(made: Made, channel: str, profile: str) -> None:
    for title, variants in made.company.products.items():
        post(
            made.admin, "/products", title=title, status="published", shipping_profile_id=profile,
            sales_channels=[{"id": channel}], options=[{"title": "Size", "values": list(variants)}],
            variants=[
                {"title": sku, "sku": sku, "options": {"Size": sku}, "manage_inventory": True,
                 "metadata": {"unit_cost": one.cost}, "prices": [{"currency_code": made.company.currency, "amount": one.price}]}
                for sku, one in variants.items()
            ],
        )  # fmt: skip
    listed = get(made.admin, "/product-variants", fields="id,sku", limit=100)["variants"]
    made.variants = {one["sku"]: one["id"] for one in listed}
    listed = get(made.admin, "/inventory-items", fields="id,sku", limit=100)["inventory_items"]
    made.inventory = {one["sku"]: one["id"] for one in listed}
    for sku, one in made.company.variants.items():
        levels = [{"location_id": made.locations[name], "stocked_quantity": units} for name, units in one.stock.items()]
        post(made.admin, f"/inventory-items/{made.inventory[sku]}/location-levels/batch", create=levels)


def _make_customers(made: Made) -> None:
    groups = sorted({about["group"] for about in made.company.customers.values()})
    ids = {name: post(made.admin, "/customer-groups", name=name)["customer_group"]["id"] for name in groups}
    for email, about in made.company.customers.items():
        first, last = about["name"]
        customer = post(made.admin, "/customers", email=email, first_name=first, last_name=last)["customer"]["id"]
        post(made.admin, f"/customers/{customer}/customer-groups", add=[ids[about["group"]]])


def place_order(made: Made, order: NewOrder) -> str:
    """Place an order from a cart, its payment authorized, and do its steps; its id."""
    store, company = made.store, made.company
    first, last = company.customers[order.customer]["name"]
    home = {"first_name": first, "last_name": last, "country_code": company.countries[0], **company.addresses[order.customer]}
    promised = datetime.now(UTC) + timedelta(days=3)
    cart = post(
        store, "/carts", region_id=made.region, email=order.customer, shipping_address=home, billing_address=home,
        items=[{"variant_id": made.variants[sku], "quantity": quantity} for sku, quantity in order.lines.items()],
        metadata={"promised_at": promised.strftime("%Y-%m-%dT00:00:00Z"), **order.metadata},
    )["cart"]["id"]  # fmt: skip
    post(store, f"/carts/{cart}/shipping-methods", option_id=made.options[order.at if order.pickup else None])
    payment = post(store, "/payment-collections", cart_id=cart)["payment_collection"]["id"]
    post(store, f"/payment-collections/{payment}/payment-sessions", provider_id=_FREE)
    placed = str(post(store, f"/carts/{cart}/complete")["order"]["id"])
    reserve_at(made, placed, order.at)
    for step in order.steps:
        _STEPS[step](made, placed)
    return placed


def lines_of(made: Made, order_id: str) -> list[Body]:
    """The lines of an order: id and quantity."""
    order = get(made.admin, f"/orders/{order_id}", fields="*items")["order"]
    return [{"id": line["id"], "quantity": line["quantity"]} for line in order["items"]]


def reserve_at(made: Made, order_id: str, location: str) -> None:
    """Reserve the goods of an order at this location: another reservation, since Medusa counts one that moves at both ends."""
    place, query = made.locations[location], {"line_item_id[]": [line["id"] for line in lines_of(made, order_id)]}
    for one in made.admin.get("/reservations", params=query).json()["reservations"]:
        if one["location_id"] != place:
            kept = {name: one[name] for name in ("line_item_id", "inventory_item_id", "quantity")}
            post(made.admin, "/reservations", location_id=place, **kept)
            made.admin.delete(f"/reservations/{one['id']}").raise_for_status()


def count_units(made: Made, sku: str, location: str, quantity: int) -> None:
    """Write down how many of a SKU there are at a location."""
    path = f"/inventory-items/{made.inventory[sku]}/location-levels/{made.locations[location]}"
    post(made.admin, path, stocked_quantity=quantity)


def _capture(made: Made, order_id: str) -> None:
    post(made.admin, f"/payments/{_payment(made, order_id)}/capture")


def _payment(made: Made, order_id: str) -> str:
    order = get(made.admin, f"/orders/{order_id}", fields="payment_collections.payments.id")["order"]
    return str(order["payment_collections"][0]["payments"][0]["id"])


def _refund(made: Made, order_id: str) -> None:
    price = get(made.admin, f"/orders/{order_id}", fields="items.unit_price")["order"]["items"][0]["unit_price"]
    post(made.admin, f"/payments/{_payment(made, order_id)}/refund", amount=price, note="One was sent back")


def _fulfill(made: Made, order_id: str) -> None:
    lines = lines_of(made, order_id)
    query = {"line_item_id[]": [line["id"] for line in lines]}
    location = made.admin.get("/reservations", params=query).json()["reservations"][0]["location_id"]
    post(made.admin, f"/orders/{order_id}/fulfillments", items=lines, location_id=location)


def _ship(made: Made, order_id: str) -> None:
    post(made.admin, f"/orders/{order_id}/fulfillments/{_fulfillment(made, order_id)}/shipments", items=lines_of(made, order_id))


def _deliver(made: Made, order_id: str) -> None:
    post(made.admin, f"/orders/{order_id}/fulfillments/{_fulfillment(made, order_id)}/mark-as-delivered")


def _fulfillment(made: Made, order_id: str) -> str:
    return str(get(made.admin, f"/orders/{order_id}", fields="fulfillments.id")["order"]["fulfillments"][0]["id"])


def _send_back(made: Made, order_id: str) -> None:
    location = get(made.admin, f"/orders/{order_id}", fields="fulfillments.location_id")["order"]["fulfillments"][0][
        "location_id"
    ]
    returned = post(made.admin, "/returns", order_id=order_id, location_id=location)["return"]["id"]
    line = lines_of(made, order_id)[0]["id"]
    post(made.admin, f"/returns/{returned}/request-items", items=[{"id": line, "quantity": 1}])
    post(made.admin, f"/returns/{returned}/request")


def _receive(made: Made, order_id: str) -> None:
    query = {"order_id": order_id, "fields": "id,items.item_id,items.quantity"}
    returned = get(made.admin, "/returns", **query)["returns"][0]
    items = [{"id": item["item_id"], "quantity": item["quantity"]} for item in returned["items"]]
    post(made.admin, f"/returns/{returned['id']}/receive")
    post(made.admin, f"/returns/{returned['id']}/receive-items", items=items)
    post(made.admin, f"/returns/{returned['id']}/receive/confirm")


_STEPS: dict[str, Callable[[Made, str], None]] = {
    "capture": _capture, "refund": _refund, "fulfill": _fulfill, "ship": _ship, "deliver": _deliver, "send_back": _send_back,
    "receive": _receive,
}  # fmt: skip
