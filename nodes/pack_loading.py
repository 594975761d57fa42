"""Reading a pack: a pack that does not validate does not load.

Everything that it names must exist (tools, clauses, actions, findings, procedures, verdicts, functions), and every
condition must compile.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from errors import BadInput
from nodes.functions import FUNCTION_NAMES
from nodes.pack import GIVEN, Book, Option, Pack, Step, Template, Way
from systems.catalogue import Catalogue
from systems.conditions import Expression


def load_pack(file: Path, *, catalogue: Catalogue, tools: Collection[str], clauses: Collection[str]) -> Pack:
    """Read, validate and compile a pack. Raises BadInput that names the file, the place and the remedy."""
    try:
        raw = yaml.safe_load(file.read_bytes())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{file}: the pack cannot be read ({' '.join(str(error).split())}); mend it") from error
    try:
        pack = Pack.model_validate(_with_parts(raw))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{file}: {'.'.join(map(str, first['loc'])) or 'the pack'}: {first['msg']}; mend it") from error
    if pack.parts and pack.book:
        raise BadInput(f"{file}: a book belongs to the part whose events it lists; move it there")
    for one in pack.parts.values() or (pack,):
        _Compiler(one, file.name, catalogue, tools, clauses).run()
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


class _Compiler:
    """Walks a pack once: compiles every expression and checks every name that it mentions."""

    def __init__(self, pack: Pack, file: str, catalogue: Catalogue, tools: Collection[str], clauses: Collection[str]) -> None:
        self.pack, self.file, self.catalogue, self.tools, self.clauses = pack, file, catalogue, tools, set(clauses)
        self.known = GIVEN | pack.reads.keys() | pack.let.keys() | {clause.replace("-", "_") for clause in clauses}

    def run(self) -> None:
        pack, known = self.pack, self.known
        if not pack.findings:
            self._fail("the pack has neither findings nor parts")
        self._reads()
        for name, source in pack.let.items():
            self._expression(source, known, f"let {name}")
        bound: dict[str, set[str]] = {}
        for dimension, findings in pack.findings.items():
            for finding in findings:
                where = f"finding {finding.id}"
                if finding.id in bound:
                    self._fail(f"{where} of {dimension} stands twice")
                bound[finding.id] = set(finding.each)
                self._each(finding.each, known, where)
                self._expression(finding.when, known | finding.each.keys(), where)
                self._says(finding.says, known | finding.each.keys(), where)
                self._cited([finding.priority] if finding.priority else [], where)
        for finding_id, options in pack.options.items():
            if finding_id not in bound:
                self._fail(f"options are given for the unknown finding {finding_id!r}")
            for option in options:
                self._option(option, known | bound[finding_id], f"option {option.id!r} of {finding_id}")
        for conclusion in pack.conclusions:
            where = f"conclusion {conclusion.id}"
            self._each(conclusion.each, known, where)
            here = known | conclusion.each.keys()
            self._expression(conclusion.when, here, where)
            self._says(conclusion.says, here, where)
            self._way(conclusion, here, where)
        self._rules({*bound, *(conclusion.id for conclusion in pack.conclusions)})

    def _reads(self) -> None:
        above: set[str] = set()
        for name, read in self.pack.reads.items():
            where = f"read {name}"
            if read.tool not in self.tools:
                self._fail(f"{where} uses the unknown read tool {read.tool!r}; known are {', '.join(sorted(self.tools))}")
            for raw in read.args.values():
                self._value(raw, GIVEN | above, f"{where} (a read may use the reads above it)")
            above.add(name)

    def _rules(self, findings: set[str]) -> None:
        pack, known = self.pack, self.known
        for name, verdict in pack.verdicts.items():
            self._says(verdict.says, known, f"verdict {name}")
            for kept in set(verdict.keeps or ()) - findings:
                self._fail(f"verdict {name} keeps the unknown finding {kept!r}")
        for guard in pack.guards:
            self._action(guard.for_, "a guard")
            self._expression(guard.that, known, f"guard for {guard.for_}")
            self._cited([guard.cites] if guard.cites else [], f"guard for {guard.for_}")
        for rule in pack.approval.raises:
            self._action(rule.for_, "approval")
            self._expression(rule.that, known, "approval")
        self._cited([pack.approval.automate, pack.approval.base, pack.approval.bands], "approval")
        self._cited([rule.clause for rule in pack.approval.raises], "approval")
        self._cited(pack.missing.cites, "missing")
        self._step(pack.escalation, known, "escalation")
        if pack.book:
            self._book(pack.book)

    def _book(self, book: Book) -> None:
        if book.event not in self.pack.trigger.events or book.tool not in self.tools:
            self._fail(f"book: {book.event} must be an event of the pack and {book.tool} a read tool")
        self._expression(book.rank, self.known, "book")

    def _option(self, option: Option, known: frozenset[str] | set[str], where: str) -> None:
        self._expression(option.when, known, where)
        self._says(option.otherwise, known, where)
        self._each(option.choose, known, where)
        here = known | option.choose.keys()
        self._says(option.says, here, where)
        for raw in option.takes.values():
            self._value(raw, here, where)
        self._way(option, here, where)

    def _way(self, way: Way, known: Collection[str], where: str) -> None:
        for verdict in (way.end, "escalate" if way.escalate else None):
            if verdict and verdict not in self.pack.verdicts:
                self._fail(f"{where} ends in the unknown verdict {verdict!r}; known are {', '.join(self.pack.verdicts)}")
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
                self._fail(f"{where} uses the unknown procedure {step.procedure!r}")
            for inner in self.pack.procedures[step.procedure].do:
                if inner.procedure:
                    self._fail(f"procedure {step.procedure} calls another procedure; write its steps out")
                self._step(inner, {*here, *step.args}, f"procedure {step.procedure}")
            return
        self._action(str(step.action), where)
        action = self.catalogue[str(step.action)]
        if step.args.keys() != action.args.keys():
            self._fail(f"{where}: {action.name} takes {', '.join(action.args)}, not {', '.join(step.args) or 'nothing'}")

    def _action(self, name: str, where: str) -> None:
        if name not in self.catalogue:
            self._fail(f"{where} uses the unknown action {name!r}; the action catalogue has {', '.join(sorted(self.catalogue))}")

    def _cited(self, clauses: Sequence[str], where: str) -> None:
        for clause in clauses:
            if clause not in self.clauses:
                self._fail(f"{where} cites {clause!r}, which no policy has")

    def _each(self, each: Mapping[str, str], known: Collection[str], where: str) -> None:
        for source in each.values():
            self._expression(source, known, where)

    def _value(self, raw: Any, known: Collection[str], where: str) -> None:
        if isinstance(raw, dict) and raw.keys() == {"draft"}:
            if raw["draft"] not in self.pack.drafts:
                self._fail(f"{where} uses the unknown draft {raw['draft']!r}; known are {', '.join(self.pack.drafts)}")
            self._says(self.pack.drafts[raw["draft"]], known, f"{where}, draft {raw['draft']}")
        if isinstance(raw, str) and raw.startswith("="):
            expression = Expression.compile(raw[1:].strip(), f"{self.file}, {where}")
            expression.require(known, FUNCTION_NAMES, f"{self.file}, {where}")
            self.pack.expressions[raw] = expression

    def _says(self, source: str, known: Collection[str], where: str) -> None:
        template = Template.compile(source, f"{self.file}, {where}")
        for piece in template.pieces:
            if isinstance(piece, Expression):
                piece.require(known, FUNCTION_NAMES, f"{self.file}, {where}")
                self.pack.expressions[piece.source] = piece
        self.pack.templates[source] = template

    def _expression(self, source: str, known: Collection[str], where: str) -> None:
        expression = self.pack.expressions.get(source) or Expression.compile(source, f"{self.file}, {where}")
        expression.require(known, FUNCTION_NAMES, f"{self.file}, {where}")
        self.pack.expressions[source] = expression

    def _fail(self, sentence: str) -> None:
        raise BadInput(f"{self.file}: {sentence}; mend the pack")
