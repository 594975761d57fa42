"""Reading and compiling a pack. It loads only if everything that it names exists and every condition compiles.

Tools and their arguments, clauses and their values, actions and the words they take, findings, procedures, verdicts,
queues, drafts, functions: what is misspelt would make every case undecidable, so it is reported before the first.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from errors import BadInput
from knowledge_index.policies import Clause
from nodes.pack import GIVEN, Book, ExtraRead, ModelView, Option, Pack, Read, Step, Template, Way
from nodes.packs.approval_rules import mistakes
from nodes.packs.conditions import compile_condition, unknown_name
from strict_yaml import YamlDocument, instead, read_yaml
from systems.catalogue import ADDRESS_FIELDS, Catalogue
from systems.company import READ_TOOLS
from systems.conditions import Expression

#: they identify or locate a person
PERSONAL = frozenset({*ADDRESS_FIELDS, "ship_to", "suggested", "address", "email", "phone", "owner_id"})
_FIELD_PATH = re.compile(r"\w+(?:\.\w+)*")
#: finding and action names that conditions give to the functions over the plan so far
_PLAN_CALL = re.compile(r"\b(unmet|planned)\(\s*'([^']*)'\s*\)")


class Compiler:
    """Walks a pack once: compiles every expression and checks every name that it mentions.

    Args:
        pack: a pack without parts, or a part.
        inside: where the part stands in the file: ("parts", name); () for the pack itself.
        written: the file, for the lines.
        file: its name, for the sentences.
        catalogue, tools, clauses: what may be done, read and cited.
    """

    def __init__(
        self,
        pack: Pack,
        inside: tuple[str, ...],
        written: YamlDocument,
        file: str,
        catalogue: Catalogue,
        tools: Collection[str],
        clauses: Mapping[str, Clause],
    ) -> None:
        self.pack, self.file, self.catalogue, self.tools, self.clauses = pack, file, catalogue, tools, clauses
        self.inside, self.written, self.place = inside, written, f"{file}, line 1"
        self.known = GIVEN | pack.reads.keys() | pack.let.keys() | {clause.replace("-", "_") for clause in clauses}
        #: what `unmet` and `planned` may ask for
        self.findings = {finding.id for findings in pack.findings.values() for finding in findings}

    def run(self) -> None:
        """Compile the pack. Raises BadInput with file, line and remedy for the first mistake."""
        pack, known = self.pack, self.known
        if not pack.findings:
            self._fail("the pack has neither findings nor parts")
        above: set[str] = set()
        for name, read in pack.reads.items():
            self._at("reads", name)
            self._read(read, GIVEN | above, f"read {name}", " (a read may use the reads above it)")
            above.add(name)
        for name, source in pack.let.items():
            self._at("let", name)
            self._expression(source, known, f"let {name}")
        bound: dict[str, set[str]] = {}
        for dimension, findings in pack.findings.items():
            for number, finding in enumerate(findings):
                where = f"finding {finding.id}"
                self._at("findings", dimension, number)
                if finding.id in bound:
                    self._fail(f"{where} of {dimension} appears twice")
                bound[finding.id] = set(finding.each)
                self._each(finding.each, known, where)
                self._expression(finding.when, known | finding.each.keys(), where)
                self._says(finding.says, known | finding.each.keys(), where)
                self._cited([finding.priority] if finding.priority else [], where)
        for finding_id, options in pack.options.items():
            self._at("options", finding_id)
            if finding_id in pack.open_choices and len({option.id for option in options}) < max(2, len(options)):
                self._fail(f"the choice of {finding_id} is open, so it needs at least two options, each with a unique name")
            if finding_id not in bound:
                self._fail(f"options are given for the unknown finding {finding_id!r}; {instead(finding_id, bound)}")
            for number, option in enumerate(options):
                self._at("options", finding_id, number)
                self._option(option, known | bound[finding_id], f"option {option.id!r} of {finding_id}")
        for number, conclusion in enumerate(pack.conclusions):
            where = f"conclusion {conclusion.id}"
            self._at("conclusions", number)
            self._each(conclusion.each, known, where)
            here = known | conclusion.each.keys()
            self._expression(conclusion.when, here, where)
            self._says(conclusion.says, here, where)
            self._way(conclusion, here, where)
        self._rules({*bound, *(conclusion.id for conclusion in pack.conclusions)})

    def _read(self, read: Read | ExtraRead, known: Collection[str], where: str, hint: str = "") -> None:
        if read.tool not in self.tools:
            new = "the records of a new system stand in systems/company.yaml"
            self._fail(f"{where} uses the unknown read tool {read.tool!r}; {new}; {instead(read.tool, self.tools)}")
        takes = READ_TOOLS[read.tool].by if read.tool in READ_TOOLS else read.args
        if read.args.keys() != takes.keys():
            self._fail(f"{where}: {read.tool} takes {', '.join(takes) or 'nothing'}, not {', '.join(read.args) or 'nothing'}")
        for raw in read.args.values():
            self._value(raw, known, f"{where}{hint}")

    def _rules(self, findings: set[str]) -> None:
        pack, known = self.pack, self.known
        for name, verdict in pack.verdicts.items():
            self._at("verdicts", name)
            self._says(verdict.says, known, f"verdict {name}")
            for kept in set(verdict.keeps or ()) - findings:
                self._fail(f"verdict {name} keeps the unknown finding {kept!r}; {instead(kept, findings)}")
        if pack.tier:
            self._at("tier")
            self._expression(pack.tier, known, "tier")
        for number, guard in enumerate(pack.guards):
            self._at("guards", number)
            self._action(guard.for_, "a guard")
            self._expression(guard.that, known, f"guard for {guard.for_}")
            self._cited([guard.cites] if guard.cites else [], f"guard for {guard.for_}")
            for raw in guard.consumes.values():
                self._value(raw, known, f"guard for {guard.for_}")
        for number, rule in enumerate(pack.approval.raises):
            self._at("approval", "raises", number)
            self._action(rule.for_, "approval")
            self._expression(rule.that, known, "approval")
        self._at("approval")
        self._cited(sorted(pack.rules), "approval")
        for problem in mistakes(pack, self.catalogue, self.clauses):
            self._fail(f"approval: {problem}")
        if pack.approval.own:
            self._value(pack.approval.own.owner, known, "approval")
        self._at("escalation")
        self._step(pack.escalation, known, "escalation")
        self._at("missing")
        self._cited(pack.missing.cites, "missing")
        self._queue(pack.missing.escalate, "missing")
        if pack.book:
            self._book(pack.book)
        if pack.model:
            self._model(pack.model)

    def _model(self, model: ModelView) -> None:
        for name, fields in model.sees.items():
            self._at("model", "sees", name)
            if name not in ("trigger", *self.pack.reads):
                self._fail(f"model sees the unknown read {name!r}; {instead(name, ['trigger', *self.pack.reads])}")
            self._seen(fields, f"model sees {name}")
        for name, read in model.may_read.items():
            where = f"model may read {name}"
            self._at("model", "may_read", name)
            if name in self.pack.reads:
                self._fail(f"{where}, which the pack reads itself; take it out")
            self._read(read, self.known - {"queue", "args"}, where)
            self._seen(read.sees, where)

    def _seen(self, fields: Sequence[str], where: str) -> None:
        for field in fields:
            if not _FIELD_PATH.fullmatch(field):
                self._fail(f"{where}: {field!r} is not a field; write it as status, or as lines.sku in a record or a list")
            for personal in sorted(PERSONAL.intersection(field.split("."))):
                self._fail(f"{where}: {personal!r} identifies or locates a person, and no model may see it; remove it")

    def _book(self, book: Book) -> None:
        self._at("book")
        if book.event not in self.pack.trigger.events or book.tool not in self.tools:
            self._fail(f"book: {book.event} must be an event of the pack and {book.tool} a read tool")
        self._expression(book.rank, self.known, "book")
        self._says(book.says, self.known, "book")

    def _option(self, option: Option, known: frozenset[str] | set[str], where: str) -> None:
        self._expression(option.when, known, where)
        self._says(option.otherwise, known, where)
        self._each(option.choose, known, where)
        here = known | option.choose.keys()
        self._says(option.says, here, where)
        for raw in option.consumes.values():
            self._value(raw, here, where)
        self._way(option, here, where)

    def _way(self, way: Way, known: Collection[str], where: str) -> None:
        for verdict in (way.end, "escalate" if way.escalate else None):
            if verdict and verdict not in self.pack.verdicts:
                self._fail(f"{where} ends in the unknown verdict {verdict!r}; {instead(verdict, self.pack.verdicts)}")
        if way.escalate:
            self._queue(way.escalate, where)
        self._cited(way.cites, where)
        self._value(way.part, known, where)
        for step in way.do:
            self._step(step, known, where)

    def _step(self, step: Step, known: Collection[str], where: str) -> None:
        if (step.action is None) == (step.procedure is None):
            self._fail(f"{where}: a step names either an action or a procedure")
        self._each(step.each, known, where)
        here = {*known, *step.each}
        self._expression(step.if_, here, where)
        for raw in step.args.values():
            self._value(raw, here, where)
        self._cited(step.cites, where)
        if step.procedure is not None:
            if step.procedure not in self.pack.procedures:
                known_ = instead(step.procedure, self.pack.procedures)
                self._fail(f"{where} uses the unknown procedure {step.procedure!r}; {known_}")
            for inner in self.pack.procedures[step.procedure].do:
                if inner.procedure:
                    self._fail(f"procedure {step.procedure} calls another procedure; write its steps out")
                given = {name: step.args.get(raw[1:], raw) if _computed(raw) else raw for name, raw in inner.args.items()}
                self._step(inner, {*here, *step.args}, f"procedure {step.procedure}")
                self._words(str(inner.action), given, where)
            return
        self._action(str(step.action), where)
        action = self.catalogue[str(step.action)]
        if step.args.keys() != action.args.keys():
            lacking = [name for name in action.args if name not in step.args]
            missing = f"; {', '.join(lacking)} is missing" if lacking else ""
            given_ = ", ".join(step.args) or "nothing"
            self._fail(f"{where}: {action.name} takes {', '.join(action.args)}, not {given_}{missing}")
        self._words(action.name, step.args, where)

    def _words(self, action: str, args: Mapping[str, Any], where: str) -> None:
        """An argument that may be one of some words only, and is none of them, would be refused in every case."""
        for name, raw in args.items():
            words = self.catalogue[action].args[name]
            if isinstance(words, list) and isinstance(raw, str) and not _computed(raw) and raw not in words:
                self._fail(f"{where}: {name} of {action} cannot be {raw!r}; {instead(raw, words)}")

    def _queue(self, queue: str, where: str) -> None:
        """Raise for a queue that the escalation does not know."""
        if "escalate" not in self.pack.verdicts:
            self._fail(f"{where} escalates, and there is no verdict 'escalate'; add it")
        escalation = self.pack.escalation
        self._action(str(escalation.action), "escalation")
        given = {name: queue if raw == "=queue" else raw for name, raw in escalation.args.items()}
        known = self.catalogue[str(escalation.action)].args
        self._words(str(escalation.action), {name: raw for name, raw in given.items() if name in known}, where)

    def _action(self, name: str, where: str) -> None:
        if name not in self.catalogue:
            self._fail(f"{where} uses the unknown action {name!r}; {instead(name, self.catalogue)}")

    def _cited(self, clauses: Sequence[str], where: str) -> None:
        for clause in clauses:
            if clause not in self.clauses:
                self._fail(f"{where} cites {clause!r}, which no policy has; {instead(clause, self.clauses)}")

    def _each(self, each: Mapping[str, str], known: Collection[str], where: str) -> None:
        for source in each.values():
            self._expression(source, known, where)

    def _value(self, raw: Any, known: Collection[str], where: str) -> None:
        if isinstance(raw, dict) and raw.keys() == {"draft"}:
            if raw["draft"] not in self.pack.drafts:
                self._fail(f"{where} uses the unknown draft {raw['draft']!r}; {instead(str(raw['draft']), self.pack.drafts)}")
            self._says(self.pack.drafts[raw["draft"]], known, f"{where}, draft {raw['draft']}")
        if _computed(raw):
            self._expression(raw[1:].strip(), known, where, raw)

    def _says(self, source: str, known: Collection[str], where: str) -> None:
        template = Template.compile(source, f"{self.place}: {where}")
        for piece in template.pieces:
            if isinstance(piece, Expression):
                self._require(piece, known, where)
                self.pack.expressions[piece.source] = piece
        self.pack.templates[source] = template

    def _expression(self, source: str, known: Collection[str], where: str, computed: str = "") -> None:
        """Compile an expression; `computed` is the value, with its =, that it is of."""
        expression = self.pack.expressions.get(source) or compile_condition(source, f"{self.place}: {where}")
        self._require(expression, known, where)
        self.pack.expressions[computed or source] = expression

    def _require(self, expression: Expression, known: Collection[str], where: str) -> None:
        unknown = unknown_name(expression, known, self.clauses)
        if unknown:
            self._fail(f"{where}: {unknown}")
        for function, name in _PLAN_CALL.findall(expression.source):
            there: Collection[str] = self.findings if function == "unmet" else self.catalogue
            if name not in there:
                kind = "finding" if function == "unmet" else "action"
                self._fail(f"{where}: «{expression.source}» asks for the unknown {kind} {name!r}; {instead(name, there)}")

    def _at(self, *path: str | int) -> None:
        """What is looked at from now on, for the sentence where something is wrong with it."""
        self.place = f"{self.file}, line {line_of(self.written, (*self.inside, *path))}"

    def _fail(self, sentence: str) -> None:
        raise BadInput(f"{self.place}: {sentence.rstrip('.')}; fix the pack")


def _computed(raw: Any) -> bool:
    return isinstance(raw, str) and raw.startswith("=")


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
    inside: dict[tuple[str, ...], Pack] = {("parts", name): part for name, part in pack.parts.items()} or {(): pack}
    for place, part in inside.items():
        Compiler(part, place, written, file.name, catalogue, tools, clauses).run()
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
