"""`missions eval report`: a run as one HTML file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import say
from errors import BadInput
from evals.opened import open_run
from evals.report.page import page


def write_report(
    name: Annotated[str, typer.Argument(metavar="RUN")] = "last",
    out: Annotated[Path | None, typer.Option(help="The HTML file; evaluation-ID.html here unless given.")] = None,
    against: Annotated[str, typer.Option(metavar="RUN", help="Show what flipped since this run, too.")] = "",
) -> None:
    """Write the report of a run, whole or not at all; beside an earlier one where `against` names it."""
    run = open_run(name)
    earlier = open_run(against) if against else None
    out = out or Path(f"evaluation-{run.kept.run.run_id}.html")
    unfinished = out.with_name(f"{out.name}.partial")
    try:
        unfinished.write_text(page(run.kept, earlier.kept if earlier else None), "utf-8")
        os.replace(unfinished, out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name a file in a folder that you may write") from error
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"{out}: open it in a browser; it needs nothing else.")
