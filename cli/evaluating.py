"""`missions eval`: recorded exceptions in, results and figures out; each run is kept for the dashboard."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import orjson

from cli.eval_tables import print_figures, print_slices, print_trials
from cli.screen import progress, say
from errors import BadInput
from evals import understanding
from evals.cases import RecordedException, read_cases
from evals.expected import faults_of_form
from evals.figures import judge
from evals.keeping import case_of, run_of
from evals.run import Laboratory, evaluate
from evals.slices import way
from graphs.settings import settings
from ledger.evaluations import EvaluationCase, Shelf


def evaluate_files(
    files: Sequence[Path], out: Path, workers: int, phrasings: Sequence[Path], trials: int = 1, by: str = ""
) -> None:
    """Write one result a case to `out`, whole or not at all, keep the run, and print the figures per mission and in all.

    `phrasings` are folders of messages that nothing was learned from, named after the examples that understand them; each
    case is run `trials` times, and the figures are printed by slices too where `by` names some.
    """
    sliced = way(by) if by else None
    chosen = settings()
    laboratory = Laboratory.open(chosen)
    cases = [case for case in read_all(files, laboratory) for _ in range(trials)]
    unfinished = out.with_name(f"{out.name}.partial")
    begun = time.perf_counter()
    try:
        with unfinished.open("wb") as lines, progress("evaluating", len(cases)) as advance:
            judged = []
            for number, (case, result) in enumerate(zip(cases, evaluate(cases, laboratory, workers), strict=True)):
                trial = number % trials + 1
                lines.write(orjson.dumps({**result, "trial": trial} if trials > 1 else result) + b"\n")
                judged.append(judged_case(case, result, laboratory, trial))
                advance()
        os.replace(unfinished, out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name a file in a folder that you may write") from error
    finally:
        unfinished.unlink(missing_ok=True)
    seconds = time.perf_counter() - begun
    run = run_of(laboratory, chosen.phrasings, files, judged, seconds)
    print_figures(run, judged)
    if sliced:
        print_slices(judged, sliced)
    if trials > 1:
        print_trials(judged)
    with_ = "1 process" if workers == 1 else f"{workers} processes"
    for folder in phrasings:
        print(f"\n{folder}")
        understand = partial(laboratory.phrasebook.understand, folder.name)
        # as wide as it is: a matrix that is folded cannot be read
        print(understanding.table(understanding.measure(understanding.read_phrasings(folder), understand)))
    times = f" ({trials} trials of each)" if trials > 1 else ""
    say(f"{len(cases)} cases{times} in {seconds:.1f} s, {len(cases) / seconds:.0f} a second with {with_}; results in {out}.")
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
        if case.expected is not None and (fault := next(faults_of_form(case.expected), None)):
            raise BadInput(f"the case {case.case_id}: {fault}; see evals/cases/README.md, or ask `missions eval lint`")
    if not cases:
        raise BadInput(f"{', '.join(map(str, files))}: there is no recorded exception in it")
    return cases


def judged_case(case: RecordedException, result: Mapping[str, object], laboratory: Laboratory, trial: int = 1) -> EvaluationCase:
    """A case with its result, compared with what was expected of it, if it is known."""
    known = None if case.expected is None else judge(case.expected, result, laboratory.catalogue)
    return case_of(case, result, known, trial)
