"""`missions record` and `missions lessons`: from a person's decision to a labelled case, on a live company."""

import json
import stat
import sys
from pathlib import Path

from evals.cases import recorded
from evals.rehearsal import Rehearsal
from ledger.auditing import examine
from ledger.postgres import PostgresLedger
from tests.engine import laboratory
from tests.integration.commands import Done, missions, refused
from tests.integration.live_company import CASES, PEOPLE, Company
from tests.integration.sessions import home_of

pytest_plugins = ["tests.integration.live_company"]

ID = "dev-ord-0004"


def test_what_a_person_overruled_is_recorded_and_promoted_once_by_who_may(company: Company, tmp_path: Path) -> None:
    def command(*words: str | Path, home: Path | None = None) -> Done:
        return missions(*words, DATABASE_URL=company.url, **({"MISSIONS_HOME": home} if home else {}))

    run, ledger = company.propose(ID), company.ledger
    kept, dataset, right = tmp_path / "recorded.jsonl", tmp_path / "overrides.jsonl", tmp_path / "right.json"
    assert "nobody has decided" in command("record", run.run_id, "--out", kept).stdout
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    raw = json.loads(kept.read_bytes())
    rehearsal = Rehearsal(laboratory(), PEOPLE)
    again = rehearsal.propose(recorded(raw, laboratory().packs, "test"))
    read, reread = (
        [(one.tool, one.args, one.status, one.value) for one in of.facts(run.run_id)] for of in (ledger, rehearsal.ledger)
    )
    assert read == reread and again.run_id == run.run_id
    (made,), (remade,) = ledger.proposals(run.run_id), rehearsal.ledger.proposals(run.run_id)
    assert (made.digest, made.verdict, made.plan, made.cites) == (remade.digest, remade.verdict, remade.plan, remade.cites)

    company.decide(run, "reject", "fay")
    ledger.add_person("ana", "analyst")
    (decision,) = ledger.decisions(run.run_id)
    shown = json.loads(command("lessons", "show", decision.decision_id, "--json").stdout)
    assert (shown["kind"], shown["status"], shown["case"]["systems"]) == ("reject", "quarantine", raw["systems"])
    right.write_text(json.dumps(CASES[ID]["expected"]))
    words = ("lessons", "promote", decision.decision_id[:12], "--to", dataset, "--expect", right)
    refused(command(*words), "nobody is signed in")
    assert not dataset.exists()
    ana = home_of("ana", company.url, tmp_path)
    assert command(*words, home=ana).returncode == 0
    refused(command(*words, home=ana), "was promoted to")
    assert json.loads(dataset.read_bytes())["expected"] == CASES[ID]["expected"]
    report = command("lessons", "report", "--mission", "order_exception").stdout
    assert "overruled" in report and "finance" in report
    (settled,) = [one for one in ledger.settlements() if one.decision_id == decision.decision_id]
    assert (settled.by, settled.status) == ("ana", "promoted")
    assert isinstance(ledger, PostgresLedger)
    assert not [problem for problem in examine(ledger).problems if decision.decision_id in problem]
