"""`missions eval`: recorded exceptions in, results and figures out; each run is kept for the dashboard."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cli.screen import progress, say, table
from evals import understanding
from evals.batch import made_of, run_jobs
from evals.cases import RecordedException
from evals.engines import EngineName, engine_of
from evals.figures import NAMES, judge
from evals.jobs import count_cases, read_jobs
from evals.journal import Journal, open_journal
from evals.keeping import case_of, run_of
from evals.run import Laboratory
from evals.spool import open_spool
from graphs.settings import settings
from ledger.evaluations import ALL, EvaluationCase, EvaluationRun, Shelf


def evaluate_files(
    files: Sequence[Path],
    out: Path,
    workers: int | None,
    phrasings: Sequence[Path],
    engine: EngineName = "processes",
    anew: bool = False,
) -> None:
    """Write one result a case to `out`, whole or not at all, keep the run, and print the figures per mission and in all.

    What was finished when the same evaluation was broken off is not run again, unless `anew`. `phrasings` are folders of
    messages that nothing was learned from, named after the examples that understand them.
    """
    chosen = settings()
    machine = engine_of(engine, workers, chosen)
    laboratory = Laboratory.open(chosen)
    cases = count_cases(files, laboratory.packs, laboratory.catalogue)
    with open_journal(out, made_of(files, 1, laboratory, chosen), anew=anew) as journal, open_spool(out.parent) as judged:
        _tell_beginning(journal, cases)
        begun = time.perf_counter()
        with progress("evaluating", cases, journal.done) as advance:
            jobs = read_jobs(files, laboratory.packs)
            for number, (job, result) in enumerate(run_jobs(jobs, journal, machine, laboratory, chosen)):
                judged.add(judged_case(job.case, result, laboratory))
                if number >= journal.done:
                    advance()
        journal.finish()
        seconds = time.perf_counter() - begun
        run = run_of(laboratory, chosen.phrasings, files, judged, seconds)
        _print(run)
        for folder in phrasings:
            print(f"\n{folder}")
            understand = partial(laboratory.phrasebook.understand, folder.name)
            # as wide as it is: a matrix that is folded cannot be read
            print(understanding.table(understanding.measure(understanding.read_phrasings(folder), understand)))
        new = cases - journal.done
        say(f"{new} cases in {seconds:.1f} s, {new / seconds:.0f} a second with {machine}; results in {out}.")
        Shelf.of(chosen.home).write(run, judged)
    say(f"Kept as {run.run_id}: the dashboard shows it under Evaluations.")


def _tell_beginning(journal: Journal, cases: int) -> None:
    if journal.done:
        say(f"Goes on after {journal.done} of {cases} cases, which were finished before it was broken off.")
    if journal.changed:
        say(f"Begins anew: what was finished before was with another {', '.join(journal.changed)}.")


def judged_case(case: RecordedException, result: Mapping[str, object], laboratory: Laboratory) -> EvaluationCase:
    """A case with its result, compared with what was expected of it, if it is known."""
    known = None if case.expected is None else judge(case.expected, result, laboratory.catalogue)
    return case_of(case, result, known)


def _print(run: EvaluationRun) -> None:
    groups = [name for name in run.figures if name != ALL or len(run.figures) > 2]
    if not groups:
        return
    rows: list[tuple[object, ...]] = [("cases", *(f"{run.figures[group]['cases']:.0f}" for group in groups))]
    for name in NAMES:
        values = [run.figures[group][name] for group in groups]
        rows.append((name.replace("_", " "), *("–" if value is None else f"{value:.4f}" for value in values)))
    table(("figure", *groups), rows, right=tuple(groups))
