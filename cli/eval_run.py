"""`missions eval`: recorded exceptions in, results and figures out; each run is kept for the dashboard."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.eval_tables import print_figures, print_slices, print_trials
from cli.screen import progress, say
from evals import understanding
from evals.batch import made_of, run_jobs
from evals.cases import RecordedException
from evals.engines import EngineName, engine_of
from evals.figures import judge
from evals.jobs import count_cases, read_jobs
from evals.journal import Journal, open_journal
from evals.keeping import case_of, run_of
from evals.run import Laboratory
from evals.slices import way
from evals.spool import open_spool
from evals.whole_file import refuse_to_replace
from graphs.reasoners import open_reasoning
from graphs.settings import settings
from ledger.evaluations import EvaluationCase, Shelf


def evaluate_files(
    cases: Annotated[
        list[Path], typer.Argument(help="Files of recorded exceptions (JSONL, or Parquet of `missions history scan`).")
    ],
    out: Annotated[Path, typer.Option(help="Where the results go (JSONL).")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; 1 unless given, with Ray one for each processor.")
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Processes of this machine, or the cluster of RAY_ADDRESS.")] = "processes",
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
    """Write one result a case to `out`, whole or not at all, keep the run, and print the figures per mission and in all.

    What was finished when the same evaluation was broken off is not run again, unless `anew`. `phrasings` are folders of
    messages that nothing was learned from, named after the examples that understand them; each case is run `trials` times,
    and the figures are printed by slices too where `by` names some. `reasoner` makes the proposals; that of the settings unless
    one is named.
    """
    sliced = way(by) if by else None
    refuse_to_replace(cases, out)
    chosen = settings()
    machine = engine_of(engine, workers, chosen)
    with ExitStack() as stack:
        laboratory = Laboratory.open(chosen, reasoning=stack.enter_context(open_reasoning(chosen, reasoner)))
        runs = count_cases(cases, laboratory.packs, laboratory.catalogue) * trials
        journal = stack.enter_context(open_journal(out, made_of(cases, trials, laboratory, chosen), anew=anew))
        judged = stack.enter_context(open_spool(out.parent))
        _tell_beginning(journal, runs)
        begun = time.perf_counter()
        with progress("evaluating", runs, journal.done) as advance:
            jobs = read_jobs(cases, laboratory.packs, trials)
            for number, (job, result) in enumerate(run_jobs(jobs, journal, machine, laboratory, chosen)):
                judged.add(judged_case(job.case, result, laboratory, job.trial))
                if number >= journal.done:
                    advance()
        journal.finish()
        seconds = time.perf_counter() - begun
        run = run_of(laboratory, chosen.phrasings, cases, judged, seconds)
        expected = [case for case in judged if case.expected is not None]
        print_figures(run, expected)
        if sliced:
            print_slices(expected, sliced)
        if trials > 1:
            print_trials(list(judged))
        for folder in phrasings or ():
            print(f"\n{folder}")
            understand = partial(laboratory.phrasebook.understand, folder.name)
            # as wide as it is: a matrix that is folded cannot be read
            print(understanding.table(understanding.measure(understanding.read_phrasings(folder), understand)))
        new, times = runs - journal.done, f" ({trials} trials of each)" if trials > 1 else ""
        say(f"{new} cases{times} in {seconds:.1f} s, {new / seconds:.0f} a second with {machine}; results in {out}.")
        Shelf.of(chosen.home).write(run, judged)
    say(f"Kept as {run.run_id}: the dashboard shows it under Evaluations.")


def _tell_beginning(journal: Journal, runs: int) -> None:
    if journal.done:
        say(f"Goes on after {journal.done} of {runs} cases, which were finished before it was broken off.")
    if journal.changed:
        say(f"Begins anew: what was finished before was with another {', '.join(journal.changed)}.")


def judged_case(case: RecordedException, result: Mapping[str, object], laboratory: Laboratory, trial: int = 1) -> EvaluationCase:
    """A case with its result, compared with what was expected of it, if it is known."""
    known = None if case.expected is None else judge(case.expected, result, laboratory.catalogue)
    return case_of(case, result, known, trial)
