"""`missions invoice`: an invoice in free text becomes a JSON file, which a person looks at before it is run."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.opening import open_ledger
from cli.screen import progress, say, table
from errors import BadInput
from graphs.reasoners import limits_of, open_model
from graphs.settings import settings
from models.calls import Question
from models.invoices import SCHEMA, checked
from models.masking import Masks
from models.prompts import Prompt
from models.untrusted import block
from nodes.reasoning.asking import Asker

app = typer.Typer(no_args_is_help=True)
_MOST_BYTES = 200_000


@app.command("read")
def read_text(
    file: Annotated[Path, typer.Argument(help="A text, such as a mail, in UTF-8.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write, for a person to look at and mend; it must not exist.")],
) -> None:
    """Let the model of MISSIONS_MODEL read an invoice from a text, and show what it read with the words that it read it from."""
    text = _text(file)
    if out.exists():
        raise BadInput(f"{out}: exists already; name another file, or remove it")
    masks = Masks()
    shown = masks.mask(text)
    chosen = settings()
    prompt = Prompt.load("invoice", chosen.prompts)
    with open_model(chosen) as model:
        if model is None:
            raise BadInput(
                "Only a model reads free text, and none is set: name one in MISSIONS_MODEL, or enter the invoice by hand."
            )
        system, user = prompt.filled(text=block("invoice text", shown))
        question = Question(purpose="invoice", prompt=prompt.label, system=system, user=user, schema=SCHEMA)
        with open_ledger() as ledger, progress("reading", 1) as advance:
            answer = Asker(model, limits_of(chosen)).ask(question, ledger)
            advance()
        name = model.name
    try:
        read = checked(shown, answer)
    except BadInput as wrong:
        raise BadInput(f"{file}: {wrong}") from None
    out.write_text(json.dumps(_values(read), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    table(("field", f"read by {name}", "in the text"), _rows(read))
    say(f"Written by a model, not by a person: look at every value in {out}, mend it there, then: missions invoice run {out}")


@app.command("run")
def run_file(
    file: Annotated[Path, typer.Argument(help="A JSON file of `missions invoice read`, as a person has left it.")],
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
        raise BadInput(f"{file}: is no text in UTF-8; give the text of the invoice, not the file that it came in") from error
    if len(content) > _MOST_BYTES or not text.strip():
        raise BadInput(f"{file}: is empty, or longer than any invoice; give the text of one invoice")
    return text


def _values(read: Mapping[str, Any]) -> dict[str, Any]:
    """As `systems.invoice_file` reads it; amounts that the text does not name are none."""
    told = {name: field and field["value"] for name, field in read.items() if name not in ("kind", "lines")}
    lines = [{name: field and field["value"] for name, field in line.items()} for line in read["lines"]]
    for line in lines:
        line["name"] = line["name"] or ""
    return {**told, "freight_cents": told["freight_cents"] or 0, "tax_cents": told["tax_cents"] or 0, "lines": lines}


def _rows(read: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    fields = {name: field for name, field in read.items() if name not in ("kind", "lines")}
    for number, line in enumerate(read["lines"], start=1):
        fields |= {f"line {number} {name}": field for name, field in line.items()}
    for name, field in fields.items():
        yield (name.replace("_", " "), str(field["value"]), f"“{field['quote']}”") if field else (name.replace("_", " "), "–", "")
