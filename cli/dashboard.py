"""`missions dashboard`, and the evaluation beside it: in a process of its own, so that the pages stay quick.

`python -m cli.dashboard NAME` is that process: it tells what it does as lines of JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from cli.eval import judged_case
from cli.screen import say
from dashboard.company import Tools
from dashboard.serving import serve
from errors import BadInput, MissionsError, TryAgain
from evals.evaluation.engines import Here
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import count_cases, read_jobs
from evals.evaluation.persistence import run_of
from evals.evaluation.store import EvaluationStore
from evals.what_if import what_if
from settings import CHECKOUT, settings

_CASES = CHECKOUT / "evals" / "cases"
#: a line for so many cases
_TOLD_EVERY = 10


def open_dashboard() -> None:
    """Serve the dashboard until it is stopped."""
    chosen = settings()
    serve(
        chosen,
        Tools(what_if=what_if, evaluate=evaluate_recorded),
        lambda: say(f"The dashboard: http://{chosen.address}:{chosen.port} (Ctrl-C stops it)"),
    )
    say("The dashboard is stopped.")


def evaluate_recorded(by: str, told: Callable[[int, int], None]) -> str:
    """Run the recorded exceptions of the checkout and keep the run: its id. `told` hears how many of how many are done.

    Raises BadInput with what the evaluation said, and TryAgain where its process ended without a word.
    """
    command = [sys.executable, "-m", __name__, by]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said = _said(line)
            if "done" in said:
                told(said["done"], said["of"])
            if "failed" in said:
                raise BadInput(said["failed"])
            if "kept" in said:
                return str(said["kept"])
    raise TryAgain("The evaluation stopped without an error message, and nothing was saved; run it again.")


def _said(line: str) -> dict[str, Any]:
    """What a line tells; nothing where a library printed it."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def _run(by: str) -> str:
    chosen = settings()
    environment = EvalEnvironment.open(chosen)
    files = sorted(_CASES.glob("*_*.jsonl"))
    cases = count_cases(files, environment.packs, environment.catalogue)
    begun, judged = time.perf_counter(), []
    with Here().open(environment, chosen) as run_all:
        for job, result in run_all(read_jobs(files, environment.packs)):
            judged.append(judged_case(job.case, result, environment))
            if len(judged) % _TOLD_EVERY == 0:
                _tell(done=len(judged), of=cases)
    run = run_of(environment, chosen.phrasings, files, judged, time.perf_counter() - begun, by)
    EvaluationStore.of(chosen.home).write(run, judged)
    return run.run_id


def main() -> None:
    """The process."""
    try:
        _tell(kept=_run(sys.argv[1]))
    except MissionsError as error:
        _tell(failed=str(error))


if __name__ == "__main__":
    main()
