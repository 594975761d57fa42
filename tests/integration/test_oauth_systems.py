"""A system that takes tokens of an authorization server is called with them, and nothing of them is seen outside."""

import logging
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from starlette.responses import JSONResponse, Response

from errors import BadInput, MissionsError, Refused, TryAgain
from settings import settings
from systems.calls import Call
from systems.client import LiveSystems
from systems.config import SystemsConfig
from systems.consent import ask_consent
from systems.oauth import consent_file, read_consent
from tests.integration.authorization_server import Issuer, authorization_server
from tests.integration.commands import begun, missions, refused
from tests.integration.http_shop import HttpShop, configured, http_shop

GET, PUT = Call("shop.get", {"what": "one"}), Call("shop.put", {"what": "one"})
SECRET = "client-secret-1"


@pytest.fixture(name="issuer")
def _issuer() -> Iterator[Issuer]:
    with authorization_server() as issuer:
        yield issuer


@pytest.fixture(name="shop")
def _shop(issuer: Issuer) -> Iterator[HttpShop]:
    with http_shop() as shop:
        issuer.resource, shop.gate = shop.url, issuer.gate
        yield shop


@pytest.fixture(name="home", autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MISSIONS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def by_client(tmp_path: Path, shop: HttpShop, issuer: Issuer) -> SystemsConfig:
    oauth = f"issuer: '{issuer.url}', grant: client_credentials, client_id: missions, client_secret: {{env: SHOP_SECRET}}"
    return configured(tmp_path, shop, f"auth: {{oauth: {{{oauth}}}}}")


def by_person(tmp_path: Path, shop: HttpShop, issuer: Issuer, more: str = "") -> SystemsConfig:
    oauth = f"issuer: '{issuer.url}', grant: authorization_code{more}"
    return configured(tmp_path, shop, f"auth: {{oauth: {{{oauth}}}}}")


def consent(config: SystemsConfig, patience: float = 10.0) -> None:
    """As the person with her browser does."""

    def show(address: str) -> None:
        threading.Thread(target=httpx2.get, args=(address,), kwargs={"follow_redirects": True}, daemon=True).start()

    ask_consent(config.systems["shop"], os.environ, show, patience=patience)


def test_a_token_of_the_client_is_got_once_renewed_in_time_and_after_a_rejection(
    shop: HttpShop, issuer: Issuer, tmp_path: Path
) -> None:
    with LiveSystems(by_client(tmp_path, shop, issuer)) as systems:
        assert systems.write(PUT, "k").answer == {"done": True}
        assert systems.read_all([GET] * 3)[0].status == "ok"
        assert [form["grant_type"] for form in issuer.forms] == ["client_credentials"]
        issuer.withdraw()
        assert {one.status for one in systems.read_all([GET] * 3)} == {"ok"}
        assert len(issuer.forms) == 2
        issuer.withdraw()
        assert systems.write(PUT, "k2").answer == {"done": True}
    assert shop.puts == ["one", "one"]
    issuer.lasts, issuer.forms[:] = 1, []
    with LiveSystems(by_client(tmp_path, shop, issuer)) as systems:
        assert systems.read_all([GET])[0].status == "ok"
        time.sleep(0.6)
        assert systems.read_all([GET])[0].status == "ok"
    assert len(issuer.forms) >= 2


def test_a_consent_is_asked_for_once_kept_for_this_account_alone_and_renewed_by_every_process(
    shop: HttpShop, issuer: Issuer, tmp_path: Path
) -> None:
    config = by_person(tmp_path, shop, issuer)
    with LiveSystems(config) as systems:
        assert "run `missions systems connect shop`" in str(systems.read_all([GET])[0].error)
    consent(config)
    assert issuer.forms[0]["client_id"] == "registered" and issuer.forms[0]["resource"] == shop.url
    file = consent_file("shop")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with LiveSystems(config) as one, LiveSystems(config) as other:
        for systems in (one, other):
            issuer.access.clear()  # a refresh token that is used twice would end the consent
            assert systems.read_all([GET])[0].status == "ok"
        assert one.read_all([GET])[0].status == "ok"  # what the other has renewed is found
    assert [form["grant_type"] for form in issuer.forms] == ["authorization_code", "refresh_token", "refresh_token"]
    kept = read_consent("shop")
    assert kept is not None and {kept.refresh_token} == issuer.refresh


def test_the_command_prints_the_address_waits_and_says_where_the_consent_is_kept(
    shop: HttpShop, issuer: Issuer, tmp_path: Path, home: Path
) -> None:
    by_person(tmp_path, shop, issuer)
    issuer.lasts = 60
    variables = {"MISSIONS_SYSTEMS": tmp_path / "systems.yaml", "MISSIONS_HOME": home}
    process = begun(["missions", "systems", "connect", "shop"], tmp_path / "out", tmp_path / "err", **variables)
    until = time.monotonic() + 60
    while not (address := re.search(r"^http\S+$", said(tmp_path), re.M)) and time.monotonic() < until:
        time.sleep(0.1)
    assert address is not None, said(tmp_path)
    assert httpx2.get(address[0], follow_redirects=True).text.startswith("You may close this page")
    process.join(30)
    assert process.exitcode == 0 and "shop is connected. The consent is kept in" in " ".join(said(tmp_path).split())
    assert read_consent("shop") is not None
    assert not [token for token in [*issuer.given, *issuer.codes] if token and token in said(tmp_path)]
    refused(missions("systems", "connect", "shops", **variables), "'shops' is no system of", "did you mean shop?")


def said(folder: Path) -> str:
    return "".join((folder / name).read_text() for name in ("out", "err") if (folder / name).exists())


def test_many_processes_that_find_a_token_out_of_time_renew_it_once(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    config = by_person(tmp_path, shop, issuer)
    issuer.lasts = 0
    consent(config)
    issuer.lasts = 3600
    code = (
        "import sys; from pathlib import Path; from systems.client import LiveSystems; from systems.config import load_config\n"
        "from systems.calls import Call\n"
        "with LiveSystems(load_config(Path(sys.argv[1]))) as systems:\n"
        "    print(systems.read_all([Call('shop.get', {'what': 'one'})] * 4)[0].status)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "systems.yaml")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in running] == ["ok\n"] * 3
    assert [form["grant_type"] for form in issuer.forms] == ["authorization_code", "refresh_token"]


def test_a_consent_that_was_withdrawn_is_said_and_a_write_is_not_in_doubt(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    config = by_person(tmp_path, shop, issuer)
    consent(config)
    with LiveSystems(config) as systems:
        assert systems.read_all([GET])[0].status == "ok"
        issuer.withdraw()
        with pytest.raises(MissionsError, match=r"has run out or was withdrawn\); run `missions systems connect shop`"):
            systems.write(PUT, "k")
        assert "has run out or was withdrawn" in str(systems.read_all([GET])[0].error)
        consent(config)
        assert systems.write(PUT, "k").answer == {"done": True}
    assert shop.puts == ["one"]


def test_a_consent_is_not_used_for_another_issuer_or_another_address(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    consent(by_person(tmp_path, shop, issuer))
    with authorization_server() as other, LiveSystems(by_person(tmp_path, shop, other)) as systems:
        assert "nobody has consented to it as its `auth` is now" in str(systems.read_all([GET])[0].error)
        assert not other.forms
    with LiveSystems(by_person(tmp_path, shop, issuer, ", resource: 'https://else'")) as systems:
        assert "nobody has consented to it" in str(systems.read_all([GET])[0].error)
    assert len(issuer.forms) == 1


def test_only_the_answer_that_is_waited_for_ends_the_waiting(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    config = by_person(tmp_path, shop, issuer, ", client_id: missions, client_secret: {env: SHOP_SECRET}, scope: 'a b'")
    answers: list[int] = []

    def strangers(address: str) -> None:
        query = parse_qs(urlsplit(address).query)
        assert query["scope"] == ["a b"] and query["client_id"] == ["missions"]
        back = query["redirect_uri"][0]
        wrong = [f"{back}?code=x", f"{back}?code=x&state=guess", f"{back}x?state={query['state'][0]}&code=x"]
        answers.extend(httpx2.get(url).status_code for url in wrong)
        answers.append(httpx2.get(address, follow_redirects=True).status_code)

    def show(address: str) -> None:
        threading.Thread(target=strangers, args=(address,), daemon=True).start()

    ask_consent(config.systems["shop"], os.environ, show, patience=10)
    assert answers == [404, 404, 404, 200]
    with LiveSystems(config) as systems:
        assert systems.read_all([GET])[0].status == "ok"


def test_a_consent_that_is_not_given_keeps_nothing(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    config = by_person(tmp_path, shop, issuer)
    issuer.says_no = True
    with pytest.raises(Refused, match="The consent to shop was not given"):
        consent(config)
    with pytest.raises(Refused, match=r"Nobody consented to shop within 0\.2 seconds"):
        ask_consent(config.systems["shop"], os.environ, lambda address: None, patience=0.2)
    with pytest.raises(BadInput, match="needs no consent"):
        consent(by_client(tmp_path, shop, issuer))
    assert not consent_file("shop").exists()


def test_a_system_without_an_oauth_says_which_issuer_it_names_and_nobody_else_is_asked(tmp_path: Path) -> None:
    names = {"resource": "https://shop", "authorization_servers": ["https://login.example", "https://evil.example/x"]}
    with http_shop() as shop:
        config = configured(tmp_path, shop, "auth: {bearer: {env: SHOP_SECRET}}")
        with pytest.raises(BadInput, match=r"shop has no `oauth` in its `auth`; add it[^:]*describes\.$"):
            consent(config)
        path = f"/.well-known/oauth-protected-resource{urlsplit(shop.url).path}"
        shop.gate = lambda request: JSONResponse(names) if request.url.path == path else Response(status_code=404)
        with pytest.raises(BadInput, match=r"It names https://login\.example and https://evil\.example/x: is that right\?$"):
            consent(config)


def test_a_scope_that_is_missing_is_named(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    asks = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="orders:write"'}
    gate = issuer.gate
    shop.gate = lambda request: Response(status_code=403, headers=asks) if request.scope["tool"] == "put" else gate(request)
    with LiveSystems(by_client(tmp_path, shop, issuer)) as systems:
        with pytest.raises(Refused, match=r"shop asks for the scope 'orders:write' for this \(403\)"):
            systems.write(PUT, "k")
        asks["WWW-Authenticate"] = 'Bearer scope="<b>"'
        with pytest.raises(Refused, match="does not permit this"):
            systems.write(PUT, "k")


def names(shop: HttpShop, issuer: Issuer, tool: str) -> list[str]:
    """In whose name a tool was called."""
    tokens = [headers["authorization"].removeprefix("Bearer ") for _, name, headers in shop.requests if name == tool]
    return [issuer.subjects.get(token, "a stranger") for token in tokens]


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())])
def test_a_write_goes_out_in_the_name_of_whoever_approved_it_and_all_else_as_the_client(
    shop: HttpShop, issuer: Issuer, tmp_path: Path, key: ed25519.Ed25519PrivateKey
) -> None:
    config, issuer.public_key = on_behalf(tmp_path, shop, issuer, key), key.public_key()
    with LiveSystems(config) as systems:
        systems.write(replace(PUT, approved_by="rita"), "k1")
        systems.write(replace(PUT, approved_by="mona"), "k2")
        systems.write(replace(PUT, approved_by="rita"), "k3")
        systems.write(PUT, "k4")  # an automatic step
        assert systems.read_all([GET])[0].status == "ok"
        issuer.withdraw()
        systems.write(replace(PUT, approved_by="mona"), "k5")
        issuer.withdraw()
        issuer.unknown_people = ("eve", "mona")
        for person in issuer.unknown_people:
            with pytest.raises(MissionsError, match=rf"no token in the name of {person} \(invalid_grant\)"):
                systems.write(replace(PUT, approved_by=person), "k6")
    assert [name for name, _ in groupby(names(shop, issuer, "put"))] == ["rita", "mona", "rita", "", "mona"] and len(
        shop.puts
    ) == 5
    assert names(shop, issuer, "get") == [""]


def test_a_key_that_cannot_be_read_is_named_before_anything_is_sent(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    config = on_behalf(tmp_path, shop, issuer, ec.generate_private_key(ec.SECP256R1()))
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\nsecret-inside\n-----END PRIVATE KEY-----\n"):
        (tmp_path / "missions.pem").write_bytes(content)
        with LiveSystems(config) as systems, pytest.raises(TryAgain, match=r"missions\.pem is no private key") as said:
            systems.write(replace(PUT, approved_by="rita"), "k")
        assert "secret-inside" not in str(said.value)
    assert not shop.puts and not issuer.forms


def on_behalf(tmp_path: Path, shop: HttpShop, issuer: Issuer, key: Any) -> SystemsConfig:
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "missions.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    oauth = f"issuer: '{issuer.url}', grant: client_credentials, client_id: missions, client_secret: {{env: SHOP_SECRET}}"
    signed = f"on_behalf: {{issuer: 'https://missions.example', key: {tmp_path}/missions.pem}}"
    return configured(tmp_path, shop, f"auth: {{oauth: {{{oauth}, {signed}}}}}")


def test_an_answer_in_the_name_of_another_issuer_is_refused(shop: HttpShop, issuer: Issuer, tmp_path: Path) -> None:
    config = by_person(tmp_path, shop, issuer)

    def show(address: str) -> None:
        query = parse_qs(urlsplit(address).query)
        forged = f"{query['redirect_uri'][0]}?code=x&state={query['state'][0]}&iss=https://evil"
        threading.Thread(target=httpx2.get, args=(forged,), daemon=True).start()

    with pytest.raises(Refused, match="did not come from"):
        ask_consent(config.systems["shop"], os.environ, show, patience=10)
    assert not issuer.forms


BROKEN = {
    "another issuer": ({"issuer": "https://evil.example"}, "its metadata name another issuer"),
    "a token endpoint without TLS": ({"token_endpoint": "http://evil.example/token"}, "not https"),
    "no token endpoint": ({"token_endpoint": None}, "not as OAuth describes it"),
    "too much": ({"padding": "x" * 300_000}, "its answer is longer than 200,000 bytes"),
    "nobody": ({"token_endpoint": "http://127.0.0.1:9/token"}, "its authorization server"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_authorization_server_that_is_of_no_use_is_named_and_gets_no_secret(
    shop: HttpShop, issuer: Issuer, tmp_path: Path, what: str
) -> None:
    issuer.metadata, says = BROKEN[what]
    with LiveSystems(by_client(tmp_path, shop, issuer)) as systems:
        error = str(systems.read_all([GET])[0].error)
    assert says in error and error.startswith("shop cannot be reached (its authorization server http://127.0.0.1")
    assert not issuer.forms and not shop.requests


def test_a_client_that_is_not_known_is_said_without_its_secret(
    shop: HttpShop, issuer: Issuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issuer.clients["missions"] = "another-secret"
    with LiveSystems(by_client(tmp_path, shop, issuer)) as systems:
        error = str(systems.read_all([GET])[0].error)
        with pytest.raises(TryAgain, match="it gives no token"):
            systems.write(PUT, "k")
    assert "it gives no token (invalid_client)" in error
    assert SECRET not in error + caplog.text


def test_no_token_comes_back_in_answers_errors_or_logs(
    shop: HttpShop, issuer: Issuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.echo = lambda: " ".join(issuer.given)
    config = by_person(tmp_path, shop, issuer)
    consent(config)
    with LiveSystems(config) as systems:
        for _ in range(3):
            issuer.access.clear()
            answered, refused = systems.read_all([GET, Call("shop.get", {"what": "refuse"})])
            assert "repeats a secret" in str(answered.error)
            assert "We do not tell [a token of shop]" in str(refused.error)
            ours = [one for one in caplog.records if not one.name.startswith(("mcp.server", "uvicorn", "sse_starlette"))]
            said = f"{answered} {refused}" + "".join(f"{one.getMessage()} {one.exc_info}" for one in ours)
            assert not [token for token in issuer.given if token and token in said]


@pytest.mark.parametrize("content", ["", "{}", '{"access_token": "at-kept-secret"}', "[" * 9000])
def test_a_file_that_is_no_consent_is_named_and_not_quoted(shop: HttpShop, issuer: Issuer, tmp_path: Path, content: str) -> None:
    consent_file("shop").parent.mkdir(parents=True)
    consent_file("shop").write_text(content)
    with LiveSystems(by_person(tmp_path, shop, issuer)) as systems:
        error = str(systems.read_all([GET])[0].error)
    assert "shop.json is no consent that can be read" in error and "at-kept" not in error
