"""`missions eval report`: a run as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from cli.screen import say
from evals.opened import open_run
from evals.report.page import page
from evals.whole_file import refuse_to_replace, whole_file


def write_report(
    name: Annotated[str, typer.Argument(metavar="RUN")] = "last",
    out: Annotated[Path | None, typer.Option(help="The HTML file; evaluation-ID.html here unless given.")] = None,
    against: Annotated[str, typer.Option(metavar="RUN", help="Show what flipped since this run, too.")] = "",
) -> None:
    """Write the report of a run, whole or not at all; beside an earlier one where `against` names it."""
    run = open_run(name)
    earlier = open_run(against) if against else None
    out = out or Path(f"evaluation-{run.kept.run.run_id}.html")
    refuse_to_replace([name, against], out)
    with whole_file(out) as unfinished:
        unfinished.write_text(page(run.kept, earlier.kept if earlier else None), "utf-8")
    say(f"{out}: open it in a browser; it needs nothing else.")
