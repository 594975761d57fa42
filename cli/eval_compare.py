"""`missions eval compare` and `missions eval gate`: a run beside an earlier one."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.eval_tables import between, number
from cli.screen import say, table
from errors import BadInput
from evals.gate import as_baseline, gate, not_run
from evals.measured import Change
from evals.opened import OpenRun, open_run
from graphs.comparison import KINDS, Pair, differing_versions, notes, verdict_of
from graphs.text import clock, plain, words
from ledger.evaluations import write_kept

_MOST_NAMED = 20


def compare_runs(
    a: Annotated[str, typer.Argument(metavar="A", help="The earlier run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The later run.")] = "last",
) -> None:
    """Print what became of the cases and figures of A in B: what became unsafe first."""
    before, after = open_run(a), open_run(b)
    compared = after.compare(before)
    for side, run in (("A", compared.a.kept.run), ("B", compared.b.kept.run)):
        say(f"{side}  {run.run_id}  {clock(run.at)}  {run.cases:,} cases  {run.versions.get('code', '')}")
    comparison = compared.comparison
    if unsafe := [pair for pair in comparison.pairs if pair.became_unsafe]:
        say(f"UNSAFE in B, and not in A: {_named([pair.b.case_id for pair in unsafe])}", style="bold red")
    say(verdict_of(comparison), style="bold")
    for note in notes(comparison):
        say(note)
    if comparison.pairs:
        print()
        _print_changes(compared.changes)
    if flips := [pair for pair in comparison.pairs if pair.kind in ("worse", "better")]:
        print()
        _print_flips(sorted(flips, key=lambda pair: (not pair.became_unsafe, pair.kind == "better")))
    if differing := differing_versions(compared.a.kept.run, compared.b.kept.run):
        print()
        table(("what differs", "A", "B"), [(_version(name), before or "–", after or "–") for name, before, after in differing])


def hold_to(
    baseline: Annotated[str, typer.Option(metavar="RUN", help="The kept run to hold it to, such as evals/baseline.jsonl.")],
    cases: Annotated[list[Path] | None, typer.Argument(help="Run these files first; without any, the last run is held.")] = None,
    out: Annotated[Path, typer.Option(help="Where the results of the files go (JSONL).")] = Path("results.jsonl"),
    renew: Annotated[bool, typer.Option("--renew", help="Make the run the baseline from now on.")] = False,
) -> None:
    """Hold a run to a baseline and exit with 1 where it falls; the last run that was kept, or that of the files."""
    if renew:
        _renew(Path(baseline), cases or [], out)
        return
    before = open_run(baseline)  # before the files are run: `last` is the run before
    run = _run(cases or [], out)
    if run.kept.run.run_id == before.kept.run.run_id and not Path(baseline).suffix:
        raise BadInput(f"{baseline} is the run itself, which is never worse; name an earlier run or a file, or files to be run")
    failures = gate(before.kept, run.kept)
    for failure in failures:
        say(f"{failure.says} {_named(failure.cases)}", style="bold")
    if failures:
        say(f"{run.kept.run.run_id} does not pass. Mend what fell; or, where it is right, make it the baseline with --renew.")
        sys.exit(1)
    say(f"{run.kept.run.run_id} passes: no case became unsafe, no figure is worse than in {baseline}.")
    if beside := not_run(before.kept, run.kept):
        say(f"Not looked at, for no case of them was run: {', '.join(beside)}.")


def _renew(file: Path, files: list[Path], out: Path) -> None:
    """Make the last run that was kept, or that of the files, the baseline. Raises BadInput where `file` is or can be none."""
    if file.suffix != ".jsonl":
        raise BadInput(f"--renew writes the baseline into a file; name one that ends in .jsonl instead of {str(file)!r}")
    if file.exists():
        open_run(str(file))  # what is no baseline is not replaced
    held = as_baseline(_run(files, out).kept)
    write_kept(file, held.run, held.cases)
    say(f"{held.run.run_id} with {held.run.cases:,} cases is the baseline from now on: {file}.")


def _run(files: list[Path], out: Path) -> OpenRun:
    if files:
        from cli.eval_run import evaluate_files

        evaluate_files(files, out)
    return open_run("last")


def _print_changes(changes: Sequence[Change]) -> None:
    rows = [
        (
            one.scorer.title,
            number(one.scorer, one.a),
            number(one.scorer, one.b),
            f"{one.difference.mean:+.4f}",
            between(one.scorer, one.difference),
            _said(one),
        )
        for one in changes
    ]
    columns = ("figure", "A", "B", "difference", "95% interval", "")
    table(columns, rows, right=columns[1:5], whole=columns)


def _said(change: Change) -> str:
    if not change.difference.mean:
        return ""
    if not change.beyond_noise:
        return "noise"
    return "worse" if change.worse else "better"


def _print_flips(pairs: Sequence[Pair]) -> None:
    rows = [
        (
            plain(pair.b.case_id, 80),
            f"{KINDS[pair.kind]}{', unsafe' if pair.became_unsafe else ''}",
            words(plain(pair.a.result.verdict, 60)),
            words(plain(pair.b.result.verdict, 60)),
            ", ".join(pair.differs_in),
        )
        for pair in pairs
    ]
    table(("case", "what happened", "A", "B", "differs in"), rows)


def _named(cases: Sequence[str]) -> str:
    more = f" and {len(cases) - _MOST_NAMED} more" if len(cases) > _MOST_NAMED else ""
    return f"{', '.join(plain(case_id, 80) for case_id in cases[:_MOST_NAMED])}{more}"


def _version(name: str) -> str:
    return name if name.startswith("file ") else words(name)
