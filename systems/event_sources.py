"""How what other software sends becomes events: a file NAME.yaml for each source, in the folder of MISSIONS_SOURCES.

    signature: {…}                     # see systems/webhooks.py; without one, a request carries the source's token
    mailbox: {…}                       # in its place, a mailbox that workers read: see systems/mailbox.py
    headers: [X-Shop-Topic]            # those that the mapping needs; no other is looked at or kept
    events:                            # the first whose `when` holds
      - when: headers['x-shop-topic'] == 'orders/held'
        mission: order_exception
        source_id: =string(body.id)    # without one: the digest of the body, or of a CloudEvent its source and id
        as_of: =body.updated_at        # without one: the moment at which it comes; ISO 8601, or seconds
        trigger: {event: order.payment_review, order_id: =body.name}
    ignore:                            # what is counted and not kept, of the rest
      - headers['x-shop-topic'] == 'orders/updated'
    read_by_model: [body.invoices == 0]    # of a mailbox, before the events: mails in whose text a model reads an invoice

`when` and `ignore` are conditions, and a string that begins with = is computed, as in packs (CEL), from `body`, `headers`,
`ce` (the attributes of a CloudEvent, empty without one) and `digest`. What a body holds is anybody's, so no expression may
take long over it: `all`, `exists`, `exists_one`, `filter` and `map` do not stand in each other, `map` makes its elements
of nothing but the element, and the pattern of `matches` is written out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from errors import BadInput
from strict_yaml import YamlDocument, read_yaml
from systems.conditions import Expression, Value
from systems.mailbox import Mailbox
from systems.webhooks import HeaderName, Signature

#: what expressions may name
NAMES = ("body", "headers", "ce", "digest")
#: headers that prove who sends, and those of a session: they are neither computed with nor kept
_PROOFS = frozenset({"authorization", "proxy-authorization", "cookie"})
MOST_HEADERS, MOST_ENTRIES = 10, 100
#: characters of an expression
_LONGEST = 2_000
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
#: what comes from people
_OF_PEOPLE = ("portal", "upload")
_TEXT = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")
_MACRO = re.compile(r"\.\s*(all|exists|exists_one|existsOne|filter|map)\s*\(")
_PATTERN = re.compile(r"\bmatches\b(?!\s*\(\s*''\s*\))")
_Scalar = str | int | float | bool


def _short(expression: str) -> str:
    if len(expression) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST:,} characters")
    return expression


Text = Annotated[str, Field(min_length=1), AfterValidator(_short)]


class _MappedFields(BaseModel, extra="forbid", frozen=True):
    when: Text = "true"
    mission: Text
    source_id: Text | None = None
    as_of: Text | None = None
    trigger: dict[str, _Scalar] = Field(min_length=1, max_length=50)


class _SourceFile(BaseModel, extra="forbid", frozen=True):
    signature: Signature | None = None
    mailbox: Mailbox | None = None
    headers: tuple[HeaderName, ...] = Field(default=(), max_length=MOST_HEADERS)
    events: tuple[_MappedFields, ...] = Field(min_length=1, max_length=MOST_ENTRIES)
    ignore: tuple[Text, ...] = Field(default=(), max_length=MOST_ENTRIES)
    read_by_model: tuple[Text, ...] = Field(default=(), max_length=MOST_ENTRIES)

    @model_validator(mode="after")
    def _comes_one_way(self) -> Self:
        if self.signature and self.mailbox:
            raise ValueError("a source is signed requests or a mailbox; give the other a file of its own")
        if self.read_by_model and not self.mailbox:
            raise ValueError("read_by_model is for the mails of a mailbox; take it out")
        return self


@dataclass(frozen=True)
class MappedEvent:
    """What makes one kind of event of what a source sends."""

    #: "shopify.yaml, line 12"
    where: str
    when: Expression
    mission: Value
    source_id: Value | None
    as_of: Value | None
    trigger: Mapping[str, Value]


@dataclass(frozen=True)
class SourceMapping:
    """What a source may send, and which events it means."""

    name: str
    file: Path
    signature: Signature | None
    mailbox: Mailbox | None
    #: of those that come, the headers that are looked at
    headers: tuple[str, ...]
    events: tuple[MappedEvent, ...]
    ignore: tuple[Expression, ...]
    #: which mails are invoices in free text
    read_by_model: tuple[Expression, ...] = ()

    @cached_property
    def proven_headers(self) -> frozenset[str]:
        """The headers that nobody but the source can have written: all, where a token says who it is."""
        return frozenset(self.headers) if self.signature is None else self.signature.signed_headers


def load_mappings(folder: Path) -> dict[str, SourceMapping]:
    """The mappings of a folder by source; none where there is no folder. Raises BadInput that names file, line and remedy."""
    files = sorted(file for file in folder.glob("*.yaml") if file.is_file()) if folder.is_dir() else []
    return {file.stem: load_mapping(file) for file in files}


def load_mapping(file: Path) -> SourceMapping:
    """The mapping of a file. Raises BadInput that names file, line and remedy."""
    if not _FILE_NAME.fullmatch(file.stem) or file.stem in _OF_PEOPLE:
        raise BadInput(
            f"{file}: a source is named by lowercase letters, digits, - and _, and not portal or upload; rename the file"
        )
    document = read_yaml(file, "event source")
    read = document.as_model(_SourceFile, "systems/event_sources.py")
    wrong = _PROOFS | (read.signature.own_headers if read.signature else frozenset())
    for place, header in enumerate(read.headers):
        if header in wrong:
            where = f"{file}, line {document.line(('headers', place))}"
            raise BadInput(f"{where}: the header {header} proves who sends, and is none of an event; take it out")
    events = tuple(_mapped(document, place, fields) for place, fields in enumerate(read.events))
    ignore, by_model = (
        tuple(_expression(document, text, (name, place)) for place, text in enumerate(conditions))
        for name, conditions in (("ignore", read.ignore), ("read_by_model", read.read_by_model))
    )
    return SourceMapping(file.stem, file, read.signature, read.mailbox, read.headers, events, ignore, by_model)


def _mapped(document: YamlDocument, place: int, fields: _MappedFields) -> MappedEvent:
    def value(raw: Any, *path: str) -> Value:
        if isinstance(raw, str) and raw.startswith("="):
            return Value(expression=_expression(document, raw[1:].strip(), ("events", place, *path)))
        return Value(constant=raw)

    return MappedEvent(
        where=f"{document.file.name}, line {document.line(('events', place))}",
        when=_expression(document, fields.when, ("events", place, "when")),
        mission=value(fields.mission, "mission"),
        source_id=None if fields.source_id is None else value(fields.source_id, "source_id"),
        as_of=None if fields.as_of is None else value(fields.as_of, "as_of"),
        trigger={name: value(raw, "trigger", name) for name, raw in fields.trigger.items()},
    )


def _expression(document: YamlDocument, source: str, path: tuple[str | int, ...]) -> Expression:
    where = f"{document.file}, line {document.line(path)}"
    expression = Expression.compile(source, where)
    expression.require(NAMES, (), where)
    if why := _takes_long(source):
        raise BadInput(f"{where}: «{source[:100]}» may take long over what others send: {why}")
    return expression


def _takes_long(source: str) -> str:
    """Why the time or the size of an expression has no bound in what comes; nothing where it has one."""
    plain = _TEXT.sub("''", source)
    if (_MACRO.search(plain) and any(sign in source for sign in ("\\", "'''", '"""'))) or "//" in plain:
        return "write its texts without backslashes, in single quotes, and no comment in it"
    if _PATTERN.search(plain):
        return "write the pattern of `matches` out, in quotes"
    opened: list[tuple[str, int]] = []
    for at, sign in enumerate(plain):
        if sign == "(":
            macro = next((one[1] for one in _MACRO.finditer(plain[: at + 1]) if one.end() == at + 1), "")
            if macro and any(around for around, _ in opened):
                return f"`{macro}` stands inside another such; take it out of there"
            opened.append((macro, at))
        elif sign == ")" and opened:
            macro, since = opened.pop()
            if macro == "map" and set(re.findall(r"[A-Za-z_]\w*", plain[since:at])) & set(NAMES):
                return "`map` may make its elements of the element alone"
    return ""
