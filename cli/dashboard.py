"""`missions dashboard`, and the evaluation beside it: in a process of its own, so that the pages stay quick.

`python -m cli.dashboard NAME` is that process: it reports what it does as lines of JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from cli.screen import say
from dashboard.company import Tools
from dashboard.serving import serve
from errors import BadInput, MissionsError, TryAgain
from evals.evaluation.engines import Here
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import count_cases, read_jobs
from evals.evaluation.persistence import judged_case, run_of
from evals.evaluation.store import EvaluationStore
from evals.what_if import what_if
from settings import CHECKOUT, settings

_CASES = CHECKOUT / "evals" / "cases"
#: a line for so many cases
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
    """Run the recorded exceptions of the checkout and keep the run: its id. `on_progress` is called with (done, of how many).

    Raises BadInput with what the evaluation said, and TryAgain where its process ended without a word.
    """
    command = [sys.executable, "-m", __name__, by]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            report = _parsed(line)
            if "done" in report:
                on_progress(report["done"], report["of"])
            if "failed" in report:
                raise BadInput(report["failed"])
            if "kept" in report:
                return str(report["kept"])
    raise TryAgain("The evaluation stopped without an error message, and nothing was saved; run it again.")


def _parsed(line: str) -> dict[str, Any]:
    """The report of a line; nothing where a library printed it."""
    try:
        report = json.loads(line)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _report(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def _run(by: str) -> str:
    chosen = settings()
    environment = EvalEnvironment.open(chosen)
    files = sorted(_CASES.glob("*_*.jsonl"))
    cases = count_cases(files, environment.packs, environment.catalogue)
    begun, judged = time.perf_counter(), []
    with Here().open(environment, chosen) as run_all:
        for job, result in run_all(read_jobs(files, environment.packs)):
            judged.append(judged_case(job, result, environment.catalogue))
            if len(judged) % _REPORT_EVERY == 0:
                _report(done=len(judged), of=cases)
    run = run_of(environment, chosen.phrasings, files, judged, time.perf_counter() - begun, by)
    EvaluationStore.of(chosen.home).write(run, judged)
    return run.run_id


def main() -> None:
    """The process."""
    try:
        _report(kept=_run(sys.argv[1]))
    except MissionsError as error:
        _report(failed=str(error))


if __name__ == "__main__":
    main()
