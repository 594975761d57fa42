"""XML of invoices, read as the hostile file that it is: a document, and elements whose sentences say where they stand.

A file from outside is hostile until it is validated. It is read as UTF-8 and nothing else, so that what is looked for in
its text is what the parser sees; without a document type declaration there are no entities, neither bombs nor external
ones. Schemas, style sheets and addresses that a file names are never fetched. lxml's own limits (depth 256, names of
50,000 characters) stay on: 10 MB of the smallest elements take 0.3 s and 320 MB.
"""

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from lxml import etree

from errors import BadInput
from systems.invoices import BY_HAND, FROM_SUPPLIER, MAX_ID, MAX_NAME, quoted

MAX_BYTES = 10_000_000

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
CII = "urn:un:unece:uncefact:data:standard:"
_NAMESPACES = {
    "cac": f"{UBL}CommonAggregateComponents-2", "cbc": f"{UBL}CommonBasicComponents-2",
    "rsm": f"{CII}CrossIndustryInvoice:100", "ram": f"{CII}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{CII}UnqualifiedDataType:100",
}  # fmt: skip
_DECIMAL = re.compile(r"[+-]?(?:\d{1,10}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_TRUTH = re.compile("true|false|1|0")
_DIGITS = re.compile(r"\d{8}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(Z|[+-]\d{2}:\d{2})?", re.ASCII)


def read_bytes(file: Path) -> bytes:
    """What a file holds. Raises BadInput where it cannot be read or is too large."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{file}: cannot be read ({why}); give an invoice as UBL, CII or Factur-X") from error
    return _not_too_large(file, content)


def _not_too_large(file: Path, content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise BadInput(f"{file}: is over {MAX_BYTES // 1_000_000} MB, which no invoice needs; {FROM_SUPPLIER}")
    return content


def open_document(file: Path, content: bytes | None = None) -> "InvoiceElement":
    """The root element of an XML file, or of its content where that is at hand.

    Raises BadInput for what cannot be read, is too large, has a DTD or is no XML.
    """
    content = read_bytes(file) if content is None else _not_too_large(file, content)
    try:
        declares_types = "<!DOCTYPE" in content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: is not in UTF-8 (byte {error.start:,}); ask the supplier for the file in UTF-8") from error
    if declares_types:
        raise BadInput(f"{file}: has a document type declaration (DTD), which may hide an attack; {FROM_SUPPLIER} without one")
    # comments are removed since an amount with a comment in it would otherwise end at the comment
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        no_network=True, huge_tree=False, recover=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        return InvoiceElement(etree.fromstring(content, parser), str(file))
    except etree.ParseError as error:  # its text may quote the file
        why = "".join(filter(str.isprintable, " ".join(str(error.msg).split())))[:150]
        raise BadInput(f"{file}: is not well-formed XML ({why}); {FROM_SUPPLIER}") from error


@dataclass(frozen=True)
class InvoiceElement:
    """An element of a document, with the file and the path that sentences about it name, and the currency of the invoice."""

    element: etree._Element
    file: str
    path: str = ""
    currency: str = ""

    def bad(self, what: str, remedy: str) -> BadInput:
        """The error that says what is wrong with this element, and what to do."""
        return BadInput(f"{self.file}: {self.path or 'the invoice'} {what}; {remedy}")

    def all(self, path: str) -> "list[InvoiceElement]":
        """The elements at a path such as `cac:Party/cbc:Name`, in the order of the document."""
        name = "/".join(part for part in (self.path, re.sub(r"\w+:", "", path)) if part)
        found = self.element.findall(path, _NAMESPACES)
        names = [f"{name} {n}" for n in range(1, len(found) + 1)] if len(found) > 1 else [name]
        return [replace(self, element=one, path=path) for one, path in zip(found, names, strict=False)]

    def one(self, path: str) -> "InvoiceElement | None":
        """The element at a path, or none. Several are refused: two readers could take different ones."""
        for surplus in (found := self.all(path))[1:]:
            raise surplus.bad("is more than an invoice can have one of", FROM_SUPPLIER)
        return found[0] if found else None

    def need(self, path: str) -> "InvoiceElement":
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
        """A number, id or code to be compared: in compatibility form, with a letter or digit and no invisible characters."""
        text = unicodedata.normalize("NFKC", self.text())
        if len(text) > MAX_ID or not text.isprintable():
            raise self.bad(f"must be at most {MAX_ID} characters that can be seen, and is {quoted(text)}", FROM_SUPPLIER)
        if not any(map(str.isalnum, text)):
            raise self.bad(f"must have a letter or a digit, and is {quoted(text)}", FROM_SUPPLIER)
        return text

    def name(self) -> str:
        """A text for people: on one line, without invisible characters, cut where it is very long."""
        text = " ".join(self.text().split())
        visible = "".join(filter(str.isprintable, text[: MAX_NAME + 1]))
        return visible if len(visible) <= MAX_NAME else f"{visible[: MAX_NAME - 1]}…"

    def number(self) -> Fraction:
        """A decimal number, exactly."""
        return Fraction(Decimal(self._matching(_DECIMAL, "a decimal number such as 12.50")))

    def amount(self) -> Fraction:
        """An amount of money in the currency of the invoice, exactly; CII need not repeat that."""
        given = self.element.get("currencyID")
        if given != self.currency and (given or not str(self.element.tag).startswith(f"{{{CII}")):
            what = f"is in {quoted(given)}" if given else "does not say its currency"
            raise self.bad(f"{what}, and the invoice is in {self.currency}", FROM_SUPPLIER)
        return self.number()

    def shown(self) -> str:
        """An amount as it stands, for a sentence."""
        return f"{self.text()} {self.currency}"

    def cents(self, *, signed: bool = False) -> int:
        """An amount of money in whole cents; of at least zero, unless it may be `signed`."""
        cents = self.amount() * 100
        if cents < 0 and not signed:
            raise self.bad(f"is negative ({self.shown()})", BY_HAND)
        if cents.denominator != 1:
            raise self.bad(f"gives no whole cents ({self.shown()})", BY_HAND)
        return cents.numerator

    def truth(self) -> bool:
        """Yes or no, as xs:boolean writes it."""
        return self._matching(_TRUTH, "true or false") in ("true", "1")

    def day(self) -> date:
        """A day, as xs:date writes it: a time zone may stand behind it; or in format 102 (UN/EDIFACT 2379): 20260314."""
        in_digits = self.element.get("format") == "102"
        wanted = "a date such as 20260314" if in_digits else "a date such as 2026-03-14"
        with suppress(ValueError):
            return date.fromisoformat(self._matching(_DIGITS if in_digits else _DAY, wanted)[:10])
        raise self.bad(f"must be {wanted}, and is {quoted(self.text())}", FROM_SUPPLIER)

    def _matching(self, pattern: re.Pattern[str], wanted: str) -> str:
        text = self.text()
        if not pattern.fullmatch(text):
            raise self.bad(f"must be {wanted}, and is {quoted(text)}", FROM_SUPPLIER)
        return text
