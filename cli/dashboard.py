"""`missions dashboard`, and the evaluation that it offers."""

import time
from collections.abc import Callable

from cli.screen import say
from dashboard.company import Tools
from dashboard.serving import serve
from evals.evaluation.engines import Pool
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import count_jobs, read_jobs
from evals.evaluation.persistence import judged_case, run_of
from evals.evaluation.store import EvaluationStore
from evals.recorded.cases import recorded_files
from evals.what_if import what_if
from settings import settings

#: progress is told once for so many cases
_REPORT_EVERY = 10


def open_dashboard() -> None:
    """Serve the dashboard until it is stopped."""
    chosen = settings()
    serve(
        chosen,
        Tools(what_if=what_if, evaluate=evaluate_recorded),
        lambda: say(f"The dashboard: http://{chosen.address}:{chosen.port} (Ctrl-C stops it)"),
    )
    say("The dashboard is stopped.")


def evaluate_recorded(by: str, on_progress: Callable[[int, int], None]) -> str:
    """Run the recorded exceptions of the checkout beside this process, and keep the run: its id. The pages stay quick.

    `on_progress` is called with (done, of how many). Raises BadInput for what does not load, and TryAgain where the process is
    lost; nothing is kept then.
    """
    chosen, files = settings(), recorded_files()
    environment = EvalEnvironment.open(chosen)
    cases = count_jobs(files, environment.packs, environment.catalogue)
    begun, judged = time.perf_counter(), []
    with Pool(1).open(environment, chosen) as run_all:
        for job, result in run_all(read_jobs(files, environment.packs)):
            judged.append(judged_case(job.case, result, environment.catalogue, job.trial))
            if len(judged) % _REPORT_EVERY == 0:
                on_progress(len(judged), cases)
    run = run_of(environment, chosen.phrasings, files, judged, time.perf_counter() - begun, by)
    EvaluationStore.of(chosen.home).write(run, judged)
    return run.run_id
