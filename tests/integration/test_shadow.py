"""A shadow beside a live company: what it reads, that it can write nothing, and how it agrees with people."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from errors import BadInput, Refused
from evals.shadow.persistence import ShadowFile, ShadowRun
from evals.shadow.report import report
from evals.shadow.running import Following, follow, over_last, shadowed
from evals.shadow.session import Shadow, live_url, open_shadow
from graphs.candidate import Change
from ledger.records import Run
from settings import CHECKOUT
from systems.calls import Call, Reader, ReadResult
from systems.client import LiveReader
from tests.actions import CANCEL_ORDER
from tests.integration.commands import missions, refused
from tests.integration.live_company import Company, case_of, settings_for
from tests.model_server.behaviours import Asked, Say
from tests.model_server.competent import chooses_first
from tests.model_server.server import ModelServer

pytest_plugins = ["tests.integration.live_company"]

#: escalated for its fraud score, which 0.6 lets go on
FRAUD = "dev-ord-0014"
LENIENT = Change(values={"FRD-2.elevated": 0.6})


@pytest.fixture(scope="module")
def lenient(company: Company) -> Iterator[Shadow]:
    """A shadow that bears higher fraud scores, beside the company of this worker."""
    with open_shadow(LENIENT, chosen=settings_for(company.url)) as shadow:
        yield shadow


def _everything(company: Company) -> dict[str, Any]:
    """Every row of ledger, checkpoints and sandbox company, receipts too."""
    with psycopg.connect(company.url) as session:
        tables = session.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        return {name: session.execute(f"SELECT t::text FROM {name} t ORDER BY 1".encode()).fetchall() for (name,) in tables}


def _steps(run: ShadowRun) -> list[str]:
    return [step.action for step in run.steps if step.status == "done"]


def test_a_shadow_goes_to_its_end_and_leaves_every_row_as_it_was(company: Company, lenient: Shadow) -> None:
    run = company.propose("dev-ord-0004")
    assert run.status == "waiting"
    before = _everything(company)
    found = shadowed(lenient, run)
    assert _everything(company) == before
    live = company.proposal(run)
    assert found.answer is not None and found.answer.verdict == live.verdict
    assert _steps(found) == [action["name"] for action in live.plan]
    assert (found.outcome, found.evidence, found.moved, found.error) == ("executed", "now", [], "")
    assert found.steps[0].changes


def test_a_model_proposes_in_a_shadow_and_is_named_there(company: Company) -> None:
    run = company.propose("dev-ord-0004")
    before = _everything(company)

    def script(asked: Asked) -> Say:
        return Say(chooses_first(asked.system, asked.user, asked.schema))

    with ModelServer(script) as server:
        chosen = settings_for(company.url, model="m", model_url=server.url)
        with open_shadow(Change(), chosen=chosen, reasoner="hybrid") as shadow:
            found = shadowed(shadow, run)
            assert shadow.kept.versions["reasoner"] == "hybrid" and "m hybrid@" in shadow.kept.versions["model"]
        assert len(server.asked) == 1
    assert found.answer is not None and found.answer.verdict == company.proposal(run).verdict and found.error == ""
    assert _everything(company) == before
    with pytest.raises(BadInput, match="MISSIONS_MODEL"), open_shadow(Change(), chosen=settings_for(company.url), reasoner="llm"):
        pass


def test_it_answers_otherwise_where_its_threshold_is_another(company: Company, lenient: Shadow) -> None:
    run = company.propose(FRAUD)
    found = shadowed(lenient, run)
    assert run.verdict == "escalate" and found.answer is not None
    # the live run has opened its case by now, which the systems show: what it had read before stands
    assert (found.answer.verdict, found.evidence, found.moved) == ("fulfil_with_changes", "then", [])


def test_of_a_run_that_looked_again_what_it_read_last_before_its_effects_stands(company: Company, lenient: Shadow) -> None:
    run = company.propose(_with_fraud_score(0.05))
    first = shadowed(lenient, run)
    company.load(_with_fraud_score(0.95))
    run = company.decide(run, "respond", "finn", remark="look at the payment")
    found = shadowed(lenient, run)
    assert run.outcome == "escalated" and company.effects(run)
    assert first.answer is not None and found.answer is not None
    assert (first.look, first.evidence, first.answer.verdict) == (1, "now", "fulfil_with_changes")
    assert (found.look, found.evidence, found.answer.verdict, found.moved) == (2, "then", "escalate", [])


def test_what_is_approved_while_a_shadow_reads_is_read_again_as_it_was(company: Company, lenient: Shadow) -> None:
    run = company.propose("dev-ord-0004")
    found = shadowed(replace(lenient, reader=Approving(company, run, lenient.reader)), run)
    assert company.ledger.run(run.run_id).outcome == "executed"
    assert found.answer is not None and found.answer.verdict == company.proposal(run).verdict
    assert (found.evidence, found.moved, found.outcome) == ("then", [], "executed")


class Approving:
    """A Reader before whose first read the live run is approved and executed."""

    def __init__(self, company: Company, run: Run, reader: Reader) -> None:
        self._company, self._run, self._reader = company, run, reader

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        if self._company.ledger.run(self._run.run_id).status == "waiting":
            self._company.approve(self._run)
        return self._reader.read_all(calls)


def _with_fraud_score(score: float) -> dict[str, Any]:
    raw: dict[str, Any] = deepcopy(dict(case_of(FRAUD)))
    order = raw["trigger"]["order_id"]
    payment = next(one for one in raw["systems"]["payments"]["payments"] if one["order_id"] == order)
    payment["fraud"] = {"score": score, "signals": ["odd_device"]}
    return raw


def test_it_has_nothing_that_could_write(company: Company, lenient: Shadow) -> None:
    run = company.propose("dev-ord-0004")
    before = _everything(company)
    with pytest.raises(Refused, match="counts as a WRITE"):
        lenient.reader.read_all([Call("oms.cancel_order", {"order_id": run.event.subject})])
    assert not any(hasattr(lenient.reader, name) for name in ("write", "honours_keys"))
    for write in (
        lambda: lenient.ledger.incident(run.run_id, "stuck", run.started_at),
        lambda: lenient.ledger.add_person("mallory", "finance"),
        lambda: lenient.ledger.take_in(company.event("dev-ord-0007"), "r-shadow", {}),
    ):
        with pytest.raises(Refused, match="does not let this process do that"):
            write()
    with lenient.ledger.transaction() as tx:
        tx.exec_driver_sql("SET TRANSACTION READ WRITE")  # whatever it makes of its transactions
        assert tx.exec_driver_sql("SELECT current_user").scalar_one() == "missions_shadow"
        with pytest.raises(ProgrammingError, match="permission denied"):
            tx.exec_driver_sql("DELETE FROM ledger.runs")
    assert _everything(company) == before


def test_no_write_goes_over_its_connections_even_past_the_guard(company: Company, lenient: Shadow) -> None:
    order = company.propose("dev-ord-0004").event.subject
    before, reads = _everything(company), lenient.reader
    assert isinstance(reads, LiveReader)
    connection = reads._connection("oms")
    on = reads._wait(connection.session())
    with pytest.raises(Refused, match="is not a READ tool"):
        reads._wait(connection.call(on, CANCEL_ORDER, {"order_id": order, "idempotency_key": "k"}))
    assert _everything(company) == before


def test_a_candidate_pack_that_reads_with_a_write_tool_is_refused(company: Company, tmp_path: Path) -> None:
    pack = (CHECKOUT / "graphs" / "packs" / "order_exception.yaml").read_text()
    (tmp_path / "order_exception.yaml").write_text(pack.replace("oms.get_order,", "oms.cancel_order,", 1))
    with pytest.raises(BadInput, match=CANCEL_ORDER), open_shadow(Change(packs=tmp_path), chosen=settings_for(company.url)):
        pass


def test_followed_runs_are_kept_once_and_compared_with_what_people_decide(
    company: Company, lenient: Shadow, tmp_path: Path
) -> None:
    file = ShadowFile(tmp_path, "lenient")

    with file.writing(lenient.named("lenient")):
        pass
    told: list[ShadowRun] = []
    runs = [_taken_in(company, case, lenient, file, told) for case in (FRAUD, "dev-ord-0004", "dev-ord-0007", "dev-ord-0001")]
    assert [one.run_id for one in told] == [run.run_id for run in runs]
    found = report(file, company.ledger)
    assert (found.people.hits, found.people.of, found.undecided) == (0, 1, 3)

    company.decide(runs[3], "escalate", "finn", queue="operations")
    company.load("dev-ord-0004")
    assert company.approve(runs[1]).outcome == "executed"
    company.decide(runs[2], "reject", "finn")
    found = report(file, company.ledger)
    assert {row.run.run_id: row.decided for row in found.runs} == dict(
        zip([run.run_id for run in runs], ["automatic", "approved", "rejected", "escalated"], strict=True)
    )
    assert (found.live.hits, found.live.of) == (3, 4)
    assert (found.people.hits, found.people.of, found.rejected_again.hits) == (1, 3, 1)
    assert [row.with_people for row in found.disagreements] == ["does_not_escalate", "does_not_escalate"]
    assert len(found.frame()) == 4 and "&lt;" not in found._repr_mimebundle_()["text/html"]
    _is_private(file)


def test_a_run_is_met_when_it_is_ready_and_by_whatever_clock_it_was_taken_in(
    company: Company, lenient: Shadow, tmp_path: Path
) -> None:
    file, told = ShadowFile(tmp_path, "lenient"), list[ShadowRun]()
    with file.writing(lenient.named("lenient")) as writer:
        following = Following(lenient, writer, told.append)
        early = company.propose("dev-ord-0004")
        company.sql("UPDATE ledger.runs SET status = 'running' WHERE run_id = %s", early.run_id)  # it is being executed
        following.catch_up()
        assert told == []
        ahead = company.propose(FRAUD)
        _started_later(company, ahead, 60)  # by its machine's clock
        following.catch_up()
        behind = company.propose("dev-ord-0007")
        _started_later(company, behind, 55)
        following.catch_up()
        company.sql("UPDATE ledger.runs SET status = 'waiting' WHERE run_id = %s", early.run_id)
        following.catch_up()
    _started_later(company, ahead, -60)
    _started_later(company, behind, -55)
    assert [one.run_id for one in told] == [ahead.run_id, behind.run_id, early.run_id]


def _started_later(company: Company, run: Run, minutes: int) -> None:
    company.sql(
        "UPDATE ledger.runs SET started_at = started_at + %s * interval '1 minute' WHERE run_id = %s", minutes, run.run_id
    )


def test_a_database_without_a_ledger_is_told_in_a_sentence(database_url: str) -> None:
    with pytest.raises(BadInput, match="There is no ledger of this release"):
        live_url(settings_for(database_url))


class _Enough(Exception):
    pass


def _taken_in(company: Company, case: str, shadow: Shadow, file: ShadowFile, told: list[ShadowRun]) -> Run:
    """A run of the live company, which the shadow follows, twice."""

    def enough(_: float) -> None:
        raise _Enough

    run = company.propose(case)
    for _ in range(2):
        with pytest.raises(_Enough):
            follow(shadow, file, told.append, enough)
    return run


def _is_private(file: ShadowFile) -> None:
    assert file.path.stat().st_mode & 0o777 == 0o600
    text = file.path.read_text()
    for raw in ("line1", "postal_code", "email", "card"):
        assert raw not in text


def test_a_torn_line_is_dropped_and_a_name_stays_with_its_candidate(company: Company, lenient: Shadow, tmp_path: Path) -> None:
    file = ShadowFile(tmp_path, "lenient")
    company.propose("dev-ord-0004")
    assert over_last(lenient, file, 1) == 1
    with file.path.open("ab") as torn:
        torn.write(b'{"run_id": "r-')
    assert over_last(lenient, file, 1) == 0
    assert len(file.read().runs) == 1 and file.read().broken == 0
    other = lenient.named("lenient")
    with (
        pytest.raises(BadInput, match="other versions"),
        file.writing(type(other)(**{**vars(other), "versions": {**other.versions, "policies": "x"}})),
    ):
        pass
    hold = "import sys, fasteners; lock = fasteners.InterProcessLock(sys.argv[1]); lock.acquire(); print('held', flush=True)"
    line = [sys.executable, "-c", f"{hold}; input()", str(file.path.with_suffix(".lock"))]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as another:
        assert another.stdout is not None and another.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match="runs already"), file.writing(other):
            pass
        another.kill()


def test_the_commands_report_and_refuse(company: Company, lenient: Shadow, tmp_path: Path) -> None:
    company.propose("dev-ord-0004")
    assert over_last(lenient, ShadowFile(tmp_path, "tried"), 1) == 1
    where = {"DATABASE_URL": company.url, "MISSIONS_HOME": tmp_path}
    told = missions("shadow", "report", "tried", **where)
    assert (told.returncode, told.stderr) == (0, "")
    assert "Same proposal as the live version: 1 of 1" in " ".join(told.stdout.split())
    refused(missions("shadow", "run", "../x", "--set", "FRD-2.elevated=0.6", "--last", "1", **where), "not a valid shadow name")
    refused(missions("shadow", "run", "x", "--set", "FRD-2.elevated=0.6", **where), "--follow")
