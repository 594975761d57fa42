"""Wrong roles at every door: each command, page and endpoint has a rule here, and whoever may not is refused.

Something new without a rule fails. "machine" is whoever has this account of the machine, and with it the database.
"""

import ast
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from pydantic import SecretStr
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cli.main import app, loaded
from cli.session import keep
from dashboard.serving import _app
from dashboard.visitor import COOKIE
from errors import Refused
from evals.learning import lessons
from ledger.admissions import AdmissionRequest
from ledger.authorization import person_key
from ledger.outbox import Pause
from ledger.permissions import Permission, may
from ledger.postgres import PostgresLedger
from ledger.records import PERSON_ROLES, Person
from ledger.services import AdminService, Inbox, Outbox
from ledger.tables import METADATA, SESSIONS
from settings import CHECKOUT, Settings, settings
from tests.conftest import _database
from tests.integration.live_company import CASES, Company, built_home, opened
from tests.integration.open_pages import Front, seen
from tests.integration.open_queue import CASE, office, taken_in
from tests.ledger_examples import enrolled

pytestmark = pytest.mark.promise("Whoever may not is refused at every door")

pytest_plugins = ["tests.integration.open_pages"]
__all__ = ["office"]

NOBODY = ""
WHO = (NOBODY, *PERSON_ROLES)
#: of each role, who tries
NAMES: Mapping[str, str] = {role: f"mallory {role}" for role in PERSON_ROLES}

MACHINE = "machine"
#: what each command takes; with a permission, the words by which it is attacked: {run}, {stuck}, {letter}, {lesson} are there
COMMANDS: Mapping[str, str | tuple[Permission, str]] = {
    "start": MACHINE, "run": MACHINE, "show": MACHINE, "queue": MACHINE, "record": MACHINE, "worker": MACHINE,
    "sweep": MACHINE, "prune": MACHINE, "dashboard": MACHINE, "notebook": MACHINE, "clean": MACHINE,
    "what-if": MACHINE, "backtest": MACHINE,
    # who has the password, and who is signed in
    "sign-in": MACHINE, "sign-out": MACHINE,
    "sandbox load": MACHINE, "sandbox reset": MACHINE, "sandbox serve": MACHINE,
    "knowledge build": MACHINE, "knowledge learn": MACHINE, "knowledge search": MACHINE,
    "knowledge status": MACHINE, "knowledge restore": MACHINE,
    "audit verify": MACHINE, "audit export": MACHINE, "systems pin": MACHINE, "systems connect": MACHINE,
    "systems show": MACHINE, "systems draft": MACHINE,
    "pack validate": MACHINE, "pack show": MACHINE, "pack diff": MACHINE,
    "database roles": MACHINE, "database backup": MACHINE, "database restore": MACHINE,
    "eval run": MACHINE, "eval compare": MACHINE, "eval gate": MACHINE, "eval lint": MACHINE, "eval report": MACHINE,
    "eval matrix": MACHINE, "eval save": MACHINE, "eval sets": MACHINE, "eval export": MACHINE, "eval note": MACHINE,
    "shadow run": MACHINE, "shadow report": MACHINE, "history import": MACHINE, "history scan": MACHINE, "history make": MACHINE,
    "history plant": MACHINE,
    "model check": MACHINE, "invoice read": MACHINE, "invoice run": MACHINE,
    "source try": MACHINE, "events take": MACHINE, "events dead": MACHINE, "incident list": MACHINE, "source list": MACHINE,
    "outgoing list": MACHINE, "outgoing test": MACHINE,
    "user list": MACHINE, "user waiting": MACHINE,
    "lessons list": MACHINE, "lessons show": MACHINE, "lessons report": MACHINE,
    "decide": ("decide", "{run} approve --reason mine"),
    "events again": ("settle_incident", "{letter} --reason mine"),
    "events drop": ("settle_incident", "{letter} --reason mine"),
    "incident retry": ("settle_incident", "{stuck} --reason mine"),
    "incident close": ("settle_incident", "{stuck} --reason mine"),
    "lessons promote": ("settle_lesson", "{lesson} --to {folder}/cases.jsonl --expect {folder}/right.json"),
    "lessons drop": ("settle_lesson", "{lesson} --reason mine"),
    "source add": ("manage_sources", "evil --missions order_exception"),
    "source bounds": ("manage_sources", "oms --missions order_exception"),
    "source end": ("manage_sources", "oms"),
    "outgoing skip": ("manage_sources", "hub --reason mine"),
    "outgoing end": ("manage_sources", "hub --reason mine"),
    "user add": ("manage_people", "mallory --role administrator"),
    "user password": ("manage_people", "rita"),
    "user second-factor": ("manage_people", "rita"),
    "user confirm": ("confirm_people", "mina"),
    "user refuse": ("confirm_people", "mina"),
}  # fmt: skip
GUARDED = {name: rule for name, rule in COMMANDS.items() if isinstance(rule, tuple)}


def commands(group: Any, above: str = "") -> Iterator[str]:
    """Every command there is, by its words."""
    if not hasattr(group, "commands"):
        yield above
        return
    for name, command in group.commands.items():
        yield from commands(command, f"{above} {name}".strip())


def test_every_command_has_a_rule() -> None:
    words = (words for name in typer.main.get_command(app).commands for words in commands(loaded(name), name))
    assert set(words) == COMMANDS.keys()


@dataclass(frozen=True)
class Target:
    """A company with something to spoil for every guarded command."""

    company: Company
    words: Mapping[str, str]

    def state(self) -> list[tuple[str, str]]:
        """A digest of every table of ledger and sandbox company; a lease is no change."""
        names = [table.fullname for table in METADATA.sorted_tables if table.name != "leases"]
        sql = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
        rows = [(name, self.company.sql(sql.format(name))[0][0]) for name in names]
        return [*rows, ("sandbox", json.dumps(self.company.snapshot(), sort_keys=True))]


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    """A company that no other test has: what is spoilt in it stays."""
    with _database(server_url) as url, opened(url) as made:
        yield made


@pytest.fixture(scope="module")
def target(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Target:
    ledger, folder = company.ledger, tmp_path_factory.mktemp("target")
    assert isinstance(ledger, PostgresLedger)
    desk = AdminService(ledger)
    enrolled(desk, "admin", "administrator")
    for role, name in NAMES.items():
        enrolled(desk, name, role, "C-1" if role == "customer" else None)
    overruled = company.propose("dev-ord-0004")
    company.runtime.decide(overruled.run_id, "reject", "fay", "not so")
    company.runtime.drive(overruled.run_id)
    stuck = company.take_in("dev-ord-0004")
    ledger.incident(stuck.run_id, "stuck", datetime.now(UTC))
    waits = company.propose("dev-ord-0007")
    (lesson,) = [one.decision_id for one in ledger.decisions(overruled.run_id)]
    assert lessons.lesson(ledger, lesson, company.runtime.context.catalogue)
    Inbox(ledger).add_source("oms")
    outbox = Outbox(ledger)
    outbox.begin("hub")
    desk.ask(AdmissionRequest(kind="role", name="mina", role="finance"), "admin")
    (folder / "right.json").write_text(json.dumps(CASES["dev-ord-0004"]["expected"]))
    lease = outbox.take("hub", 60)
    assert lease and outbox.fail(lease, lease.seq, "answered 500", Pause(wish=0, longest=1, share=1))
    letter = Inbox(ledger).keep_letter("a test", json.dumps({"source_id": "x"}), "it is none")
    words = {"run": waits.run_id, "stuck": stuck.run_id, "letter": letter, "lesson": lesson, "folder": str(folder)}
    return Target(company, words)


@pytest.fixture(scope="module")
def homes(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A home for each role in which it is signed in, and one in which nobody is."""
    made: dict[str, Path] = {}
    ledger, now = target.company.ledger, datetime.now(UTC)
    assert isinstance(ledger, PostgresLedger)
    for role in WHO:
        made[role] = tmp_path_factory.mktemp("home")
        for kept in ("knowledge", "language"):
            (made[role] / kept).symlink_to(built_home() / kept)
        if role == NOBODY:
            continue
        token = secrets.token_urlsafe()
        row = {
            "digest": hashlib.sha256(token.encode()).hexdigest(), "key": person_key(NAMES[role]),
            "started_at": now, "expires_at": now + timedelta(hours=1),
        }  # fmt: skip
        with ledger.transaction() as tx:
            tx.execute(insert(SESSIONS).values(**row))
        keep(token, Settings(home=made[role], DATABASE_URL=target.company.url))
    return made


@pytest.fixture
def attack(target: Target, homes: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs a command in this process as somebody; what `main` would tell is raised."""

    def run(who: str, words: Sequence[str]) -> str:
        monkeypatch.setenv("DATABASE_URL", target.company.url)
        monkeypatch.setenv("MISSIONS_HOME", str(homes[who]))
        settings.cache_clear()
        return CliRunner().invoke(app, list(words), catch_exceptions=False).stdout

    yield run
    settings.cache_clear()


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.slow
def test_whoever_may_not_is_refused_by_the_command_and_nothing_changes(name: str, target: Target, attack: Any) -> None:
    permission, words = GUARDED[name]
    line = [word.format(**target.words) for word in [*name.split(), *words.split()]]
    before = target.state()
    tried = 0
    for who in WHO:
        person = Person(name="x", role=who) if who else None
        if may(person, permission):
            continue
        with pytest.raises(
            Refused, match=r"requires the role|is managed by|are managed by|must be confirmed by|no one is signed in"
        ):
            attack(who, line)
        tried += 1
    assert tried >= 4
    assert target.state() == before
    assert not Path(target.words["folder"], "cases.jsonl").exists()


#: what each page takes; `audit` is a tab of `incidents`
PAGE_RULES: Mapping[str, Permission] = {
    "queue": "read", "runs": "read", "run": "read", "knowledge": "read", "evaluations": "read", "learning": "read",
    "incidents": "read", "audit": "search_audit", "people": "confirm_people", "portal": "write_in",
}  # fmt: skip


def _pages() -> Sequence[tuple[str, str, str, str]]:
    """PAGES of the script that Streamlit runs, which draws when it is imported."""
    for statement in ast.parse((CHECKOUT / "dashboard" / "app.py").read_text()).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "PAGES" and statement.value:
            found: Sequence[tuple[str, str, str, str]] = ast.literal_eval(statement.value)
            return found
    raise AssertionError("there are no PAGES")


def test_every_page_has_a_rule_and_is_led_to_by_it() -> None:
    there = {file.stem for file in (CHECKOUT / "dashboard" / "pages").glob("*.py")} - {"__init__"}
    assert there == PAGE_RULES.keys()
    assert {name: permission for name, _, _, permission in _pages()} == {
        name: rule for name, rule in PAGE_RULES.items() if name != "audit"
    }


@pytest.mark.parametrize("page", PAGE_RULES)
@pytest.mark.slow
def test_whoever_may_not_sees_nothing_of_a_page(page: str, front: Front, office: None) -> None:
    run = taken_in(front, CASE)
    for role, name in NAMES.items():
        front.enrol(name, role, "C-1" if role == "customer" else None)
    secrets_of_it = (run.run_id, run.event.subject, "rita", "casey", "FRD-", "GOV-")
    for who in WHO:
        person = Person(name="x", role=who) if who else None
        if may(person, PAGE_RULES[page]):
            continue
        drawn = front.page(NAMES[who] if who else NOBODY, page, run=run.run_id)
        assert not drawn.exception
        assert not [word for word in secrets_of_it if word in seen(drawn)]
        if who:
            assert [one.value for one in drawn.error] and "requires the role" in drawn.error[0].value
        assert not drawn.button and not drawn.text_input and not drawn.dataframe and not drawn.get("download_button")


#: what each address beside the pages takes of whom no session helps
ENDPOINTS: Mapping[str, str] = {
    "/sign-in": "the form",
    "/queue": "nothing: it leads to the pages",
    "/portal": "nothing: it leads to the pages",
    "/events": "the token of an event source",
    "/events/{name}": "the signature, or the token, of this source",
    "/health": "nothing",
    "/metrics": "the token of the metrics",
}


@pytest.fixture
def server(front: Front, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """The routes and the guard as they are served, without the pages."""
    chosen = front.company.settings.model_copy(update={"metrics_token": SecretStr("of-the-metrics")})
    monkeypatch.setattr(front.company, "settings", chosen)
    served: Any = _app(front.company, chosen, {})
    return Starlette(routes=served._user_routes, middleware=served._user_middleware)


def test_every_endpoint_has_a_rule(server: Starlette) -> None:
    assert {route.path for route in server.routes} == ENDPOINTS.keys()  # type: ignore[attr-defined]


def _rows(url: str) -> int:
    with psycopg.connect(url) as session:
        (rows,) = session.execute("SELECT count(*) FROM ledger.inbox").fetchone() or (0,)
    return int(rows)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_session_and_no_token_of_another_door_opens_an_endpoint(path: str, front: Front, server: Starlette) -> None:
    token = front.ledger and Inbox(front.ledger).add_source(f"source-{secrets.token_hex(4)}")
    for role, name in NAMES.items():
        front.enrol(name, role, "C-1" if role == "customer" else None)
    sessions = [front._tokens[name] for name in NAMES.values()]
    tries: list[dict[str, str]] = [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer of-nobody"}]
    tries += [{"Cookie": f"{COOKIE}={one}"} for one in sessions] + [{"Authorization": f"Bearer {one}"} for one in sessions]
    if path != "/events":
        tries.append({"Authorization": f"Bearer {token}"})
    if path != "/metrics":
        tries.append({"Authorization": "Bearer of-the-metrics"})
    client = TestClient(server, base_url="http://localhost:8501", client=("127.0.0.1", 50_000), follow_redirects=False)
    before = _rows(front.company.url)
    event = json.dumps(
        {"source_id": "evil", "mission": "order_exception", "trigger": {"event": "order.payment_review", "order_id": "O-1"}}
    )
    for headers in tries:
        posted = client.post(path, content=event, headers={"Content-Type": "application/json", **headers})
        got = client.get(path, headers=headers)
        if path == "/health":
            assert got.status_code in (200, 503) and got.json().keys() == {
                "status", "database", "migrations", "runs", "log", "runtime",
            }  # fmt: skip
            assert posted.status_code == 405
        elif path in ("/queue", "/portal"):
            assert got.status_code == 303 and got.headers["location"].startswith("/") and posted.status_code in (303, 405)
        elif path == "/sign-in":
            assert got.status_code in (200, 303) and posted.status_code in (400, 403) and "set-cookie" not in posted.headers
        elif path in ("/events", "/events/{name}"):
            assert (posted.status_code, got.status_code) == (401, 405)
        else:
            assert (posted.status_code, got.status_code) == (405, 401) and "missions_runs" not in got.text
    assert _rows(front.company.url) == before
