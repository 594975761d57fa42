"""On Ray: the cluster that RAY_ADDRESS names, or one of this machine that ends with the evaluation.

A Ray of this machine listens to this machine alone, lets in only who has its token, has no dashboard, and reports to nobody.
"""

import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from errors import BadInput, MissionsError, TryAgain
from evals.evaluation.engines import Opening, Result, Run, Worker, in_order
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import Job
from evals.recorded.cases import RecordedException
from settings import CHECKOUT, Settings

_LOST = "Ray lost a worker too often. Run the same command again: it resumes where it stopped."
_LOOPBACK = "127.0.0.1"
#: of what lies between the processes: chunks of cases, results
_OBJECT_STORE_BYTES = 200_000_000
#: how often a worker that is lost, with its machine perhaps, is restarted
_RESTARTS = 5
#: chunks that a worker has: one that it runs, one that waits for it
_CHUNKS_AT_WORKER = 2
_PATIENCE_S = 10
#: of the checkout, what machines of a cluster do not need
_LEFT_BEHIND = [".git", ".venv", "build", "docs", "notebooks", "tests", "**/__pycache__"]


class OnRay:
    """The engine of Ray actors."""

    def __init__(self, workers: int | None, address: str) -> None:
        """`workers`: as many as there are processors unless given. `address`: of a cluster; empty for this machine."""
        if find_spec("ray") is None:
            raise BadInput("Ray is not installed: install it with `.venv/bin/pip install 'ray>=2.60'`, or omit --engine")
        self._workers, self._address = workers, address

    @contextmanager
    def open(self, environment: EvalEnvironment, chosen: Settings) -> Iterator[Run]:
        """See Engine."""
        with _cluster(self._address) if self._address else _of_this_machine(self._workers or os.cpu_count() or 1) as ray:
            self._workers = workers = self._workers or int(ray.cluster_resources().get("CPU", 1))
            worker = ray.remote(num_cpus=1, max_restarts=_RESTARTS, max_task_retries=_RESTARTS)(Worker)
            opening = Opening.of(environment, chosen)
            free: SimpleQueue[Any] = SimpleQueue()
            for actor in [worker.remote(opening) for _ in range(workers)] * _CHUNKS_AT_WORKER:
                free.put(actor)

            def submit(cases: list[RecordedException]) -> Future[list[Result]]:
                actor = free.get()
                future: Future[list[Result]] = actor.run.remote(cases).future()
                future.add_done_callback(lambda _: free.put(actor))
                return future

            def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
                try:
                    yield from in_order(jobs, submit, workers, alone=environment.asks_model)
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause if isinstance(error.cause, MissionsError) else error) from None
                except ray.exceptions.RayError as error:
                    raise TryAgain(f"{_LOST} ({type(error).__name__})") from error

            yield run

    def __str__(self) -> str:
        return "Ray" if self._workers is None else f"{self._workers} Ray workers"


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Connected to a cluster, whose machines get this checkout and have its requirements installed."""
    _check_answers(address)
    with _environment(RAY_USAGE_STATS_ENABLED="0"):
        runtime_env = {"working_dir": str(CHECKOUT), "excludes": _LEFT_BEHIND}
        with _connected(f"the cluster of RAY_ADDRESS={address}", address=address, runtime_env=runtime_env) as ray:
            yield ray


def _check_answers(address: str) -> None:
    """Raise BadInput where nobody listens, which Ray would wait for many minutes for."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():  # "auto": Ray looks for a cluster on this machine
        return
    try:
        socket.create_connection((host, int(port)), _PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise BadInput(f"RAY_ADDRESS={address}: no cluster answers there ({error}); fix the address or unset it") from error


@contextmanager
def _of_this_machine(workers: int) -> Iterator[Any]:
    """A Ray of its own, gone at the end."""
    # a short path, for it holds sockets
    parent = None if sys.platform == "win32" else "/tmp"
    variables = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        # what Ray takes for the address of a machine without clusters: loopback alone
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    given = {
        "address": "local", "num_cpus": workers, "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES,
        # the workers keep the home of this process
        "runtime_env": {"env_vars": {name: os.environ[name] for name in ("HOME",) if name in os.environ}},
    }  # fmt: skip
    with (
        TemporaryDirectory(prefix="missions-ray-", dir=parent, ignore_cleanup_errors=True) as folder,
        _environment(**variables, HOME=_asking_nobody(folder)),
        _connected("Ray", **given, _temp_dir=folder) as ray,
    ):
        if not ray.get_runtime_context().gcs_address.startswith(f"{_LOOPBACK}:"):
            raise BadInput("Ray would listen to other machines, and was ended; leave --engine out")
        yield ray


def _asking_nobody(folder: str) -> str:
    """A home in which Ray finds how its cluster was made; without, it asks the network whose cloud this machine is in."""
    Path(folder, "ray_bootstrap_config.yaml").write_text("{}")
    return folder


@contextmanager
def _connected(what: str, **given: Any) -> Iterator[Any]:
    """Ray, imported only now: it reads some of the environment when it is imported. Raises TryAgain where it does not start."""
    import ray

    try:
        ray.init(**given, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()
        reason = str(error).partition("\n")[0][:200]
        raise TryAgain(f"{what} cannot be used: {reason} Fix that and try again, or omit --engine.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@cache
def _token() -> str:
    """Lets into the Ray of this process; one for all that it starts, because Ray remembers the first."""
    return secrets.token_hex(32)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """What Ray's processes inherit."""
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
