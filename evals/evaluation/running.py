"""Running an evaluation to its kept run: which cases, how often, on which engine, and until when."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from evals.evaluation.engines import Engine
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import count_jobs, read_jobs
from evals.evaluation.journal import DiskBuffer, Journal, made_of, open_journal, run_jobs
from evals.evaluation.persistence import judged_case, run_of
from evals.evaluation.selecting import Enough, Selection
from evals.evaluation.store import EvaluationRun, EvaluationStore
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What is run."""

    files: Sequence[Path]
    #: where the results go
    out: Path
    trials: int = 1
    selection: Selection = field(default_factory=Selection)
    #: from the beginning, whatever an interrupted evaluation has finished
    restart: bool = False


@dataclass(frozen=True)
class Finished:
    """A run that was kept, and what it took."""

    run: EvaluationRun
    #: results that were not there from an interrupted evaluation
    new: int
    seconds: float
    #: whether the results are whole: what was ended by its cost goes on with the same command
    whole: bool


def run_batch(
    batch: Batch,
    engine: Engine,
    environment: EvalEnvironment,
    chosen: Settings,
    judged: DiskBuffer,
    enough: Enough,
    begun: Callable[[Journal, int], Callable[[], object]],
) -> Finished:
    """Run it and keep the run; its cases are in `judged` then.

    `begun` is called with the journal and how many results there will be, and gives what is called after each new one. What ends
    by its cost leaves its journal, so that it can go on. Raises BadInput, Refused and TryAgain as `open_journal` and engines do.
    """
    results = count_jobs(batch.files, environment.packs, environment.catalogue, batch.trials, batch.selection)
    parts = {**made_of(batch.files, batch.trials, environment, chosen), **batch.selection.made_of}
    with open_journal(batch.out, parts, restart=batch.restart) as journal:
        advance, start, why = begun(journal, results), time.perf_counter(), ""
        jobs = read_jobs(batch.files, environment.packs, batch.trials, batch.selection)
        with closing(run_jobs(jobs, journal, engine, environment, chosen)) as finished:
            for number, (job, result) in enumerate(finished):
                judged.add(case := judged_case(job.case, result, environment.catalogue, job.trial))
                if number >= journal.done:
                    advance()
                if why := enough.after(case):
                    break
        by_cost = bool(why) and len(judged) < results and enough.costs_too_much
        if not by_cost:
            journal.finish()
        seconds = time.perf_counter() - start
        stopped = f"ended after {len(judged):,} of {results:,}: {why}" if len(judged) < results else ""
        run = run_of(environment, chosen.phrasings, batch.files, judged, seconds, stopped=stopped)
        EvaluationStore.of(chosen.home).write(run, judged)
        # it may end among those that were finished before
        return Finished(run, max(0, len(judged) - journal.done), seconds, not by_cost)
