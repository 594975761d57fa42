"""`missions eval report`, `export`, `note`: what is done with the results of an evaluation."""

from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from cli.screen import say
from errors import BadInput
from evals.atomic_write import atomic_write, refuse_to_replace
from evals.evaluation.inspect_log import inspect_log, log_name
from evals.evaluation.notes import ResultNotes
from evals.evaluation.persistence import account
from evals.evaluation.store import EvaluationStore
from evals.reports.page import page
from evals.reports.runs import open_run
from settings import settings

RunName = Annotated[str, typer.Argument(metavar="RUN")]


def write_report(
    name: RunName = "last",
    out: Annotated[Path | None, typer.Option(help="The HTML file; default: evaluation-ID.html in this folder.")] = None,
    against: Annotated[str, typer.Option(metavar="RUN", help="Also show what flipped since this run.")] = "",
) -> None:
    """Write a run as one HTML file: figures, slices, calibration, and the cases that are not as expected."""
    run = open_run(name)
    earlier = open_run(against) if against else None
    out = out or Path(f"evaluation-{run.kept.run.run_id}.html")
    refuse_to_replace([name, against], out)
    notes = ResultNotes.of(EvaluationStore.of(settings().home), run.kept.run.run_id).by_case()
    with atomic_write(out) as unfinished:
        unfinished.write_text(page(run.kept, earlier.kept if earlier else None, notes), "utf-8")
    say(f"{out}: open it in a browser; it needs nothing else.")


def export(
    name: RunName = "last",
    to: Annotated[Literal["inspect"], typer.Option(help="The format: the log of Inspect AI.")] = "inspect",
    out: Annotated[Path, typer.Option(help="The folder of logs; the file in it gets the name that the viewer wants.")] = Path(
        "logs"
    ),
) -> None:
    """Write a run, with what a model was asked and answered, as a log that `inspect view` opens."""
    run = open_run(name)
    file = out / log_name(run.kept.run)
    with atomic_write(file, make_folder=True) as unfinished:
        unfinished.write_bytes(orjson.dumps(inspect_log(run.kept)))
    say(f"{file}: `inspect view --log-dir {out}` shows it.")


def note_result(
    name: RunName,
    case: Annotated[str, typer.Argument(help="The id of a case of the run.")],
    text: Annotated[str, typer.Argument(help="What you saw.")],
) -> None:
    """Note something on the result of a case; the dashboard and reports show it."""
    run = open_run(name).kept
    if all(one.case_id != case for one in run.cases):
        raise BadInput(f"The run {run.run.run_id} has no case {case[:80]!r}; give one that `missions eval report` shows")
    ResultNotes.of(EvaluationStore.of(settings().home), run.run.run_id).add(case, account(), text)
    say(f"Noted on {case} of {run.run.run_id}.")
