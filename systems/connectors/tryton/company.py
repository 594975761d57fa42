"""The company of the ERP, made through Tryton's own client library: Northgate Supply, which buys and sells household goods.

Its chart of accounts, budgets, vendors, products, purchases of which some are received in part, and sales are as a person
would enter them; the invoices of its vendors are drafts, as a clerk has typed them off. Amounts follow from a seed.
"""

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts
from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
from trytond.modules.company.tests.tools import create_company
from trytond.modules.currency.tests.tools import get_currency

from .erp import ADMINISTRATOR, CONNECTOR, DATABASE

SEED = 19
#: account -> (its code, what may be spent on it in a year)
ACCOUNTS = {
    "merchandise": ("5110", 900_000),
    "displays": ("5120", 4_000),
    "freight": ("5130", 20_000),
    "utilities": ("5210", 30_000),
    "subscriptions": ("5220", 12_000),
    "postage": ("5230", 6_000),
}
#: code -> (name, account, list price, cost)
PRODUCTS = {
    "LAMP-01": ("Desk lamp", "merchandise", "59.00", "24.50"),
    "LAMP-02": ("Floor lamp", "merchandise", "129.00", "61.20"),
    "CHAIR-01": ("Oak chair", "merchandise", "189.00", "88.00"),
    "TABLE-01": ("Side table", "merchandise", "149.00", "67.75"),
    "RUG-01": ("Wool rug", "merchandise", "239.00", "112.40"),
    "VASE-01": ("Stoneware vase", "merchandise", "39.00", "14.90"),
    "CLOCK-01": ("Wall clock", "merchandise", "79.00", "31.00"),
    "BENCH-01": ("Hall bench", "merchandise", "219.00", "97.00"),
    "MIRROR-01": ("Hall mirror", "merchandise", "119.00", "52.00"),
    "SHELF-01": ("Shop shelf", "displays", "480.00", "430.00"),
    "FREIGHT": ("Freight", "freight", "0.00", "0.00"),
    "POWER": ("Electricity", "utilities", "0.00", "0.00"),
    "SOFTWARE": ("Software subscription", "subscriptions", "0.00", "0.00"),
    "PARCELS": ("Parcel postage", "postage", "0.00", "0.00"),
}
SERVICES = ("FREIGHT", "POWER", "SOFTWARE", "PARCELS")
#: of these there is not enough
SHORT = ("CLOCK-01", "BENCH-01", "MIRROR-01")
GOODS = [code for code, (_, account, _, _) in PRODUCTS.items() if account == "merchandise" and code not in SHORT]
VENDORS = (
    "Lumen Works",
    "Oak & Ash Joinery",
    "Harrow Textiles",
    "Kiln Street Pottery",
    "City Power",
    "Shopfit Partners",
    "Belmont Glass",
)
CHANGED_BANK, BLOCKED = "Kiln Street Pottery", "Belmont Glass"
CUSTOMERS = ("Corner House Interiors", "Ridge Hotel", "Maple Street Books", "The Lofts")
#: of the user that the connector works as
GROUPS = ("Accounting", "Purchase", "Sales", "Stock", "Stock Force Assignment", "Party Administration")


#: by name or code
_Records = Mapping[str, Any]


def fill(seed: int = SEED) -> None:
    """Make the company in the database, which has its modules and no company."""
    config.set_trytond(DATABASE, user=ADMINISTRATOR)
    random_ = random.Random(seed)
    accounts = _books()
    _number("purchase", "PO")
    _number("sale", "SO")
    products = _products(accounts)
    vendors, customers = _parties(VENDORS), _parties(CUSTOMERS)
    _bank(vendors)
    _stock(products, {code: random_.randint(20, 60) for code in GOODS} | {"CLOCK-01": 5})
    _purchasing(CASES, random_, products, vendors)
    _change_bank(vendors[CHANGED_BANK])
    _block(vendors[BLOCKED])
    _sales(products, customers)
    _second_warehouse(products, {"BENCH-01": 8})
    _connector()


def _books() -> dict[str, Any]:
    create_company(party=_party("Northgate Supply"), currency="USD")
    get_currency("EUR")
    create_chart()
    year = set_fiscalyear_invoice_sequences(create_fiscalyear(today=(dt.date.today(), dt.date.today())))
    year.click("create_period")
    expense = get_accounts()["expense"]
    Account = Model.get("account.account")
    accounts = {}
    for name, (code, _) in ACCOUNTS.items():
        account = Account(name=name.capitalize(), code=code, type=expense.type, parent=expense.parent)
        account.save()
        accounts[name] = account
    budget = Model.get("account.budget")(name="Operations", fiscalyear=year)
    budget.click("update_lines")
    for line in budget.lines:
        if line.account and (amount := _spend(line.account.code)):
            line.amount = Decimal(-amount)
            line.save()
    return accounts


def _number(what: str, prefix: str) -> None:
    sequence = getattr(Model.get(f"{what}.configuration")(1), f"{what}_sequence")
    sequence.prefix, sequence.number_next = prefix, 1001
    sequence.save()


def _spend(code: str) -> int:
    return next((amount for known, amount in ACCOUNTS.values() if known == code), 0)


def _products(accounts: _Records) -> dict[str, Any]:
    tax = create_tax(Decimal("0.05"))
    tax.save()
    Category, Template = Model.get("product.category"), Model.get("product.template")
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    revenue, categories, products = get_accounts()["revenue"], {}, {}
    for name, account in accounts.items():
        category = Category(name=name, accounting=True, account_expense=account, account_revenue=revenue)
        if name in ("merchandise", "displays"):
            category.supplier_taxes.append(Model.get("account.tax")(tax.id))
        category.save()
        categories[name] = category
    for code, (name, account, price, cost) in PRODUCTS.items():
        template = Template(name=name, code=code, default_uom=unit, list_price=Decimal(price))
        template.type = "service" if code in SERVICES else "goods"
        template.purchasable, template.salable = True, account == "merchandise"
        template.account_category = categories[account]
        (product,) = template.products
        product.cost_price = Decimal(cost)
        template.save()
        (products[code],) = template.products
    return products


def _party(name: str) -> Any:
    party = Model.get("party.party")(name=name)
    (address,) = party.addresses or [party.addresses.new()]
    address.street, address.city, address.postal_code = "1 Mill Road", "Portland", "04101"
    party.contact_mechanisms.new(type="email").value = f"billing@{name.split()[0].lower()}.example"
    party.save()
    return party


def _parties(names: Sequence[str]) -> dict[str, Any]:
    return {name: _party(name) for name in names}


def _bank(vendors: _Records) -> None:
    bank = Model.get("bank")(party=_party("First Coast Bank"))
    bank.save()
    for number, vendor in enumerate(vendors.values()):
        account = Model.get("bank.account")(bank=bank)
        account.owners.append(Model.get("party.party")(vendor.id))
        line = account.numbers.new()
        line.type, line.number = "other", f"021-000-{4400 + number}"
        account.save()


def _second_warehouse(products: _Records, on_hand: Mapping[str, int]) -> None:
    """Made after all else, as what is bought and sold goes to the only warehouse unless it says which."""
    Location = Model.get("stock.location")
    parts = {name: Location(name=f"South {name}", code=f"S-{name[:3].upper()}") for name in ("input", "output", "storage")}
    for part in parts.values():
        part.save()
    warehouse = Location(name="South Warehouse", code="SOUTH", type="warehouse")
    for name, part in parts.items():
        setattr(warehouse, f"{name}_location", part)
    (warehouse.lost_found_location,) = Location.find([("type", "=", "lost_found")], limit=1)
    warehouse.save()
    _stock(products, on_hand, "S-STO")


def _stock(products: _Records, on_hand: Mapping[str, int], place: str = "STO") -> None:
    (storage,) = Model.get("stock.location").find([("code", "=", place)])
    inventory = Model.get("stock.inventory")(location=storage)
    inventory.save()
    for code, quantity in on_hand.items():
        inventory.lines.new(product=products[code], quantity=float(quantity))
    inventory.click("confirm")


@dataclass
class _TypedOff:
    """An invoice of a vendor as it is typed off: of all that was ordered, or of something that nobody ordered."""

    #: what it bills, and how much of it was received
    vendor: str = ""
    product: str = ""
    quantity: int = 0
    received: float = 1
    #: in place of what was ordered: another price, by so much; another currency; freight; a total that its lines do not come to
    price: str = "1"
    currency: str = ""
    freight: str = ""
    beyond: str = ""
    #: what it costs where nobody ordered it
    alone: str = ""
    #: a second invoice for the same, with the number of the first written another way
    again: bool = False


CASES = (
    *[_TypedOff()] * 6,
    *[_TypedOff(freight="45.00"), _TypedOff(price="1.01"), _TypedOff(price="1.20"), _TypedOff(received=0.5)] * 2,
    _TypedOff(vendor="Lumen Works", product="CLOCK-01", quantity=12, received=0),
    _TypedOff(freight="340.00"),
    _TypedOff(beyond="18.50"),
    _TypedOff(vendor="Shopfit Partners", product="SHELF-01", quantity=12),
    _TypedOff(currency="EUR"),
    _TypedOff(again=True),
    _TypedOff(vendor="City Power", product="POWER", alone="312.40"),
    _TypedOff(vendor="City Power", product="SOFTWARE", alone="2400.00"),
    _TypedOff(vendor="Lumen Works", product="VASE-01", alone="890.00"),
    _TypedOff(vendor=CHANGED_BANK),
    _TypedOff(vendor=BLOCKED),
)


def _purchasing(cases: Sequence[_TypedOff], random_: random.Random, products: _Records, vendors: _Records) -> None:
    """Purchases, what was received of them, and a draft of an invoice for each case."""
    ordered = [case for case in cases if not case.alone]
    purchases = [_purchase(case, random_, products, vendors) for case in ordered]
    _click(purchases, "quote", "confirm")
    shipments = [_receipt(purchase, case.received) for purchase, case in zip(purchases, ordered, strict=True) if case.received]
    _click(shipments, "receive", "do")
    waiting, number = iter(purchases), 1001
    for case in cases:
        reference = f"NW-{number}"
        if case.alone:
            _invoice_alone(case, reference, products, vendors)
        else:
            purchase = next(waiting)
            _invoice(case, reference, purchase, products)
            if case.again:
                _invoice(case, reference.lower().replace("-", " "), purchase, products)
        number += 1


def _purchase(case: _TypedOff, random_: random.Random, products: _Records, vendors: _Records) -> Any:
    vendor = case.vendor or random_.choice(VENDORS[:3])
    purchase = Model.get("purchase.purchase")(party=vendors[vendor], invoice_method="manual")
    if not case.received:
        purchase.delivery_date = dt.date.today() + dt.timedelta(days=5)
    for code in [case.product] if case.product else random_.sample(GOODS, random_.choice((1, 2))):
        line = purchase.lines.new()
        line.product, line.quantity = products[code], float(case.quantity or random_.randint(2, 12) * 2)
        line.unit_price = Decimal(PRODUCTS[code][3])
    purchase.save()
    return purchase


def _receipt(purchase: Any, part: float) -> Any:
    shipment = Model.get("stock.shipment.in")(supplier=purchase.party)
    shipment.incoming_moves.extend([Model.get("stock.move")(move.id) for move in purchase.moves])
    shipment.save()
    for move in shipment.incoming_moves:
        move.quantity = float(int(move.quantity * part))
    shipment.save()
    return shipment


def _invoice(case: _TypedOff, reference: str, purchase: Any, products: _Records) -> None:
    invoice = _draft(purchase.party, reference)
    if case.currency:
        invoice.currency = get_currency(case.currency)
    for ordered in purchase.lines:
        line = _line(invoice, ordered.product, ordered.quantity)
        line.unit_price = (ordered.unit_price * Decimal(case.price)).quantize(Decimal("0.01"))
        line.origin = ordered
    if case.freight:
        _line(invoice, products["FREIGHT"], 1).unit_price = Decimal(case.freight)
    invoice.save()
    if case.beyond:
        values = {"source_total_amount": invoice.total_amount + Decimal(case.beyond)}
        Model.get("account.invoice").write([invoice.id], values, {**invoice._context, "_check_access": False})


def _invoice_alone(case: _TypedOff, reference: str, products: _Records, vendors: _Records) -> None:
    invoice = _draft(vendors[case.vendor], reference)
    _line(invoice, products[case.product], 1).unit_price = Decimal(case.alone)
    invoice.save()


def _draft(party: Any, reference: str) -> Any:
    invoice = Model.get("account.invoice")(type="in", party=Model.get("party.party")(party.id))
    invoice.reference, invoice.invoice_date = reference, dt.date.today()
    return invoice


def _line(invoice: Any, product: Any, quantity: float) -> Any:
    line = invoice.lines.new()
    line.product, line.quantity = product, float(quantity)
    return line


def _click(records: Sequence[Any], *buttons: str) -> None:
    """Push buttons for all of them at once."""
    for button in buttons:
        type(records[0]).click(list(records), button)


def _change_bank(vendor: Any) -> None:
    (account,) = Model.get("bank.account").find([("owners", "=", vendor.id)])
    (number,) = account.numbers
    number.number = "031-900-7781"
    number.save()


def _block(vendor: Any) -> None:
    party = Model.get("party.party")(vendor.id)
    party.active = False
    party.save()


def _sales(products: _Records, customers: _Records) -> None:
    """Sales of which some want more than there is."""
    wanted = (("LAMP-01", 4), ("CLOCK-01", 2), ("CLOCK-01", 9), ("VASE-01", 6), ("BENCH-01", 3), ("MIRROR-01", 1))
    sales = []
    for number, (code, quantity) in enumerate(wanted):
        sale = Model.get("sale.sale")(party=list(customers.values())[number % len(customers)])
        sale.reference = f"WEB-{2001 + number}"
        line = sale.lines.new()
        line.product, line.quantity = products[code], float(quantity)
        sale.save()
        sales.append(sale)
    _click(sales, "quote", "confirm")


def _connector() -> None:
    """The user that the connector works as, who may do what a clerk may do."""
    user = Model.get("res.user")(name="Connector", login=CONNECTOR)
    user.groups.extend(Model.get("res.group").find([("name", "in", GROUPS)]))
    (company,) = Model.get("company.company").find()
    user.companies.append(company)
    user.company = company
    user.save()
