"""The commands `missions eval …`; without a word of theirs, `missions eval FILES` runs the files."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

RUN = "run"
_HELP = """Run recorded exceptions and measure the answers; compare runs; hold them to a baseline.

`missions eval FILES --out RESULTS` is `missions eval run FILES --out RESULTS`. RUN is an id of the list or the beginning of
one, `last`, `last~1` for the one before it, or a kept file.
"""


class _RunsByDefault(TyperGroup):
    """What begins with no command of the group is what `run` is given: the files of cases, or an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [RUN, *args]
        return super().parse_args(ctx, args)


evaluation = typer.Typer(cls=_RunsByDefault, no_args_is_help=True, help=_HELP)
Run = Annotated[str, typer.Argument(metavar="RUN")]


@evaluation.command(RUN)
def run(
    cases: Annotated[
        list[Path], typer.Argument(help="Files of recorded exceptions (JSONL, or Parquet of `missions history scan`).")
    ],
    out: Annotated[Path, typer.Option(help="Where the results go (JSONL).")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; 1 unless given, with Ray one for each processor.")
    ] = None,
    engine: Annotated[
        Literal["processes", "ray"], typer.Option(help="Processes of this machine, or the cluster of RAY_ADDRESS.")
    ] = "processes",
    anew: Annotated[bool, typer.Option("--anew", help="Do not go on with what was broken off.")] = False,
    phrasings: Annotated[
        list[Path] | None, typer.Option(help="A folder of messages by what they ask for: prints how they are understood.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=1_000, help="Run each case so often: a model may answer otherwise.")] = 1,
    reasoner: Annotated[
        Literal["", "planner", "llm", "hybrid"], typer.Option(help="Who makes the proposals; MISSIONS_REASONER unless given.")
    ] = "",
    by: Annotated[str, typer.Option(help="Figures by clause, dimensions, money, mission or event too.")] = "",
) -> None:
    """Run recorded exceptions on recorded systems and print how the results compare with what was expected."""
    from cli.evaluating import evaluate_files

    evaluate_files(cases, out, workers, phrasings or [], trials, by, engine, anew, reasoner)


@evaluation.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The earlier run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The later run.")] = "last",
) -> None:
    """Which cases flipped from one run to another, which way, and whether that is more than noise."""
    from cli.eval_comparing import compare_runs

    compare_runs(a, b)


@evaluation.command()
def gate(
    baseline: Annotated[str, typer.Option(metavar="RUN", help="The kept run to hold it to, such as evals/baseline.jsonl.")],
    cases: Annotated[list[Path] | None, typer.Argument(help="Run these files first; without any, the last run is held.")] = None,
    out: Annotated[Path, typer.Option(help="Where the results of the files go (JSONL).")] = Path("results.jsonl"),
    renew: Annotated[bool, typer.Option("--renew", help="Make the run the baseline from now on.")] = False,
) -> None:
    """Exit 1 where a case became unsafe, a figure is worse, or a case of the baseline was left out."""
    from cli.eval_comparing import hold_to, renew_baseline

    (renew_baseline if renew else hold_to)(baseline, cases or [], out)


@evaluation.command()
def lint(cases: Annotated[list[Path], typer.Argument(help="Files of recorded exceptions (JSONL).")]) -> None:
    """Find cases that cannot fail, cannot be met, stand twice or test nothing; exit 1 for the first two."""
    from cli.eval_lint import lint_files

    lint_files(cases)


@evaluation.command()
def report(
    name: Run = "last",
    out: Annotated[Path | None, typer.Option(help="The HTML file; evaluation-ID.html here unless given.")] = None,
    against: Annotated[str, typer.Option(metavar="RUN", help="Show what flipped since this run, too.")] = "",
) -> None:
    """Write a run as one HTML file: figures, slices, calibration, and the cases that are not as expected."""
    from cli.eval_reporting import write_report

    write_report(name, out, against)
