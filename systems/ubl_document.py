"""Files that should hold UBL, read safely and looked into one element at a time.

A file from outside is hostile until it is validated. It is read as UTF-8 and nothing else, so that what is looked for in
its text is what the parser sees; without a document type declaration there are no entities, neither bombs nor external
ones. Schemas, style sheets and addresses that a file names are never fetched. lxml's own limits (depth 256, names of
50,000 characters) stay on: 10 MB of the smallest elements take 0.3 s and 320 MB.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from lxml import etree

from errors import BadInput

MAX_BYTES = 10_000_000
MAX_ID_CHARACTERS = 100
MAX_NAME_CHARACTERS = 200

BY_HAND = "enter this invoice by hand"
FROM_SUPPLIER = "ask the supplier for a corrected invoice"

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
INVOICE = f"{{{_UBL}Invoice-2}}Invoice"
CREDIT_NOTE = f"{{{_UBL}CreditNote-2}}CreditNote"
_NAMESPACES = {"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"}
_DECIMAL = re.compile(r"[+-]?(?:\d{1,10}(?:\.\d{0,10})?|\.\d{1,10})", re.ASCII)


def open_document(file: Path) -> "Node":
    """The root element of an XML file. Raises BadInput for what cannot be read, is too large, has a DTD or is no XML."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{file}: cannot be read ({why}); give a UBL 2.1 invoice") from error
    if len(content) > MAX_BYTES:
        raise BadInput(f"{file}: is over {MAX_BYTES // 1_000_000} MB, which no invoice needs; {FROM_SUPPLIER}")
    try:
        declares_types = "<!DOCTYPE" in content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: is not in UTF-8 (byte {error.start:,}); ask the supplier for the file in UTF-8") from error
    if declares_types:
        raise BadInput(f"{file}: has a document type declaration (DTD), which may hide an attack; {FROM_SUPPLIER} without one")
    try:
        root = etree.fromstring(content, _parser())
    except etree.ParseError as error:
        raise BadInput(f"{file}: is not well-formed XML ({_why(error)}); {FROM_SUPPLIER}") from error
    return Node(root, str(file), "")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        # An amount with a comment in it would otherwise end at the comment.
        remove_comments=True,
        remove_pis=True,
    )


def _why(error: etree.ParseError) -> str:
    """What libxml2 says, which may quote the file, on one short line."""
    return "".join(character for character in " ".join(str(error.msg).split()) if character.isprintable())[:150]


def shown(text: str, characters: int = 40) -> str:
    """Text from outside, fit to stand in a sentence: in quotes, short, with invisible characters spelled out."""
    return repr(text[:characters] + ("…" if len(text) > characters else ""))


@dataclass(frozen=True)
class Node:
    """An element of a document, with the file and the path that sentences about it name."""

    element: etree._Element
    file: str
    path: str

    def bad(self, what: str, remedy: str) -> BadInput:
        """The error that says what is wrong with this element, and what to do."""
        return BadInput(f"{self.file}: {self.path or 'the invoice'} {what}; {remedy}")

    def all(self, path: str) -> "list[Node]":
        """The elements at a path such as `cac:Party/cbc:Name`, in the order of the document."""
        called = "/".join(part for part in (self.path, re.sub(r"\w+:", "", path)) if part)
        found = self.element.findall(path, _NAMESPACES)
        many = len(found) > 1
        return [Node(element, self.file, f"{called} {n}" if many else called) for n, element in enumerate(found, start=1)]

    def one(self, path: str) -> "Node | None":
        """The element at a path, or none. Several are refused: two readers could take different ones."""
        found = self.all(path)
        if len(found) > 1:
            raise found[1].bad("is more than an invoice can have one of", FROM_SUPPLIER)
        return found[0] if found else None

    def need(self, path: str) -> "Node":
        """The one element at a path."""
        found = self.one(path)
        if found is None:
            raise self.bad(f"has no {re.sub(r'[a-z]+:', '', path)}", FROM_SUPPLIER)
        return found

    def text(self) -> str:
        """The text of a leaf as it stands, without the white space around it; empty if there is none."""
        if len(self.element):
            raise self.bad("has elements inside where its value should be", FROM_SUPPLIER)
        return (self.element.text or "").strip()

    def identifier(self) -> str:
        """A number, id or code, in compatibility form (full-width digits become digits).

        It is compared, so it must have a letter or digit, and no characters that nobody sees.
        """
        text = unicodedata.normalize("NFKC", self.text())
        if len(text) > MAX_ID_CHARACTERS or not text.isprintable():
            what = f"must be at most {MAX_ID_CHARACTERS} characters that can be seen, and is {shown(text)}"
            raise self.bad(what, FROM_SUPPLIER)
        if not any(character.isalnum() for character in text):
            raise self.bad(f"must have a letter or a digit, and is {shown(text)}", FROM_SUPPLIER)
        return text

    def name(self) -> str:
        """A text for people: on one line, without invisible characters, cut where it is very long."""
        text = " ".join(self.text().split())
        visible = "".join(character for character in text[: MAX_NAME_CHARACTERS + 1] if character.isprintable())
        return visible if len(visible) <= MAX_NAME_CHARACTERS else f"{visible[: MAX_NAME_CHARACTERS - 1]}…"

    def attribute(self, name: str) -> str | None:
        """An attribute as it stands."""
        value = self.element.get(name)
        return None if value is None else str(value)

    def number(self) -> Fraction:
        """A decimal number, exactly."""
        text = self.text()
        if not _DECIMAL.fullmatch(text):
            raise self.bad(f"must be a decimal number such as 12.50, and is {shown(text)}", FROM_SUPPLIER)
        return Fraction(Decimal(text))

    def amount(self, currency: str) -> Fraction:
        """An amount of money in the currency of the invoice, exactly."""
        said = self.attribute("currencyID")
        if said != currency:
            what = f"is in {shown(said)}" if said else "does not say its currency"
            raise self.bad(f"{what}, and the invoice is in {currency}", FROM_SUPPLIER)
        return self.number()

    def cents(self, currency: str) -> int:
        """An amount of money of at least zero, in whole cents."""
        return whole_cents(self, self.amount(currency), currency)


def whole_cents(node: Node, amount: Fraction, currency: str) -> int:
    """An amount that stands in a node as cents; one that is negative or has parts of a cent is refused."""
    if amount < 0:
        raise node.bad(f"is negative ({node.text()} {currency}), which only credits are", BY_HAND)
    cents = amount * 100
    if cents.denominator != 1:
        raise node.bad(f"gives no whole cents ({node.text()} {currency})", BY_HAND)
    return cents.numerator
