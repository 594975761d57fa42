"""`missions eval`: recorded exceptions, measured and compared; `missions eval FILES` runs the files."""

from typing import Any

import typer

from cli.late import LateCommands

RUN = "run"
_COMMANDS = (
    (RUN, "eval_run:evaluate_files",
     "Run recorded exceptions on recorded systems and print how the results compare with what was expected."),
    ("compare", "eval_compare:compare_runs",
     "Which cases flipped from one run to another, which way, and whether that is more than noise."),
    ("gate", "eval_compare:hold_to",
     "Exit 1 where a case became unsafe, a figure is worse, or a case of the baseline was left out."),
    ("lint", "eval_lint:lint_files",
     "Find cases that cannot fail, cannot be met, stand twice or test nothing; exit 1 for the first two."),
    ("report", "eval_report:write_report",
     "Write a run as one HTML file: figures, slices, calibration, and the cases that are not as expected."),
)  # fmt: skip


class _RunsByDefault(LateCommands):
    """What begins with no command of the group is what `run` is given: the files of cases, or an option."""

    rows = _COMMANDS

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunsByDefault, no_args_is_help=True)


@app.callback()
def evaluation() -> None:
    """Run recorded exceptions and measure the answers; compare runs; hold them to a baseline.

    `missions eval FILES --out RESULTS` is `missions eval run FILES --out RESULTS`. RUN is an id of the list or the beginning of
    one, `last`, `last~1` for the one before it, or a kept file.
    """
