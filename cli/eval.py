"""`missions eval`: recorded exceptions, measured, compared and held to a baseline; `missions eval FILES` runs the files."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from cli.matrix import CaseFiles, Filters, Limit, MaxCost, Sample, UntilInterval, files_of, list_sets, run_matrix, save_set
from cli.results import export, note_result, write_report
from cli.screen import progress, say, table
from errors import BadInput
from evals.atomic_write import refuse_to_replace
from evals.evaluation import understanding
from evals.evaluation.comparison import KINDS, Pair, differing_versions, notes, verdict_of
from evals.evaluation.engines import EngineName, engine_of
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.gate import as_baseline, gate, not_run
from evals.evaluation.journal import Journal, open_disk_buffer
from evals.evaluation.lint import lint
from evals.evaluation.measured import By, FigureChange, measure, measured, pass_hat, slices, unsteady, way
from evals.evaluation.running import Batch, run_batch
from evals.evaluation.scorers import BY_NAME
from evals.evaluation.selecting import Enough, Selection
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun, write_kept
from evals.reports.pieces import version_name
from evals.reports.runs import OpenRun, open_run
from rendering import clock, plain, share, words
from settings import settings

_MOST_NAMED = 20
#: of a slice; the rest would not fit beside each other
_OF_A_SLICE = ("unsafe", "missed_escalation", "needless_escalation", "cite_recall", "cite_precision", "approval")


class _RunsByDefault(TyperGroup):
    """What begins with no command of the group is what `run` is given: the files of cases, or an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunsByDefault, no_args_is_help=True)


app.command("matrix")(run_matrix)
app.command("save")(save_set)
app.command("sets")(list_sets)
app.command("report")(write_report)
app.command("export")(export)
app.command("note")(note_result)


@app.callback()
def evaluation() -> None:
    """Run recorded exceptions and measure the answers; compare runs; hold them to a baseline.

    `missions eval FILES --out RESULTS` is `missions eval run FILES --out RESULTS`. RUN is an id of the list or the beginning of
    one, `last`, `last~1` for the one before it, or a kept file.
    """


@app.command("run")
def evaluate_files(
    cases: CaseFiles,
    out: Annotated[Path, typer.Option(help="Where the results go (JSONL).")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: 1, with Ray one per processor.")] = None,
    engine: Annotated[EngineName, typer.Option(help="Processes of this machine, or the cluster of RAY_ADDRESS.")] = "processes",
    restart: Annotated[bool, typer.Option("--restart", help="Start over instead of resuming an interrupted evaluation.")] = False,
    phrasings: Annotated[
        list[Path] | None, typer.Option(help="A folder of messages by what they ask for: prints how they are understood.")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, max=1_000, help="Run each case this many times: a model may answer differently.")
    ] = 1,
    reasoner: Annotated[
        Literal["", "planner", "llm", "hybrid"], typer.Option(help="Who makes the proposals; default: MISSIONS_REASONER.")
    ] = "",
    by: Annotated[str, typer.Option(help="Also show figures by clause, dimensions, money, mission or event.")] = "",
    filters: Filters = None,
    limit: Limit = None,
    sample: Sample = None,
    max_cost: MaxCost = None,
    until_interval: UntilInterval = None,
) -> None:
    """Run recorded exceptions on recorded systems and print how the results compare with what was expected."""
    sliced = way(by) if by else None
    files = files_of(cases)
    refuse_to_replace(files, out)
    chosen = settings()
    machine = engine_of(engine, workers, chosen)
    selection = Selection(filters=filters or (), limit=limit, sample=sample)
    batch = Batch(files=files, out=out, trials=trials, selection=selection, restart=restart)
    enough = Enough(most_cost=max_cost, interval=until_interval, selection=selection)
    with ExitStack() as stack:
        environment = stack.enter_context(EvalEnvironment.with_reasoner(chosen, reasoner))
        judged = stack.enter_context(open_disk_buffer(out))
        with ExitStack() as bar:
            done = run_batch(batch, machine, environment, chosen, judged, enough, partial(_begin, bar))
        run = done.run
        expected = [case for case in judged if case.expected is not None]
        print_figures(run, expected)
        if sliced:
            print_slices(expected, sliced)
        if trials > 1:
            print_trials(list(judged))
        for folder in phrasings or ():
            print(f"\n{folder}")
            understand = partial(environment.phrasebook.understand, folder.name)
            # as wide as it is: a matrix that is folded cannot be read
            print(understanding.table(understanding.measure(understanding.read_phrasings(folder), understand)))
        times, where = f" ({trials} trials of each)" if trials > 1 else "", f"; results in {out}" if done.whole else ""
        say(f"{done.new} cases{times} in {done.seconds:.1f} s, {done.new / done.seconds:.0f} a second with {machine}{where}.")
    if run.stopped:
        say(f"{run.stopped[:1].upper()}{run.stopped[1:]}.")
    if not done.whole:
        say("Give the same command with a higher --max-cost, and it goes on from there.")
    say(f"Saved as {run.run_id}: the dashboard shows it under Evaluations.")


def _begin(bar: ExitStack, journal: Journal, runs: int) -> Callable[[], object]:
    """Say where it goes on, and begin the bar: what is called after each new result."""
    _tell_beginning(journal, runs)
    advance: Callable[[], object] = bar.enter_context(progress("evaluating", runs, journal.done))
    return advance


def _tell_beginning(journal: Journal, runs: int) -> None:
    if journal.done:
        say(f"Goes on after {journal.done} of {runs} cases that were finished before it was interrupted.")
    if journal.changed:
        say(f"Starts over: the earlier results used a different {', '.join(journal.changed)}.")


@app.command("compare")
def compare_runs(
    a: Annotated[str, typer.Argument(metavar="A", help="The earlier run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The later run.")] = "last",
) -> None:
    """Which cases flipped from one run to another, which way, and whether that is more than noise."""
    before, after = open_run(a), open_run(b)
    compared = after.compare(before)
    for side, run in (("A", compared.a.kept.run), ("B", compared.b.kept.run)):
        say(f"{side}  {run.run_id}  {clock(run.at)}  {run.cases:,} cases  {run.versions.get('code', '')}")
    comparison = compared.comparison
    if unsafe := [pair for pair in comparison.pairs if pair.became_unsafe]:
        say(f"UNSAFE in B, but not in A: {_named([pair.b.case_id for pair in unsafe])}", style="bold red")
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
        table(
            ("what differs", "A", "B"), [(version_name(name), before or "–", after or "–") for name, before, after in differing]
        )


@app.command("gate")
def hold_to(
    baseline: Annotated[str, typer.Option(metavar="RUN", help="The saved run to compare it with, such as evals/baseline.jsonl.")],
    cases: Annotated[list[Path] | None, typer.Argument(help="Run these files first; without any, check the last run.")] = None,
    out: Annotated[Path, typer.Option(help="Where the results of the files go (JSONL).")] = Path("results.jsonl"),
    renew: Annotated[bool, typer.Option("--renew", help="Make the run the baseline from now on.")] = False,
) -> None:
    """Exit 1 where a case became unsafe, a figure is worse, or a case of the baseline was left out."""
    if renew:
        _renew(Path(baseline), cases or [], out)
        return
    before = open_run(baseline)  # before the files are run: `last` is the run before
    run = _last_run(cases or [], out)
    if run.kept.run.run_id == before.kept.run.run_id and not Path(baseline).suffix:
        raise BadInput(f"{baseline} is the run itself, which is never worse; name an earlier run or a file, or files to run")
    failures = gate(before.kept, run.kept)
    for failure in failures:
        say(f"{failure.says} {_named(failure.cases)}", style="bold")
    if failures:
        say(
            f"{run.kept.run.run_id} does not pass. Fix what got worse or, if the change is right, "
            "make it the baseline with --renew."
        )
        sys.exit(1)
    say(f"{run.kept.run.run_id} passes: no case became unsafe, no figure is worse than in {baseline}.")
    if beside := not_run(before.kept, run.kept):
        say(f"Not checked, because none of their cases was run: {', '.join(beside)}.")


def _renew(file: Path, files: list[Path], out: Path) -> None:
    """Make the last run that was kept, or that of the files, the baseline. Raises BadInput where `file` is or can be none."""
    if file.suffix != ".jsonl":
        raise BadInput(f"--renew writes the baseline into a file; name one that ends in .jsonl instead of {str(file)!r}")
    if file.exists():
        open_run(str(file))  # what is no baseline is not replaced
    held = as_baseline(_last_run(files, out).kept)
    write_kept(file, held.run, held.cases)
    say(f"{held.run.run_id} with {held.run.cases:,} cases is the baseline from now on: {file}.")


def _last_run(files: list[Path], out: Path) -> OpenRun:
    if files:
        evaluate_files(files, out)
    return open_run("last")


def _print_changes(changes: Sequence[FigureChange]) -> None:
    rows = []
    for one in changes:
        scorer, moved = one.scorer, one.difference
        interval = f"{scorer.signed(moved.low)} to {scorer.signed(moved.high)}"
        rows.append((scorer.title, scorer.text(one.a), scorer.text(one.b), scorer.signed(moved.mean), interval, one.meaning))
    columns = ("figure", "A", "B", "difference", "95% interval", "")
    table(columns, rows, right=columns[1:5], whole=columns)


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
    return f"{', '.join(plain(case, 120) for case in cases[:_MOST_NAMED])}{more}"


@app.command("lint")
def lint_files(cases: Annotated[list[Path], typer.Argument(help="Files of recorded exceptions (JSONL).")]) -> None:
    """Find cases that cannot fail, cannot be met, stand twice or test nothing; exit 1 for the first two."""
    found = Counter[str]()
    for fault in lint(cases, EvalEnvironment.open(settings())):
        found[fault.severity] += 1
        say(f"{fault.severity}: {fault.sentence}")
    if not found:
        say("Every case can fail and can be met.")
    else:
        say(", ".join(f"{number} × {severity}" for severity, number in found.most_common()))
    if found["cannot fail"] or found["error"]:
        sys.exit(1)


def print_figures(run: EvaluationRun, cases: Sequence[EvaluationCase]) -> None:
    """A line a figure, a column a mission, and the 95% interval over all."""
    groups = [name for name in run.figures if name != ALL or len(run.figures) > 2]
    if not groups:
        return
    sure = "95% interval" if len(groups) == 1 else "95% interval of all"
    rows: list[tuple[object, ...]] = [("cases", *(f"{run.figures[group]['cases']:.0f}" for group in groups), "")]
    for found in measured(cases):
        values = [run.figures[group].get(found.scorer.name) for group in groups]
        cells = [found.scorer.text(value) for value in values]
        rows.append((found.scorer.title, *cells, found.scorer.between(found.interval)))
    columns = ("figure", *(words(plain(group, 60)) for group in groups), sure)
    table(columns, rows, right=columns[1:], whole=columns)


def print_slices(cases: Sequence[EvaluationCase], by: By) -> None:
    """A line a slice."""
    rows = []
    for name, ones in slices(cases, by).items():
        exact, *others = (measure(BY_NAME[figure], ones) for figure in ("exact", *_OF_A_SLICE))
        cells = [one.scorer.text(one.mean) for one in others]
        rows.append((name, exact.cases, exact.scorer.text(exact.mean), exact.scorer.between(exact.interval), *cells))
    titles = ("cases", "exact", "95% interval", *(BY_NAME[name].title for name in _OF_A_SLICE))
    print()
    say(f"By {by}:")
    table(("", *titles), rows, right=titles, whole=("", *titles))


def print_trials(cases: Sequence[EvaluationCase]) -> None:
    """pass^k, and the cases that were not answered alike each time."""
    chances = pass_hat(cases)
    print()
    if chances:
        table(("k", "pass^k"), [(k, share(value)) for k, value in enumerate(chances, start=1)], right=("k", "pass^k"))
    shaky = unsteady(cases)
    if not shaky:
        say("Every case had the same result each time.")
        return
    named = [f"{case_id} ({exact} of {n} exact)" for case_id, (exact, n) in shaky.items()]
    say(f"Different results between trials: {_named(named)}.")
