"""A text from outside is an event, or one sentence says why it is none."""

import json
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from graphs.events import LONGEST_SOURCE_ID, MOST_EVENT_BYTES, event_of_text, texts_of
from ledger.invariants import event_digest
from ledger.records import Event
from strict_json import DEEPEST, strict_json
from tests.engine import laboratory

NOW = datetime(2026, 3, 14, 10, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "source_id": "oms-8812", "mission": "order_exception", "as_of": "2026-03-14T09:30:00Z",
    "trigger": {"event": "order.payment_review", "order_id": "O-4471"},
}  # fmt: skip


def read(raw: Any, source: str = "") -> Event:
    text = raw if isinstance(raw, bytes | str) else json.dumps(raw)
    return event_of_text(text, laboratory().packs, NOW, source)


def changed(**other: Any) -> dict[str, Any]:
    return {**EVENT, **other}


def triggered(**other: Any) -> dict[str, Any]:
    return changed(trigger={**EVENT["trigger"], **other})


def test_the_event_of_the_readme_is_read(lab: EvalEnvironment) -> None:
    event = read(EVENT)
    assert (event.source_id, event.mission, event.name) == ("oms-8812", "order_exception", "order.payment_review")
    assert (event.subject, event.as_of) == ("O-4471", datetime(2026, 3, 14, 9, 30, tzinfo=UTC))
    assert event.requested_by == "", "a system is no person, whatever it says"


def test_two_sources_cannot_answer_for_each_other() -> None:
    assert {read(EVENT, source).source_id for source in ("", "oms", "shop")} == {"oms-8812", "oms:oms-8812", "shop:oms-8812"}


def test_an_event_without_a_moment_is_looked_at_now() -> None:
    assert read({name: value for name, value in EVENT.items() if name != "as_of"}).as_of == NOW


def test_what_the_ledger_cannot_hold_is_replaced_before_anybody_reasons_on_it() -> None:
    text = json.dumps(triggered(note="a\0b\ud800", sums=[1, 2.5, None, True]))
    trigger = read(text).trigger
    assert (trigger["note"], trigger["sums"]) == ("a\ufffdb\ufffd", [1, 2.5, None, True])


BAD = [
    (b"", "not valid JSON"),
    (b"{", "not valid JSON"),
    (b"\xff\xfe", "not valid JSON"),
    (b"\xff\xfe{\x00}\x00", "not valid JSON"),
    ('{"source_id": "a", "source_id": "b"}', "the key 'source_id' appears twice"),
    (json.dumps(EVENT).replace('"order_id"', '"event"'), "the key 'event' appears twice"),
    ('{"a": NaN}', "NaN is not a JSON number"),
    ('{"a": -Infinity}', "-Infinity is not a JSON number"),
    ('{"a": 1e999}', "1e999 is too large"),
    ('{"a": 9223372036854775808}', "too large"),
    ('{"a": ' + "9" * 50_000 + "}", "too large"),
    ("[" * 90_000, "not valid JSON"),
    ('{"a":' * 60 + "1" + "}" * 60, f"more than {DEEPEST} lists and objects"),
    ('"' + "x" * MOST_EVENT_BYTES + '"', "longer than 100,000 bytes"),
    ("null", "must be a JSON object"),
    ("[]", "must be a JSON object"),
    ({}, "needs «source_id», text"),
    (changed(source_id=7), "needs «source_id», text"),
    (changed(mission=None), "needs «mission», text"),
    (changed(trigger=[]), "needs «trigger», an object"),
    (changed(source_id=" "), "«source_id» must be text"),
    (changed(source_id="x" * (LONGEST_SOURCE_ID + 1)), f"at most {LONGEST_SOURCE_ID} characters"),
    (changed(source_id="oms\n8812"), "without control characters"),
    (changed(source_id="oms\u202e8812"), "without control characters"),
    (changed(source_id="oms\0"), "without control characters"),
    (changed(source_id="oms\ud800"), "without control characters"),
    (changed(requested_by="rita"), "no field 'requested_by'; it has source_id, mission, as_of, trigger"),
    (changed(systems={}, case_id="c-1"), "a recorded exception and no event"),
    (changed(mission="moon_landing"), "there is no Mission 'moon_landing'"),
    (triggered(event="order.vanished"), "order_exception has no event 'order.vanished'"),
    (triggered(event=["order.payment_review"]), "order_exception has no event 'list'"),
    (triggered(order_id=""), "give it «order_id»"),
    (triggered(order_id={"$ne": ""}), "give it «order_id»"),
    (triggered(order_id="O" * 501), "at most 500 characters"),
    (triggered(order_id="O-1\x1b[2J"), "no control characters"),
    (changed(as_of=5), "as_of must be a moment"),
    (changed(as_of="yesterday"), "is not a valid time"),
    (changed(as_of="2026-03-14T09:30:00"), "is not a valid time"),
    (changed(as_of="1999-12-31T23:59:59Z"), "before 2000"),
    (changed(as_of="0001-01-01T00:00:00+14:00"), "before 2000"),
]


@pytest.mark.parametrize(("raw", "says"), BAD, ids=[says[:40] for _, says in BAD])
def test_what_is_no_event_is_one_sentence(raw: Any, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(raw)
    sentence = str(caught.value)
    assert says in sentence
    assert len(sentence) < 400 and sentence.isprintable()


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSONS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=6
)
MISSIONS = st.sampled_from(["order_exception", "omnichannel_exception", "", "\0"]) | JSONS
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRIGGERS = st.dictionaries(st.sampled_from(["event", "order_id", "note"]), st.sampled_from(["order.payment_review"]) | JSONS)


@SLOW
@given(st.fixed_dictionaries({}, optional={"source_id": JSONS, "mission": MISSIONS, "as_of": JSONS, "trigger": TRIGGERS | JSONS}))
def test_whatever_comes_is_an_event_that_the_ledger_can_hold_or_a_sentence(raw: dict[str, Any]) -> None:
    for text in (json.dumps({**EVENT, **raw}), json.dumps({**EVENT, **raw}, ensure_ascii=False)):
        try:
            event = read(text)
        except BadInput as error:
            assert str(error).isprintable()
            continue
        assert event.requested_by == ""
        assert len(event_digest(event)) == 64
        assert "\0" not in json.dumps(event.trigger, ensure_ascii=False)
        assert event.subject.isprintable() and event.source_id.isprintable()


@SLOW
@given(st.binary(max_size=200) | st.text(alphabet=string.printable, max_size=200))
def test_whatever_is_no_json_is_refused_and_nothing_else_is_raised(text: bytes | str) -> None:
    try:
        strict_json(text)
    except BadInput as error:
        assert str(error).isprintable()


def test_one_event_and_a_list_of_events_are_split_into_texts() -> None:
    assert texts_of(json.dumps(EVENT).encode()) == [json.dumps(EVENT).encode()]
    texts = texts_of(json.dumps([EVENT, 5, {"ö": "\ud800"}]).encode())
    assert [json.loads(text) for text in texts] == [EVENT, 5, {"ö": "\ud800"}]
    for body in (b"5", b'"text"', b"null"):
        with pytest.raises(BadInput, match="neither an event nor a list"):
            texts_of(body)
