"""The case: everything that a run knows, as one context in which the expressions of its pack are evaluated.

What could not be read is not in it, so that an expression that needs it is Unknown, and one that does not is not.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ledger.records import Event, Fact
from nodes.clause_values import ClauseValues
from nodes.functions import PLAIN_FUNCTIONS
from nodes.functions.plain import moment
from nodes.functions.stock import MissingCollection, RecordFunctions
from nodes.letters import Letter
from nodes.pack import Pack
from rendering import dollars, words
from systems.conditions import Expression, Scope, Unknown
from systems.records import Records

#: A value from outside stands in a sentence with at most this many characters.
LONGEST_SAID = 120
#: order.total_cents, charged_cents(captured)
_MONEY = re.compile(r"_cents(?:\(.*\))?$")
#: twin.created_at, inbound.eta, delivery.expedited_eta
_MOMENT = re.compile(r"(?:_at|eta)$")
#: what is a code of the company, and no text: order.status, message.nearest.map(n, n.intent)
_CODE = re.compile(r"(?:^|\.)(?:category|condition|intent|queue|result|signals|status|tier)\)?$")
#: what would let a name write lines of a letter, or turn its text around
_UNRULY = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")

#: the collections that functions have looked into since a finding, or a named condition, was begun with
_NOTED: ContextVar[set[str]] = ContextVar("collections looked into")

#: bound where functions are evaluated, and no name that an expression can have: the plan so far, and what they look into
_TRIED, _LOOKED = "(plan so far)", "(collections)"

#: what stands in a hole, from its expression and its value
ShownAs = Callable[[Expression, Any], str]


@dataclass(frozen=True)
class PlanSoFar:
    """What a plan has used up and left open so far. A plan is tried on a value: each step of it makes another one."""

    #: (sku, location) -> units
    taken: Mapping[tuple[str, str], int] = field(default_factory=dict)
    #: action -> how many of it are planned
    planned: Mapping[str, int] = field(default_factory=dict)
    #: finding -> the elements that nothing helps
    unmet: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def taking(self, sku: str, location: str, qty: int) -> "PlanSoFar":
        """With so much stock used up besides."""
        return replace(self, taken={**self.taken, (sku, location): self.taken.get((sku, location), 0) + qty})

    def leaving(self, finding: str, elements: Iterable[Any]) -> "PlanSoFar":
        """With a finding that nothing helps besides."""
        return replace(self, unmet={**self.unmet, finding: [*self.unmet.get(finding, ()), *elements]})


class Case:
    """Facts, clause values and named conditions of one run. Nothing changes it: a plan is tried on what it is `after` that plan.

    Args:
        pack: the pack of the run.
        event: the event that raised it.
        facts: what was read; a failed one is missing evidence.
        values: clause values in force, by clause id with an underscore.
    """

    #: the names and functions with which expressions of the pack are evaluated
    scope: Scope

    def __init__(self, pack: Pack, event: Event, facts: Sequence[Fact], values: Mapping[str, Mapping[str, Any]]) -> None:
        self.pack, self.event, self.facts = pack, event, facts
        self.as_of = iso(event.as_of)
        self.records = Records(pack.record_schema)
        #: name of a read or of a named condition -> why there is no value
        self.missing: dict[str, str] = {}
        #: collection -> why it could not be read
        self._unread: dict[str, str] = {}
        self._read_collections: set[str] = set()
        self._plan = PlanSoFar()
        #: named condition -> the collections that its functions looked into
        self._looked_for: dict[str, frozenset[str]] = {}
        known: dict[str, Any] = {"trigger": dict(event.trigger), "as_of": self.as_of, "subject": event.subject}
        for name in (name for name, read in pack.reads.items() if read.each):
            known[name] = []
        for fact in facts:
            self._take_up(fact, known)
        for name in self.missing:
            known.pop(name, None)  # of a list of answers, one is not known
        over = RecordFunctions(
            self.records, self._needs, values, self.as_of, event.subject, lambda: self.scope.bound[_TRIED].taken
        )
        functions = {
            **PLAIN_FUNCTIONS,
            **{name: getattr(over, name) for name in over.NAMES},
            "planned": lambda action: self.scope.bound[_TRIED].planned.get(action, 0),
            "unmet": lambda finding: self.scope.bound[_TRIED].unmet.get(finding, []),
        }
        self._reads = values.reads if isinstance(values, ClauseValues) else None
        plain = values.plain if isinstance(values, ClauseValues) else values
        self.scope = Scope({name: value for name, value in {**known, **plain}.items() if name in pack.names}, functions)
        for name, source in pack.let.items():
            _NOTED.set(set())
            try:
                self.scope.define(name, self.evaluate(source))
            except Unknown as unknown:
                self.missing[name] = "; ".join(self.lacking(unknown))
            self._looked_for[name] = frozenset(_NOTED.get())

    def after(self, plan: PlanSoFar) -> "Case":
        """The case as conditions see it when a plan has come so far."""
        after = copy(self)
        after._plan = plan
        return after

    @cached_property
    def findings(self) -> list[dict[str, Any]]:
        """The findings that are so, and those that are not known, in the order of the pack.

        Each is {"id", "dimension", "about": {name: element}, "says", "facts": [names of the reads it is made of],
        "lacking": [why it is not known]}.
        """
        found: list[dict[str, Any]] = []
        for dimension, findings in self.pack.findings.items():
            for finding in findings:
                _NOTED.set(set())
                common = {"id": finding.id, "dimension": dimension, "about": {}, "says": "", "facts": [], "lacking": []}
                try:
                    for about in self.elements(finding.each):
                        if self.holds(finding.when, about):
                            says = self.sentence(finding.says, about)
                            found.append({**common, "about": about, "says": says, "facts": self._behind(finding.id)})
                except Unknown as unknown:
                    found.append({**common, "lacking": self.lacking(unknown)})
        return found

    def evaluate(self, source: str, bound: Mapping[str, Any] | None = None) -> Any:
        """The value of a condition (or of a computed value, with its =) that stands in the pack.

        Raises Unknown when it is not known from what is known.
        """
        expression = self.pack.expressions[source]
        if self._reads is not None:
            pure = expression.functions <= PLAIN_FUNCTIONS.keys()
            self._reads.evaluated(expression, self.scope.names, bound or {}, pure=pure)
        if not expression.functions:
            if not bound:
                return expression.evaluate(self.scope)
            with self.scope.binding(bound):
                return expression.evaluate(self.scope)
        looked = set[str]()
        try:
            with self.scope.binding({**(bound or {}), _TRIED: self._plan, _LOOKED: looked}):
                return expression.evaluate(self.scope)
        except Unknown as unknown:
            for collection in looked - self._read_collections | looked & self._unread.keys():
                unknown.add_note(self._why_unread(collection))
            raise
        finally:
            _NOTED.get(set()).update(looked)

    def known(self, source: str) -> Any:
        """The value of a condition that stands in the pack, None where it is not known."""
        try:
            return self.evaluate(source)
        except Unknown:
            return None

    def holds(self, source: str, bound: Mapping[str, Any] | None = None) -> bool:
        """True if a condition of the pack holds. Raises Unknown when it is not known."""
        return source == "true" or self.evaluate(source, bound) is True

    def value(self, raw: Any, bound: Mapping[str, Any] | None = None) -> Any:
        """The value of something that stands in the pack: computed if it begins with =."""
        return self.evaluate(raw, bound) if isinstance(raw, str) and raw.startswith("=") else raw

    def elements(self, each: Mapping[str, str], bound: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """For every element of `each`, what is bound then; once `bound` itself where there is no `each`."""
        if not each:
            yield dict(bound or {})
        for name, source in each.items():
            for element in self.evaluate(source, bound):
                yield {**(bound or {}), name: element}

    def sentence(self, source: str, bound: Mapping[str, Any] | None = None, shown_as: ShownAs | None = None) -> str:
        """A `says` of the pack with its holes filled; what is not known is said to be so.

        `shown_as` says what stands in a hole instead, from its expression and its value, as for readers who may not see all.
        """
        pieces = self.pack.templates[source].pieces
        said = []
        for piece in pieces:
            if isinstance(piece, str):
                said.append(piece)
                continue
            try:
                value = self.evaluate(piece.source, bound)
            except Unknown:
                said.append("(not known)")
            else:
                said.append((shown_as or shown)(piece, value))
        return "".join(said)

    def letter(self, draft: str, bound: Mapping[str, Any] | None = None) -> Letter:
        """A draft of the pack for somebody outside: days and money as people write them, nothing where a fact is not known."""
        text = self.pack.drafts[draft]
        holes = dict[str, str]()
        for hole in (piece for piece in self.pack.templates[text].pieces if isinstance(piece, Expression)):
            try:
                value = self.evaluate(hole.source, bound)
            except Unknown:
                value = None
            if isinstance(value, str) and hole.source.endswith(("_at", "eta")):
                holes[hole.source] = _day(value)
            else:
                holes[hole.source] = "" if value is None else _UNRULY.sub(" ", shown(hole, value)).strip()
        return Letter(draft, text, holes)

    def lacking(self, unknown: Unknown) -> list[str]:
        """Why an expression is unknown: what could not be read, in sentences."""
        names = self.pack.through_let(unknown.expression.names)
        reasons = {*getattr(unknown, "__notes__", ()), *(reason for name, reason in self.missing.items() if name in names)}
        return sorted(reasons) or [f"a value is not known that «{unknown.expression.source}» needs"]

    def _behind(self, finding_id: str) -> list[str]:
        """The facts that a finding is made of, by name: of reads that it names, and that its functions looked into."""
        reach = self.pack.reach[finding_id]
        looked = _NOTED.get().union(*(self._looked_for.get(name, ()) for name in reach))
        tools = self.pack.record_schema.tools
        return [
            fact.name
            for fact in self.facts
            if fact.read in reach or (fact.tool in tools and tools[fact.tool].collection in looked)
        ]

    def _take_up(self, fact: Fact, known: dict[str, Any]) -> None:
        schema = self.pack.record_schema
        tool = schema.tools.get(fact.tool)
        if fact.status == "failed":
            self.missing[fact.read] = fact.error or f"{fact.tool} could not be read"
            if tool and fact.args:
                self._unread.setdefault(tool.collection, self.missing[fact.read])
            return
        value = fact.value
        if tool and value is not None:
            kind = tool.collection
            rows = [schema.standing(kind, schema.completed(kind, one)) for one in ([value] if tool.one else value)]
            value = rows[0] if tool.one else rows
            self._read_collections.add(tool.collection)
            self.records.add(tool.collection, rows)
        if fact.status == "absent":
            value = self.pack.reads[fact.read].if_absent
            if value is None:
                self.missing[fact.read] = fact.error or f"{fact.tool} has no record of {', '.join(map(str, fact.args.values()))}"
                return
        if fact.name == fact.read:
            known[fact.name] = value
        else:
            known[fact.read].append(value)

    def _needs(self, collection: str) -> None:
        self.scope.bound[_LOOKED].add(collection)
        if collection in self._unread or collection not in self._read_collections:
            raise MissingCollection(self._why_unread(collection))

    def _why_unread(self, collection: str) -> str:
        return self._unread.get(collection, f"{collection} was not read")


def shown(expression: Expression, value: Any) -> str:
    """A value as it stands in a sentence."""
    if _MONEY.search(expression.source) and isinstance(value, int):
        return dollars(value)
    if isinstance(value, str) and _MOMENT.search(expression.source):
        return _when(value)[:LONGEST_SAID]
    values = value if isinstance(value, list) else [value]
    said = [words(one) if isinstance(one, str) and _CODE.search(expression.source) else str(one) for one in values]
    return ", ".join(said)[:LONGEST_SAID]


def _day(text: str) -> str:
    try:
        when = moment(text)
    except ValueError:
        return ""
    return f"{when:%B} {when.day}, {when.year}"


def _when(text: str) -> str:
    try:
        when = moment(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{when:%b} {when.day}, {when.year}, {when.hour % 12 or 12}:{when:%M %p} UTC"


def iso(when: datetime) -> str:
    """A moment as the systems write it: ISO 8601 with a Z."""
    return when.isoformat().replace("+00:00", "Z")
