"""Batches: cases a second with one process, with two, and with Ray, each after its start, and how long the start takes.

`python -m tests.bench.batch [CASES]`. In every round each engine runs the same cases, so that what else the machine does
meets all of them; the figures are medians of rounds, and the ratios medians of the ratios of a round.
"""

import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from evals.evaluation.engines import Engine, engine_of
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import read_jobs
from evals.evaluation.journal import open_journal
from evals.evaluation.scorers import judge
from evals.recorded.cases import recorded_files
from settings import Settings, settings

ROUNDS = 5
CASES = 2_080


@dataclass(frozen=True)
class EngineRound:
    """One engine in one round."""

    #: from its opening to its first result
    start_s: float
    cases_a_second: float


def measure(engine: Engine, environment: EvalEnvironment, chosen: Settings, cases: Path) -> EngineRound:
    """Open an engine, let it meet every text that is in the file of cases, and run them: read, run, judged, in the journal."""
    with TemporaryDirectory() as folder, open_journal(Path(folder) / "results.jsonl", {}) as journal:
        begun = time.perf_counter()
        with engine.open(environment, chosen) as run:
            results = run(read_jobs([cases], environment.packs))
            next(results)
            start_s = time.perf_counter() - begun
            deque(results, maxlen=0)
            begun, figures = time.perf_counter(), []
            for job, result in run(read_jobs([cases], environment.packs)):
                journal.append(result)
                figures.append(judge(job.case.expected or {}, result, environment.catalogue))
            return EngineRound(start_s, len(figures) / (time.perf_counter() - begun))


def write_many(file: Path, number: int) -> None:
    """The recorded exceptions of this checkout again and again, so many, with ids of their own."""
    recorded = [orjson.loads(line) for one in recorded_files() for line in one.read_bytes().splitlines()]
    with file.open("wb") as lines:
        for place, case in enumerate(islice(cycle(recorded), number)):
            lines.write(orjson.dumps({**case, "case_id": f"{case['case_id']}-{place}"}) + b"\n")


def main() -> None:
    """Print the figures."""
    chosen = settings()
    engines = {"1 process": engine_of("processes", 1, chosen), "2 processes": engine_of("processes", 2, chosen)}
    if find_spec("ray") is None:
        print("Ray is not installed; skipping it")
    else:
        engines["2 Ray workers"] = engine_of("ray", 2, chosen)
    environment = EvalEnvironment.open(chosen)
    with TemporaryDirectory() as folder:
        cases = Path(folder) / "cases.jsonl"
        write_many(cases, int(sys.argv[1]) if len(sys.argv) > 1 else CASES)
        rounds = [{name: measure(engine, environment, chosen, cases) for name, engine in engines.items()} for _ in range(ROUNDS)]
    for name in engines:
        ones = [one[name] for one in rounds]
        rate = statistics.median(one.cases_a_second for one in ones)
        start_s = statistics.median(one.start_s for one in ones)
        print(f"missions eval, {name:<17}  {rate:6.0f} cases/s, after {start_s:.1f} s until the first result")
    _print_ratio(rounds, "2 processes", "1 process")
    if "2 Ray workers" in engines:
        _print_ratio(rounds, "2 Ray workers", "2 processes")


def _print_ratio(rounds: Sequence[dict[str, EngineRound]], one: str, other: str) -> None:
    ratios = sorted(each[one].cases_a_second / each[other].cases_a_second for each in rounds)
    print(
        f"{one} to {other}: {statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} rounds)"
    )


if __name__ == "__main__":
    main()
