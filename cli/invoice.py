"""`missions invoice`: an invoice in free text becomes a file for a person to look at; those of files are entered into the ERP."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.screen import progress, say, table
from cli.session import open_ledger
from errors import BadInput, TryAgain
from graphs.reasoners import read_invoice_text
from graphs.runtime import Runtime
from ledger.canonical import utc_now
from ledger.records import Event
from nodes.case import iso
from settings import settings
from systems.calls import Call
from systems.config import load_config
from systems.invoices import Invoice, read_invoice_file, record
from systems.sandbox.loader import add_invoice
from systems.ubl import read_invoice

app = typer.Typer(no_args_is_help=True)
_MOST_BYTES = 200_000
EVENT = "invoice.received"


@app.command("read")
def read_text(
    file: Annotated[Path, typer.Argument(help="A text file, such as an email, in UTF-8.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write, for a person to check and correct; it must not exist yet.")],
) -> None:
    """Let the model of MISSIONS_MODEL read an invoice from a text, and show what it read with the words that it read it from."""
    text = _text(file)
    if out.exists():
        raise BadInput(f"{out}: exists already; name another file, or remove it")
    with open_ledger() as ledger, progress("reading", 1) as advance:
        try:
            name, read = read_invoice_text(settings(), ledger, text)
        except BadInput as wrong:
            raise BadInput(f"{file}: {wrong}") from None
        advance()
    out.write_text(json.dumps(_values(read), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    table(("field", f"read by {name}", "in the text"), _rows(read))
    say(
        f"Written by a model, not by a person: check every value in {out}, correct it there, then run: missions invoice run {out}"
    )


@app.command("run")
def run_file(
    file: Annotated[Path, typer.Argument(help="A JSON file of `missions invoice read`, as a person corrected it.")],
) -> None:
    """Enter the invoice of a JSON file into the sandbox company's ERP, and run its Mission."""
    from cli.run import run_invoice  # which loads what `read` does without

    run_invoice(file)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give the text of an invoice") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: is not UTF-8 text; give the text of the invoice, not the file it came in") from error
    if len(content) > _MOST_BYTES or not text.strip():
        raise BadInput(f"{file}: is empty, or longer than any invoice; give the text of one invoice")
    return text


def _values(read: Mapping[str, Any]) -> dict[str, Any]:
    """As `systems.invoices` reads it; amounts that the text does not name are none."""
    values = {name: field and field["value"] for name, field in read.items() if name not in ("kind", "lines")}
    lines = [{name: field and field["value"] for name, field in line.items()} for line in read["lines"]]
    for line in lines:
        line["name"] = line["name"] or ""
    return {**values, "freight_cents": values["freight_cents"] or 0, "tax_cents": values["tax_cents"] or 0, "lines": lines}


def _rows(read: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    fields = {name: field for name, field in read.items() if name not in ("kind", "lines")}
    for number, line in enumerate(read["lines"], start=1):
        fields |= {f"line {number} {name}": field for name, field in line.items()}
    for name, field in fields.items():
        yield (name.replace("_", " "), str(field["value"]), f"“{field['quote']}”") if field else (name.replace("_", " "), "–", "")


def invoice_event(runtime: Runtime, file: Path) -> Event:
    """Enter the invoice of a file, once however often it comes, and give its event. Raises BadInput, then nothing is entered."""
    erp = load_config(settings().systems).systems.get("erp")
    if erp is None or not erp.is_sandbox:
        raise BadInput(
            f"{file}: invoices are entered into the sandbox company only; enter it in your ERP and send {EVENT} with its id"
        )
    invoice = read_invoice_file(file) if file.suffix.lower() == ".json" else read_invoice(file)
    invoice_id = f"I-{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    if not _read(runtime, "erp.get_invoice", invoice_id=invoice_id):
        order = _read(runtime, "erp.get_purchase_order", po_id=invoice.order_reference) if invoice.order_reference else None
        entry = record(
            invoice, vendor_id=_vendor_id(runtime, invoice, order, file), purchase_order=order, received_at=iso(utc_now()),
            invoice_id=invoice_id, budget_id=order["budget_id"] if order else None, category=None,
        )  # fmt: skip
        add_invoice(runtime.database_url, entry)
    mission = next(name for name, pack in runtime.context.packs.items() if EVENT in pack.trigger.events)
    trigger = {"event": EVENT, "invoice_id": invoice_id}
    return Event(source_id=invoice_id, name=EVENT, mission=mission, subject=invoice_id, trigger=trigger, as_of=utc_now())


def _vendor_id(runtime: Runtime, invoice: Invoice, order: Mapping[str, Any] | None, file: Path) -> str:
    """The one vendor of the ERP with the supplier's very name; of several, the one whose id it gives or whose order it is."""
    found = {vendor["vendor_id"] for vendor in _read(runtime, "erp.list_vendors", names=[invoice.supplier]) or ()}
    if len(found) > 1:
        found &= {*invoice.supplier_ids, *([order["vendor_id"]] if order else [])}
    if len(found) != 1:
        raise BadInput(
            f"{file}: the ERP has no vendor, or several, named «{invoice.supplier}»; enter the vendor, "
            "or enter this invoice manually"
        )
    return str(found.pop())


def _read(runtime: Runtime, tool: str, **args: Any) -> Any:
    (result,) = runtime.context.reader.read_all([Call(tool, args)])
    if result.status == "failed":
        raise TryAgain(f"the invoice cannot be entered: {result.error}; try again when the ERP answers")
    return result.value
