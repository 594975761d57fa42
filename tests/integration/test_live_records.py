"""What a run leaves behind: the Explain rail, the checkpoint, the audit chain."""

from collections.abc import Mapping
from typing import Any

import ormsgpack
import psycopg
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from tests.integration.live_company import CASES, Company

pytest_plugins = ["tests.integration.live_company"]

LARGEST_STATE = 20_000


@pytest.fixture(scope="module")
def all_runs(company: Company) -> dict[str, str]:
    """Run id by case of the whole sample, decided where it waits."""
    company.load(*CASES)
    runs = {}
    for case_id in CASES:
        run = company.runtime.drive(company.runtime.take_in(company.event(case_id)).run_id)
        if run.status == "waiting":
            run = company.decide(run, "respond", "rita", remark="once more")
        runs[case_id] = run.run_id
    return runs


def test_observations_are_in_the_ledger_in_order_and_streamed_as_they_arise(company: Company) -> None:
    company.load("dev-ord-0007")
    streamed: list[Mapping[str, Any]] = []
    behind: list[int] = []
    run = company.runtime.take_in(company.event("dev-ord-0007"))

    def heard(observation: Mapping[str, Any]) -> None:
        streamed.append(observation)
        behind.append(len(company.observations(run)) - len(streamed))

    company.runtime.drive(run.run_id, heard)
    kept = company.observations(run)
    assert [observation.seq for observation in kept] == list(range(1, len(kept) + 1))
    assert [entry["text"] for entry in streamed] == [observation.text for observation in kept]
    steps = list(dict.fromkeys(observation.step for observation in kept))
    assert steps == [step for step in ("gather", "diagnose", "ground", "assess", "propose", "check") if step in steps]
    assert max(behind) < len(kept) - 1, "the first ones came before the last ones were made"


@pytest.mark.slow
def test_the_state_of_every_case_of_the_sample_stays_under_20_kb(company: Company, all_runs: dict[str, str]) -> None:
    graph: Any = company.runtime.graph
    for case_id, run_id in all_runs.items():
        for snapshot in graph.get_state_history({"configurable": {"thread_id": run_id}}):
            assert len(ormsgpack.packb(snapshot.values)) < LARGEST_STATE, case_id


@pytest.mark.slow
def test_every_checkpoint_loads_where_only_plain_data_may(
    company: Company, all_runs: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    strict = JsonPlusSerializer(allowed_msgpack_modules=None)
    with psycopg.connect(company.url) as session:
        blobs = session.execute("select type, blob from checkpoint_blobs where blob is not null").fetchall()
        writes = session.execute("select type, blob from checkpoint_writes where channel not like '\\_\\_%'").fetchall()
    assert len(blobs) > len(all_runs)
    for kind, blob in [*blobs, *writes]:
        value = strict.loads_typed((kind, bytes(blob)))
        assert_plain(value)
    assert not [record for record in caplog.records if "msgpack" in record.getMessage()]


@pytest.mark.slow
def test_the_checkpoint_and_the_ledger_agree_about_what_waits(company: Company, all_runs: dict[str, str]) -> None:
    graph: Any = company.runtime.graph
    for run_id in all_runs.values():
        paused = bool(graph.get_state({"configurable": {"thread_id": run_id}}).interrupts)
        assert paused == (company.ledger.run(run_id).status == "waiting")


@pytest.mark.slow
def test_the_audit_chain_is_intact_after_all_of_it_and_tells_each_run(company: Company, all_runs: dict[str, str]) -> None:
    assert company.ledger.verify_audit(company.ledger.audit_head()) == []
    for run_id in all_runs.values():
        kinds = [entry.kind for entry in company.ledger.audit(run_id)]
        assert kinds, "every run is in the audit log"


def assert_plain(value: Any) -> None:
    """Raises AssertionError for anything that is not plain JSON data."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for one in value.values():
            assert_plain(one)
    elif isinstance(value, list | tuple):
        for one in value:
            assert_plain(one)
    else:
        assert value is None or isinstance(value, str | int | float | bool), type(value)
