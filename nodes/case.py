"""The case: everything that a run knows, as one context in which the expressions of its pack are evaluated.

What could not be read is not in it, so that an expression that needs it is Unknown, and one that does not is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ledger.records import Event, Fact
from nodes.functions import PLAIN_FUNCTIONS
from nodes.functions.claims import Claims
from nodes.functions.stock import Missing, Stock
from nodes.functions.times import moment
from nodes.letters import Letter
from nodes.pack import Pack
from systems.conditions import Expression, Scope, Unknown
from systems.reads import READ_TOOLS
from systems.records import Records, completed, standing

#: A value from outside stands in a sentence with at most this many characters.
LONGEST_SAID = 120
#: order.total_cents, charged_cents(captured)
_MONEY = re.compile(r"_cents(?:\(.*\))?$")
#: what would let a name write lines of a letter, or turn its text around
_UNRULY = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")

#: what stands in a hole, from its expression and its value
Told = Callable[[Expression, Any], str]


class Case:
    """Facts, clause values and named conditions of one run.

    Args:
        pack: the pack of the run.
        event: the event that raised it.
        facts: what was read; a failed one is missing evidence.
        values: clause values in force, by clause id with an underscore.
    """

    def __init__(self, pack: Pack, event: Event, facts: Sequence[Fact], values: Mapping[str, Mapping[str, Any]]) -> None:
        self.pack, self.event, self.facts = pack, event, facts
        self.as_of = iso(event.as_of)
        self.records = Records()
        #: what `diagnose.find` found
        self.findings: list[dict[str, Any]] | None = None
        #: name of a read -> why there is no value
        self.missing: dict[str, str] = {}
        self._lacking: dict[str, str] = {}
        self._lacking_collections: dict[str, str] = {}
        self._read_collections: set[str] = set()
        #: collections that functions looked into since somebody cleared it, and those that a condition with a name did
        self.consulted: set[str] = set()
        self._consulted_for: dict[str, frozenset[str]] = {}
        known: dict[str, Any] = {"trigger": dict(event.trigger), "as_of": self.as_of, "subject": event.subject}
        for fact in facts:
            self._take_up(fact, known)
        self.stock = Stock(self.records, self._needs, values.get("STK_2", {}), self.as_of, event.subject)
        claims = Claims(self.records, self._needs, values.get("OMN_1", {}).get("tiers", ()))
        self._planned: Mapping[str, int] = {}
        self._unmet: Mapping[str, list[Any]] = {}
        functions = {
            **PLAIN_FUNCTIONS,
            **self.stock.functions(),
            **claims.functions(),
            "planned": lambda action: self._planned.get(action, 0),
            "unmet": lambda finding: self._unmet.get(finding, []),
        }
        self.scope = Scope({name: value for name, value in {**known, **values}.items() if name in pack.names}, functions)
        self._name_conditions()

    def evaluate(self, source: str, bound: Mapping[str, Any] | None = None) -> Any:
        """The value of a condition (or of a computed value, with its =) that stands in the pack.

        Raises Unknown when it cannot be told from what is known.
        """
        expression = self.pack.expressions[source]
        if not bound:
            return expression.evaluate(self.scope)
        with self.scope.binding(bound):
            return expression.evaluate(self.scope)

    def known(self, source: str) -> Any:
        """The value of a condition that stands in the pack, None where it cannot be told."""
        try:
            return self.evaluate(source)
        except Unknown:
            return None

    def holds(self, source: str, bound: Mapping[str, Any] | None = None) -> bool:
        """True if a condition of the pack holds. Raises Unknown when it cannot be told."""
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

    def sentence(self, source: str, bound: Mapping[str, Any] | None = None, told: Told | None = None) -> str:
        """A `says` of the pack with its holes filled; what is not known is said to be so.

        `told` says what stands in a hole instead, from its expression and its value, as for readers who may not see all.
        """
        pieces = self.pack.templates[source].pieces
        return "".join(piece if isinstance(piece, str) else self._said(piece, bound, told) for piece in pieces)

    def letter(self, draft: str, bound: Mapping[str, Any] | None = None) -> Letter:
        """A draft of the pack for somebody outside."""
        return Letter(draft, self.pack.drafts[draft], self.holes(draft, bound))

    def holes(self, draft: str, bound: Mapping[str, Any] | None = None) -> dict[str, str]:
        """What the holes of a draft hold: days and money as people write them, nothing where a fact is not known."""
        pieces = self.pack.templates[self.pack.drafts[draft]].pieces
        return {piece.source: self._written(piece, bound) for piece in pieces if isinstance(piece, Expression)}

    def lacking(self, unknown: Unknown) -> list[str]:
        """Why an expression is unknown: what could not be read, in sentences."""
        names, reasons = self.pack.through_let(unknown.expression.names), dict(self._lacking)
        reasons |= {name: reason for name, reason in self.missing.items() if name in names}
        return sorted(set(reasons.values())) or [f"a value is not known that «{unknown.expression.source}» needs"]

    def behind(self, finding_id: str) -> list[str]:
        """The reads that a finding is made of, by name: those it names, and those that its functions looked into."""
        reach = self.pack.reach[finding_id]
        looked = self.consulted.union(*(self._consulted_for.get(name, ()) for name in reach))
        return [name for name, read in self.pack.reads.items() if name in reach or _collection(read.tool) in looked]

    def plan_so_far(self, planned: Mapping[str, int], unmet: Mapping[str, list[Any]]) -> None:
        """What `planned` and `unmet` answer from now on."""
        self._planned, self._unmet = planned, unmet

    def _take_up(self, fact: Fact, known: dict[str, Any]) -> None:
        tool = READ_TOOLS.get(fact.tool)
        if fact.status == "failed":
            self.missing[fact.name] = fact.error or f"{fact.tool} could not be read"
            if tool and fact.args:
                self._lacking_collections.setdefault(tool.collection, self.missing[fact.name])
            return
        value = fact.value
        if tool and value is not None:
            rows = [standing(completed(tool.collection, one)) for one in ([value] if tool.one else value)]
            value = rows[0] if tool.one else rows
            self._read_collections.add(tool.collection)
            self.records.add(tool.collection, rows)
        if fact.status == "absent":
            value = self.pack.reads[fact.name].if_absent
            if value is None:
                self.missing[fact.name] = fact.error or f"{fact.tool} has no record of {', '.join(map(str, fact.args.values()))}"
                return
        known[fact.name] = value

    def _needs(self, collection: str) -> None:
        self.consulted.add(collection)
        reason = self._lacking_collections.get(collection)
        if reason is None and collection not in self._read_collections:
            reason = f"{collection} was not read"
        if reason is not None:
            self._lacking[collection] = reason
            raise Missing(reason)

    def _name_conditions(self) -> None:
        for name, source in self.pack.let.items():
            self.consulted.clear()
            try:
                self.scope.define(name, self.evaluate(source))
            except Unknown as unknown:
                self.missing[name] = "; ".join(self.lacking(unknown))
            self._consulted_for[name] = frozenset(self.consulted)

    def _said(self, expression: Expression, bound: Mapping[str, Any] | None, told: Told | None = None) -> str:
        try:
            value = self.evaluate(expression.source, bound)
        except Unknown:
            return "(not known)"
        if told is not None:
            return told(expression, value)
        return shown(expression, value)

    def _written(self, expression: Expression, bound: Mapping[str, Any] | None) -> str:
        try:
            value = self.evaluate(expression.source, bound)
        except Unknown:
            return ""
        if value is None:
            return ""
        if isinstance(value, str) and expression.source.endswith(("_at", "eta")):
            return _day(value)
        return _UNRULY.sub(" ", self._said(expression, bound)).strip()


def shown(expression: Expression, value: Any) -> str:
    """A value as it stands in a sentence."""
    if _MONEY.search(expression.source) and isinstance(value, int):
        return f"${value / 100:,.2f}"
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value))[:LONGEST_SAID]


def _collection(tool: str) -> str | None:
    return READ_TOOLS[tool].collection if tool in READ_TOOLS else None


def _day(text: str) -> str:
    try:
        when = moment(text)
    except ValueError:
        return ""
    return f"{when.day} {when:%B %Y}"


def iso(when: datetime) -> str:
    """A moment as the systems write it: ISO 8601 with a Z."""
    return when.isoformat().replace("+00:00", "Z")
