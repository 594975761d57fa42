"""What the systems hold, as `systems.yaml` declares it: records, how they are read, and what is computed of an answer.

    records:                              # of one system
      orders:
        key: order_id                     # or [po_id, po_line]
        read: get_order                   # answers one record by its key; {get_inbound: po_id} by another field
        lists:                            # answer all records that fit
          list_orders: customer_id        # by a field of the same name; [] for a tool that answers everything
          list_orders_by_sku: {skus: lines.sku}    # argument: field. A list of values selects each of them
        parts:                            # lists inside a record, and the field that identifies an element
          lines: line_id                  # or {key: line_id, unless: cancelled}: what is marked so is no part of it any more
        optional: [note]                  # fields that may be left out, which means the same as null
        as: orders                        # what functions over stock and claims take it for (docs/packs.md)

Of a tool that was not made for this, a READ says more. Packs know it by the name that it has here:

          list_invoices:
            by: vendor_id                 # what packs ask with, as above
            tool: search_invoices         # the tool of the server
            send: {party: =vendor_id, types: [in]}    # its arguments: computed with =, or as they stand here
            at: data.invoices             # where in the answer they stand, unless the records or the system say so
            each: =it.levels              # one record for each of these; `record` is what they stand in
            fails_when: answer.count > size(answer.data.invoices)    # as for the whole system; also absent_when
            pages: {ask: {after: =answer.next}, most: 20}    # of a list that comes in pages: what the next one is asked with
                                          # besides, computed of the `answer` and of `page`, how many there were; null or
                                          # empty where there is none. More than `most` (10) pages are no answer

And a record may be made of an answer, `it`. What cannot be computed is null:

        fields: {order_id: =it.id, total_cents: "=cents(it.total, it.currency)"}    # it has these fields, and no others
        adds: {total_cents: "=cents(it.total)"}    # it has these besides
        parts:
          lines: {key: line_id, of: "=it.items", fields: {line_id: =it.id, qty: =it.quantity}}    # `record` is the answer around
        unnamed: true                     # the answer does not repeat what was asked with; that is taken as said

An object whose names are the keys of what stands under them ({"card_1": {…}}) is a part as well as a list is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from errors import BadInput
from systems.conditions import Scope, Unknown, Value
from systems.json_schema import Takes
from systems.replies import AnswerConfig, Answers
from systems.shapes import Shape
from systems.values import VALUE_FUNCTIONS

Record = dict[str, Any]
#: where a recorded system keeps the answers that are no records: [{"tool", "args", "answer"}]
ANSWERS = "answers"
#: in what is computed: the record or the element, and the answer around an element
_SELF, _AROUND = "it", "record"


def _by_argument(asked: Any) -> Any:
    """`customer_id` and `[sku, location]` as {argument: field} of the same names."""
    names = [asked] if isinstance(asked, str) else asked
    return {name: name for name in names} if isinstance(names, list) else names


def _as_read(read: Any) -> Any:
    """What a READ is asked with, in short, as all that may be said of it."""
    return read if isinstance(read, dict) and read.keys() & {"by", "tool", "send", "pages"} else {"by": read}


_Computed = Mapping[str, Any]


class PagesConfig(BaseModel, extra="forbid", frozen=True):
    """How the next page of a list is asked for; see the head of this file."""

    ask: Annotated[_Computed, Field(min_length=1)]
    most: int = Field(default=10, strict=True, ge=2, le=100)


_ByArgument = Annotated[dict[str, str] | None, BeforeValidator(_by_argument)]


class RecordRead(AnswerConfig, frozen=True):
    """How a READ is asked; see the head of this file."""

    by: _ByArgument = None
    tool: str = ""
    send: _Computed | None = None
    each: str = ""
    pages: PagesConfig | None = None


_Read = Annotated[RecordRead, BeforeValidator(_as_read)]


class RecordPart(BaseModel, extra="forbid", frozen=True):
    """A list inside a record; see the head of this file."""

    key: str
    unless: str | None = None
    of: str = ""
    fields: _Computed = {}
    adds: _Computed = {}


_Part = Annotated[RecordPart, BeforeValidator(lambda part: {"key": part} if isinstance(part, str) else part)]


class Collection(AnswerConfig, frozen=True):
    """The records of one kind; see the head of this file for the fields."""

    key: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(lambda key: [key] if isinstance(key, str) else key)]
    read: Annotated[Mapping[str, _Read], BeforeValidator(lambda one: {one: None} if isinstance(one, str) else one)] = Field({})
    lists: Mapping[str, _Read] = Field({})
    parts: Mapping[str, _Part] = Field({})
    fields: _Computed = Field({})
    adds: _Computed = Field({})
    optional: tuple[str, ...] = ()
    takes_the_part_of: str | None = Field(default=None, alias="as")
    unnamed: bool = False

    @property
    def reads(self) -> Iterator[str]:
        """The tools of its system that answer these records."""
        return (one.tool or name for tools in (self.read, self.lists) for name, one in tools.items())


@dataclass(frozen=True)
class ReadTool:
    """A READ tool: `one` record or a list of a collection; `by` maps an argument to the field it selects by.

    A list of values selects every record whose field is one of them; `lines.sku` is looked for in every element of a list.
    """

    collection: str
    one: bool
    by: Mapping[str, str]
    #: "system.tool", as its server calls it
    tool: str = ""
    #: what it is sent; None for what packs ask with
    send: Mapping[str, Value] | None = None
    answers: Answers = field(default_factory=Answers)
    each: Value | None = None
    #: what the next page is asked with besides, and how many pages there may be; nothing for a list that comes whole
    next_page: Mapping[str, Value] = field(default_factory=dict)
    most_pages: int = 1
    #: the answer does not repeat what was asked with
    unnamed: bool = False

    def selects(self, record: Mapping[str, Any], args: Mapping[str, Any]) -> bool:
        """Whether these arguments, which are those of `by`, select a record."""
        for argument, path in self.by.items():
            wanted = args[argument]
            part, _, inner = path.partition(".")
            values = [element.get(inner) for element in record.get(part) or ()] if inner else [record.get(path)]
            if not any(value in wanted if isinstance(wanted, list) else value == wanted for value in values):
                return False
        return True

    def refuses(self, value: Any, args: Mapping[str, Any]) -> str | None:
        """Why an answer is not one to these arguments, or None. `value` is a record, None where there is none, or a list."""
        if self.one and not isinstance(value, dict | None):
            return "its answer is not a record"
        records = [] if value is None else [value] if self.one else value
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            return "its answer is not a list of records"
        try:
            fits = not self.by.keys() <= args.keys() or all(self.selects(record, args) for record in records)
        except (TypeError, AttributeError):  # a list is looked into that is none
            fits = False
        return None if fits else "its answer is about a different record than requested"

    def asked_next(self, answer: Mapping[str, Any], page: int) -> dict[str, Any]:
        """What the page after this many is asked with besides; nothing where there is none. Raises Unknown."""
        scope = Scope({"answer": answer, "page": page}, VALUE_FUNCTIONS)
        asked = {name: value.evaluate(scope) for name, value in self.next_page.items()}
        return asked if all(value not in (None, "", False) for value in asked.values()) else {}

    def sent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the server's tool for those that a pack asks with. Raises Unknown where one cannot be computed."""
        if self.send is None:
            return dict(args)
        scope = Scope(dict(args), VALUE_FUNCTIONS)
        computed = {name: value.evaluate(scope) for name, value in self.send.items()}
        return {name: value for name, value in computed.items() if value is not None}


@dataclass(frozen=True)
class RecordSchema:
    """What all systems hold: "oms.orders" -> how it is read and what it is made of."""

    collections: Mapping[str, Collection] = field(default_factory=dict)
    #: system -> how all of its answers are read
    answers: Mapping[str, AnswerConfig] = field(default_factory=dict)
    #: "crm.find_by_email": the READ tools whose answers are no records
    others: frozenset[str] = frozenset()
    #: "crm.get_customer": what is known of the answer of a tool, and what it takes, as its server said when it was pinned
    told: Mapping[str, Shape] = field(default_factory=dict)
    takes: Mapping[str, Takes] = field(default_factory=dict)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The systems that packs can read."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in (*self.collections, *sorted(self.others))))

    def served(self, tool: str) -> str:
        """The tool of its server that a READ is, by the name that packs know it by."""
        return self.tools[tool].tool if tool in self.tools else tool

    @cached_property
    def tools(self) -> Mapping[str, ReadTool]:
        """ "oms.get_order" -> what it answers."""
        return {
            f"{name.partition('.')[0]}.{tool}": self._read_tool(name, tool, read, one=one)
            for name, of in self.collections.items()
            for tools, one in ((of.read, True), (of.lists, False))
            for tool, read in tools.items()
        }

    @cached_property
    def readable(self) -> frozenset[str]:
        """Everything that a pack may read."""
        return self.others.union(self.tools)

    def _read_tool(self, name: str, tool: str, read: RecordRead, *, one: bool) -> ReadTool:
        of, system = self.collections[name], name.partition(".")[0]
        where = f"{tool} of {name}"
        send = None if read.send is None else {key: Value.compile(raw, where) for key, raw in read.send.items()}
        by = {part: part for part in of.key} if read.by is None else read.by
        configs = (read, of, *([self.answers[system]] if system in self.answers else []))
        each = Value.compile(read.each, where) if read.each else None
        answers = Answers.of(configs, where)
        asked = read.pages.ask if read.pages else {}
        pages = {key: Value.compile(raw, f"{where}, pages") for key, raw in asked.items()}
        most = read.pages.most if read.pages else 1
        return ReadTool(name, one, by, f"{system}.{read.tool or tool}", send, answers, each, pages, most, of.unnamed)

    def check(self) -> None:
        """Raises BadInput for what is computed and does not compile, and for records without their key."""
        for tool in self.tools.values():
            names = {*tool.by}
            for expression in (one for value in (tool.send or {}).values() for one in value.expressions):
                expression.require(names, VALUE_FUNCTIONS, f"send of {tool.tool}")
            for expression in (one for value in tool.next_page.values() for one in value.expressions):
                expression.require({"answer", "page"}, VALUE_FUNCTIONS, f"pages of {tool.tool}")
            if tool.next_page and tool.one:
                raise BadInput(f"{tool.tool} answers one record, which has no pages; take `pages` out")
            if tool.next_page and not any(value.expressions for value in tool.next_page.values()):
                raise BadInput(f"pages of {tool.tool} would ask for the same page for ever; compute one of it")
        for name, one in self.collections.items():
            if one.fields and (lacking := [key for key in one.key if key not in one.fields]):
                raise BadInput(f"the fields of {name} lack its key {lacking[0]}; say what it is computed of")
            _ = self._made[name]

    @cached_property
    def parts_played(self) -> Mapping[str, str]:
        """What functions take records for ("stock") -> the collection ("wms.stock")."""
        return {one.takes_the_part_of: name for name, one in self.collections.items() if one.takes_the_part_of}

    @cached_property
    def _made(self) -> Mapping[str, "_Made"]:
        return {name: _Made.of(one, name) for name, one in self.collections.items()}

    def key_of(self, collection: str, record: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the fields that identify a record."""
        return tuple([record.get(name) for name in self.collections[collection].key])

    def part_key(self, collection: str, part: str) -> str:
        """The field that identifies an element of a list inside a record; empty where there is none."""
        of = self.collections[collection].parts.get(part) if collection in self.collections else None
        return of.key if of else ""

    def made_of(self, tool: ReadTool, answer: Any, args: Mapping[str, Any]) -> Any:
        """The record, or the list of records, that an answer to these arguments is; the answer itself where it is neither."""
        if answer is None or not isinstance(answer, dict | list):
            return answer
        found: list[Record] = []
        for one in [answer] if tool.one else answer if isinstance(answer, list) else answer.values():
            if not isinstance(one, dict):
                return answer
            found += self._records_of(tool, one, args)
        return found if not tool.one else found[-1] if found else None

    def _records_of(self, tool: ReadTool, answer: Record, args: Mapping[str, Any]) -> Iterator[Record]:
        elements = [answer] if tool.each is None else _worked_out(tool.each, _scope(answer, answer)) or ()
        for one in (element for element in elements if isinstance(element, dict)):
            record = self._made[tool.collection].record(one, answer)
            if tool.unnamed:
                asked = {path: args[name] for name, path in tool.by.items() if name in args and not isinstance(args[name], list)}
                record = {**asked, **record}
            yield record

    def completed(self, collection: str, record: Record) -> Record:
        """The record with null for every optional field that it leaves out."""
        missing = [name for name in self.collections[collection].optional if name not in record]
        return {**record, **dict.fromkeys(missing)} if missing else record

    def standing(self, collection: str, record: Record) -> Record:
        """The record without the elements of its lists that are marked as gone: they are part of it no more."""
        left = {}
        for part, of in self.collections[collection].parts.items():
            if of.unless and any(one.get(of.unless) is True for one in record.get(part) or ()):
                left[part] = [one for one in record[part] if one.get(of.unless) is not True]
        return {**record, **left} if left else record

    def found(self, collection: str, record: Mapping[str, Any], label: str) -> Any:
        """The value of a field, or of a field of an element ("lines/1/location"); None where there is none."""
        part, _, rest = label.partition("/")
        if not rest:
            return record.get(part)
        element_id, _, name = rest.rpartition("/")
        key = self.part_key(collection, part)
        return next((one.get(name) for one in record.get(part) or () if str(one.get(key)) == element_id), None)

    def added(self, collection: str, before: Mapping[str, Any], now: Mapping[str, Any], part: str) -> list[Record]:
        """The elements of a list in a record that it had not before."""
        key = self.part_key(collection, part)
        known = {one.get(key) for one in before.get(part) or ()}
        return [one for one in now.get(part) or () if one.get(key) not in known]

    def is_like(self, collection: str, element: Mapping[str, Any], part: str, wanted: Mapping[str, Any]) -> bool:
        """Whether an element is the one that was to be added; its id is its system's choice."""
        key = self.part_key(collection, part)
        return all(element.get(name) == value for name, value in wanted.items() if name != key and value is not None)


_Values = Sequence[tuple[str, Value]]


@dataclass(frozen=True)
class _Made:
    """How the records of a collection are made of answers."""

    fields: _Values
    adds: _Values
    #: part -> (its key, its elements or None for those that stand there, their fields, what they have besides)
    parts: Mapping[str, tuple[str, Value | None, _Values, _Values]]

    @classmethod
    def of(cls, one: Collection, where: str) -> "_Made":
        def compiled(values: _Computed, names: tuple[str, ...], here: str) -> _Values:
            found = [(name, Value.compile(raw, f"{here}.{name}")) for name, raw in values.items()]
            for expression in (one for _, value in found for one in value.expressions):
                expression.require(names, VALUE_FUNCTIONS, here)
            return found

        both = (_SELF, _AROUND)
        parts = {
            part: (
                of.key,
                dict(compiled({part: of.of}, both, where))[part] if of.of else None,
                compiled(of.fields, both, f"{where}.{part}"),
                compiled(of.adds, both, f"{where}.{part}"),
            )
            for part, of in one.parts.items()
        }
        return cls(compiled(one.fields, both, where), compiled(one.adds, both, where), parts)

    def record(self, it: Record, around: Record) -> Record:
        made = _projected(it, around, self.fields, self.adds)
        for part, (key, of, fields, adds) in self.parts.items():
            elements = it.get(part) if of is None else _worked_out(of, _scope(it, around))
            if isinstance(elements, dict):
                elements = [{key: name, **value} for name, value in elements.items() if isinstance(value, dict)]
            if isinstance(elements, list) and (of or fields or adds or elements is not it.get(part)):
                made[part] = [_projected(one, it, fields, adds) if isinstance(one, dict) else one for one in elements]
            elif part in it or of is not None:
                made[part] = elements
        return made


def _projected(it: Record, around: Record, fields: _Values, adds: _Values) -> Record:
    if not (fields or adds):
        return dict(it)
    scope = _scope(it, around)  # of all its fields: an answer is converted once
    named = {name: _worked_out(value, scope) for name, value in fields} if fields else it
    return {**named, **{name: _worked_out(value, scope) for name, value in adds}}


def _scope(it: Record, around: Record) -> Scope:
    return Scope({_SELF: it, _AROUND: around}, VALUE_FUNCTIONS)


def _worked_out(value: Value, scope: Scope) -> Any:
    try:
        return value.evaluate(scope)
    except Unknown:
        return None
