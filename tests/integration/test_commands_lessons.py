"""`missions record` and `missions lessons`: from a person's decision to a labeled case, on a live company."""

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from errors import BadInput, Refused
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded
from evals.walk import Walk
from knowledge_index.embeddings import MiniLM
from ledger.audit_export import examine
from ledger.postgres import PostgresLedger
from nodes.understanding import Phrasebook
from settings import settings
from tests.integration.live_company import CASES, Company, built_home
from tests.integration.sessions import home_of

pytest_plugins = ["tests.integration.live_company"]

ID = "dev-ord-0004"


@pytest.fixture
def environment(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Commands run in this process, which is forty times as fast, on the company's database."""
    monkeypatch.setenv("DATABASE_URL", company.url)
    monkeypatch.setenv("MISSIONS_HOME", str(built_home()))
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def command(*words: str | Path) -> str:
    """What a command prints. Raises what `main` would tell in a sentence."""
    settings.cache_clear()
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False).stdout


def test_what_a_person_overruled_is_recorded_and_promoted_once_by_who_may(
    company: Company, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, ledger = company.propose(ID), company.ledger
    kept, dataset, right = tmp_path / "recorded.jsonl", tmp_path / "overrides.jsonl", tmp_path / "right.json"
    assert "no expected result has been decided" in command("record", run.run_id, "--out", kept)
    assert kept.read_text() == command("record", run.run_id)
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    raw = json.loads(kept.read_bytes())
    context, chosen = company.runtime.context, settings()
    phrasebook = Phrasebook(chosen.phrasings, MiniLM(), chosen.language)
    laboratory = EvalEnvironment(context.packs, context.catalogue, context.policies, context.knowledge, phrasebook)
    again = Walk(laboratory, recorded(raw, context.packs, "test")).drive()
    read, reread = (
        [(one.tool, one.args, one.status, one.value) for one in of.facts(run.run_id)] for of in (ledger, again.ledger)
    )
    assert read == reread and again.run.run_id == run.run_id
    (made,), (remade,) = ledger.proposals(run.run_id), again.ledger.proposals(run.run_id)
    assert (made.digest, made.verdict, made.plan, made.cites) == (remade.digest, remade.verdict, remade.plan, remade.cites)

    company.runtime.decide(run.run_id, "reject", "fay", "not \x1b[31mso")
    company.runtime.drive(run.run_id)
    ledger.add_person("ana", "analyst")
    (decision,) = ledger.decisions(run.run_id)
    listed = command("lessons", "list")
    assert decision.decision_id[:8] in listed and "\x1b" not in listed
    shown = json.loads(command("lessons", "show", decision.decision_id, "--json"))
    assert (shown["kind"], shown["status"], shown["case"]["systems"]) == ("reject", "quarantine", raw["systems"])
    assert "promote it with --expect" in command("lessons", "show", decision.decision_id)
    right.write_text(json.dumps(CASES[ID]["expected"]))
    words = ("lessons", "promote", decision.decision_id[:12], "--to", dataset)
    with pytest.raises(Refused, match="no one is signed in"):
        command(*words, "--expect", right)
    assert not dataset.exists()

    environment.setenv("MISSIONS_HOME", str(home_of("ana", company.url, tmp_path)))
    with pytest.raises(BadInput, match="what was wrong but not what is right"):
        command(*words)
    with pytest.raises(BadInput, match=r"none\.json: cannot be read"):
        command(*words, "--expect", tmp_path / "none.json")
    assert "was promoted" in command(*words, "--expect", right)
    with pytest.raises(Refused, match="was promoted to"):
        command("lessons", "drop", decision.decision_id, "--reason", "no")
    assert json.loads(dataset.read_bytes())["expected"] == CASES[ID]["expected"]
    assert "overruled" in command("lessons", "report", "--mission", "order_exception")
    (settled,) = [one for one in ledger.settlements() if one.decision_id == decision.decision_id]
    assert (settled.by, settled.status) == ("ana", "promoted")
    assert isinstance(ledger, PostgresLedger)
    assert not [problem for problem in examine(ledger).problems if decision.decision_id in problem]
