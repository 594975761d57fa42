"""Runs that a release left paused are resumed by this one on their own versions, or become incidents that go on anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import Refused
from graphs.runtime import Runtime, open_database, open_runtime
from ledger.canonical import utc_now
from ledger.jobs import look
from ledger.records import Run
from systems.sandbox.database import create_schema
from tests.golden.keeping import GOLDEN, put_back
from tests.integration.live_company import Company, settings_for

FILES = sorted(GOLDEN.glob("*.json.gz"))


def test_every_release_left_its_runs() -> None:
    assert FILES, "make golden keeps the runs of a release"


@pytest.fixture(params=FILES, ids=lambda file: file.name.removesuffix(".json.gz"))
def company(request: pytest.FixtureRequest, database_url: str) -> Iterator[Company]:
    """A company as the release left it."""
    chosen = settings_for(database_url)
    open_database(chosen)
    create_schema(database_url)
    put_back(database_url, Path(request.param))
    with open_runtime(chosen) as runtime:
        yield Company(runtime)


def of_this_release(runtime: Runtime, run: Run) -> bool:
    """Whether nothing that the run carries has changed since; another model would do."""
    versions = runtime.versions(run.event)
    return all(run.versions[name] == versions[name] for name in ("graph", "pack", "policies", "catalogue"))


def test_they_end_as_they_were_approved_or_stop_and_start_anew(company: Company) -> None:
    runs = company.ledger.runs()
    assert sorted(run.status for run in runs) == ["running", "waiting", "waiting"]
    assert company.ledger.verify_audit() == [] and look(company.url).broken == ()
    for run in runs:
        own = of_this_release(company.runtime, run)
        before = company.effects(run)
        after = company.runtime.drive(run.run_id) if run.status == "running" else company.approve(run)
        if own:
            assert (after.status, after.outcome) == ("closed", "executed")
            assert {effect.status for effect in company.effects(run)} == {"done"}
            continue
        assert after.status == "incident" and "--restart" in company.incidents(after)[0]
        assert company.effects(run) == before  # nothing was done on versions that are gone
        if any(effect.status == "executing" for effect in before):
            with pytest.raises(Refused, match="cannot be restarted"):
                company.runtime.restart(run.run_id, "rita", "the pack has changed")
            company.ledger.abandon(run.run_id, by="rita", reason="looked after by hand", at=utc_now())
            continue
        company.runtime.restart(run.run_id, "rita", "the pack has changed")
        assert company.runtime.drive(run.run_id).status in ("waiting", "closed")
    assert company.ledger.verify_audit() == [] and look(company.url).broken == ()


def test_a_run_of_other_versions_starts_anew_and_nothing_else_does(company: Company) -> None:
    run = next(one for one in company.ledger.runs() if one.status == "waiting" and not company.effects(one))
    other = "jsonb_set(versions, '{pack}', '\"of another release\"')"
    company.sql(f"UPDATE ledger.runs SET versions = {other} WHERE run_id = %s", run.run_id)
    with pytest.raises(Refused, match="no incident"):
        company.runtime.restart(run.run_id, "rita", "why not")
    assert company.approve(run).status == "incident"
    assert company.effects(run) == []
    with pytest.raises(Refused, match="requires a reason"):
        company.runtime.restart(run.run_id, "rita", " ")
    assert company.ledger.run(run.run_id).versions["pack"] == "of another release"
    assert company.runtime.restart(run.run_id, "rita", "the pack was changed").status == "running"
    again = company.runtime.drive(run.run_id)
    assert again.status == "waiting" and of_this_release(company.runtime, again)
    assert company.proposal(again).revision > 1
    assert company.approve(again).outcome == "executed"
