"""What other software sends, as an event: the mapping of its source applied to one payload (systems/event_sources.py).

A payload is kept as the JSON text {"headers": {…}, "body": …}, with the headers that the mapping needs and no other, so that
what is no event yet can be mapped again from its dead letter, or from a file. A CloudEvent (1.0; structured, binary or in a
batch) is one: its attributes are `ce`, its data is `body`.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from errors import BadInput
from graphs.events import LONGEST_SOURCE_ID, MOST_EVENT_BYTES, MOST_EVENTS, event_of, size
from ledger.canonical import digest, storable
from ledger.records import Event
from nodes.pack import Pack
from rendering import kind_of
from strict_json import strict_json
from systems.conditions import Expression, Scope, Unknown, Value
from systems.event_sources import SourceMapping
from systems.mail import Mail
from systems.webhooks import HeaderList

#: elements of a list in a body, characters of a header
LONGEST_LIST, LONGEST_VALUE = 500, 1_000
#: media types and headers of CloudEvents
_ONE, _BATCH, _ATTRIBUTE = "application/cloudevents+json", "application/cloudevents-batch+json", "ce-"
_MOST_ATTRIBUTES = 50


class Ignored(BadInput):
    """The mapping says that this is of no interest: it is counted and not kept."""


class ReadByModel(BadInput):
    """The mapping says that a mail is an invoice in free text, which a model has to read."""

    def __init__(self, says: str, text: str) -> None:
        super().__init__(says)
        self.text = text


@dataclass(frozen=True)
class _Payload:
    body: dict[str, Any]
    headers: Mapping[str, str]
    #: the attributes of a CloudEvent, without those that whoever sends it again could change
    ce: Mapping[str, Any]
    proven_ce: Mapping[str, Any]
    digest: str


def by_mapping(source: str) -> str:
    """Where an event comes from that the mapping of a source makes of what it sends by HTTP."""
    return f"POST /events/{source}"


def by_mailbox(source: str) -> str:
    """Where an event comes from that the mapping of a source makes of a mail."""
    return f"mailbox {source}"


def check_mapping(mapping: SourceMapping, packs: Mapping[str, Pack]) -> None:
    """Raises BadInput, with file and line, for a Mission or an event that there is not, or a trigger without its subject."""
    for event in mapping.events:
        name, given = event.mission.constant, event.trigger.get("event")
        if event.mission.expression is not None:
            continue
        if name not in packs:
            raise BadInput(f"{event.where}: there is no Mission {name!r}; the Missions are {', '.join(packs)}")
        trigger = packs[name].trigger
        if given is not None and given.expression is not None:
            continue
        if given is None or given.constant not in trigger.events:
            what = "the trigger has no «event»" if given is None else f"{name} has no event {given.constant!r}"
            raise BadInput(f"{event.where}: {what}; it has {', '.join(trigger.events)}")
        for field in trigger.fields(given.constant):
            if field not in event.trigger:
                raise BadInput(f"{event.where}: the trigger does not name its subject; give it «{field}»")


def payload_texts(mapping: SourceMapping, headers: HeaderList, body: bytes) -> list[str]:
    """The payloads of a request: one, or each of a list. Raises BadInput for too many, or a header that is too long."""
    kind = _kind(dict(headers).get("content-type", ""))
    kept: dict[str, str] = {}
    for name, value in headers:
        if name in mapping.headers or name.startswith(_ATTRIBUTE):
            if name in kept:
                raise BadInput(f"the header {name[:100]} stands twice: send it once")
            kept[name] = value
    if kind in (_ONE, _BATCH):
        kept["content-type"] = _ONE
    if len(kept) > len(mapping.headers) + _MOST_ATTRIBUTES:
        raise BadInput(f"there are more than {_MOST_ATTRIBUTES} headers of a CloudEvent: send them in the body")
    for name, value in kept.items():
        if len(value) > LONGEST_VALUE or not value.isprintable():
            raise BadInput(
                f"the header {name[:100]} must be of at most {LONGEST_VALUE:,} characters that can be seen: shorten it"
            )
    try:
        value = strict_json(body)
    except BadInput:  # it says so where it is mapped, and is a dead letter then
        return [_text(kept, json.dumps(body.decode("utf-8", "replace"), ensure_ascii=False))]
    if not isinstance(value, list):
        return [_text(kept, body.decode("utf-8").strip())]
    if len(value) > MOST_EVENTS:
        raise BadInput(f"there are {len(value):,} events in this request, more than {MOST_EVENTS:,}: send fewer")
    return [_text(kept, json.dumps(one, ensure_ascii=False)) for one in value]


def mail_text(mapping: SourceMapping, mail: Mail) -> str:
    """The payload of a mail, with the headers that the mapping needs, the first of each."""
    headers = {name: value for name, value in reversed(mail.headers) if name in mapping.headers}
    return _text(headers, json.dumps(mail.fields, ensure_ascii=False))


def mapped_event(text: bytes | str, mapping: SourceMapping, packs: Mapping[str, Pack], at: datetime, source: str = "") -> Event:
    """The event that a payload means; `at` and `source` as in `event_of`.

    Raises Ignored for what is of no interest, ReadByModel for an invoice in free text, and BadInput, with the place in the
    mapping, for what is no event.
    """
    fields = mapped_fields(text, mapping)
    if size(json.dumps(fields, ensure_ascii=False)) > MOST_EVENT_BYTES:
        raise BadInput(f"{mapping.file.name} makes an event of more than {MOST_EVENT_BYTES:,} bytes; take less of the body")
    return event_of(fields, packs, at, source)


def mapped_fields(text: bytes | str, mapping: SourceMapping) -> dict[str, Any]:
    """The fields of the event that a payload means, as `event_of` takes them. Raises as `mapped_event` does."""
    payload = _payload(text, mapping)
    names = {"body": payload.body, "headers": payload.headers, "ce": payload.ce, "digest": payload.digest}
    scope = Scope(names)
    for condition in mapping.read_by_model:
        if _holds(condition, scope, f"{mapping.file.name}: `read_by_model` {condition.source!r}"):
            raise ReadByModel("a model reads it as an invoice when it comes", _free_text(payload.body))
    for event in mapping.events:
        if not _holds(event.when, scope, f"{event.where}: its `when`"):
            continue
        fields: dict[str, Any] = {"mission": _value(event.mission, scope, f"{event.where}: its mission")}
        fields["trigger"] = {
            name: _value(value, scope, f"{event.where}: «{name}» of its trigger") for name, value in event.trigger.items()
        }
        if event.as_of is not None:
            fields["as_of"] = _moment(_value(event.as_of, scope, f"{event.where}: its as_of"))
        if event.source_id is None:
            fields["source_id"] = _own_id(payload)
        else:
            # what is sent again is known by it, so it is made of what nobody else can change
            proven = {name: value for name, value in payload.headers.items() if name in mapping.proven_headers}
            where = f"{event.where}: its source_id, for which only what is signed counts,"
            id_scope = Scope({**names, "headers": proven, "ce": payload.proven_ce})
            fields["source_id"] = _value(event.source_id, id_scope, where)
            if not isinstance(fields["source_id"], str):
                raise BadInput(f"{event.where}: its source_id is a {kind_of(fields['source_id'])}; make it text with string(…)")
        return fields
    for condition in mapping.ignore:
        if _holds(condition, scope, f"{mapping.file.name}: `ignore` {condition.source!r}"):
            raise Ignored(f"{mapping.file.name} ignores what it is: {condition.source}")
    raise BadInput(f"no event of {mapping.file.name} fits: every `when` is false, and so is what it ignores")


def _free_text(mail: Mapping[str, Any]) -> str:
    """What a mail says, and the PDFs with it."""
    attachments = mail.get("attachments")
    parts = [mail, *(one for one in (attachments if isinstance(attachments, list) else ()) if isinstance(one, dict))]
    return "\n\n".join(text for part in parts if isinstance(text := part.get("text"), str) and text.strip())


def _payload(text: bytes | str, mapping: SourceMapping) -> _Payload:
    given = strict_json(text)
    if not isinstance(given, dict) or set(given) != {"headers", "body"} or not isinstance(given["headers"], dict):
        raise BadInput('what a source sent is kept as {"headers": {…}, "body": …}, and this is something else')
    headers = {str(name).lower(): value for name, value in given["headers"].items() if isinstance(value, str)}
    body: Any = given["body"]
    if isinstance(body, str):
        body = strict_json(body)
    if not isinstance(body, dict):
        raise BadInput("its body must be a JSON object, or a list of them")
    _require_short_lists(body)
    own_digest = digest(body)
    kept = {name: value for name, value in headers.items() if name in mapping.headers}
    if _kind(headers.get("content-type", "")) == _ONE:
        attributes = _attributes({name: value for name, value in body.items() if name not in ("data", "data_base64")})
        return _Payload(_data(body), kept, attributes, attributes, own_digest)
    in_headers = {name[len(_ATTRIBUTE) :]: unquote(value) for name, value in headers.items() if name.startswith(_ATTRIBUTE)}
    attributes = _attributes(in_headers) if in_headers else {}
    return _Payload(body, kept, attributes, attributes if mapping.signature is None else {}, own_digest)


def _attributes(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of a CloudEvent. Raises BadInput where it is none of version 1.0."""
    if given.get("specversion") != "1.0":
        raise BadInput(f"this CloudEvent is of version {str(given.get('specversion'))[:20]!r}; only 1.0 is read")
    for name in ("id", "source", "type"):
        if not isinstance(given.get(name), str) or not given[name]:
            raise BadInput(f"this CloudEvent has no «{name}», which every one has")
    return given


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a structured CloudEvent; empty without any. Raises BadInput where it is no object."""
    data = event.get("data")
    if "data_base64" in event:
        try:
            data = strict_json(b64decode(str(event["data_base64"]), validate=True))
        except ValueError as error:
            raise BadInput("the data of this CloudEvent is not base64") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise BadInput("the data of this CloudEvent must be a JSON object")
    _require_short_lists(data)
    return data


def _require_short_lists(value: Any) -> None:
    """A condition may look at each element of a list; see systems/event_sources.py."""
    inside = [value]
    while inside:
        one = inside.pop()
        if isinstance(one, list) and len(one) > LONGEST_LIST:
            raise BadInput(f"its body has a list of {len(one):,}; a mapping reads lists of at most {LONGEST_LIST}")
        inside += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def _own_id(payload: _Payload) -> str:
    """What names it without a rule: source and id of a CloudEvent, which are unique together; else the digest of its body."""
    named = f"{payload.proven_ce['source']} {payload.proven_ce['id']}" if payload.proven_ce else ""
    return named if named and len(named) <= LONGEST_SOURCE_ID else payload.digest


def _holds(condition: Expression, scope: Scope, where: str) -> bool:
    held = _computed(condition, scope, where)
    if not isinstance(held, bool):
        raise BadInput(f"{where} is neither true nor false but a {kind_of(held)}; make it a comparison")
    return held


def _value(value: Value, scope: Scope, where: str) -> Any:
    return value.constant if value.expression is None else storable(_computed(value.expression, scope, where))


def _computed(expression: Expression, scope: Scope, where: str) -> Any:
    try:
        return expression.evaluate(scope)
    except Unknown as error:
        cause = error.__cause__
        why = f"it has no {cause}" if isinstance(cause, LookupError) else str(error)[:200]
        raise BadInput(f"{where} cannot be computed ({why}); ask with has(…) first for what may be missing") from error


def _moment(value: Any) -> Any:
    """ISO 8601 of seconds since 1970; of anything else, what it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            return str(value)
    return value


def _kind(content_type: str) -> str:
    return content_type.split(";")[0].strip().lower()


def _text(headers: Mapping[str, str], body: str) -> str:
    return f'{{"headers": {json.dumps(headers, ensure_ascii=False)}, "body": {body}}}'
