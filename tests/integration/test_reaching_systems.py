"""A system is reached as it asks to be, and no secret of that shows anywhere."""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from errors import BadInput, MissionsError, Refused, TryAgain
from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin, write_pins
from tests.integration.http_shop import Certificates, HttpShop, configured, http_shop, proxy

TOKEN = "tok-3f9a8b7c6d5e4f"
GET, PUT = Call("shop.get", {"what": "one"}), Call("shop.put", {"what": "one"})


@pytest.fixture(name="shop")
def _shop() -> Iterator[HttpShop]:
    with http_shop() as shop:
        yield shop


def demanding(header: str, value: str, status: int = 401) -> "object":
    def gate(request: Request) -> Response | None:
        return None if request.headers.get(header) == value else Response(status_code=status)

    return gate


BASIC = "Basic " + base64.b64encode(b"missions:" + TOKEN.encode()).decode()
FORMS = {
    "a bearer token of a variable": ("bearer: {env: SHOP_TOKEN}", "authorization", f"Bearer {TOKEN}"),
    "a bearer token of a file": ("bearer: {file: TMP/token}", "authorization", f"Bearer {TOKEN}"),
    "a header": ("headers: {X-Api-Key: {file: TMP/token}}", "x-api-key", TOKEN),
    "a user and a password": ("basic: {username: missions, password: {env: SHOP_TOKEN}}", "authorization", BASIC),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_system_is_read_and_written_with_what_it_demands_and_not_without(shop: HttpShop, tmp_path: Path, form: str) -> None:
    auth, header, value = FORMS[form]
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    shop.gate = demanding(header, value)
    config = configured(tmp_path, shop, f"auth: {{{auth.replace('TMP', str(tmp_path))}}}")
    with LiveSystems(config, extra_env={"SHOP_TOKEN": TOKEN}) as systems:
        assert systems.read_all([GET])[0].value == {"what": "one", "echo": None}
        assert systems.write(PUT, "k").answer == {"done": True}
    with LiveSystems(configured(tmp_path, shop, "timeout_seconds: 2")) as systems:
        assert "a call without credentials (401); give its entry an `auth`" in str(systems.read_all([GET])[0].error)
        with pytest.raises(TryAgain, match="without credentials"):
            systems.write(PUT, "k2")
    assert shop.puts == ["one"]


def test_a_secret_file_that_changes_is_read_again(shop: HttpShop, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first-token")
    shop.gate = demanding("authorization", "Bearer first-token")
    with LiveSystems(configured(tmp_path, shop, f"auth: {{bearer: {{file: {tmp_path}/token}}}}")) as systems:
        assert systems.read_all([GET])[0].status == "ok"
        shop.gate = demanding("authorization", "Bearer second-token")
        (tmp_path / "token").write_text("second-token")
        assert systems.read_all([GET])[0].status == "ok"


@pytest.mark.parametrize(("status", "says"), [(401, "does not accept the credentials"), (403, "does not permit this")])
def test_a_write_that_is_turned_away_is_refused_and_not_in_doubt(shop: HttpShop, tmp_path: Path, status: int, says: str) -> None:
    config = configured(tmp_path, shop, "auth: {bearer: {env: SHOP_TOKEN}}")
    with LiveSystems(config, extra_env={"SHOP_TOKEN": TOKEN}) as systems:
        shop.gate = lambda request: Response(status_code=status) if request.scope["tool"] == "put" else None
        with pytest.raises(Refused, match=says):
            systems.write(PUT, "k")
        assert systems.read_all([GET])[0].status == "ok"  # and the connection is as good as before
    assert not shop.puts


MISSING = {
    "bearer: {env: SHOP_TOKEN}": ({}, "the variable SHOP_TOKEN is not set"),
    "bearer: {env: EMPTY}": ({"EMPTY": ""}, "the variable EMPTY is empty"),
    "bearer: {env: SHORT}": ({"SHORT": "abc"}, "fewer than 6 characters"),
    "bearer: {env: LINES}": ({"LINES": f"{TOKEN}\nX-Role: admin"}, "what no header can carry"),
    "bearer: {env: WORDS}": ({"WORDS": f"{TOKEN}ü"}, "what no header can carry"),
    "bearer: {file: TMP/none}": ({}, "cannot be read: No such file"),
    "bearer: {file: TMP}": ({}, "cannot be read: Is a directory"),
}


@pytest.mark.parametrize("auth", MISSING)
def test_a_secret_that_is_missing_is_named_before_anything_is_sent(shop: HttpShop, tmp_path: Path, auth: str) -> None:
    env, says = MISSING[auth]
    config = configured(tmp_path, shop, f"auth: {{{auth.replace('TMP', str(tmp_path))}}}")
    with LiveSystems(config, extra_env=env) as systems:
        error = str(systems.read_all([GET])[0].error)
        assert says in error and error.startswith("shop cannot be reached (") and TOKEN not in error
    assert not shop.requests


REFUSED = {
    "auth: {bearer: SECRET}": "a secret does not stand in this file",
    "auth: SECRET": "a way stands here, `bearer`, `basic`, `oauth` or `headers`",
    "auth: {headers: {X-Key: SECRET}}": "a secret does not stand in this file",
    "auth: {basic: {username: a, password: SECRET}}": "a secret does not stand in this file",
    "auth: {bearer: {env: A, file: /b}}": "exactly one of them",
    "auth: {bearer: {file: b}}": "begins with /",
    "auth: {}": "it names no secret",
    "auth: {bearer: {env: A}, headers: {authorization: {env: B}}}": "fill the same header",
    "auth: {headers: {'X Y': {env: B}}}": "String should match pattern",
    "proxy: {url: 'http://me:SECRET@proxy'}": "holds no user or password",
    "proxy: {url: 'http://proxy', username: me}": "needs both",
    "proxy: {url: 'http://proxy', username: me, password: SECRET}": "a secret does not stand in this file",
    "tls: {key: /a}": "needs the `certificate`",
    "url: 'https://me:SECRET@shop'": "holds no user or password",
    "url: 'http://shop', auth: {bearer: {env: A}}": "would travel in plain text",
    "command: [a], auth: {bearer: {env: A}}": "a command gets its secrets by `env`",
}


@pytest.mark.parametrize("entry", REFUSED)
def test_an_entry_that_holds_a_secret_or_would_give_one_away_is_refused(tmp_path: Path, entry: str) -> None:
    reached = "" if entry.startswith(("url", "command")) else "url: 'https://shop', "
    file = tmp_path / "systems.yaml"
    file.write_text(f"systems:\n  shop: {{{reached}{entry.replace('SECRET', TOKEN)}}}\n")
    with pytest.raises(BadInput) as refused:
        load_config(file)
    assert REFUSED[entry] in str(refused.value) and "systems.yaml, line 2" in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_server_that_repeats_the_token_does_not_bring_it_into_answers_errors_or_logs(
    shop: HttpShop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.echo = lambda: shop.requests[-1][2].get("authorization")
    config = configured(tmp_path, shop, "auth: {bearer: {env: SHOP_TOKEN}}")
    with LiveSystems(config, extra_env={"SHOP_TOKEN": TOKEN}) as systems:
        for name in ("httpcore2", "httpx2"):  # not even what these would log, which it has silenced
            caplog.set_level(logging.DEBUG, logger=name)
        answered, refused = systems.read_all([GET, Call("shop.get", {"what": "refuse"})])
        assert answered.status == "failed" and "repeats a secret of the connection" in str(answered.error)
        assert "We do not tell Bearer [SHOP_TOKEN]." in str(refused.error)
    ours = [record for record in caplog.records if not record.name.startswith(("mcp.server", "sse_starlette"))]
    assert any(record.name.startswith("httpcore2") for record in ours)
    assert not [record for record in ours if TOKEN in f"{record.getMessage()} {record.exc_info}"]
    assert TOKEN not in f"{answered} {refused}"


def test_a_server_that_repeats_the_token_in_an_error_of_its_own_or_of_http_does_not_bring_it_into_sentences(
    shop: HttpShop, tmp_path: Path
) -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32602, "message": f"No {TOKEN} here."}}
    turned_away: dict[str, Response] = {
        "an error of JSON-RPC": JSONResponse(error, status_code=400),
        "a redirect": Response(status_code=307, headers={"location": f"https://elsewhere/{TOKEN}"}),
        "a kind of content": Response("x", headers={"content-type": f"text/{TOKEN}"}),
        "a page": Response(TOKEN, status_code=500),
    }
    for response in turned_away.values():
        config = configured(tmp_path, shop, "auth: {bearer: {env: SHOP_TOKEN}}")
        with LiveSystems(config, extra_env={"SHOP_TOKEN": TOKEN}) as systems:
            shop.gate = lambda request, response=response: response if request.scope["tool"] else None  # type: ignore[misc]
            (result,) = systems.read_all([GET])
            with pytest.raises(MissionsError) as failed:
                systems.write(PUT, "k")
            assert result.status == "failed" and TOKEN not in f"{result} {failed.value}"


def test_an_error_of_a_command_does_not_bring_the_values_of_its_variables_into_sentences(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os\nfrom mcp.server.mcpserver import MCPServer\nfrom mcp.server.mcpserver.exceptions import ToolError\n"
        "shop = MCPServer('shop', log_level='CRITICAL')\n"
        "@shop.tool()\ndef get() -> dict[str, str]:\n    raise ToolError('Not with ' + os.environ['SHOP_TOKEN'])\n"
        "shop.run('stdio')\n"
    )
    file = tmp_path / "systems.yaml"
    file.write_text(f"systems: {{shop: {{command: ['{{python}}', {tmp_path}/shop.py], env: [SHOP_TOKEN], reads: [get]}}}}")
    with LiveSystems(load_config(file), extra_env={"SHOP_TOKEN": TOKEN}) as systems:
        write_pins(tmp_path / "pins.json", pin(systems.tools()))
    with LiveSystems(load_config(file), extra_env={"SHOP_TOKEN": TOKEN}) as systems:
        (result,) = systems.read_all([Call("shop.get", {})])
    assert str(result.error).endswith("Not with [SHOP_TOKEN]")


def test_a_tool_whose_description_repeats_the_token_is_not_listed(tmp_path: Path) -> None:
    with http_shop(description=f"Gets {TOKEN}.") as shop:
        config = configured(tmp_path, shop, "auth: {bearer: {env: SHOP_TOKEN}}")
        with (
            LiveSystems(config, extra_env={"SHOP_TOKEN": TOKEN}) as systems,
            pytest.raises(TryAgain, match="repeats a secret") as said,
        ):
            pin(systems.tools())
    assert TOKEN not in str(said.value)


def test_a_system_that_demands_a_certificate_is_reached_with_one_and_not_without(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificate, key = certificates.issue("missions", TOKEN.encode())
    tls = f"ca: {certificates.ca}, certificate: {certificate}, key: {key}, password: {{env: KEY_PASSWORD}}"
    with http_shop(tls=certificates.server()) as shop:
        config = configured(tmp_path, shop, f"tls: {{{tls}}}")
        with LiveSystems(config, extra_env={"KEY_PASSWORD": TOKEN}) as systems:
            assert {tool.name for tool in systems.tools()} == {"get", "put"}
        for entry, password, says in (
            (tls, f"{TOKEN}x", "missions.key"),
            (f"ca: {certificates.ca}", "", "start it, or correct its entry"),
            (f"certificate: {certificate}, key: {key}, password: {{env: KEY_PASSWORD}}", TOKEN, "certificate verify failed"),
            (f"ca: {tmp_path}/none.pem", "", "none.pem: No such file"),
        ):
            config = configured(tmp_path, shop, f"tls: {{{entry}}}")
            with LiveSystems(config, extra_env={"KEY_PASSWORD": password}) as systems:
                with pytest.raises(TryAgain, match=r"^shop cannot be reached \(") as failed:
                    systems.tools()
                assert says in str(failed.value) and TOKEN not in str(failed.value)


def test_only_a_proxy_that_the_entry_names_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(tmp_path)
    certificate, key = certificates.issue("missions")
    tls = f"tls: {{ca: {certificates.ca}, certificate: {certificate}, key: {key}}}"
    with http_shop(tls=certificates.server()) as shop, proxy() as (address, heads):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        with LiveSystems(configured(tmp_path, shop, tls)) as systems:
            systems.tools()
        assert not heads
        named = f"{tls}, proxy: {{url: '{address}', username: missions, password: {{env: PROXY_PASSWORD}}}}"
        with LiveSystems(configured(tmp_path, shop, named), extra_env={"PROXY_PASSWORD": TOKEN}) as systems:
            systems.tools()
        assert heads[0].startswith("CONNECT 127.0.0.1:") and f"Proxy-Authorization: {BASIC}" in heads[0]
