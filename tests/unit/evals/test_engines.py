"""Engines: the same results in the same order, and no more jobs in memory than are under way."""

import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import active_children
from pathlib import Path

import orjson
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import BadInput, TryAgain
from evals.evaluation.engines import CHUNK, CHUNKS_A_WORKER, Engine, Here, Opening, Pool, Result, Worker, engine_of, in_order
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import Job
from evals.recorded.cases import RecordedException, recorded
from graphs.reasoners import open_reasoning
from nodes.reasoning.answers import choice
from settings import Settings
from settings import settings as settings_of_this_process
from tests.engine import MISSIONS, an_exception, recorded_cases
from tests.model_server.behaviours import Say
from tests.model_server.server import ModelServer

CASES = 20


@pytest.fixture(scope="module")
def jobs(lab: EvalEnvironment) -> list[Job]:
    """Some cases of every Mission, each twice."""
    each = zip(*(recorded_cases(mission)[:CASES] for mission in MISSIONS), strict=True)
    cases = [recorded(raw, lab.packs, "test") for raws in each for raw in raws][:CASES]
    return [Job(case, trial) for case in cases for trial in range(2)]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a home in which nothing is."""
    return Settings(home=tmp_path_factory.mktemp("home"))


def lines(engine: Engine, jobs: list[Job], lab: EvalEnvironment, chosen: Settings) -> list[bytes]:
    """What an engine gives, byte by byte."""
    with engine.open(lab, chosen) as run:
        return [orjson.dumps([job.case.case_id, job.trial, {**result, "latency_ms": None}]) for job, result in run(jobs)]


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 400), workers=st.integers(1, 4), alone=st.booleans())
def test_results_come_in_the_order_of_the_jobs_and_few_jobs_are_taken_ahead(number: int, workers: int, alone: bool) -> None:
    case = RecordedException("c", None, {}, None, {})  # type: ignore[arg-type]
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for taken in range(1, number + 1):
            yield Job(replace(case, case_id=str(taken)))

    with ThreadPoolExecutor(workers) as pool:

        def submit(cases: list[RecordedException]) -> Future[list[Result]]:
            return pool.submit(lambda: [{"case_id": case.case_id} for case in cases])

        given_back = 0
        for job, result in in_order(jobs(), submit, workers, alone=alone):
            given_back += 1
            assert job.case.case_id == result["case_id"] == str(given_back)
            assert taken - given_back < (workers if alone else CHUNK * CHUNKS_A_WORKER * workers)
    assert given_back == number


@pytest.mark.slow
def test_two_processes_give_byte_for_byte_what_one_gives(jobs: list[Job], lab: EvalEnvironment, chosen: Settings) -> None:
    assert lines(Pool(2), jobs, lab, chosen) == lines(Here(), jobs, lab, chosen)


def test_what_a_job_raises_is_raised_and_a_worker_that_is_killed_is_told(
    jobs: list[Job], lab: EvalEnvironment, chosen: Settings
) -> None:
    others = active_children()
    broken = recorded(an_exception(orders=[{"no": "key"}]), lab.packs, "test")
    with Pool(1).open(lab, chosen) as run:
        with pytest.raises(BadInput, match=r"a record of systems\.oms\.orders has no order_id"):
            list(run([Job(broken)]))
        results = run(jobs * 100)
        next(results)
        for process in active_children():
            if process not in others:
                process.kill()
        with pytest.raises(TryAgain, match="goes on where it was"):
            list(results)


def test_a_worker_with_other_policies_refuses(lab: EvalEnvironment, chosen: Settings, tmp_path: Path) -> None:
    opening = Opening.of(lab, chosen)
    there = Opening(opening.folders, opening.answers, {**opening.versions, "policies": "others"})
    with pytest.raises(BadInput, match="another policies; give every worker the same checkout"):
        there.evaluation()


def test_a_worker_asks_the_model_of_its_own_environment_with_its_own_key(
    jobs: list[Job], lab: EvalEnvironment, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(lambda asked: Say(choice(asked.schema))) as server:
        monkeypatch.setenv("MISSIONS_MODEL", "small")
        monkeypatch.setenv("MISSIONS_MODEL_URL", server.url)
        monkeypatch.setenv("MISSIONS_MODEL_KEY", "sk-of-the-worker")
        settings_of_this_process.cache_clear()
        try:
            with open_reasoning(settings_of_this_process(), "hybrid") as asked:
                opening = Opening.of(replace(lab, reasoner=asked.reasoner, reads=asked.reads), chosen)
            (result,) = Worker(opening).run([jobs[0].case])
            assert b"sk-of-the-worker" not in pickle.dumps(opening)
            monkeypatch.setenv("MISSIONS_MODEL", "another")
            settings_of_this_process.cache_clear()
            with pytest.raises(BadInput, match="another model, texts; give every worker the same"):
                Worker(opening).run([jobs[0].case])
        finally:
            settings_of_this_process.cache_clear()
    assert result["usage"]["tokens"] > 0 and [one.headers["authorization"] for one in server.asked] == ["Bearer sk-of-the-worker"]


def test_folders_of_the_checkout_are_sent_as_such(lab: EvalEnvironment, chosen: Settings) -> None:
    folders = Opening.of(lab, chosen).folders
    assert folders["packs"] == Path("graphs/packs")
    assert folders["home"] == chosen.home


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: it is an extra")
@pytest.mark.slow
def test_ray_gives_byte_for_byte_what_one_process_gives_and_listens_to_this_machine_alone(
    jobs: list[Job], lab: EvalEnvironment, chosen: Settings
) -> None:
    engine = engine_of("ray", 1, chosen)
    me = psutil.Process()
    before = {process.pid for process in me.children(recursive=True)} | {0}
    with engine.open(lab, chosen) as run:
        found = [orjson.dumps([job.case.case_id, job.trial, {**result, "latency_ms": None}]) for job, result in run(jobs)]
        broken = recorded(an_exception(orders=[{"no": "key"}]), lab.packs, "test")
        with pytest.raises(BadInput, match=r"^a record of systems\.oms\.orders has no order_id$"):
            list(run([Job(broken)]))
        pids = {process.pid for process in me.children(recursive=True)} - before
        addresses = [end.ip for one in psutil.net_connections("inet") if one.pid in pids for end in (one.laddr, one.raddr) if end]
    assert found == lines(Here(), jobs, lab, chosen)
    assert len(addresses) > 2
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: it is an extra")
def test_a_cluster_that_does_not_answer_is_told_at_once(lab: EvalEnvironment, chosen: Settings) -> None:
    nowhere = chosen.model_copy(update={"ray_address": "127.0.0.1:1"})
    with pytest.raises(BadInput, match="no cluster answers there"), engine_of("ray", 1, nowhere).open(lab, nowhere):
        pass


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_a_sentence_says_how_to_get_it(chosen: Settings) -> None:
    with pytest.raises(BadInput, match="Ray is not installed"):
        engine_of("ray", 1, chosen)
