"""Passwords, tokens and keys: in no sentence, no representation, no export and no log, whatever goes wrong around them."""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from errors import MissionsError
from ledger.audit_export import export
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.services import AdminService, Inbox
from ledger.signatures import signing_key
from settings import CHECKOUT, Settings
from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config
from systems.sandbox.database import create_schema
from systems.sandbox.loader import load_cases
from systems.sandbox.serve import build
from tests.integration.commands import missions
from tests.integration.http_shop import Gated, HttpShop, served
from tests.integration.live_company import SAMPLE

pytestmark = pytest.mark.promise("Secrets and personal data go nowhere")

SECRET = "hunter2-correct-horse"
#: every setting that is a secret, or holds one
SECRETS = {
    "DATABASE_URL": f"postgresql://missions:{SECRET}@127.0.0.1:1/none", "MISSIONS_PASSWORD": SECRET,
    "MISSIONS_MODEL_KEY": SECRET, "MISSIONS_MODEL_URL": f"http://user:{SECRET}@127.0.0.1:9/v1",
    "MISSIONS_METRICS_TOKEN": SECRET, "MISSIONS_COOKIE_SECRET": SECRET, "MISSIONS_OIDC_CLIENT_SECRET": SECRET,
}  # fmt: skip


def test_the_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    chosen = Settings()
    assert chosen.database_url == SECRETS["DATABASE_URL"] and chosen.model_key.get_secret_value() == SECRET
    assert SECRET not in f"{chosen!r} {chosen} {chosen.model_dump()['model_key']!r}"


def test_every_setting_that_is_named_like_a_secret_is_one() -> None:
    words = ("key", "token", "secret", "password")
    like = {name for name in Settings.model_fields if name.rsplit("_", 1)[-1] in words} - {"audit_key"}
    assert like >= {"model_key", "metrics_token", "cookie_secret", "oidc_client_secret", "password"}
    assert {name for name in like if Settings.model_fields[name].annotation is not SecretStr} == set()


BROKEN_URLS = {
    "nobody listens": SECRETS["DATABASE_URL"],
    "a port that is none": f"postgresql://missions:{SECRET}@127.0.0.1:port/none",
    "an option that there is not": f"postgresql://missions:{SECRET}@127.0.0.1:1/none?sslmode=dance",
    "another scheme": f"mysql://missions:{SECRET}@127.0.0.1/none",
    "a host that is none": f"postgresql://missions:{SECRET}@host.invalid:5432/none",
    "no address": f"missions:{SECRET}@127.0.0.1",
}


@pytest.mark.parametrize("what", BROKEN_URLS)
def test_a_database_address_that_is_no_good_is_told_without_its_password(what: str) -> None:
    done = missions("queue", DATABASE_URL=BROKEN_URLS[what])
    assert done.returncode == 1 and done.stderr.startswith("missions: ")
    assert "Traceback" not in done.stderr and SECRET not in done.stdout + done.stderr


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", str(SAMPLE)), ("worker",), ("sweep",), ("prune",), ("dashboard",), ("decide", "r", "approve", "--reason", "x"),
    ("sign-in", "rita"), ("user", "list"), ("source", "add", "oms"), ("audit", "verify"), ("database", "roles"),
    ("database", "backup", "{folder}/b"), ("sandbox", "reset"), ("systems", "pin"), ("model", "check"), ("lessons", "list"),
)  # fmt: skip
#: those that log
LOGGING = ("run", "worker", "dashboard")


@pytest.mark.parametrize(
    ("words", "log"),
    [(words, "text") for words in COMMANDS]
    + [(words, "json") for words in COMMANDS if words[0] in ("run", "worker", "dashboard")],
)
def test_a_command_that_cannot_work_shows_no_secret(words: tuple[str, ...], log: str, tmp_path: Path) -> None:
    line = [word.format(folder=tmp_path) for word in words]
    done = missions(*line, MISSIONS_LOG=log, MISSIONS_MODEL="small", **SECRETS)
    assert done.returncode != 0
    assert SECRET not in done.stdout + done.stderr


def test_what_is_exported_for_auditors_has_no_password_and_no_token(ledger_url: str, tmp_path: Path) -> None:
    with PostgresLedger.open(ledger_url) as ledger:
        desk = AdminService(ledger)
        _, one_time = desk.admit("admin", "administrator")
        session = desk.sign_in("admin", one_time, timedelta(hours=1), SECRET).token
        assert session and not desk.sign_in("admin", f"{SECRET}-wrong", timedelta(hours=1)).token
        assert "12 characters" in desk.change_password("admin", SECRET, "short")
        again = desk.give_one_time("admin")
        token = Inbox(ledger).add_source("oms", "admin")
        export(ledger, tmp_path / "out", signing_key(tmp_path / "audit.pem"), utc_now())
    key = (tmp_path / "audit.pem").read_text().splitlines()[1]
    with psycopg.connect(ledger_url) as tx:
        (hashed,) = tx.execute("SELECT password_hash FROM ledger.accounts").fetchone() or ("",)
    files = [file.read_text() for file in (tmp_path / "out").iterdir()]
    assert len(files) == 3 and "signed_in" in "".join(files)
    for word in (SECRET, one_time, session, again, token, key, hashed, "$argon2"):
        assert word not in "".join(files)


@pytest.mark.skipif(sys.platform == "win32", reason="files have other rights there")
def test_the_key_of_the_audit_log_is_for_its_account_alone(tmp_path: Path) -> None:
    signing_key(tmp_path / "keys" / "audit.pem")
    assert (tmp_path / "keys" / "audit.pem").stat().st_mode & 0o077 == 0


LEAKS = {
    "the whole of it": "import os, sys; sys.exit('cannot reach ' + os.environ['DATABASE_URL'])",
    "the password": "import os, sys; sys.exit('wrong password ' + os.environ['DATABASE_URL'].split(':')[2].split('@')[0])",
    "a token": "import os, sys; sys.exit('wrong token ' + os.environ['SHOP_TOKEN'])",
}


@pytest.mark.parametrize("what", LEAKS)
def test_a_system_that_prints_its_secrets_as_it_dies_is_quoted_without_them(what: str, tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(LEAKS[what])
    entry = f"{{command: ['{{python}}', '{tmp_path}/dies.py'], env: [DATABASE_URL, SHOP_TOKEN], reads: [get]}}"
    (tmp_path / "systems.yaml").write_text(f"systems:\n  shop: {entry}\n")
    extra = {**os.environ, "DATABASE_URL": SECRETS["DATABASE_URL"], "SHOP_TOKEN": SECRET}
    with LiveSystems(load_config(tmp_path / "systems.yaml"), extra_env=extra) as systems:
        (result,) = systems.read_all([Call("shop.get", {})])
        with pytest.raises(MissionsError) as told:
            systems.write(Call("shop.put", {}), "k")
    for sentence in (str(result.error), str(told.value)):
        assert "cannot be reached" in sentence and SECRET not in sentence
        assert "wrong" in sentence or "cannot reach" in sentence


#: how a system that was taken over gives the token of a call away: an answer of JSON-RPC, or of HTTP
REPEATS = {
    "in an error of a tool": lambda token: _result({"content": [{"type": "text", "text": f"No {token}!"}], "isError": True}),
    "in a record": lambda token: _result({"content": [], "structuredContent": {"record": {"order_id": "O-1", "note": token}}}),
    "in an error of the protocol": lambda token: _body({"error": {"code": -32602, "message": token, "data": token}}),
    "in a redirect": lambda token: Response(status_code=307, headers={"location": f"https://elsewhere.example/{token}"}),
    "in a kind of content": lambda token: Response(token, headers={"content-type": f"text/{token}"}),
    "as a status": lambda token: Response(token, status_code=401, headers={"www-authenticate": f'Bearer scope="{token}"'}),
}


def _body(body: dict[str, object]) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": None, **body}, status_code=400 if "error" in body else 200)


def _result(result: dict[str, object]) -> Response:
    return _body({"result": result})


@pytest.mark.parametrize("log", ["text", "json"])
def test_a_run_on_a_system_that_repeats_its_token_in_every_way_leaves_it_nowhere(
    database_url: str, tmp_path: Path, log: str
) -> None:
    create_schema(database_url)
    cases = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    assert not load_cases(database_url, cases).refused
    events = [{name: case[name] for name in ("mission", "as_of", "trigger")} | {"source_id": case["case_id"]} for case in cases]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    shop, left = HttpShop(), list(REPEATS.values())

    def gate(request: Request) -> Response | None:
        body = json.loads(request.scope["body"] or b"{}")
        if body.get("method") != "tools/call":
            return None
        answer = left[len(repeated) % len(left)](request.headers["authorization"].removeprefix("Bearer "))
        repeated.append(answer)
        if isinstance(answer, JSONResponse):
            return JSONResponse({**json.loads(bytes(answer.body)), "id": body["id"]}, status_code=answer.status_code)
        return answer

    repeated: list[Response] = []
    shop.gate = gate
    app = build("payments", database_url).streamable_http_app(json_response=True)
    with served(Gated(shop, app)) as origin:
        text = (CHECKOUT / "systems" / "systems.yaml").read_text()
        old = '    command: ["{python}", -m, systems.sandbox, payments]\n    env: [DATABASE_URL]\n'
        new = f"    url: {origin}/mcp\n    auth: {{bearer: {{env: SHOP_TOKEN}}}}\n"
        assert old in text
        (tmp_path / "systems.yaml").write_text(text.replace(old, new))
        (tmp_path / "pins.json").write_bytes((CHECKOUT / "systems" / "pins.json").read_bytes())
        variables = {
            "DATABASE_URL": database_url, "SHOP_TOKEN": SECRET, "MISSIONS_SYSTEMS": str(tmp_path / "systems.yaml"),
            "MISSIONS_LOG": log, "MISSIONS_AS_OF_DAYS": "36500",
        }  # fmt: skip
        done = [missions(*words, **variables) for words in (("run", str(tmp_path / "events.jsonl")), ("systems", "pin"))]
    assert len(repeated) >= len(left), done[0]
    with psycopg.connect(database_url) as tx:
        named = tx.execute("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|info)'")
        rows = [str(row) for (table,) in named.fetchall() for row in tx.execute(f"SELECT t::text FROM {table} t").fetchall()]
    assert any("SHOP_TOKEN" in row or "repeats a secret" in row for row in rows)
    assert not [place for place in (*rows, *(f"{one.stdout} {one.stderr}" for one in done)) if SECRET in place]
