"""`missions eval`: recorded exceptions in, results and figures out; each run is kept for the dashboard."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import orjson

from cli.screen import progress, say, table
from errors import BadInput
from evals import understanding
from evals.cases import RecordedException, read_cases
from evals.figures import NAMES, judge
from evals.keeping import case_of, run_of
from evals.run import Laboratory, evaluate
from graphs.settings import settings
from ledger.evaluations import ALL, EvaluationCase, EvaluationRun, Shelf


def evaluate_files(files: Sequence[Path], out: Path, workers: int, phrasings: Sequence[Path]) -> None:
    """Write one result a case to `out`, whole or not at all, keep the run, and print the figures per mission and in all.

    `phrasings` are folders of messages that nothing was learned from, named after the examples that understand them.
    """
    chosen = settings()
    laboratory = Laboratory.open(chosen)
    cases = read_all(files, laboratory)
    unfinished = out.with_name(f"{out.name}.partial")
    begun = time.perf_counter()
    try:
        with unfinished.open("wb") as lines, progress("evaluating", len(cases)) as advance:
            judged = []
            for case, result in zip(cases, evaluate(cases, laboratory, workers), strict=True):
                lines.write(orjson.dumps(result) + b"\n")
                judged.append(judged_case(case, result, laboratory))
                advance()
        os.replace(unfinished, out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name a file in a folder that you may write") from error
    finally:
        unfinished.unlink(missing_ok=True)
    seconds = time.perf_counter() - begun
    run = run_of(laboratory, chosen.phrasings, files, judged, seconds)
    _print(run)
    with_ = "1 process" if workers == 1 else f"{workers} processes"
    for folder in phrasings:
        print(f"\n{folder}")
        understand = partial(laboratory.phrasebook.understand, folder.name)
        # as wide as it is: a matrix that is folded cannot be read
        print(understanding.table(understanding.measure(understanding.read_phrasings(folder), understand)))
    say(f"{len(cases)} cases in {seconds:.1f} s, {len(cases) / seconds:.0f} a second with {with_}; results in {out}.")
    Shelf.of(chosen.home).write(run, judged)
    say(f"Kept as {run.run_id}: the dashboard shows it under Evaluations.")


def read_all(files: Sequence[Path], laboratory: Laboratory) -> list[RecordedException]:
    """The recorded exceptions of files. Raises BadInput where there is none, or one stands twice."""
    cases = [case for file in files for case in read_cases(file, laboratory.packs)]
    seen: set[str] = set()
    for case in cases:
        if case.case_id in seen:
            raise BadInput(f"the case {case.case_id} stands twice in these files; give each case an id of its own")
        seen.add(case.case_id)
    if not cases:
        raise BadInput(f"{', '.join(map(str, files))}: there is no recorded exception in it")
    return cases


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
