"""`missions eval matrix`, `save`, `sets`: what is evaluated, of which cases, when models and prompts are compared."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import progress, say, table
from errors import BadInput
from evals.atomic_write import atomic_write, refuse_to_replace
from evals.evaluation.engines import engine_of
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.journal import Journal, open_disk_buffer
from evals.evaluation.matrix import Combination, Matrix, combinations, matrix_row
from evals.evaluation.running import Batch, Finished, run_batch
from evals.evaluation.selecting import Enough, Selection
from evals.evaluation.sets import CaseSets
from evals.evaluation.store import EvaluationCase
from rendering import as_csv, words
from settings import Settings, settings

Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", help="Only these: mission=order_exception, event=order.*, case=O-99*; one of each name must fit."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first of them.")]
Sample = Annotated[int | None, typer.Option(min=1, help="Only so many, drawn by chance, and the same ones each time.")]
MaxCost = Annotated[float | None, typer.Option(min=0, help="End once it has cost so many US dollars; needs --sample.")]
UntilInterval = Annotated[
    float | None,
    typer.Option(min=0.001, max=1, help="End once the 95% interval of exact is so narrow: 0.1 for ten points; needs --sample."),
]
CaseFiles = Annotated[
    list[Path],
    typer.Argument(
        help="Files of recorded exceptions (JSONL, or Parquet of `missions history scan`), or a saved set: NAME@VERSION."
    ),
]


def files_of(cases: list[Path]) -> list[Path]:
    """The files that are meant, those of saved sets among them. Raises BadInput for a set that there is not."""
    sets = CaseSets.of(settings().home)
    return [sets.file(case) for case in cases]


def run_matrix(
    matrix: Annotated[Path, typer.Argument(help="What to compare (YAML): reasoners, models, prompts (docs/evaluation.md).")],
    cases: CaseFiles,
    out: Annotated[Path, typer.Option(help="A folder for the results of each, and matrix.csv.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: 1.")] = None,
    trials: Annotated[int, typer.Option(min=1, max=1_000, help="Run each case this many times.")] = 1,
    filters: Filters = None,
    limit: Limit = None,
    sample: Sample = None,
    max_cost: MaxCost = None,
    until_interval: UntilInterval = None,
) -> None:
    """Run the same recorded exceptions with every model, prompt and reasoner of a file, and print one table.

    The cost is of each combination. One that was interrupted goes on with the same command; each is a run that can be compared.
    """
    chosen, files = settings(), files_of(cases)
    tried = [*combinations(Matrix.read(matrix), matrix.parent, chosen)]
    if out.is_file():
        raise BadInput(f"{out}: is a file; name a folder for the results")
    out.mkdir(parents=True, exist_ok=True)
    selection = Selection(filters=filters or (), limit=limit, sample=sample)
    rows: list[dict[str, str]] = []
    missions: list[str] = []
    for combination, its_settings in tried:
        batch = Batch(files=files, out=out / f"{combination.name}.jsonl", trials=trials, selection=selection)
        refuse_to_replace(files, batch.out)
        enough = Enough(selection=selection, most_cost=max_cost, interval=until_interval)
        done, judged = _run_one(combination, batch, its_settings, workers, enough)
        missions = missions or sorted({case.mission for case in judged})
        named = {"reasoner": combination.reasoner, "model": combination.model, "prompts": combination.prompts}
        rows.append({**named, **matrix_row(judged, missions), "cases": f"{len(judged):,}", "run": done.run.run_id})
        if done.run.stopped:
            say(f"{combination.name} {done.run.stopped}.")
    columns = list(rows[0])
    table([words(column) for column in columns], [[row[column] for column in columns] for row in rows])
    with atomic_write(out / "matrix.csv") as unfinished:
        unfinished.write_text(as_csv(columns, ([row[column] for column in columns] for row in rows)), "utf-8")
    say(f"Exact with its 95% interval. Written to {out / 'matrix.csv'}; `missions eval compare RUN RUN` says what is no noise.")


def _run_one(
    combination: Combination, batch: Batch, chosen: Settings, workers: int | None, enough: Enough
) -> tuple[Finished, list[EvaluationCase]]:
    with ExitStack() as stack:
        environment = stack.enter_context(EvalEnvironment.with_reasoner(chosen, combination.reasoner))
        judged = stack.enter_context(open_disk_buffer(batch.out))

        def begin(journal: Journal, runs: int) -> Callable[[], object]:
            advance: Callable[[], object] = stack.enter_context(progress(combination.name, runs, journal.done))
            return advance

        done = run_batch(batch, engine_of("processes", workers, chosen), environment, chosen, judged, enough, begin)
        return done, [*judged]


def save_set(
    name: Annotated[str, typer.Argument(help="What the set is called: lower-case letters, digits, hyphens.")],
    cases: CaseFiles,
    filters: Filters = None,
    limit: Limit = None,
    sample: Sample = None,
) -> None:
    """Save recorded exceptions as the next version of a named set, which `missions eval NAME@VERSION` runs."""
    chosen = settings()
    packs = EvalEnvironment.open(chosen).packs
    selection = Selection(filters=filters or (), limit=limit, sample=sample)
    saved = CaseSets.of(chosen.home).save(name, files_of(cases), packs, selection)
    say(f"Saved as {saved}: `missions eval {saved} --out RESULTS.jsonl` runs it; NAME@latest is the newest version.")


def list_sets() -> None:
    """The saved sets, each version by its name."""
    names = CaseSets.of(settings().home).names()
    say("\n".join(names) if names else "No set of cases is saved; `missions eval save NAME FILES` saves one.")
