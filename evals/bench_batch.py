"""Batches: cases a second with one process, with two, and with Ray, each after its start, and how long the start takes.

`python -m evals.bench_batch [CASES]`. In every round each engine runs the same cases, so that what else the machine does
meets all of them; the figures are medians of rounds, and the ratios medians of the ratios of a round.
"""

import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import cycle, islice

from evals.cases import RecordedException
from evals.engines import Engine, Run, engine_of
from evals.jobs import Job, read_jobs
from evals.run import Laboratory
from evals.what_if import recorded_files
from graphs.settings import Settings, settings

ROUNDS = 5
CASES = 2_080


@dataclass(frozen=True)
class Measured:
    """One engine in one round."""

    #: from its opening to its first result
    start_s: float
    cases_a_second: float


def measure(engine: Engine, laboratory: Laboratory, chosen: Settings, cases: Sequence[RecordedException]) -> Measured:
    """Open an engine, let it meet every text that is in the cases, and run them."""
    begun = time.perf_counter()
    with engine.open(laboratory, chosen) as run:
        results = run(map(Job, cases[: len(cases) // 2]))
        next(results)
        start_s = time.perf_counter() - begun
        deque(results, maxlen=0)
        return Measured(start_s, len(cases) / _seconds(run, cases))


def many(cases: Sequence[RecordedException], number: int) -> Iterator[RecordedException]:
    """So many cases with ids of their own."""
    for place, case in enumerate(islice(cycle(cases), number)):
        case_id = f"{case.case_id}-{place}"
        yield replace(case, case_id=case_id, event=replace(case.event, source_id=case_id))


def main() -> None:
    """Print the figures."""
    chosen = settings()
    engines = {"1 process": engine_of("processes", 1, chosen), "2 processes": engine_of("processes", 2, chosen)}
    if find_spec("ray") is None:
        print("Ray is not installed: it is left out")
    else:
        engines["2 Ray workers"] = engine_of("ray", 2, chosen)
    laboratory = Laboratory.open(chosen)
    number = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    cases = list(many([job.case for job in read_jobs(recorded_files(), laboratory.packs)], number))
    rounds = [{name: measure(engine, laboratory, chosen, cases) for name, engine in engines.items()} for _ in range(ROUNDS)]
    for name in engines:
        ones = [one[name] for one in rounds]
        rate = statistics.median(one.cases_a_second for one in ones)
        start_s = statistics.median(one.start_s for one in ones)
        print(f"missions eval, {name:<17}  {rate:6.0f} cases/s, after {start_s:.1f} s until the first result")
    _print_ratio(rounds, "2 processes", "1 process")
    if "2 Ray workers" in engines:
        _print_ratio(rounds, "2 Ray workers", "2 processes")


def _print_ratio(rounds: Sequence[dict[str, Measured]], one: str, other: str) -> None:
    ratios = sorted(each[one].cases_a_second / each[other].cases_a_second for each in rounds)
    print(
        f"{one} to {other}: {statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} rounds)"
    )


def _seconds(run: Run, cases: Sequence[RecordedException]) -> float:
    begun = time.perf_counter()
    deque(run(map(Job, cases)), maxlen=0)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
