"""Outgoing events: the file of destinations, and the signature."""

import base64
from pathlib import Path

import pytest

from errors import BadInput, TryAgain
from graphs.delivery import signature
from graphs.outgoing import KINDS, Destination, load_outgoing
from systems.credentials import SecretSource

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WELL = """
dashboard: https://missions.example
outgoing:
  hub: {url: "https://hub.example:8443/T0/a-key?b=c", secret: {env: HUB_SECRET}}
"""


def test_the_signature_is_that_of_the_published_example() -> None:
    secret = base64.b64decode(SECRET.removeprefix("whsec_"))
    headers = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_destination_is_told_everything_unless_it_says_less_and_shows_only_its_host(tmp_path: Path) -> None:
    file = tmp_path / "outgoing.yaml"
    file.write_text(WELL)
    outgoing = load_outgoing(file)
    assert outgoing is not None and load_outgoing(None) is None
    hub = outgoing.outgoing["hub"]
    assert (hub.name, hub.kinds, hub.missions, hub.host) == ("hub", frozenset(KINDS), None, "https://hub.example:8443")
    assert "a-key" not in repr(outgoing)


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ("url: https://hub.example, secert: {env: A}", "line 4: outgoing.hub.secert: .*did you mean secret"),
        ("url: https://hub.example", r"line 4: outgoing.hub.secret: «secret» is required here"),
        (f"url: https://hub.example, secret: {SECRET}", "a secret does not stand in this file"),
        ("url: https://hub.example, secret: {}", "a secret comes from either {env: VARIABLE} or {file: /PATH}"),
        ("url: https://hub.example, secret: {env: A, file: /b}", "a secret comes from either {env: VARIABLE} or {file: /PATH}"),
        ("url: https://hub.example, secret: {env: A}, kinds: [letter]", "outgoing.hub.kinds"),
        ("url: https://hub.example, secret: {env: A}, kinds: []", "outgoing.hub.kinds"),
        ("url: https://hub.example, secret: {env: A}, timeout_seconds: 61", "less than or equal to 60"),
        *(
            (f'url: "{url}", secret: {{env: A}}', "this is no address; write https://HOST/PATH")
            for url in (
                "ftp://hub.example", "file:///etc/passwd", "https://", "https://ann:pass@hub.example", "https://@hub.example",
                "https://hub.example/#a", "https://hub.example/a b", "https://hub.example:99999/", "//hub.example", "https://hüb.example",
                "https://[::1", "https://hub.example/\\r\\nX-A: b",
            )
        ),
    ],
)  # fmt: skip
def test_what_is_no_destination_is_refused_with_its_line(instead: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "outgoing.yaml"
    file.write_text(WELL.replace('url: "https://hub.example:8443/T0/a-key?b=c", secret: {env: HUB_SECRET}', instead))
    with pytest.raises(BadInput, match=says) as error:
        load_outgoing(file)
    assert SECRET not in str(error.value)


def test_a_name_that_could_not_be_shown_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "outgoing.yaml"
    file.write_text(WELL.replace("hub:", '"Hub {\\u001b}":'))
    with pytest.raises(BadInput, match="is no name of a destination; use lowercase letters"):
        load_outgoing(file)


def hub(secret: SecretSource) -> Destination:
    return Destination(name="hub", url="https://hub.example", secret=secret)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (None, "hub cannot be reached"), ("", "hub cannot be reached"),
        *((said, "holds no secret for the destination hub") for said in (
            SECRET[:-8], SECRET.removeprefix("whsec_"), "whsec_not base64!", "whsec_" + base64.b64encode(b"x" * 65).decode(),
        )),
    ],
)  # fmt: skip
def test_a_secret_that_is_none_is_not_repeated(
    said: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    if said is not None:
        file.write_text(said)
        monkeypatch.setenv("HUB_SECRET", said)
    for secret in (SecretSource(env="HUB_SECRET"), SecretSource(file=file)):
        with pytest.raises((BadInput, TryAgain), match=says) as error:
            hub(secret).signing_key()
        assert not said or said not in str(error.value)


def test_a_secret_is_read_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setenv("HUB_SECRET", SECRET)
    for secret in (SecretSource(env="HUB_SECRET"), SecretSource(file=file)):
        assert hub(secret).signing_key() == base64.b64decode(SECRET.removeprefix("whsec_"))
