"""`missions model` and `missions invoice`: what the language model answers, and reads from an invoice."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.screen import progress, say, table
from cli.session import open_ledger
from errors import BadInput
from graphs.reasoners import open_model, read_invoice_text, try_model
from settings import settings

app = typer.Typer(no_args_is_help=True)
invoices = typer.Typer(no_args_is_help=True)
_MOST_BYTES = 200_000


@app.command("check")
def check_model() -> None:
    """Ask the model one question without any case: whether it answers, in which way, how soon, and for how many tokens."""
    chosen = settings()
    with open_model(chosen) as model:
        if model is None:
            raise BadInput("There is no model to check: name one in MISSIONS_MODEL (docs/models.md).")
        with progress("asking", 1) as advance:
            reply = try_model(model)
            advance()
    again = f", asked {reply.retries + 1} times" if reply.retries else ""
    say(f"{model.name} answers by {reply.structure} in {reply.latency_ms / 1000:.1f} s{again}.")
    say(f"The question took {reply.input_tokens} tokens, the answer {reply.output_tokens}.")
    if reply.answer["more"] != 3:
        say("The answer is wrong, though its form is right: use a larger model, or leave the planner to propose.")
    say(f"Proposals are made by: {chosen.reasoner_name}.")


@invoices.command("read")
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
            name, read, invoice = read_invoice_text(settings(), ledger, text)
        except BadInput as wrong:
            raise BadInput(f"{file}: {wrong}") from None
        advance()
    out.write_text(json.dumps(invoice, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    table(("field", f"read by {name}", "in the text"), _rows(read))
    say(
        f"Written by a model, not by a person: check every value in {out}, correct it there, then run: missions invoice run {out}"
    )


@invoices.command("run")
def run_file(
    file: Annotated[Path, typer.Argument(help="A JSON file of `missions invoice read`, as a person corrected it.")],
) -> None:
    """Enter the invoice of a JSON file, and run its Mission."""
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


def _rows(read: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    fields = {name: field for name, field in read.items() if name not in ("kind", "lines")}
    for number, line in enumerate(read["lines"], start=1):
        fields |= {f"line {number} {name}": field for name, field in line.items()}
    for name, field in fields.items():
        yield (name.replace("_", " "), str(field["value"]), f"“{field['quote']}”") if field else (name.replace("_", " "), "–", "")
