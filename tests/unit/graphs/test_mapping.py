"""What other software sends is an event, of no interest, or one sentence says why it is none."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import BadInput
from graphs.mapping import LONGEST_LIST, Ignored, ReadByModel, check_mapping, mapped_event, payload_texts
from ledger.records import Event
from settings import CHECKOUT
from systems.event_sources import SourceMapping, load_mapping, load_mappings
from tests.engine import laboratory

NOW = datetime(2026, 3, 14, 10, tzinfo=UTC)
SOURCES = CHECKOUT / "systems" / "sources"
SHIPPED = load_mappings(SOURCES)
SIGNATURE = "signature: {scheme: hmac_sha256, header: x-sig, secret: {env: A}, encoding: hex"
PLAIN = """
headers: [X-Topic]
events:
- when: headers['x-topic'] == 'held'
  mission: order_exception
  trigger: {event: order.payment_review, order_id: =body.id}
ignore: ["headers['x-topic'] == 'other'"]
"""
CLOUD = "events: [{mission: order_exception, trigger: {event: =ce.type, order_id: =ce.subject}}]\n"
CE = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.payment_review", "subject": "O-1"}


def mapping_of(folder: Path, text: str) -> SourceMapping:
    (folder / "shop.yaml").write_text(text)
    return load_mapping(folder / "shop.yaml")


def sent(mapping: SourceMapping, body: Any, kind: str = "application/json", **headers: str) -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = [("content-type", kind), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return [mapped_event(text, mapping, laboratory().packs, NOW, "shop") for text in payload_texts(mapping, named, raw)]


@pytest.mark.parametrize(
    ("recorded", "event", "subject"),
    [
        ("shopify-orders-updated", "order.payment_review", "O-4471"),
        ("stripe-charge-dispute-created", "order.payment_review", "O-4471"),
        ("zendesk-ticket-created", "support.message", "96349"),
    ],
)
def test_a_recorded_payload_of_a_shipped_source_is_its_event(recorded: str, event: str, subject: str) -> None:
    mapping = SHIPPED[recorded.partition("-")[0]]
    check_mapping(mapping, laboratory().packs)
    text = (SOURCES / "recorded" / f"{recorded}.json").read_text()
    came = mapped_event(text, mapping, laboratory().packs, NOW, mapping.name)
    assert (came.name, came.subject, came.as_of.astimezone(UTC).strftime("%H:%M")) == (event, subject, "09:30")
    other = json.loads(text)
    other["headers"]["X-Shopify-Webhook-Id"] = "another delivery"
    assert mapped_event(json.dumps(other), mapping, laboratory().packs, NOW, mapping.name).source_id == came.source_id


def test_what_a_shop_also_tells_is_ignored() -> None:
    payload = json.loads((SOURCES / "recorded" / "shopify-orders-updated.json").read_text())
    payload["body"]["tags"] = "web"
    with pytest.raises(Ignored, match=r"shopify\.yaml ignores what it is"):
        mapped_event(json.dumps(payload), SHIPPED["shopify"], laboratory().packs, NOW)
    payload["headers"]["X-Shopify-Topic"] = "products/update"
    with pytest.raises(BadInput, match="every `when` is false") as told:
        mapped_event(json.dumps(payload), SHIPPED["shopify"], laboratory().packs, NOW)
    assert not isinstance(told.value, Ignored)


def test_without_rules_for_them_the_body_names_the_event_and_it_is_looked_at_now(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PLAIN)
    (one,) = sent(mapping, {"id": "O-1", "n": 1.0}, x_topic="held")
    (same,) = sent(mapping, b'{"n": 1.0,   "id": "O-1"}', x_topic="held", x_other="delivered again")
    (other,) = sent(mapping, {"id": "O-1", "n": 2}, x_topic="held")
    assert one.source_id == same.source_id != other.source_id and one.as_of == NOW


def test_a_list_is_as_many_events(tmp_path: Path) -> None:
    came = sent(mapping_of(tmp_path, PLAIN), [{"id": "O-1"}, {"id": "O-2"}], x_topic="held")
    assert [one.subject for one in came] == ["O-1", "O-2"]
    with pytest.raises(BadInput, match="1,001 events"):
        sent(mapping_of(tmp_path, PLAIN), [{}] * 1_001, x_topic="held")


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ({"id": "O-1"}, {}, r"line 4: its `when` cannot be computed \(it has no 'x-topic'\)"),
        ({}, {"x_topic": "held"}, r"«order_id» of its trigger cannot be computed \(it has no 'id'\)"),
        ({"id": 5}, {"x_topic": "held"}, "does not name its subject"),
        ({"id": None}, {"x_topic": "held"}, "does not name its subject"),
        ({"id": {"a": 1}}, {"x_topic": "held"}, "does not name its subject"),
        ({"id": "O-\n1"}, {"x_topic": "held"}, "control characters"),
        ("text", {"x_topic": "held"}, "not valid JSON"),
        (b"{", {"x_topic": "held"}, "not valid JSON"),
        (b"\xff", {"x_topic": "held"}, "not valid JSON"),
        (b'{"id": "O-1", "id": "O-2"}', {"x_topic": "held"}, "appears twice"),
        (b'{"id": "O-1"}, "headers": {"x-topic": "held"}', {"x_topic": "other"}, "not valid JSON"),
        (b'{"id": "O-1"}, "more": {}', {"x_topic": "held"}, "not valid JSON"),
        (b"[" * 60 + b"]" * 60, {"x_topic": "held"}, "not valid JSON"),
        (5, {"x_topic": "held"}, "must be a JSON object"),
        ({"id": "O-1", "l": {"x": [0] * (LONGEST_LIST + 1)}}, {"x_topic": "held"}, "a list of 501"),
        ({"id": "O-1"}, {"x_topic": "x" * 1_001}, "at most 1,000 characters"),
        ({"id": "O-1"}, {"x_topic": "held\x1b[31m"}, "can be seen"),
    ],
)
def test_what_is_no_event_says_why_in_a_sentence(tmp_path: Path, body: Any, headers: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        sent(mapping_of(tmp_path, PLAIN), body, **headers)


def test_a_header_that_stands_twice_is_none_of_them(tmp_path: Path) -> None:
    headers = [("content-type", "application/json"), ("x-topic", "other"), ("x-topic", "held")]
    with pytest.raises(BadInput, match="stands twice"):
        payload_texts(mapping_of(tmp_path, PLAIN), headers, b"{}")


def test_of_the_headers_only_those_are_kept_that_the_mapping_needs(tmp_path: Path) -> None:
    headers = [
        ("content-type", "application/json"),
        ("x-topic", "held"),
        ("authorization", "Bearer x"),
        ("cookie", "y"),
        ("x-z", "z"),
    ]
    (text,) = payload_texts(mapping_of(tmp_path, PLAIN), headers, b"{}")
    assert json.loads(text) == {"headers": {"x-topic": "held"}, "body": {}}


@pytest.mark.parametrize("of_what", ["headers['x-topic']", "ce.id"])
def test_what_is_not_signed_does_not_name_an_event(tmp_path: Path, of_what: str) -> None:
    text = PLAIN.replace("  trigger:", f"  source_id: =string({of_what})\n  trigger:")
    headers = {"x_topic": "held", **{f"ce_{name}": value for name, value in CE.items()}}
    assert sent(mapping_of(tmp_path, text), {"id": "O-1"}, **headers)[0].source_id in ("shop:held", "shop:7")
    with pytest.raises(BadInput, match="for which only what is signed counts"):
        sent(mapping_of(tmp_path, text + SIGNATURE + "}"), {"id": "O-1"}, **headers)
    if of_what != "ce.id":
        signed = mapping_of(tmp_path, text + SIGNATURE + ", signed: '{x-topic}{body}'}")
        assert sent(signed, {"id": "O-1"}, **headers)[0].source_id == "shop:held"


def test_a_cloud_event_comes_in_each_of_its_modes(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, CLOUD)
    (structured,) = sent(mapping, CE | {"data": {"a": 1}}, "application/cloudevents+json; charset=utf-8")
    binary = {f"ce_{name}": value for name, value in CE.items()}
    assert sent(mapping, {"a": 1}, **binary) == [structured]
    assert sent(mapping, {"a": 1}, **(binary | {"ce_source": "%2Fshop"})) == [structured], "headers are percent-encoded"
    batch = sent(mapping, [CE, CE | {"id": "8", "subject": "O-2"}], "application/cloudevents-batch+json")
    assert [(one.source_id, one.subject) for one in batch] == [("shop:/shop 7", "O-1"), ("shop:/shop 8", "O-2")]
    assert (structured.source_id, structured.name, structured.subject) == ("shop:/shop 7", "order.payment_review", "O-1")


def test_the_data_of_a_cloud_event_is_the_body(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, CLOUD.replace("=ce.subject", "=body.order"))
    kind = "application/cloudevents+json"
    in_base64 = b64encode(b'{"order": "O-9"}').decode()
    for data in ({"data": {"order": "O-9"}}, {"data_base64": in_base64}):
        assert sent(mapping, CE | data, kind)[0].subject == "O-9"
    too_long = b64encode(json.dumps({"l": [0] * 601}).encode()).decode()
    for wrong, says in (
        ({"data": 5}, "must be a JSON object"), ({"data_base64": "?"}, "not base64"), ({"data_base64": "ew=="}, "not valid JSON"),
        ({"id": ""}, "no «id»"), ({"specversion": "0.3"}, "only 1.0"), ({}, "it has no 'order'"),
        ({"data": {"l": [0] * 501}}, "a list of 501"), ({"data_base64": too_long}, "a list of 601"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=says):
            sent(mapping, CE | wrong, kind)


def test_a_signed_binary_cloud_event_is_named_by_what_is_signed(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, CLOUD + SIGNATURE + "}")
    headers = {f"ce_{name}": value for name, value in CE.items()}
    (first,), (again,) = (sent(mapping, {"a": 1}, **(headers | {"ce_id": one})) for one in ("7", "8"))
    assert first.source_id == again.source_id, "somebody sent it again under another id"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("mission: order_exception", "mission: nothing"), "no Mission 'nothing'"),
        (("order.payment_review", "order.eaten"), "no event 'order.eaten'"),
        (("event: order.payment_review, ", ""), "has no «event»"),
        (("order_id", "order"), "give it «order_id»"),
    ],
)
def test_a_mapping_to_what_there_is_not_is_named(tmp_path: Path, wrong: tuple[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says) as told:
        check_mapping(mapping_of(tmp_path, PLAIN.replace(*wrong)), laboratory().packs)
    assert str(told.value).startswith("shop.yaml, line 4: ")


def test_times_are_iso_or_seconds(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PLAIN.replace("  trigger:", "  as_of: =body.at\n  trigger:"))
    for at in (1_773_480_600, 1_773_480_600.0, "2026-03-14T09:30:00Z", "2026-03-14T05:30:00-04:00"):
        assert sent(mapping, {"id": "O-1", "at": at}, x_topic="held")[0].as_of == datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
    for wrong in (10**18, -(10**17), True, None, "soon", [1]):
        with pytest.raises(BadInput, match="as_of"):
            sent(mapping, {"id": "O-1", "at": wrong}, x_topic="held")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "x"]) | st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(body=_JSON, topic=st.sampled_from(["held", "other", "", "x"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_is_an_event_ignored_or_bad_input(tmp_path: Path, body: Any, topic: str) -> None:
    mapping = mapping_of(tmp_path, PLAIN)
    try:
        for event in sent(mapping, body, x_topic=topic):
            assert event.source_id.startswith("shop:") and event.mission == "order_exception"
    except BadInput as error:
        assert "\n" not in str(error)


def test_of_a_mail_that_a_model_is_to_read_the_text_is_its_own_and_that_of_its_pdfs(tmp_path: Path) -> None:
    box = "mailbox: {host: a.example, user: a, password: {env: A}, missions: [order_exception]}\n"
    mapping = mapping_of(tmp_path, box + CLOUD + "read_by_model: [body.invoices == 0]\n")
    attachments = [{"text": "Total 12.50"}, {"text": ""}, {"text": None}, "none", {"size": 1}]
    with pytest.raises(ReadByModel, match="a model reads it") as told:
        sent(mapping, {"invoices": 0, "text": "Our invoice", "attachments": attachments})
    assert told.value.text == "Our invoice\n\nTotal 12.50"
    with pytest.raises(BadInput, match="cannot be computed"):
        sent(mapping, {"text": "Our invoice"})
    with pytest.raises(BadInput, match="read_by_model is for the mails of a mailbox"):
        mapping_of(tmp_path, CLOUD + "read_by_model: ['true']\n")
