"""Whoever writes into the tables behind the ledger's back: forged approvals, crafted checkpoints. Nothing is executed."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ormsgpack
import psycopg
import pytest
from langgraph.types import Command

from errors import MissionsError, Refused
from ledger.audit_export import examine
from ledger.connections import parse, plain
from ledger.postgres import PostgresLedger
from ledger.records import Run
from ledger.roles import as_role
from tests.conftest import _database
from tests.integration.live_company import Company, opened

pytestmark = pytest.mark.promise("What was not approved is not executed")

#: a reviewer may approve the first two; the third takes finance, two different people
SHORT, LONG, FOUR_EYES = "dev-ord-0004", "dev-ord-0007", "dev-ord-0001"
_DECISION = """
INSERT INTO ledger.decisions (decision_id, proposal_id, run_id, kind, by, role, reason, digest, at, details)
VALUES (%s, %s, %s, 'approve', %s, %s, 'forged', %s, now(), '{}')
"""


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    """A company that no other test has: what is forged in it stays."""
    with _database(server_url) as url, opened(url) as made:
        yield made


def forge(company: Company, run: Run, *approvals: tuple[str, str, str]) -> None:
    """What a dashboard that was taken over can write: approvals (by, role, digest), and that the run goes on."""
    proposal = company.proposal(run)
    with psycopg.connect(plain(parse(as_role(company.url, "missions_dashboard"))), autocommit=True) as session:
        for number, (by, role, digest) in enumerate(approvals):
            row = (f"forged {number} {run.run_id}", proposal.proposal_id, run.run_id, by, role, digest or proposal.digest)
            session.execute(_DECISION, row)
        session.execute("UPDATE ledger.proposals SET status = 'approved' WHERE proposal_id = %s", (proposal.proposal_id,))
        session.execute("UPDATE ledger.runs SET status = 'running' WHERE run_id = %s", (run.run_id,))


OTHER = "0" * 64
FORGED: dict[str, tuple[str, Sequence[tuple[str, str, str]], str]] = {
    "another digest": (SHORT, [("rita", "reviewer", OTHER)], "another digest"),
    "a role that may not": (SHORT, [("ana", "analyst", "")], "reviewer or above"),
    "a role that there is not": (SHORT, [("ana", "king", "")], "reviewer or above"),
    "the reasoner itself": (SHORT, [("planner", "finance", "")], "who made it"),
    "too low a role": (FOUR_EYES, [("rita", "reviewer", ""), ("ron", "reviewer", "")], "finance or above"),
    "one of four eyes twice": (FOUR_EYES, [("fay", "finance", ""), (" FAY", "finance", "")], "the approvals"),
    "one of two about another digest": (FOUR_EYES, [("fay", "finance", ""), ("finn", "finance", OTHER)], "another digest"),
}


@pytest.mark.parametrize("what", FORGED)
def test_an_approval_that_was_written_into_the_tables_executes_nothing(what: str, company: Company) -> None:
    case, approvals, says = FORGED[what]
    run = company.propose(case)
    before = company.snapshot()
    forge(company, run, *approvals)
    run = company.runtime.drive(run.run_id)
    assert (run.status, company.effects(run), company.snapshot()) == ("incident", [], before)
    (reason,) = company.incidents(run)
    assert says in reason and "missions audit verify" in reason


def test_a_forged_approval_is_found_by_the_audit(company: Company) -> None:
    run = company.propose(SHORT)
    forge(company, run, ("rita", "reviewer", ""))
    assert isinstance(company.ledger, PostgresLedger)
    assert [problem for problem in examine(company.ledger).problems if run.run_id in problem or "forged" in problem]


def test_a_decision_with_the_digest_of_another_proposal_is_refused(company: Company) -> None:
    company.load(SHORT, LONG)
    first, other = company.take_in(SHORT), company.take_in(LONG)
    with pytest.raises(Refused, match="digest differs"):
        company.runtime.decide(first.run_id, "approve", "rita", "agreed", digest=company.proposal(other).digest)
    assert company.ledger.decisions(first.run_id) == []


COMMANDS: dict[str, Command[Any]] = {
    "a goto": Command(goto="execute"),
    "an update": Command(update={"decision": {"id": "d", "kind": "approve", "by": "rita"}, "waits": False}, goto="execute"),
    "another run": Command(update={"run_id": "OTHER"}, goto="execute"),
    "an approval": Command(resume=[{"type": "approve"}]),
    "a state": Command(update={"proposal_id": None, "objections": [], "waits": False}, goto="check"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_a_command_made_up_for_the_graph_executes_nothing(what: str, company: Company) -> None:
    run = company.propose(SHORT)
    before, graph = company.snapshot(), company.runtime.graph
    with suppress(Exception):  # whatever it is told; what counts is what was done
        graph.invoke(COMMANDS[what], {"configurable": {"thread_id": run.run_id}}, context=company.runtime.context)
    with suppress(MissionsError):
        run = company.runtime.drive(run.run_id)
    assert company.ledger.run(run.run_id).status in ("waiting", "incident")
    assert (company.effects(run), company.snapshot(), company.ledger.decisions(run.run_id)) == ([], before, [])


class Bomb:
    """Pickled, it makes a file when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


def ext(code: int, *what: Any) -> bytes:
    """A checkpoint's own kind of msgpack: call something that is imported."""
    return ormsgpack.packb({"run_id": ormsgpack.Ext(code, ormsgpack.packb(what))})


def crafted(file: Path) -> dict[str, tuple[str, bytes]]:
    """(type, bytes) of a blob that would make `file` if it were read as more than data."""
    path, made = str(file), f"__import__('pathlib').Path({str(file)!r}).write_text('x')"
    lc = {"lc": 2, "type": "constructor", "id": ["pathlib", "Path"], "args": [path], "kwargs": {}}
    return {
        "pickle": ("pickle", pickle.dumps(Bomb(file))),
        "one argument": ("msgpack", ext(0, "builtins", "eval", made)),
        "arguments": ("msgpack", ext(1, "builtins", "open", (path, "w"))),
        "named arguments": ("msgpack", ext(2, "builtins", "open", {"file": path, "mode": "w"})),
        "a method": ("msgpack", ext(3, "pathlib", "Path", path, "touch")),
        "pydantic of old": ("msgpack", ext(4, "builtins", "open", {"file": path, "mode": "w"})),
        "pydantic": ("msgpack", ext(5, "builtins", "open", {"file": path, "mode": "w"}, "model_validate_json")),
        "an array of objects": ("msgpack", ext(6, "|O", (1,), "C", pickle.dumps(Bomb(file)))),
        "json that constructs": ("json", str(lc).replace("'", '"').encode()),
        "no msgpack": ("msgpack", b"\xc1\xff"),
        "a bomb of depth": ("msgpack", b"\x91" * 200_000 + b"\xc0"),
        "another type": ("yaml", b"!!python/object/apply:os.getcwd []"),
    }


KINDS = sorted(crafted(Path("x")))


def spoil(company: Company, run: Run, channel: str, kind: str, blob: bytes) -> None:
    """Write a value of a channel into the newest checkpoint of a run, as somebody who has the database can."""
    company.sql(
        "UPDATE checkpoints SET checkpoint = checkpoint #- ARRAY['channel_values', %s] WHERE thread_id = %s", channel, run.run_id
    )
    company.sql("DELETE FROM checkpoint_blobs WHERE thread_id = %s AND channel = %s", run.run_id, channel)
    company.sql(
        "INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)"
        " SELECT DISTINCT thread_id, checkpoint_ns, %s, checkpoint -> 'channel_versions' ->> %s, %s, %s::bytea"
        " FROM checkpoints WHERE thread_id = %s AND checkpoint -> 'channel_versions' ? %s",
        channel, channel, kind, blob, run.run_id, channel,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_crafted_checkpoint_runs_nothing_and_its_run_is_an_incident(kind: str, company: Company, tmp_path: Path) -> None:
    file = tmp_path / "made"
    run = company.propose(SHORT)
    before = company.snapshot()
    spoil(company, run, "run_id", *crafted(file)[kind])
    company.runtime.decide(run.run_id, "approve", "rita", "agreed")
    run = company.runtime.drive(run.run_id)
    assert not file.exists()
    assert (run.status, company.effects(run), company.snapshot()) == ("incident", [], before)
    assert "checkpoint of" in company.incidents(run)[0] and "start" in company.incidents(run)[0]
    company.runtime.restart(run.run_id, "rita", "the checkpoint was spoilt")
    assert company.runtime.drive(run.run_id).status == "waiting", "the ledger outlives it"


def packed(value: Any) -> tuple[str, bytes]:
    return "msgpack", ormsgpack.packb(value)


def test_the_checkpoint_of_another_run_is_not_gone_on_with(company: Company) -> None:
    company.load(SHORT, LONG)
    approved, mine = company.take_in(SHORT), company.take_in(LONG)
    company.runtime.decide(approved.run_id, "approve", "rita", "agreed")
    before = company.snapshot()
    spoil(company, mine, "run_id", *packed(approved.run_id))
    company.runtime.decide(mine.run_id, "reject", "rita", "no")
    mine = company.runtime.drive_one(mine.run_id)
    assert (mine.status, company.snapshot()) == ("incident", before)
    assert "belongs to another run" in company.incidents(mine)[0]
    assert (company.effects(mine), company.effects(approved)) == ([], [])
    assert company.runtime.drive(approved.run_id).outcome == "executed"


STATES: dict[str, dict[str, Any]] = {
    "an approval": {"decision": {"id": "d-1", "kind": "approve", "by": "rita"}},
    "no need to wait": {"waits": False, "proposal_id": None},
    "an end": {"verdict": "fulfil", "outcome": "executed"},
}


@pytest.mark.parametrize("what", STATES)
def test_a_decision_written_into_the_state_decides_nothing(what: str, company: Company) -> None:
    run = company.propose(SHORT)
    before = company.snapshot()
    for channel, value in STATES[what].items():
        spoil(company, run, channel, *packed(value))
    assert company.runtime.drive(run.run_id).status == "waiting"
    assert (company.effects(run), company.snapshot()) == ([], before)
    run = company.decide(run, "reject", "rita")
    assert (run.status, run.outcome, company.effects(run)) == ("closed", "rejected", [])
