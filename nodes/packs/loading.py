"""Reading and compiling a pack. It loads only if everything that it names exists and every condition compiles.

Tools and their arguments, clauses and their values, actions and the words they take, findings, procedures, verdicts,
queues, drafts, functions: what is misspelt would make every case undecidable, so it is reported before the first.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Any, NoReturn

from errors import BadInput, SendBack
from knowledge_index.policies import Clause
from ledger.canonical import utc_now
from nodes.case import iso
from nodes.functions import PLAIN_FUNCTIONS
from nodes.governance import check_approval
from nodes.pack import GIVEN, Book, ExtraRead, Kind, ModelView, Option, Pack, PackPart, Portal, Read, Step, Template, computed
from nodes.packs.conditions import compile_condition, unknown_name
from strict_yaml import YamlDocument, instead, read_yaml
from systems.action_names import GIVES, never_taken
from systems.arguments import ADDRESS_FIELDS, choices
from systems.catalogue import Catalogue
from systems.conditions import Expression, Scope, Unknown
from systems.record_shapes import shape_of_read
from systems.shapes import ANY, Shape, Shapes, misspelt, shape_of

#: they identify or locate a person
PERSONAL = frozenset({*ADDRESS_FIELDS, "ship_to", "suggested", "address", "email", "phone", "owner_id"})
_HOLE = re.compile(r"\{([^{}]+)\}")
_FIELD_PATH = re.compile(r"\w+(?:\.\w+)*")
#: finding and action names that conditions give to the functions over the plan so far
_PLAN_CALL = re.compile(r"\b(unmet|planned)\(\s*'([^']*)'\s*\)")
#: what is computed by one function alone, whose values are all of one type
_ONE_CALL = re.compile(r"(\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)")


@dataclass
class Compiler:
    """Walks a pack once: compiles every expression and checks every name that it mentions."""

    #: a pack without parts, or a part
    pack: Pack
    #: where the part stands in the file: ("parts", name); () for the pack itself
    inside: tuple[str, ...]
    #: the file, for the lines
    written: YamlDocument
    #: what may be done, read and cited
    catalogue: Catalogue
    tools: Collection[str]
    clauses: Mapping[str, Clause]

    def __post_init__(self) -> None:
        pack, self.place = self.pack, ""
        #: the names that there are everywhere, and what is known of the fields of each
        self.known: Shapes = dict.fromkeys([*GIVEN, *pack.let, *(clause.replace("-", "_") for clause in self.clauses)], ANY)
        for name, read in pack.reads.items():
            self.known = {**self.known, name: self._shape(read)}
        for _ in pack.let:  # one may use another that stands below it
            self.known = {**self.known, **{name: shape_of(source, self.known) for name, source in pack.let.items()}}
        #: kind -> what is said of an unknown one, before it and after it; what there is
        self.there: dict[Kind, tuple[str, str, Collection[str]]] = {
            "action": ("uses the unknown action", "", self.catalogue),
            "clause": ("cites", ", which no policy has", self.clauses),
            "finding": ("keeps the unknown finding", "", {*pack.all_findings, *(one.id for one in pack.conclusions)}),
            "procedure": ("uses the unknown procedure", "", pack.procedures),
            "tool": (
                "uses the unknown read tool",
                "; it stands under `records` or `reads` of its system in systems.yaml",
                self.tools,
            ),
            "verdict": ("ends in the unknown verdict", "", pack.verdicts),
        }

    def run(self) -> None:
        """Compile the pack. Raises BadInput with file, line and remedy for the first mistake."""
        self._at()
        if not self.pack.findings:
            self._fail("the pack has neither findings nor parts")
        self._findings()
        above: Shapes = {name: self.known[name] for name in GIVEN}
        for name, path, piece in self.pack.pieces():
            self._at(*path)
            known, where = self.known, name
            kind: Kind | None = "condition" if path[0] in ("let", "tier") else None
            match path:
                case ("procedures" | "drafts", _):
                    continue  # they are compiled for every step that uses them, with what is known there
                case ("reads", read):
                    known, above = above, {**above, str(read): self.known[str(read)]}
                case ("options", finding, _):
                    known = {**known, **_bound(self.pack.all_findings[str(finding)].each, known)}
                case ("model", "may_read", read):
                    known = {name: shape for name, shape in known.items() if name not in ("queue", "args")}
                    if read in self.pack.reads:
                        self._fail(f"{where}, which the pack reads itself; take it out")
                case ("guards", _):
                    where = f"guard for {piece.for_}"
                    args = self.catalogue[piece.for_].args if piece.for_ in self.catalogue else {}
                    known = {**known, "args": Shape({one: Shape.of_kind(kind) for one, kind in args.items()}, closed=bool(args))}
            self._walk(piece, kind, known, where)
        self._escalation()
        self._at("approval")
        try:
            check_approval(self.pack, self.catalogue, self.clauses)
        except ValueError as wrong:
            self._fail(f"approval: {wrong}")

    def _escalation(self) -> None:
        """Every case must be one that can be handed over, whatever could not be read: from its event alone."""
        self._at("escalation")
        step, queue = self.pack.escalation, self.pack.missing.escalate
        for event in self.pack.trigger.events:
            trigger = {"event": event, **dict.fromkeys(self.pack.trigger.fields(event), "1")}
            known = {"trigger": trigger, "subject": "1", "queue": queue, "as_of": iso(utc_now())}
            scope = Scope(known, PLAIN_FUNCTIONS)
            try:
                args = {
                    name: self.pack.expressions[raw].evaluate(scope) if computed(raw) else raw for name, raw in step.args.items()
                }
                self.catalogue[str(step.action)].validate(args)
            except Unknown as unknown:
                what = f"«{unknown.expression.source}» is not known of every {event} ({unknown})"
                self._fail(f"escalation: {what}; use what the event always has: its subject, queue, as_of")
            except SendBack as error:
                self._fail(f"escalation: {error}")

    def _findings(self) -> None:
        """What findings are called, and whether options are for one of them."""
        ids = set[str]()
        for dimension, findings in self.pack.findings.items():
            for number, finding in enumerate(findings):
                if finding.id in ids:
                    self._at("findings", dimension, number)
                    self._fail(f"finding {finding.id} of {dimension} appears twice")
                ids.add(finding.id)
        for finding_id, options in self.pack.options.items():
            self._at("options", finding_id)
            self._known(finding_id, ids, "options are given for the unknown finding")
            if finding_id in self.pack.open_choices and len({option.id for option in options}) < max(2, len(options)):
                self._fail(f"the choice of {finding_id} is open, so it needs at least two options, each with a unique name")

    def _walk(self, piece: Any, kind: Kind | None, known: Shapes, where: str) -> None:
        """Check a piece and all that is in it; what `each` or `choose` binds is known to the rest of it."""
        if kind == "value":
            for raw in piece.values() if isinstance(piece, Mapping) else [piece]:
                self._value(raw, known, where)
        elif isinstance(piece, PackPart):
            bound = {**known, **_bound({**getattr(piece, "each", {}), **getattr(piece, "choose", {})}, known)}
            before = ("when", "otherwise") if isinstance(piece, Option) else ()
            for name, inside, value in piece.contents():
                hint = " (a read may use the reads above it)" if isinstance(piece, Read) and name == "args" else ""
                self._walk(value, inside, known if name in ("each", "choose", *before) else bound, f"{where}{hint}")
            self._consistent(piece, bound, where)
        elif isinstance(piece, Mapping | list):
            for inner in piece.values() if isinstance(piece, Mapping) else piece:
                self._walk(inner, kind, known, where)
        elif piece is not None and kind is not None:
            self._text(piece, kind, known, where)

    def _text(self, text: str, kind: Kind, known: Shapes, where: str) -> None:
        match kind:
            case "condition":
                self._expression(text, known, where)
            case "sentence":
                self._says(text, known, where)
            case "queue":
                self._queue(text, where)
            case _:
                before, after, there = self.there[kind]
                self._known(text, there, f"{where} {before}", after)

    def _consistent(self, piece: PackPart, known: Shapes, where: str) -> None:
        """What the fields of a piece must be to one another."""
        match piece:
            case Read() | ExtraRead():
                tools = self.catalogue.record_schema.tools
                takes = tools[piece.tool].by if piece.tool in tools else piece.args
                if piece.args.keys() != takes.keys():
                    self._fail(f"{where}: {piece.tool} takes {_listed(takes)}, not {_listed(piece.args)}")
                if isinstance(piece, ExtraRead):
                    self._seen(piece.sees, where)
            case Step():
                self._step(piece, known, where)
            case ModelView():
                for read, fields in piece.sees.items():
                    self._at("model", "sees", read)
                    self._known(read, ["trigger", *self.pack.reads], "model sees the unknown read")
                    self._seen(fields, f"model sees {read}")
            case Portal():
                self._portal(piece, where)
            case Book():
                if piece.event not in self.pack.trigger.events or piece.tool not in self.tools:
                    self._fail(f"book: {piece.event} must be an event of the pack and {piece.tool} a read tool")

    def _step(self, step: Step, known: Shapes, where: str) -> None:
        if (step.action is None) == (step.procedure is None):
            self._fail(f"{where}: a step names either an action or a procedure")
        if step.procedure is not None:
            for inner in self.pack.procedures[step.procedure].do:
                if inner.procedure:
                    self._fail(f"procedure {step.procedure} calls another procedure; write its steps out")
                self._walk(inner, None, {**known, **dict.fromkeys(step.args, ANY)}, f"procedure {step.procedure}")
                given = {name: step.args.get(raw[1:], raw) if computed(raw) else raw for name, raw in inner.args.items()}
                self._words(str(inner.action), given, where)
            return
        action = self.catalogue[str(step.action)]
        if step.args.keys() != action.args.keys():
            lacking = [name for name in action.args if name not in step.args]
            missing = f"; {', '.join(lacking)} is missing" if lacking else ""
            self._fail(f"{where}: {action.name} takes {', '.join(action.args)}, not {_listed(step.args)}{missing}")
        self._words(action.name, step.args, where)
        given = {name: one for name, raw in step.args.items() if (one := _given(raw)) is not None}
        if refused := given and never_taken(action, given):
            self._fail(f"{where}: {action.tool} would always refuse what {action.name} sends it, for {refused}")

    def _portal(self, portal: Portal, where: str) -> None:
        """Raise for what its event, or an action that it tells of, has not."""
        self._known(portal.event, self.pack.trigger.events, f"{where}: messages would be the unknown event")
        for action, told in portal.done.items():
            self._known(action, self.catalogue, f"{where} tells of the unknown action")
            for hole in (hole for _, hole, _, _ in Formatter().parse(told) if hole is not None):
                self._known(hole, self.catalogue[action].args, f"{where}: {action} has no argument")
        for name in (portal.reply.to, portal.reply.text):
            self._known(name, self.catalogue[portal.reply.action].args, f"{where}: {portal.reply.action} has no argument")

    def _words(self, action: str, args: Mapping[str, Any], where: str) -> None:
        """An argument that may be one of some words only, and is none of them, would be refused in every case."""
        for name, kind in self.catalogue[action].args.items():
            raw, words = args.get(name), choices(kind)
            if words and isinstance(raw, str) and not computed(raw) and raw not in words:
                self._fail(f"{where}: {name} of {action} cannot be {raw!r}; {instead(raw, words)}")

    def _queue(self, queue: str, where: str) -> None:
        """Raise for a queue that the escalation does not know."""
        self._text("escalate", "verdict", self.known, where)
        escalation = self.pack.escalation
        if self.pack.queues:
            self._known(queue, self.pack.queues, f"{where} uses the unknown queue")
        self._text(str(escalation.action), "action", self.known, "escalation")
        given = {name: queue if raw == "=queue" else raw for name, raw in escalation.args.items()}
        self._words(str(escalation.action), given, where)

    def _seen(self, fields: Sequence[str], where: str) -> None:
        for field in fields:
            if not _FIELD_PATH.fullmatch(field):
                self._fail(f"{where}: {field!r} is not a field; write it as status, or as lines.sku in a record or a list")
            for personal in sorted(PERSONAL.intersection(field.split("."))):
                self._fail(f"{where}: {personal!r} identifies or locates a person, and no model may see it; remove it")

    def _value(self, raw: Any, known: Shapes, where: str) -> None:
        if isinstance(raw, dict) and raw.keys() == {"draft"}:
            self._known(str(raw["draft"]), self.pack.drafts, f"{where} uses the unknown draft")
            self._says(self.pack.drafts[raw["draft"]], known, f"{where}, draft {raw['draft']}")
        if computed(raw):
            self._expression(raw[1:].strip(), known, where, raw)

    def _says(self, source: str, known: Shapes, where: str) -> None:
        pieces = enumerate(_HOLE.split(source))
        said = [self._expression(piece, known, where) if place % 2 else piece for place, piece in pieces]
        self.pack.templates[source] = Template(said)

    def _expression(self, source: str, known: Shapes, where: str, value: str = "") -> Expression:
        """Compile an expression; `value` is the computed value, with its =, that it is of."""
        expression = self.pack.expressions.get(source) or compile_condition(source, f"{self.place}: {where}")
        self.pack.expressions[value or source] = expression
        if unknown := unknown_name(expression, known, self.clauses):
            self._fail(f"{where}: {unknown}")
        if found := misspelt(expression.source, known):
            self._known(found[0], found[1], f"{where}: «{expression.source}» uses the unknown field")
        for function, name in _PLAN_CALL.findall(expression.source):
            kind, there = ("finding", self.pack.all_findings) if function == "unmet" else ("action", self.catalogue)
            self._known(name, there, f"{where}: «{expression.source}» asks for the unknown {kind}")
        return expression

    def _shape(self, read: Read) -> Shape:
        """What is known of what a read gives, with what stands for a record that there is not."""
        tool = self.catalogue.record_schema.tools.get(read.tool)
        shape = shape_of_read(self.catalogue.record_schema, read.tool)
        if isinstance(read.if_absent, dict):
            shape = shape.with_fields({name: ANY for name in read.if_absent if name not in shape.fields})
        shape = shape if tool is None or tool.one else Shape(element=shape)
        return Shape(element=shape) if read.each else shape

    def _known(self, name: str, there: Collection[str], before: str, after: str = "") -> None:
        if name not in there:
            self._fail(f"{before} {name!r}{after}; {instead(name, there)}")

    def _at(self, *path: str | int) -> None:
        """What is looked at from now on, for the sentence where something is wrong with it."""
        self.place = f"{self.written.file.name}, line {line_of(self.written, (*self.inside, *path))}"

    def _fail(self, sentence: str) -> NoReturn:
        raise BadInput(f"{self.place}: {sentence.rstrip('.')}; fix the pack")


def _bound(each: Mapping[str, str], known: Shapes) -> Shapes:
    """What is known of the elements that names are bound to."""
    return {name: shape_of(source, known).elements for name, source in each.items()}


def _given(raw: Any) -> Any:
    """The value of an argument, or one of its type, where it is known before a run; None where it is not."""
    if not computed(raw):
        return raw if isinstance(raw, str | int | float) else None
    call = _ONE_CALL.fullmatch(raw[1:].strip())
    return GIVES.get(call[1]) if call else None


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "nothing"


def line_of(pack: YamlDocument, path: Sequence[str | int]) -> int:
    """The line, from 1, of a piece, or of the nearest piece around it; `path` is of keys and places in lists.

    What a part has from the pack itself stands there, in a list behind what the part itself has.
    """
    line, found = pack.walk(pack.node, path)
    if len(path) <= 2 or path[0] != "parts" or found:
        return line
    rest, part = list(path[3:]), pack.data["parts"][path[1]]
    if rest and isinstance(rest[0], int):
        own = part.get(path[2]) if isinstance(part, dict) else None
        rest[0] -= len(own) if isinstance(own, list) else 0
    return pack.line([path[2], *rest])


def load_pack(file: Path, *, catalogue: Catalogue, tools: Collection[str], clauses: Mapping[str, Clause]) -> Pack:
    """Read, validate and compile a pack. Raises BadInput that names the file, the place and the remedy."""
    written = read_yaml(file, "pack")
    pack = written.as_model(Pack, "docs/packs.md", _with_parts(written.data), partial(line_of, written))
    if pack.parts and pack.book:
        raise BadInput(f"{file}: a book belongs to the part whose events it lists; move it there")
    for event in pack.trigger.events:
        handled_by = [name for name, part in pack.parts.items() if event in part.trigger.events]
        if len(handled_by) > 1:
            raise BadInput(f"{file}: {event} is an event of the parts {' and '.join(handled_by)}; leave it to one of them")
    for one in pack.and_parts:
        one._record_schema = catalogue.record_schema
    inside: dict[tuple[str, ...], Pack] = {("parts", name): part for name, part in pack.parts.items()} or {(): pack}
    for place, part in inside.items():
        Compiler(part, place, written, catalogue, tools, clauses).run()
    return pack


def _with_parts(raw: Any) -> Any:
    """The raw pack, where every part has what the pack says for all, and its trigger the events of its parts."""
    if not (isinstance(raw, dict) and isinstance(raw.get("parts"), dict)):
        return raw
    shared = {name: value for name, value in raw.items() if name not in ("parts", "book")}
    parts = {name: _joined(shared, part) for name, part in raw["parts"].items() if isinstance(part, dict)}
    events = [part.get("trigger", {}).get("events") for part in parts.values() if isinstance(part.get("trigger", {}), dict)]
    together = {event: subject for one in events if isinstance(one, dict) for event, subject in one.items()}
    return {**raw, "trigger": {"events": together}, "parts": {**raw["parts"], **parts}}


def _joined(shared: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(shared)
    for name, own in part.items():
        common = shared.get(name)
        if isinstance(common, dict) and isinstance(own, dict):
            own = {**common, **own}
        elif isinstance(common, list) and isinstance(own, list):
            own = [*own, *common]
        joined[name] = own
    return joined


def pack_files(folder: Path) -> Iterator[Path]:
    """The pack files of a folder, by name."""
    yield from sorted(folder.glob("*.yaml"))
