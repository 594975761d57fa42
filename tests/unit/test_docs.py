"""The pages name only files, commands, options and variables that there are, and every variable."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.core import TyperGroup

from cli.main import COMMANDS, loaded
from settings import CHECKOUT, Settings
from systems.en16931 import read_invoice
from systems.sandbox.payables import record

PAGES = [CHECKOUT / "README.md", CHECKOUT / "notebooks" / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
SAMPLE = CHECKOUT / "evals" / "cases" / "sample.jsonl"
_BLOCK = re.compile(r"^(`{3,})\w*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_COMMAND = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?missions (?!as\b)([a-z][^\n`;>]*)")
_OPTION = re.compile(r"(?<!\S)--[a-z][\w-]*")
_VARIABLE = re.compile(r"\bMISSIONS_[A-Z_]+\b")
#: a name in a table that leaves out what stands before it: `MISSIONS_MODEL`, `_MODEL_URL`
_SHORT = re.compile(r"`(_[A-Z_]+)`")


def code(page: Path) -> Iterator[str]:
    """The lines of its blocks, and what stands in backticks in its text."""
    text = page.read_text("utf-8")
    for _, block in _BLOCK.findall(text):
        yield from block.splitlines()
    for span in _SPAN.findall(_BLOCK.sub("", text)):
        yield " ".join(span.split())


def named(page: Path) -> Iterator[tuple[str, Any, list[str]]]:
    """Each command that a page names: as it is written, what it is, and the words behind it."""
    root = {name: loaded(name) for name, _, _ in COMMANDS}
    for line in code(page):
        for written in _COMMAND.findall(line):
            first, *others = re.split(r"\\\||(?<=\w)\|(?=[a-z])", re.split(r" \| | # ", written)[0])
            commands, words = root, first.split()
            if isinstance(inner := root.get(words[0]), TyperGroup) and len(words) > 1:
                commands, words = inner.commands, words[1:]
            for wanted in (words, *(other.split() for other in others)):
                # `missions eval CASES` is `missions eval run CASES`
                name = "run" if words is wanted and written.startswith("eval ") and wanted[0] not in commands else wanted[0]
                assert name in commands, f"missions {written}: there is no {wanted[0]}"
                yield written, commands[name], wanted[1:]


def anchors(page: Path) -> set[str]:
    """What may stand behind # in a link to a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> list[tuple[Path, str, str]]:
    """(page, file, anchor) of every link; one of the two is empty where it stays on the page or leads to a whole one."""
    return [(page, *link) for page in PAGES for link in _LINK.findall(_BLOCK.sub("", page.read_text("utf-8")))]


@pytest.mark.parametrize(("page", "file", "anchor"), links(), ids=lambda one: one.stem if isinstance(one, Path) else one)
def test_every_link_leads_somewhere(page: Path, file: str, anchor: str) -> None:
    target = page.parent / file if file else page
    assert target.exists(), file
    assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_is_one(page: Path) -> None:
    for written, command, words in named(page):
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = set(_OPTION.findall(" ".join(words))) - options - {"--help"}
        assert not unknown, f"missions {written}: there is no {unknown}"


def test_every_variable_is_one_and_every_one_is_named() -> None:
    texts = [page.read_text("utf-8") for page in PAGES]
    full = {name for text in texts for name in _VARIABLE.findall(text)}
    short = {name for text in texts for name in _SHORT.findall(text)}
    known = {f"MISSIONS_{name.upper()}" for name, field in Settings.model_fields.items() if not field.validation_alias}
    assert full <= known
    assert [end for end in short if not any(name.endswith(end) for name in known)] == []
    assert [name for name in known - full if not name.endswith(tuple(short))] == []


def test_the_invoice_of_the_pages_bills_what_a_vendor_of_the_sandbox_company_delivered() -> None:
    invoice = read_invoice(CHECKOUT / "docs" / "invoice.xml")
    companies = [orjson.loads(line)["systems"]["erp"] for line in SAMPLE.read_bytes().splitlines()]
    orders = {order["po_id"]: (order, erp) for erp in companies for order in erp.get("purchase_orders", ())}
    order, erp = orders[invoice.order_reference or ""]
    (vendor,) = [vendor["vendor_id"] for vendor in erp["vendors"] if vendor["name"] == invoice.supplier]
    entry = record(
        invoice, vendor_id=vendor, purchase_order=order, received_at="2026-01-06T09:00:00Z",
        invoice_id="I-1", budget_id=order["budget_id"], category=None,
    )  # fmt: skip
    assert (entry["total_cents"], entry["lines"]) == (9_750, [{"po_line": "20", "qty": 5, "unit_price_cents": 1_950}])
