"""`missions eval`: recorded exceptions in, results and figures out."""

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import orjson

from cli.screen import progress, say, table
from errors import BadInput
from evals import understanding
from evals.cases import RecordedException, read_cases
from evals.figures import NAMES, Figures, judge, means
from evals.run import Laboratory, evaluate
from graphs.settings import settings


def evaluate_files(files: Sequence[Path], out: Path, workers: int, phrasings: Sequence[Path]) -> None:
    """Write one result a case to `out`, whole or not at all, and print the figures per mission and in all.

    `phrasings` are folders of messages that nothing was learned from, named after the examples that understand them.
    """
    laboratory = Laboratory.open(settings())
    cases = [case for file in files for case in read_cases(file, laboratory.packs)]
    _refuse_twins(cases)
    if not cases:
        raise BadInput(f"{', '.join(map(str, files))}: there is no recorded exception in it")
    unfinished = out.with_name(f"{out.name}.partial")
    figures: dict[str, list[Figures]] = {}
    begun = time.perf_counter()
    try:
        with unfinished.open("wb") as lines, progress("evaluating", len(cases)) as advance:
            for case, result in zip(cases, evaluate(cases, laboratory, workers), strict=True):
                lines.write(orjson.dumps(result) + b"\n")
                if case.expected is not None:
                    one = judge(case.expected, result, laboratory.catalogue)
                    figures.setdefault(case.event.mission, []).append(one)
                advance()
        os.replace(unfinished, out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name a file in a folder that you may write") from error
    finally:
        unfinished.unlink(missing_ok=True)
    seconds = time.perf_counter() - begun
    _print(figures)
    with_ = "1 process" if workers == 1 else f"{workers} processes"
    for folder in phrasings:
        print(f"\n{folder}")
        understand = partial(laboratory.phrasebook.understand, folder.name)
        # as wide as it is: a matrix that is folded cannot be read
        print(understanding.table(understanding.measure(understanding.read_phrasings(folder), understand)))
    say(f"{len(cases)} cases in {seconds:.1f} s, {len(cases) / seconds:.0f} a second with {with_}; results in {out}.")


def _refuse_twins(cases: Sequence[RecordedException]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.case_id in seen:
            raise BadInput(f"the case {case.case_id} stands twice in these files; give each case an id of its own")
        seen.add(case.case_id)


def _print(figures: dict[str, list[Figures]]) -> None:
    groups = {**figures, "all": [one for rows in figures.values() for one in rows]} if len(figures) > 1 else figures
    if not groups:
        return
    of_groups = [means(ones) for ones in groups.values()]
    rows: list[tuple[object, ...]] = [("cases", *(len(ones) for ones in groups.values()))]
    for name in NAMES:
        values = [group[name] for group in of_groups]
        rows.append((name.replace("_", " "), *("–" if value is None else f"{value:.4f}" for value in values)))
    table(("figure", *groups), rows, right=tuple(groups))
