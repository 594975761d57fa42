"""A pack in words for people, with the numbers of the clauses in force: its outline as branches, and its flowchart in Mermaid."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from types import MappingProxyType
from typing import Any

from ledger.records import DAY
from nodes.governance import GIVEN_AWAY, of, tier
from nodes.pack import GIVEN, Conclusion, Finding, Option, Pack, Step, Way, computed
from nodes.packs.hints import reached
from rendering import dollars
from systems.catalogue import Action, Catalogue

Values = Mapping[str, Mapping[str, Any]]

_WORDS = (
    (r"\s*&&\s*", " and "),
    (r"\s*\|\|\s*", " or "),
    (r"\s*!=\s*null\b", " is known"),
    (r"\s*==\s*null\b", " is not known"),
    (r"\s*==\s*true\b", ""),
    (r"\s*==\s*false\b", " is no"),
    (r"\s*!=\s*true\b", " is not yes"),
    (r"\s*!=\s*false\b", " is not no"),
    (r"\s*==\s*", " is "),
    (r"\s*!=\s*", " is not "),
    (r"\s*>=\s*", " is at least "),
    (r"\s*<=\s*", " is at most "),
    (r"\s*>\s*", " is above "),
    (r"\s*<\s*", " is below "),
    (r"!\s*(?=[\w(])", "not "),
    (r"\bsize\(([\w.]+)\)", r"the number of \1"),
    (r"\bin \[", "is one of ["),
)
_TEXT = re.compile(r"('[^']*')")
_CLAUSE_VALUE = re.compile(r"\b([A-Z]+_\d+)\.(\w+)")
_HOLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Branch:
    """A line and what belongs under it; `kind` says how a screen shows it: heading, finding, option, detail."""

    text: str
    children: Sequence["Branch"] = ()
    kind: str = "detail"


def outline(pack: Pack, flow: Sequence[str], catalogue: Catalogue, values: Values) -> Branch:
    """A pack, its parts each in full; `flow` are the lines that say how a run flows."""
    parts = [_branch(f"Part {name}", _Words(part, values, catalogue).outline()) for name, part in pack.parts.items()]
    books = [
        f"`missions run {one.event} --all`{f', and automatically at {one.schedule} (UTC)' if one.schedule else ''}"
        f": every {one.field} of {one.tool}"
        for one in (part.book for part in pack.and_parts)
        if one
    ]
    whole = [
        _branch("How a run flows", flow),
        *(parts or _Words(pack, values, catalogue).outline()),
        _branch("Who approves", _approval(pack, values)),
        _branch(f"Cases with missing data go to {pack.missing.escalate} ({', '.join(pack.missing.cites)})"),
        *map(_branch, books),
    ]
    return _branch(f"{pack.mission}: {pack.title}, version {pack.version}, {pack.digest}", whole)


def _branch(text: str, inside: Iterable[str | Branch] = (), kind: str = "heading") -> Branch:
    return Branch(text, [Branch(one) if isinstance(one, str) else one for one in inside], kind)


class _Words:
    """A pack without parts, or a part, in words.

    Args:
        pack: the pack.
        values: clause values in force, by clause id with an underscore.
        catalogue: says what actions do; the flowchart has no need of that.
    """

    def __init__(self, pack: Pack, values: Values, catalogue: Mapping[str, Action] = MappingProxyType({})) -> None:
        self.pack, self.values, self.catalogue = pack, values, catalogue
        self.automate = of(pack.approval.automate, values)

    def outline(self) -> Iterator[Branch]:
        """What it begins with, reads, names, finds, concludes, ends in and guards, and what a model sees."""
        pack = self.pack
        yield _branch("Begins with", (f"{event}, about {subject}" for event, subject in pack.trigger.events.items()))
        yield _branch("Reads", self._reads())
        lets = [f"{name}: {self.condition(source)}" for name, source in pack.let.items()]
        dimensions = [_branch(dimension, map(self._finding, findings)) for dimension, findings in pack.findings.items()]
        ends = reached(pack)
        sees = pack.model.sees if pack.model else {}
        may_read = pack.model.may_read if pack.model else {}
        told: dict[str, Sequence[str | Branch]] = {
            "Names": lets,
            "Looks at, one after the other": dimensions,
            "Then concludes, until one ends the case": [self._conclusion(one) for one in pack.conclusions],
            "Verdicts": [f"{name}: {one.says}{_kept(one.keeps)}" for name, one in pack.verdicts.items() if name in ends],
            "Guards": [
                f"{guard.for_} only if {self.condition(guard.that)}: {guard.says}{_cites([guard.cites] if guard.cites else [])}"
                for guard in pack.guards
            ],
            "A language model sees": [
                *(f"{name}: {', '.join(fields)}" for name, fields in sees.items()),
                *(f"{name}, if it asks for it: {', '.join(one.sees)} of {one.tool}" for name, one in may_read.items()),
            ],
        }
        yield from (_branch(title, inside) for title, inside in told.items() if inside)

    def condition(self, source: str) -> str:
        """A condition with words for its signs, and beside every clause value the value in force: FRD-2 elevated (0.4)."""

        def valued(match: re.Match[str]) -> str:
            shown = self._in_force(match)
            return f"{match[1].replace('_', '-')} {match[2]}" + ("" if shown is None else f" ({shown})")

        pieces = _TEXT.split(" ".join(source.split()))
        for place in range(0, len(pieces), 2):  # texts stand between
            for sign, word in _WORDS:
                pieces[place] = re.sub(sign, word, pieces[place])
            pieces[place] = _CLAUSE_VALUE.sub(valued, pieces[place])
        return "".join(pieces).strip()

    def sentence(self, source: str) -> str:
        """A `says` with the values of clauses in place of their holes; facts stay holes."""

        def filled(hole: re.Match[str]) -> str:
            match = _CLAUSE_VALUE.fullmatch(hole[1])
            return (self._in_force(match) if match else None) or hole[0]

        return _HOLE.sub(filled, " ".join(source.split()))

    def _in_force(self, match: re.Match[str]) -> str | None:
        value = self.values.get(match[1], {}).get(match[2])
        return None if value is None else _shown(match[2], value)

    def steps(self, way: Way) -> Iterator[tuple[Step, Mapping[str, Any], str]]:
        """(step, arguments, tier) of every action of a way; a procedure's steps have what the procedure was given."""
        for step in way.do:
            if step.procedure is None:
                yield step, step.args, tier({"name": step.action, "args": step.args}, self.automate)
                continue
            for inner in self.pack.procedures[step.procedure].do:
                args = {name: _with_given(raw, step.args) for name, raw in inner.args.items()}
                ifs = [one for one in (step.if_, inner.if_) if one != "true"]
                if_ = " && ".join(f"({one})" if ifs[1:] else one for one in ifs)
                each = {**step.each, **{name: _put_in(source, step.args) for name, source in inner.each.items()}}
                told = inner.model_copy(update={"if_": _put_in(if_, step.args) or "true", "each": each})
                yield told, args, tier({"name": inner.action, "args": args}, self.automate)

    def _doings(self, way: Way) -> Iterator[str]:
        for step, args, tier_ in self.steps(way):
            when = f", if {self.condition(step.if_)}" if step.if_ != "true" else ""
            each = "".join(f", {one}" for one in self._each(step.each))
            shown = {name: f"{{{raw[1:].strip()}}}" if computed(raw) else raw for name, raw in args.items()}
            says = self.catalogue[str(step.action)].says.format_map(shown)
            yield f"{step.action} ({tier_}): {says}{each}{when}{_cites(step.cites)}"

    def _each(self, each: Mapping[str, str]) -> Iterator[str]:
        return (f"for each {name} of {self.condition(source)}" for name, source in each.items())

    def _reads(self) -> Iterator[str]:
        for name, read in self.pack.reads.items():
            after = [one for one in self.pack.reads if one in self.pack.read_needs[name] - GIVEN]
            waits = f", after {', '.join(after)}" if after else ""
            absent = ", or its replacement" if read.if_absent is not None else ""
            system, _, tool = read.tool.partition(".")
            yield f"{name}: {tool} of {system}{waits}{absent}"

    def _finding(self, finding: Finding) -> Branch:
        inside: list[str | Branch] = []
        if finding.priority:
            inside.append(f"served in the order of {finding.priority}")
        if finding.choice == "any":
            inside.append("any option that works may be chosen; the first one by default")
        inside += self._whether(finding)
        for place, option in enumerate(self.pack.options.get(finding.id, ()), start=1):
            when = [f"if {self.condition(option.when)}"] if option.when != "true" else []
            chosen = [f"with the first {name} of {self.condition(source)}" for name, source in option.choose.items()]
            part = [f"a part of the plan by itself: {option.part.removeprefix('=')}"] if option.part else []
            details = [*([", ".join([*when, *chosen])] if when or chosen else []), *self._doings(option), *part]
            inside.append(_branch(f"{place}. {option.id} → {option.ending}{_cites(option.cites)}", details, "option"))
        return _branch(f"{finding.id}: {self.sentence(finding.says)}", inside, "finding")

    def _conclusion(self, one: Conclusion) -> Branch:
        title = f"{one.id} → {one.ending}{_cites(one.cites)}: {self.sentence(one.says)}"
        return _branch(title, [*self._whether(one), *self._doings(one)], "finding")

    def _whether(self, one: Finding | Conclusion) -> Iterator[str]:
        yield from self._each(one.each)
        if one.when != "true":
            yield f"if {self.condition(one.when)}"


def _with_given(raw: Any, given: Mapping[str, Any]) -> Any:
    """An argument of a procedure's step, where the procedure was given arguments of its own."""
    if not computed(raw):
        return raw
    return given[raw[1:]] if raw[1:] in given else f"={_put_in(raw[1:], given)}"


def _put_in(source: str, given: Mapping[str, Any]) -> str:
    """An expression with what computed arguments are computed from in place of their names."""
    for name, raw in given.items():
        if computed(raw):
            source = re.sub(rf"(?<![.\w']){re.escape(name)}(?![\w'(])", raw[1:].strip(), source)
    return source


def _approval(pack: Pack, values: Values) -> Iterator[str]:
    """Who approves a plan, by the clauses in force."""
    rule = pack.approval
    alone, base = of(rule.automate, values), of(rule.base, values)
    if alone["automate"]:
        yield f"no one: a plan of {', '.join(alone['automate'])} only ({rule.automate})"
    for action, templates in alone["automate_templates"].items():
        yield f"no one: {action} with {', '.join(templates)} ({rule.automate})"
    yield f"{base['role']}: every other plan, at least ({rule.base})"
    for clause, counted in ((rule.bands, "at stake"), (rule.costs, "given away")):
        for band in of(clause, values)["bands"]:
            up_to = f"up to {_shown('_cents', band['up_to_cents'])} {counted}" if "up_to_cents" in band else "above that"
            yield f"{_approvers(band)}: {up_to} ({clause})"
    for clause in rule.limits:
        for one in of(clause, values)["limits"]:
            whose, days = (
                "in all" if one["per"] == DAY else f"per {one['per']}",
                "a day" if one["days"] == 1 else f"{one['days']} days",
            )
            more = f"above {_shown('_cents', one['most_cents'])} {one.get('counts', GIVEN_AWAY)} {whose} within {days}"
            yield f"{_approvers(one)}: {more} ({clause})"
    for one in rule.raises:
        that = _Words(pack, values).condition(one.that)
        yield f"{of(one.clause, values)['role']}, at least: {one.for_} if {that} ({one.clause})"
    yield "a person other than the editor: every edited plan"
    if rule.own:
        actions = ", ".join(of(rule.own.clause, values)["own_wording"])
        yield f"who edited it, if {rule.own.owner.removeprefix('=')} and only the tone of {actions} ({rule.own.clause})"


def _approvers(rule: Mapping[str, Any]) -> str:
    return f"{rule['role']}{', two different people' if rule.get('four_eyes') else ''}"


def _shown(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return dollars(value) if name.endswith("_cents") and isinstance(value, int) else str(value)


def _cites(clauses: Sequence[str]) -> str:
    return f" ({', '.join(clauses)})" if clauses else ""


def _kept(keeps: Sequence[str] | None) -> str:
    if keeps is None:
        return ""
    return f" Of the steps planned so far, only {', '.join(keeps)} is kept." if keeps else " No step planned so far is kept."


_STYLES = (
    "classDef finding fill:#eef3f8,stroke:#5b7c99,color:#1f2d3a",
    "classDef automate fill:#e8f3e8,stroke:#4f8a4f,color:#1f331f",
    "classDef recommend fill:#fdf3dc,stroke:#b58a2b,color:#3a2d10",
    "classDef escalate fill:#f8e4e1,stroke:#b0574a,color:#3d1a14",
    "classDef verdict fill:#ffffff,stroke:#333333,color:#111111",
)
#: what has a meaning in a label of Mermaid; written as an entity, it is only a character
_MARKS = frozenset('"#&;<>[](){}|`\\*~')


def flowchart(pack: Pack, values: Values) -> str:
    """The flowchart, with one end for each verdict and queue of all parts."""
    drawing = _Drawing(values)
    lines = ["flowchart LR"]
    for name, part in pack.parts.items():
        lines += [f'subgraph {drawing.fresh("p")}["{label(f"part {name}")}"]', *drawing.pack(part), "end"]
    if not pack.parts:
        lines += drawing.pack(pack)
    return "\n".join([*lines, *drawing.ends(), *drawing.edges, *_STYLES])


def label(text: str) -> str:
    """A text as it may stand between the quotes of a label, on one line."""
    return "".join(f"#{ord(mark)};" if mark in _MARKS else mark for mark in " ".join(text.split()))


class _Drawing:
    """Gives every piece a name of its own and collects the edges, which come after all pieces."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.edges: list[str] = []
        self._numbers = count(1)
        self._ends: dict[str, str] = {}

    def fresh(self, kind: str) -> str:
        """A name that no other piece has."""
        return f"{kind}{next(self._numbers)}"

    def pack(self, pack: Pack) -> Iterator[str]:
        """The pieces of a pack without parts."""
        words, groups = _Words(pack, self.values), []
        sections: list[tuple[str, Sequence[Finding | Conclusion]]] = [*pack.findings.items(), ("then", pack.conclusions)]
        for title, inside in sections if pack.conclusions else sections[:-1]:
            groups.append(self.fresh("d"))
            yield f'subgraph {groups[-1]}["{label(title)}"]'
            for one in inside:
                if isinstance(one, Conclusion):
                    yield self._way(self.fresh("c"), words, one)
                    continue
                found = self.fresh("f")
                yield f'{found}["{label(one.id)}<br/>{label(words.sentence(one.says))}"]:::finding'
                for place, option in enumerate(pack.options.get(one.id, ()), start=1):
                    taken = self.fresh("o")
                    yield self._way(taken, words, option)
                    self.edges.append(f"{found} -->|{place}| {taken}")
            yield "end"
        self.edges += [f"{one} ==> {after}" for one, after in pairwise(groups)]

    def ends(self) -> Iterator[str]:
        """The verdicts and queues that something ends in."""
        for text, name in self._ends.items():
            yield f'{name}(["{label(text)}"]):::verdict'

    def _way(self, name: str, words: _Words, way: Option | Conclusion) -> str:
        steps = list(words.steps(way))
        if way.end or way.escalate:
            text = way.ending if way.escalate else str(way.end)
            self.edges.append(f"{name} --> {self._ends.setdefault(text, f'v{len(self._ends) + 1}')}")
        waits = any(tier_ == "recommend" for _, _, tier_ in steps)
        style = "escalate" if way.escalate else "recommend" if waits else "automate"
        actions = "".join(f"<br/>{label(action)}" for action in dict.fromkeys(str(step.action) for step, _, _ in steps))
        return f'{name}("{label(way.id)}{actions}"):::{style}'
