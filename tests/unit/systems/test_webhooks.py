"""Signatures of webhooks: those that senders document, and nothing else."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from errors import Refused, TryAgain
from systems.webhooks import Signature, require_signature

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
SECONDS = str(int(NOW.timestamp()))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#: as their senders document them
SCHEMES: dict[str, dict[str, Any]] = {
    "shopify": {"header": "X-Shopify-Hmac-Sha256", "encoding": "base64"},
    "github": {"header": "X-Hub-Signature-256", "encoding": "hex", "prefix": "sha256="},
    "stripe": {
        "header": "Stripe-Signature", "encoding": "hex", "separator": ",", "prefix": "v1=", "timestamp": {"part": "t="},
        "signed": "{timestamp}.{body}",
    },
    "zendesk": {
        "header": "X-Zendesk-Webhook-Signature", "encoding": "base64", "signed": "{timestamp}{body}",
        "timestamp": {"header": "X-Zendesk-Webhook-Signature-Timestamp"},
    },
    "standard": {
        "header": "webhook-signature", "encoding": "base64", "separator": " ", "prefix": "v1,",
        "timestamp": {"header": "webhook-timestamp"}, "signed": "{webhook-id}.{timestamp}.{body}",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def signature(of: str, **other: Any) -> Signature:
    secret = {"env": "HOOK_SECRET", **({"encoding": "base64", "prefix": "whsec_"} if of == "standard" else {})}
    return Signature.model_validate({"scheme": "hmac_sha256", "secret": secret, **SCHEMES[of], **other})


def signed(scheme: str, body: bytes, at: datetime = NOW, key: bytes = b"") -> list[tuple[str, str]]:
    """The headers of a request that the sender would make."""
    seconds, iso = str(int(at.timestamp())), at.isoformat().replace("+00:00", "Z")
    content = {
        "shopify": body, "github": body, "stripe": seconds.encode() + b"." + body, "zendesk": iso.encode() + body,
        "standard": b"msg_1." + seconds.encode() + b"." + body,
    }[scheme]  # fmt: skip
    key = key or (base64.b64decode(SECRET.removeprefix("whsec_")) if scheme == "standard" else SECRET.encode())
    raw = hmac.new(key, content, hashlib.sha256).digest()
    in_base64 = base64.b64encode(raw).decode()
    return {
        "shopify": [("x-shopify-hmac-sha256", in_base64)],
        "github": [("x-hub-signature-256", f"sha256={raw.hex()}")],
        "stripe": [("stripe-signature", f"t={seconds},v1={raw.hex()},v0={raw.hex()[::-1]}")],
        "zendesk": [("x-zendesk-webhook-signature", in_base64), ("x-zendesk-webhook-signature-timestamp", iso)],
        "standard": [
            ("webhook-id", "msg_1"), ("webhook-timestamp", seconds), ("webhook-signature", f"v1a,other v1,{in_base64}"),
        ],
    }[scheme]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@given(body=st.binary(max_size=300), other=st.binary(max_size=300))
def test_a_body_that_was_signed_passes_and_no_other(scheme: str, body: bytes, other: bytes) -> None:
    headers = signed(scheme, body)
    require_signature(signature(scheme), headers, body, NOW)
    if other != body:
        with pytest.raises(Refused, match="not that of its body"):
            require_signature(signature(scheme), headers, other, NOW)
    with pytest.raises(Refused, match="not that of its body"):
        require_signature(signature(scheme), signed(scheme, body, key=b"the secret of somebody else"), body, NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(text=st.text(st.characters(max_codepoint=255), max_size=200))
def test_whatever_stands_in_the_headers_is_no_signature(scheme: str, text: str) -> None:
    names = [name for name, _ in signed(scheme, b"{}")]
    with pytest.raises(Refused):
        require_signature(signature(scheme), [(name, text) for name in names], b"{}", NOW)
    with pytest.raises(Refused, match="0 times"):
        require_signature(signature(scheme), [], b"{}", NOW)


def test_the_examples_that_senders_publish_are_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]  # fmt: skip
    require_signature(signature("standard"), headers, b'{"test": 2432232314}', at)
    monkeypatch.setenv("HOOK_SECRET", "It's a Secret to Everybody")
    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    require_signature(signature("github"), [("x-hub-signature-256", published)], b"Hello, World!", at)


@pytest.mark.parametrize("scheme", ["stripe", "zendesk", "standard"])
@pytest.mark.parametrize("seconds", [-301, 301, -1_000_000, 1_000_000])
def test_what_was_signed_long_ago_or_ahead_is_refused(scheme: str, seconds: int) -> None:
    with pytest.raises(Refused, match="more than 300 s"):
        require_signature(signature(scheme), signed(scheme, b"{}", NOW + timedelta(seconds=seconds)), b"{}", NOW)
    near = signed(scheme, b"{}", NOW + timedelta(seconds=300 if seconds > 0 else -300))
    require_signature(signature(scheme), near, b"{}", NOW)


def test_a_moment_that_was_changed_is_not_that_which_was_signed() -> None:
    old = signed("stripe", b"{}", NOW - timedelta(days=1))
    fresh = [(name, value.replace(value.split(",")[0], f"t={SECONDS}")) for name, value in old]
    with pytest.raises(Refused, match="not that of its body"):
        require_signature(signature("stripe"), fresh, b"{}", NOW)
    (name, value), *_ = signed("stripe", b"{}")
    with pytest.raises(Refused, match="2 parts t="):
        require_signature(signature("stripe"), [(name, f"t=1,{value}")], b"{}", NOW)
    for wrong in ("", "soon", "9" * 12, "2026-03-14T09:30:00", "-5"):
        with pytest.raises(Refused, match="no moment"):
            require_signature(signature("stripe"), [(name, f"t={wrong},v1=00")], b"{}", NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_header_that_stands_twice_proves_nothing(scheme: str) -> None:
    headers = signed(scheme, b"{}")
    for header in headers:
        with pytest.raises(Refused, match="2 times"):
            require_signature(signature(scheme), [*headers, header], b"{}", NOW)


def test_signatures_are_not_tried_without_an_end() -> None:
    (name, value), *_ = signed("stripe", b"{}")
    for many in (",".join([value, *["v1=00"] * 10]), value + "," + "x" * 4_000):
        with pytest.raises(Refused):
            require_signature(signature("stripe"), [(name, many)], b"{}", NOW)


@pytest.mark.parametrize("found", [None, "", "   ", "short", "\n"])
def test_without_a_secret_nothing_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: str | None) -> None:
    monkeypatch.delenv("HOOK_SECRET")
    file = tmp_path / "secret"
    if found is not None:
        monkeypatch.setenv("HOOK_SECRET", found)
        file.write_text(found)
    forged = signed("github", b"{}", key=(found or "").strip().encode() or b"\0")
    for secret in ({"env": "HOOK_SECRET"}, {"file": file}):
        with pytest.raises(TryAgain, match="no signature can be checked"):
            require_signature(signature("github", secret=secret), forged, b"{}", NOW)


def test_a_secret_of_a_file_is_read_anew_and_stands_in_no_sentence(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    chosen = signature("github", secret={"file": file})
    require_signature(chosen, signed("github", b"{}"), b"{}", NOW)
    file.write_text("another secret, not in base64")
    require_signature(chosen, signed("github", b"{}", key=b"another secret, not in base64"), b"{}", NOW)
    in_base64 = signature("standard", secret={"file": file, "encoding": "base64"})
    with pytest.raises(TryAgain, match="not base64") as told:
        require_signature(in_base64, signed("standard", b"{}"), b"{}", NOW)
    assert "another" not in str(told.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"signed": "{timestamp}"}, "{body}, once"),
        ({"signed": "{body}"}, "where there is one"),
        ({"timestamp": None}, "where there is one"),
        ({"separator": ""}, "the separator"),
        ({"timestamp": {}}, "in a header or in a part"),
        ({"timestamp": {"part": "t=", "header": "t"}}, "in a header or in a part"),
        ({"signed": "{timestamp}{X Y}{body}"}, "no header"),
        ({"secret": {}}, "exactly one of them"),
        ({"secret": {"env": "A", "file": "/b"}}, "exactly one of them"),
        ({"secret": "whsec_MfKQ9r8GKYq"}, "does not stand in this file"),
        ({"scheme": "hmac_sha1"}, "hmac_sha256"),
        ({"header": "a: b"}, "pattern"),
        ({"tolerance_seconds": 0}, "greater than"),
    ],
)
def test_a_signature_that_would_prove_too_little_is_not_configured(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        signature("stripe", **wrong)
