"""`missions invoice`: invoices that did not come as data."""

from pathlib import Path
from typing import Annotated

import typer

invoice = typer.Typer(no_args_is_help=True, help="Invoices in free text: read by a model, looked at by a person, then run.")


@invoice.command()
def read(
    file: Annotated[Path, typer.Argument(help="A text, such as a mail, in UTF-8.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write, for a person to look at and mend; it must not exist.")],
) -> None:
    """Let the model of MISSIONS_MODEL read an invoice from a text, and show what it read with the words that it read it from."""
    from cli.reading_invoices import read_text

    read_text(file, out)


@invoice.command()
def run(file: Annotated[Path, typer.Argument(help="A JSON file of `missions invoice read`, as a person has left it.")]) -> None:
    """Enter the invoice of a JSON file into the sandbox company's ERP, and run its Mission."""
    from cli.invoicing import invoice_event
    from cli.running import run_events, summary
    from graphs.runtime import open_runtime
    from graphs.settings import settings

    with open_runtime(settings()) as runtime:
        summary(runtime, run_events(runtime, [invoice_event(runtime, file)]))
