"""Commands as processes: what is not as it must be is one line that names it and says what to do, and nothing is half-done."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from errors import BadInput
from evals.recorded.cases import read_cases
from graphs.pack_files import load_packs
from knowledge_index.policies import PolicyBook
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from nodes.pack import Pack
from settings import CHECKOUT
from systems.catalogue import load_catalogue
from systems.sandbox.database import create_schema
from tests.actions import VOID_AUTHORIZATION
from tests.conftest import _database
from tests.integration.commands import missions, refused
from tests.integration.live_company import CASES, PEOPLE, SAMPLE
from tests.integration.sessions import home_of
from tests.sandbox_records import snapshot

#: a system of one's own
SHOP = '''
from mcp.server.mcpserver import MCPServer

shop = MCPServer("shop", log_level="CRITICAL")

@shop.tool()
def sell(sku: str) -> str:
    """Sell one."""
    return sku

shop.run("stdio")
'''


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    """A database with the ledger's tables and the people."""
    with _database(server_url) as made:
        migrate(made)
        ledger = PostgresLedger.open(made)
        for name, role in PEOPLE.items():
            ledger.add_person(name, role)
        ledger.close()
        yield made


@pytest.fixture(scope="module")
def waiting(server_url: str) -> Iterator[tuple[str, str]]:
    """(database, run) of a run that waits for rita."""
    with _database(server_url) as made:
        migrate(made)
        ledger = PostgresLedger.open(made)
        for name, role in PEOPLE.items():
            ledger.add_person(name, role)
        done = missions("run", f"{SAMPLE}#dev-ord-0004", DATABASE_URL=made)
        assert done.returncode == 0, done.stderr
        (run,) = ledger.runs(status="waiting")
        ledger.close()
        yield made, run.run_id


def runs_of(url: str) -> int:
    ledger = PostgresLedger.open(url)
    try:
        return len(ledger.runs())
    finally:
        ledger.close()


def entries_of(url: str) -> Mapping[str, Any]:
    """Every record of the sandbox company."""
    create_schema(url)
    return snapshot(url)


def line(**changes: Any) -> str:
    """A line of recorded exceptions, with fields changed."""
    return json.dumps({**CASES["dev-ord-0004"], "case_id": "a-case", **changes})


MALFORMED = {
    "no JSON": ('{"case_id": "x", ', "not valid JSON"),
    "no object": ("[1]", "must be a JSON object"),
    "NaN": ('{"case_id": NaN}', "not valid JSON"),
    "unknown mission": (line(mission="make_coffee"), "make_coffee"),
    "no subject": (line(trigger={"event": "order.duplicate_suspected"}), "order_id"),
    "unknown event": (line(trigger={"event": "order.lost", "order_id": "O-1"}), "order.lost"),
    "no moment": (line(as_of="yesterday"), "yesterday"),
    "no zone": (line(as_of="2026-03-07T00:53:46"), "as_of"),
    "systems are no object": (line(systems=[]), "systems"),
    "a system is a number": (line(systems={**CASES["dev-ord-0004"]["systems"], "oms": 5}), "oms"),
    "a NUL in the id": (line(case_id="a\0b"), "case_id"),
    "a lone surrogate in the id": (line(case_id="a\ud800b"), "case_id"),
    "an id of 20 kB": (line(case_id="x" * 20_000), "case_id"),
    "a subject of 20 kB": (line(trigger={"event": "order.duplicate_suspected", "order_id": "O" * 20_000}), "order_id"),
}


@pytest.fixture(scope="module")
def packs() -> Mapping[str, Pack]:
    """The packs as the commands load them."""
    catalogue = load_catalogue()
    return load_packs(CHECKOUT / "graphs" / "packs", catalogue, PolicyBook.load(CHECKOUT / "knowledge_index" / "policies"))


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_line_is_told_with_its_place(kind: str, packs: Mapping[str, Pack], tmp_path: Path) -> None:
    text, names = MALFORMED[kind]
    file = tmp_path / "cases.jsonl"
    file.write_text(f"{json.dumps(CASES['dev-ord-0001'])}\n{text}\n")
    with pytest.raises(BadInput) as told:
        list(read_cases(file, packs))
    assert f"{file}, line 2" in str(told.value)
    assert names in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["no JSON", "unknown mission", "a NUL in the id", "a subject of 20 kB"])
@pytest.mark.slow
def test_nothing_is_run_and_no_result_written_where_one_line_is_malformed(kind: str, url: str, tmp_path: Path) -> None:
    text, names = MALFORMED[kind]
    file, out = tmp_path / "cases.jsonl", tmp_path / "out.jsonl"
    file.write_text(f"{json.dumps(CASES['dev-ord-0001'])}\n{text}\n")
    before = runs_of(url)
    refused(missions("run", file, DATABASE_URL=url), f"{file}, line 2", names)
    assert runs_of(url) == before
    refused(missions("eval", file, "--out", out), f"{file}, line 2", names)
    assert os.listdir(tmp_path) == ["cases.jsonl"]


def test_results_that_stand_already_survive_an_evaluation_that_is_refused(tmp_path: Path) -> None:
    file, out = tmp_path / "cases.jsonl", tmp_path / "out.jsonl"
    file.write_text("{")
    out.write_text("the results of yesterday\n")
    refused(missions("eval", file, "--out", out), "cases.jsonl, line 1")
    assert out.read_text() == "the results of yesterday\n"


def test_results_into_a_folder_that_does_not_exist_are_refused(tmp_path: Path) -> None:
    refused(missions("eval", SAMPLE, "--out", tmp_path / "no" / "out.jsonl"), str(tmp_path / "no" / "out.jsonl"), "folder")
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_not_there_is_refused(url: str, tmp_path: Path) -> None:
    refused(missions("run", tmp_path / "none.jsonl", DATABASE_URL=url), "none.jsonl", "No such file")
    refused(missions("eval", tmp_path / "none.jsonl", "--out", tmp_path / "out"), "none.jsonl", "No such file")
    refused(missions("run", f"{SAMPLE}#no-such-case", DATABASE_URL=url), "no-such-case")


UBL = CHECKOUT / "evals" / "cases" / "ubl"
BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
NOT_RUN: dict[str, tuple[list[str], list[str]]] = {
    "an event without a book": (["invoice.received", "--all"], ["'invoice.received'", "account.daily_review"]),
    "a moment that is none": (["account.daily_review", "--all", "--as-of", "soon"], ["'soon'", "2026-03-14T09:30:00Z"]),
    "a credit note of nobody known": ([str(UBL / "ubl-tc434-creditnote1.xml")], ["creditnote1.xml", "no vendor"]),
    "a bomb": (["bomb.xml"], ["bomb.xml", "DTD"]),
}


@pytest.mark.parametrize("what", NOT_RUN)
def test_what_cannot_be_run_is_one_sentence_and_nothing_is_entered(what: str, url: str, tmp_path: Path) -> None:
    (target, *options), names = NOT_RUN[what]
    (tmp_path / "bomb.xml").write_text(BOMB)
    before, entered = runs_of(url), entries_of(url)
    where = tmp_path / target if target.endswith(".xml") else target  # a path from the root stays one
    refused(missions("run", where, *options, DATABASE_URL=url), *names)
    assert (runs_of(url), entries_of(url)) == (before, entered)


def test_an_unknown_run_is_refused_with_a_command_that_exists(url: str) -> None:
    told = refused(missions("show", "r-nope", DATABASE_URL=url), "r-nope")
    words = told.split("`")[1].split()
    assert words[0] == "missions"
    assert missions(*words[1:], "--help").returncode == 0, f"{told}: there is no such command"


@pytest.fixture(scope="module")
def home(waiting: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where rita is signed in."""
    return home_of("rita", waiting[0], tmp_path_factory.mktemp("homes"))


DECISIONS = {
    "an unknown kind": (["aprove", "--reason", "x"], ["aprove", "approve, edit, reject"]),
    "a blank reason": (["approve", "--reason", " \t"], ["reason"]),
    "nonsense to set": (["edit", "--reason", "x", "--set", "nonsense"], ["nonsense", "STEP.ARGUMENT=VALUE"]),
    "an edit that does not hold": (
        ["edit", "--reason", "x", "--set", "2.auth_id=au_nobody"],
        ["does not pass the checks, so nothing was decided", VOID_AUTHORIZATION],
    ),
    "a part of a plan without parts": (
        ["approve", "--reason", "x", "--without", "O-1"],
        ["parts", "reject or edit"],
    ),
    "an unknown queue": (["escalate", "--reason", "x", "--queue", "pub"], ["pub", "operations"]),
}


@pytest.mark.parametrize("kind", DECISIONS)
def test_a_decision_that_cannot_be_is_refused_and_nothing_is_decided(kind: str, waiting: tuple[str, str], home: Path) -> None:
    (url, run_id), (words, names) = waiting, DECISIONS[kind]
    refused(missions("decide", run_id, *words, DATABASE_URL=url, MISSIONS_HOME=home), *names)
    ledger = PostgresLedger.open(url)
    assert (ledger.run(run_id).status, ledger.decisions(run_id), ledger.effects(run_id)) == ("waiting", [], [])
    ledger.close()


def test_a_decision_about_an_unknown_run_is_refused(waiting: tuple[str, str], home: Path) -> None:
    done = missions("decide", "r-nope", "approve", "--reason", "x", DATABASE_URL=waiting[0], MISSIONS_HOME=home)
    refused(done, "r-nope")


def test_a_person_with_an_unknown_role_is_not_added(url: str) -> None:
    refused(missions("user", "add", "eve", "--role", "king", DATABASE_URL=url), "king", "reviewer, supervisor, finance")
    refused(missions("user", "add", "eve", "--role", "none", DATABASE_URL=url), "none")
    refused(missions("user", "add", " ", "--role", "finance", DATABASE_URL=url), "name")
    assert "eve" not in missions("user", "list", DATABASE_URL=url).stdout


def test_a_policy_whose_front_matter_is_broken_is_refused(url: str, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(CHECKOUT / "knowledge_index" / "policies", policies)
    governance = policies / "GOV.md"
    governance.write_text(governance.read_text().replace("version: 1", "version: [1", 1))
    for words in (["eval", SAMPLE, "--out", tmp_path / "out"], ["run", SAMPLE]):
        refused(missions(*words, MISSIONS_POLICIES=policies, DATABASE_URL=url), "GOV.md")
    assert os.listdir(tmp_path) == ["policies"]


@pytest.mark.parametrize(
    ("there", "instead", "names"),
    [
        ("action: capture_payment", "action: print_money", ["print_money", "order_exception.yaml"]),
        ("when: size(shipped_twins) > 0", "when: size(shipped_twins > 0", ["order_exception.yaml", "does not compile"]),
    ],
)
def test_a_pack_that_does_not_validate_does_not_load(
    there: str, instead: str, names: list[str], url: str, tmp_path: Path
) -> None:
    packs = tmp_path / "packs"
    shutil.copytree(CHECKOUT / "graphs" / "packs", packs)
    pack = packs / "order_exception.yaml"
    assert there in pack.read_text()
    pack.write_text(pack.read_text().replace(there, instead, 1))
    before = runs_of(url)
    refused(missions("run", SAMPLE, MISSIONS_PACKS=packs, DATABASE_URL=url), *names)
    assert runs_of(url) == before
    refused(missions("eval", SAMPLE, "--out", tmp_path / "out", MISSIONS_PACKS=packs), *names)
    assert os.listdir(tmp_path) == ["packs"]


@pytest.mark.parametrize("text", ["systems: [", "systems: {oms: {comand: [x]}}"])
def test_a_systems_file_that_is_broken_is_refused(text: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "systems.yaml").write_text(text)
    before = runs_of(url)
    refused(missions("run", SAMPLE, MISSIONS_SYSTEMS=tmp_path / "systems.yaml", DATABASE_URL=url), "systems.yaml")
    assert runs_of(url) == before


def test_a_database_that_does_not_answer_is_told_with_its_remedy() -> None:
    for words in (["queue"], ["run", SAMPLE]):
        told = refused(missions(*words, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none"), "127.0.0.1", "DATABASE_URL")
        assert "secret" not in told
    refused(missions("queue", DATABASE_URL="mysql://x"), "postgresql://")


def test_a_port_in_use_is_told(url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(missions("sandbox", "serve", "oms", "--port", port, DATABASE_URL=url), port, "another port")
    refused(missions("sandbox", "serve", "oms", "--port", "99999", DATABASE_URL=url), "99999")


def test_an_unknown_system_is_told(url: str) -> None:
    refused(missions("sandbox", "serve", "kitchen", DATABASE_URL=url), "kitchen", "oms")


def test_a_run_before_the_index_is_built_is_told_the_command_that_builds_it(url: str, tmp_path: Path) -> None:
    before = runs_of(url)
    refused(missions("run", SAMPLE, MISSIONS_HOME=tmp_path, DATABASE_URL=url), "missions knowledge build")
    assert (runs_of(url), os.listdir(tmp_path)) == (before, [])


def test_a_home_with_a_space_in_its_path_is_told(tmp_path: Path) -> None:
    refused(missions("queue", MISSIONS_HOME=tmp_path / "my data"), "my data", "name another in MISSIONS_HOME")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="to run as another account takes root")
def test_a_home_that_cannot_be_written_is_told() -> None:
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable]
    if not shutil.which("setpriv") or subprocess.run([*nobody, "-c", ""], capture_output=True).returncode:
        pytest.skip("another account cannot run this interpreter")
    home = Path(tempfile.mkdtemp(prefix="missions-closed-"))
    home.chmod(0o700)
    try:
        env = {**os.environ, "MISSIONS_HOME": str(home), "DATABASE_URL": ""}
        done = subprocess.run([*nobody, "-m", "cli", "queue"], cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=60)
        refused(done, str(home), "writ")
        assert os.listdir(home) == []
    finally:
        shutil.rmtree(home)


def test_a_variable_that_is_not_as_it_must_be_is_named(url: str) -> None:
    refused(missions("queue", MISSIONS_PROPOSAL_HOURS="soon", DATABASE_URL=url), "MISSIONS_PROPOSAL_HOURS")
    refused(missions("queue", MISSIONS_PROPOSAL_HOURS="-1", DATABASE_URL=url), "MISSIONS_PROPOSAL_HOURS")


def test_a_case_that_contradicts_the_sandbox_is_refused_before_anything_is_run(waiting: tuple[str, str], tmp_path: Path) -> None:
    url, _ = waiting
    changed = json.loads(json.dumps(CASES["dev-ord-0004"]))
    changed["case_id"] = "contradiction"
    changed["systems"]["oms"]["orders"][0]["total_cents"] += 1
    fresh = CASES["dev-ord-0045"]
    (tmp_path / "two.jsonl").write_text(f"{json.dumps(fresh)}\n{json.dumps(changed)}\n")
    before = runs_of(url)
    refused(missions("run", tmp_path / "two.jsonl", DATABASE_URL=url), "contradiction", "reset")
    assert runs_of(url) == before


def test_pinning_writes_the_pins_beside_the_systems_file(url: str, tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "systems" / "systems.yaml", tmp_path)
    done = missions("systems", "pin", MISSIONS_SYSTEMS=tmp_path / "systems.yaml", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert set(json.loads((tmp_path / "pins.json").read_text())) == {"oms", "payments", "wms", "crm", "erp", "logistics"}


def test_pinning_names_a_read_that_its_system_does_not_have(url: str, tmp_path: Path) -> None:
    written = (CHECKOUT / "systems" / "systems.yaml").read_text("utf-8")
    assert "read: get_order\n" in written
    (tmp_path / "systems.yaml").write_text(written.replace("read: get_order\n", "read: get_ordr\n", 1), "utf-8")
    done = missions("systems", "pin", MISSIONS_SYSTEMS=tmp_path / "systems.yaml", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert re.findall(r"(\S+) is not among them, since its system has no such tool", said) == ["oms.get_ordr"]


def test_the_operations_of_a_rest_api_are_pinned_by_its_document_alone_or_it_is_told_why_not(url: str, tmp_path: Path) -> None:
    systems, document = tmp_path / "systems.yaml", tmp_path / "shop.yaml"
    systems.write_text("systems: {shop: {openapi: shop.yaml, url: 'http://127.0.0.1:9', reads: [get_order]}}\n")
    document.write_text("openapi: 3.1.0\npaths: {/order: {get: {operationId: get_order}, post: {}}}\n")
    done = missions("systems", "pin", MISSIONS_SYSTEMS=systems, DATABASE_URL=url)
    assert "2 tools of 1 systems are now pinned" in " ".join(done.stdout.split()), done.stderr
    before = (tmp_path / "pins.json").read_text()
    assert set(json.loads(before)["shop"]) == {"get_order", "post_order"}
    document.write_text(
        'openapi: 3.1.0\npaths: {/order: {get: {operationId: get_order, parameters: [{$ref: "file:///etc/passwd"}]}}}\n'
    )
    done = missions("systems", "pin", MISSIONS_SYSTEMS=systems, DATABASE_URL=url)
    refused(done, "shop", "get_order cannot be a tool", "not in its document", "systems.yaml")
    document.unlink()
    refused(missions("systems", "pin", MISSIONS_SYSTEMS=systems, DATABASE_URL=url), "shop.yaml cannot be read")
    assert (tmp_path / "pins.json").read_text() == before


def test_pinning_systems_of_ones_own_makes_no_sandbox_company(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "systems.yaml").write_text(f'systems:\n  shop:\n    command: ["{{python}}", {tmp_path / "shop.py"}]\n')
    # an address as other programs write it
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    done = missions("systems", "pin", MISSIONS_SYSTEMS=tmp_path / "systems.yaml", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert list(json.loads((tmp_path / "pins.json").read_text())["shop"]) == ["sell"]
    with psycopg.connect(database_url) as session:
        assert session.execute("SELECT to_regnamespace('ledger') IS NULL, to_regnamespace('sandbox') IS NULL").fetchone() == (
            False,
            True,
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no disk that is always full")
def test_a_full_disk_is_one_sentence() -> None:
    line = [sys.executable, "-m", "cli", "pack", "show", "order_exception"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert "the disk is full" in refused(done, "make room")


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe that nobody reads is another error there")
def test_whoever_reads_no_more_is_told_nothing(database_url: str) -> None:
    migrate(database_url)
    unread, out = os.pipe()
    os.close(unread)
    line = [sys.executable, "-m", "cli", "queue", "--json"]
    env = {**os.environ, "DATABASE_URL": database_url, "PYTHONUNBUFFERED": ""}  # what is printed is kept until the end
    done = subprocess.run(line, cwd=CHECKOUT, env=env, stdout=out, stderr=subprocess.PIPE, text=True)
    os.close(out)
    assert done.stderr == ""
