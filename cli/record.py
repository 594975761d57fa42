"""`missions record`: a live run becomes a recorded exception."""

from pathlib import Path
from typing import Annotated

import typer

from cli.opening import open_ledger
from cli.screen import say
from evals.datasets import add_case, line_of
from evals.recording import record
from harmless import escaped
from systems.catalogue import default_catalogue


def record_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    out: Annotated[
        Path | None, typer.Option(help="A file of recorded exceptions, to which it is added; printed unless given.")
    ] = None,
) -> None:
    """Print the run as a line of JSON, or add it to a file that only this account reads."""
    with open_ledger() as ledger:
        raw = record(ledger, run_id, default_catalogue())
    line = line_of(raw)
    if out is None:
        print(escaped(line.decode()), end="")
        return
    new = add_case(out, raw["case_id"], line)
    label = "with what people decided" if "expected" in raw else "nobody has decided what is right: it has no «expected»"
    say(f"{raw['case_id']} is recorded in {out}, {label}." if new else f"{raw['case_id']} stood in {out} already.")
