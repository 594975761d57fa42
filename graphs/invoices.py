"""Invoices that come as files or by mail: entered where systems.yaml says so, and their events."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from errors import BadInput, NoAnswer, OutcomeUnknown, Refused, TryAgain
from graphs.events import event_of_text
from graphs.reasoners import read_invoice_text
from graphs.runtime import Runtime
from ledger.canonical import utc_now
from ledger.records import Event
from models.invoices import quotes
from settings import settings
from systems.calls import Call
from systems.conditions import Scope, Unknown, Value
from systems.en16931 import read_invoice
from systems.invoice_xml import read_bytes
from systems.invoices import BY_HAND, Invoice, InvoicesConfig, first_fault, read_invoice_file
from systems.pdf import BEGINS as PDF
from systems.pdf import open_pdf
from systems.values import VALUE_FUNCTIONS

#: what sentences call an invoice that came as text
_TEXT = Path("the text")


def invoice_event(runtime: Runtime, file: Path, content: bytes | None = None, missions: Collection[str] | None = None) -> Event:
    """Enter the invoice of a file, once however often it comes, and give its event.

    Args:
        content: what the file holds, where that is at hand; then `file` is a name for it.
        missions: those that it may start; None for every one.

    Raises BadInput, or TryAgain where the system that it is entered into does not answer; then nothing is entered.
    """
    config = _config(runtime, file, missions)
    invoice, content = _read(file, content)
    return _event(runtime, config, invoice, content, file)


def invoice_text_event(runtime: Runtime, text: str, missions: Collection[str] | None) -> Event:
    """The same of an invoice in free text, which the model of the settings reads.

    Its trigger says so (`read_by`, and the words that each value was read from), and whatever follows from it waits for a
    person. Raises BadInput where there is no model, or it gives no invoice that stands in the text and adds up.
    """
    config = _config(runtime, _TEXT, missions)
    try:
        name, read, found = read_invoice_text(settings(), runtime.context.ledger, text)
        invoice = Invoice.model_validate_json(json.dumps(found))
    except NoAnswer as error:
        raise BadInput(f"{_TEXT}: no model read it ({error}); take it in again when one answers, or {BY_HAND}") from error
    except ValidationError as error:
        raise BadInput(f"{_TEXT}: {first_fault(error)}; {BY_HAND}") from error
    if not invoice.adds_up:
        raise BadInput(f"{_TEXT}: what {name} read in it does not add up to its total; {BY_HAND}")
    return _event(runtime, config, invoice, text.encode(), _TEXT, {"read_by": name, "read_from": quotes(read)})


def _config(runtime: Runtime, file: Path, missions: Collection[str] | None) -> InvoicesConfig:
    config = runtime.invoices
    if config is None:
        raise BadInput(f"{file}: systems.yaml does not say what becomes of an invoice; add `invoices` to it (docs/events.md)")
    if missions is not None and config.mission not in missions:
        what = f"an invoice came, and this source may not start the Mission {config.mission}"
        raise BadInput(f"{what}; add it to its missions")
    return config


def _event(
    runtime: Runtime, config: InvoicesConfig, invoice: Invoice, content: bytes, file: Path, read: Mapping[str, Any] | None = None
) -> Event:
    """Enter an invoice, and give its event, with what is told of how it was `read`; `content` names it."""
    known: dict[str, Any] = {
        "invoice": invoice.model_dump(mode="json"),
        "digest": hashlib.sha256(content).hexdigest()[:16],
        "answer": None,
    }
    if config.enter:
        sent = _computed(config.sent, known, file)
        known["answer"] = _entered(runtime, Call(config.enter, sent), f"invoice {known['digest']}", file)
    fields = _computed(config.computed_event, known, file)
    if read and isinstance(fields.get("trigger"), dict):
        fields["trigger"] = {**fields["trigger"], **read}
    try:
        return event_of_text(json.dumps(fields, ensure_ascii=False), runtime.context.packs, utc_now())
    except BadInput as error:
        raise BadInput(f"{file}: what `invoices` of systems.yaml makes of it is no event: {error}") from error


def _read(file: Path, content: bytes | None) -> tuple[Invoice, bytes]:
    """The invoice of a file, and the text that names it: of a PDF the XML in it, so that it is one however it comes."""
    if content is None:
        if file.suffix.lower() == ".json":
            return read_invoice_file(file), file.read_bytes()
        content = read_bytes(file)
    if content.startswith(PDF):
        try:
            content = open_pdf(content).invoice
        except BadInput as error:
            raise BadInput(f"{file}: {error}") from error
        if not content:
            raise BadInput(f"{file}: the PDF carries no invoice as Factur-X does; ask the supplier for one, or {BY_HAND}")
    return read_invoice(file, content), content


def _computed(value: Value, known: Mapping[str, Any], file: Path) -> Any:
    try:
        return value.evaluate(Scope(known, VALUE_FUNCTIONS))
    except Unknown as unknown:
        what = f"{file}: «{unknown.expression.source}» cannot be computed of this invoice ({unknown})"
        raise BadInput(f"{what}; correct `invoices` in systems.yaml") from unknown


def _entered(runtime: Runtime, call: Call, key: str, file: Path) -> Mapping[str, Any]:
    writer = runtime.context.writer
    if writer is None:
        raise BadInput(f"{file}: nothing is written here, so no invoice is entered")
    try:
        if not writer.honours_keys(call):
            raise BadInput(
                f"{file}: {call.tool} takes no idempotency_key, so an invoice could be entered twice; enter it by hand"
            )
        return writer.write(call, key).answer
    except Refused as refused:
        raise BadInput(f"{file}: {refused}") from refused
    except OutcomeUnknown as unknown:  # to send it again under its key enters nothing twice
        raise TryAgain(f"the invoice may not be entered: {unknown}") from unknown
