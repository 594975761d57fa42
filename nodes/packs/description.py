"""A pack in words for people, with the numbers of the clauses in force: its outline as branches, and its flowchart in Mermaid."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

from nodes.governance import GIVEN_AWAY, tier
from nodes.pack import GIVEN, Conclusion, Finding, Option, Pack, Step, Way
from nodes.packs.hints import reached
from systems.catalogue import Catalogue

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
)  # fmt: skip
_TEXT = re.compile(r"('[^']*')")
_CLAUSE_VALUE = re.compile(r"\b([A-Z]+)_(\d+)\.(\w+)")
_HOLE = re.compile(r"\{([^{}]+)\}")


def condition(source: str, values: Values) -> str:
    """A condition with words for its signs, and beside every clause value the value in force: FRD-2 elevated (0.4)."""

    def valued(match: re.Match[str]) -> str:
        family, number, name = match.groups()
        known = values.get(f"{family}_{number}", {}).get(name)
        return f"{family}-{number} {name}" + (f" ({_shown(name, known)})" if known is not None else "")

    pieces = _TEXT.split(" ".join(source.split()))
    for place in range(0, len(pieces), 2):  # texts stand between
        for sign, word in _WORDS:
            pieces[place] = re.sub(sign, word, pieces[place])
        pieces[place] = _CLAUSE_VALUE.sub(valued, pieces[place])
    return "".join(pieces).strip()


def sentence(source: str, values: Values) -> str:
    """A `says` with the values of clauses in place of their holes; facts stay holes."""

    def filled(hole: re.Match[str]) -> str:
        match = _CLAUSE_VALUE.fullmatch(hole[1])
        known = values.get(f"{match[1]}_{match[2]}", {}).get(match[3]) if match else None
        return hole[0] if known is None else _shown(match[3] if match else "", known)

    return _HOLE.sub(filled, " ".join(source.split()))


def doings(pack: Pack, way: Way, catalogue: Catalogue, automate: Mapping[str, Any], values: Values) -> Iterator[str]:
    """Every action of an option or conclusion with its tier, those of procedures among them."""
    for step, given in spelled_out(pack, way.do):
        args = {name: _source(raw) for name, raw in given.items()}
        action = {"name": str(step.action), "args": given}
        when = f", if {condition(step.if_, values)}" if step.if_ != "true" else ""
        each = "".join(f", for each {name} of {condition(source, values)}" for name, source in step.each.items())
        says = catalogue[str(step.action)].says.format_map(args)
        yield f"{step.action} ({tier(action, automate)}): {says}{each}{when}{_cites(step.cites)}"


def spelled_out(pack: Pack, do: Sequence[Step]) -> Iterator[tuple[Step, Mapping[str, Any]]]:
    """Every action step with its arguments; a procedure's steps have what the procedure was given."""
    for step in do:
        if step.procedure is None:
            yield step, step.args
            continue
        for inner in pack.procedures[step.procedure].do:
            args = {name: _with_given(raw, step.args) for name, raw in inner.args.items()}
            if_ = " && ".join(f"({one})" for one in (step.if_, inner.if_) if one != "true")
            each = {**step.each, **{name: _put_in(source, step.args) for name, source in inner.each.items()}}
            yield inner.model_copy(update={"if_": _put_in(_bare(if_), step.args) or "true", "each": each}), args


def _with_given(raw: Any, given: Mapping[str, Any]) -> Any:
    """An argument of a procedure's step, where the procedure was given arguments of its own."""
    if not _computed(raw):
        return raw
    return given[raw[1:]] if raw[1:] in given else f"={_put_in(raw[1:], given)}"


def _put_in(source: str, given: Mapping[str, Any]) -> str:
    """An expression with what computed arguments are computed from in place of their names."""
    for name, raw in given.items():
        if _computed(raw):
            source = re.sub(rf"(?<![.\w']){re.escape(name)}(?![\w'(])", raw[1:].strip(), source)
    return source


def _bare(source: str) -> str:
    """One condition alone needs no brackets."""
    return source[1:-1] if source.startswith("(") and ") && (" not in source else source


def _ending(way: Way) -> str:
    """How a case goes on after an option or conclusion."""
    if way.escalate:
        return f"escalate to {way.escalate}"
    return f"verdict {way.end}" if way.end else "goes on"


def approval_in_words(pack: Pack, values: Values) -> Iterator[str]:
    """Who approves a plan, by the clauses in force."""
    rule = pack.approval
    alone, base = _of(rule.automate, values), _of(rule.base, values)
    yield f"no one: a plan of {', '.join(alone['automate'])} only ({rule.automate})"
    for action, templates in alone["automate_templates"].items():
        yield f"no one: {action} with {', '.join(templates)} ({rule.automate})"
    yield f"{base['role']}: every other plan, at least ({rule.base})"
    for clause, counted in ((rule.bands, "at stake"), (rule.costs, "given away")):
        for band in _of(clause, values)["bands"]:
            up_to = f"up to {_shown('_cents', band['up_to_cents'])} {counted}" if "up_to_cents" in band else "above that"
            yield f"{_approvers(band)}: {up_to} ({clause})"
    for clause in rule.limits:
        for one in _of(clause, values)["limits"]:
            per, days = one["per"], "day" if one["days"] == 1 else f"{one['days']} days"
            more = f"above {_shown('_cents', one['most_cents'])} {one.get('counts', GIVEN_AWAY)} per {per} in a {days}"
            yield f"{_approvers(one)}: {more} ({clause})"
    for one in rule.raises:
        yield f"{_of(one.clause, values)['role']}, at least: {one.for_} if {condition(one.that, values)} ({one.clause})"
    yield "a person other than the editor: every edited plan"
    if rule.own:
        actions = ", ".join(_of(rule.own.clause, values)["own_wording"])
        yield f"who edited it, if {rule.own.owner.removeprefix('=')} and only the tone of {actions} ({rule.own.clause})"


def _approvers(rule: Mapping[str, Any]) -> str:
    return f"{rule['role']}{', two different people' if rule.get('four_eyes') else ''}"


def _of(clause: str, values: Values) -> Mapping[str, Any]:
    return values[clause.replace("-", "_")]


def _shown(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"${value / 100:,.2f}" if name.endswith("_cents") and isinstance(value, int) else str(value)


def _source(raw: Any) -> Any:
    """An argument as it is, or what it is computed from, in braces."""
    return f"{{{raw[1:].strip()}}}" if _computed(raw) else raw


def _cites(clauses: Sequence[str]) -> str:
    return f" ({', '.join(clauses)})" if clauses else ""


def _computed(raw: Any) -> bool:
    return isinstance(raw, str) and raw.startswith("=")


@dataclass(frozen=True)
class Branch:
    """A line and what belongs under it; `kind` says how a screen shows it: heading, finding, option, detail."""

    text: str
    children: Sequence["Branch"] = field(default=())
    kind: str = "detail"


def outline(pack: Pack, flow: Sequence[str], catalogue: Catalogue, values: Values) -> Branch:
    """A pack, its parts each in full; `flow` are the lines that say how a run flows."""
    head = Branch("How a run flows", _leaves(flow), "heading")
    books = [
        f"`missions run {one.event} --all`{f', and automatically at {one.schedule} (UTC)' if one.schedule else ''}"
        f": every {one.field} of {one.tool}"
        for one in (part.book for part in pack.and_parts)
        if one
    ]
    if pack.parts:
        middle = [Branch(f"Part {name}", list(_inside(part, catalogue, values)), "heading") for name, part in pack.parts.items()]
    else:
        middle = list(_inside(pack, catalogue, values))
    end = [
        Branch("Who approves", _leaves(approval_in_words(pack, values)), "heading"),
        Branch(f"Cases with missing data go to {pack.missing.escalate} ({', '.join(pack.missing.cites)})", (), "heading"),
        *(Branch(text, (), "heading") for text in books),
    ]
    title = f"{pack.mission}: {pack.title}, version {pack.version}, {pack.digest}"
    return Branch(title, [head, *middle, *end], "heading")


def _inside(pack: Pack, catalogue: Catalogue, values: Values) -> Iterator[Branch]:
    automate = values[pack.approval.automate.replace("-", "_")]
    events = [f"{event}, about {subject}" for event, subject in pack.trigger.events.items()]
    yield Branch("Begins with", _leaves(events), "heading")
    yield Branch("Reads", _leaves(_reads(pack)), "heading")
    if pack.let:
        lets = [f"{name}: {condition(source, values)}" for name, source in pack.let.items()]
        yield Branch("Names", _leaves(lets), "heading")
    dimensions = []
    for dimension, findings in pack.findings.items():
        found = [_finding(pack, finding, catalogue, automate, values) for finding in findings]
        dimensions.append(Branch(dimension, found, "heading"))
    yield Branch("Looks at, one after the other", dimensions, "heading")
    if pack.conclusions:
        concluded = [_conclusion(pack, one, catalogue, automate, values) for one in pack.conclusions]
        yield Branch("Then concludes, until one ends the case", concluded, "heading")
    ends = reached(pack)
    verdicts = [f"{name}: {verdict.says}{_kept(verdict.keeps)}" for name, verdict in pack.verdicts.items() if name in ends]
    yield Branch("Verdicts", _leaves(verdicts), "heading")
    guards = [
        f"{guard.for_} only if {condition(guard.that, values)}: {guard.says}{_cites([guard.cites] if guard.cites else [])}"
        for guard in pack.guards
    ]
    if guards:
        yield Branch("Guards", _leaves(guards), "heading")
    if pack.model:
        seen = [f"{name}: {', '.join(fields)}" for name, fields in pack.model.sees.items()]
        asked = [f"{name}, if it asks for it: {', '.join(one.sees)} of {one.tool}" for name, one in pack.model.may_read.items()]
        yield Branch("A language model sees", _leaves([*seen, *asked]), "heading")


def _reads(pack: Pack) -> Iterator[str]:
    for name, read in pack.reads.items():
        named = {one for raw in read.args.values() if raw in pack.expressions for one in pack.expressions[raw].names}
        after = [one for one in pack.reads if one in named - GIVEN]
        waits = f", after {', '.join(after)}" if after else ""
        absent = ", or its replacement" if read.if_absent is not None else ""
        system, _, tool = read.tool.partition(".")
        yield f"{name}: {tool} of {system}{waits}{absent}"


def _finding(pack: Pack, finding: Finding, catalogue: Catalogue, automate: Mapping[str, Any], values: Values) -> Branch:
    options = pack.options.get(finding.id, ())
    inside = [
        *_leaves(_whether(finding, values)),
        *(_option(pack, one, place, catalogue, automate, values) for place, one in enumerate(options, start=1)),
    ]
    if finding.choice == "any":
        inside.insert(0, Branch("any option that works may be chosen; the first one by default"))
    if finding.priority:
        inside.insert(0, Branch(f"served in the order of {finding.priority}"))
    return Branch(f"{finding.id}: {sentence(finding.says, values)}", inside, "finding")


def _option(pack: Pack, option: Option, place: int, catalogue: Catalogue, automate: Mapping[str, Any], values: Values) -> Branch:
    when = [f"if {condition(option.when, values)}"] if option.when != "true" else []
    chosen = [f"with the first {name} of {condition(source, values)}" for name, source in option.choose.items()]
    inside = [
        *([", ".join([*when, *chosen])] if when or chosen else []),
        *doings(pack, option, catalogue, automate, values),
        *([f"a part of the plan by itself: {option.part.removeprefix('=')}"] if option.part else []),
    ]
    return Branch(f"{place}. {option.id} → {_ending(option)}{_cites(option.cites)}", _leaves(inside), "option")


def _conclusion(pack: Pack, conclusion: Conclusion, catalogue: Catalogue, automate: Mapping[str, Any], values: Values) -> Branch:
    inside = [*_whether(conclusion, values), *doings(pack, conclusion, catalogue, automate, values)]
    says = sentence(conclusion.says, values)
    return Branch(f"{conclusion.id} → {_ending(conclusion)}{_cites(conclusion.cites)}: {says}", _leaves(inside), "finding")


def _whether(one: Finding | Conclusion, values: Values) -> Iterator[str]:
    for name, source in one.each.items():
        yield f"for each {name} of {condition(source, values)}"
    if one.when != "true":
        yield f"if {condition(one.when, values)}"


def _kept(keeps: Sequence[str] | None) -> str:
    if keeps is None:
        return ""
    return f" Of the steps planned so far, only {', '.join(keeps)} is kept." if keeps else " No step planned so far is kept."


def _leaves(texts: Iterable[str]) -> list[Branch]:
    return [Branch(text) for text in texts]


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
        automate = self.values[pack.approval.automate.replace("-", "_")]
        groups = []
        for dimension, findings in pack.findings.items():
            groups.append(self.fresh("d"))
            yield f'subgraph {groups[-1]}["{label(dimension)}"]'
            for finding in findings:
                found = self.fresh("f")
                yield f'{found}["{label(finding.id)}<br/>{label(sentence(finding.says, self.values))}"]:::finding'
                for place, option in enumerate(pack.options.get(finding.id, ()), start=1):
                    taken = self.fresh("o")
                    yield self._way(taken, option.id, pack, option, automate)
                    self.edges.append(f"{found} -->|{place}| {taken}")
            yield "end"
        if pack.conclusions:
            groups.append(self.fresh("d"))
            yield f'subgraph {groups[-1]}["{label("then")}"]'
            for conclusion in pack.conclusions:
                yield self._way(self.fresh("c"), conclusion.id, pack, conclusion, automate)
            yield "end"
        self.edges += [f"{one} ==> {after}" for one, after in pairwise(groups)]

    def ends(self) -> Iterator[str]:
        """The verdicts and queues that something ends in."""
        for text, name in self._ends.items():
            yield f'{name}(["{label(text)}"]):::verdict'

    def _way(self, name: str, title: str, pack: Pack, way: Way, automate: Mapping[str, Any]) -> str:
        steps = list(spelled_out(pack, way.do))
        tiers = [tier({"name": step.action, "args": args}, automate) for step, args in steps]
        if way.end or way.escalate:
            text = f"escalate to {way.escalate}" if way.escalate else str(way.end)
            self.edges.append(f"{name} --> {self._ends.setdefault(text, f'v{len(self._ends) + 1}')}")
        style = "escalate" if way.escalate else "recommend" if "recommend" in tiers else "automate"
        actions = "".join(f"<br/>{label(action)}" for action in dict.fromkeys(str(step.action) for step, _ in steps))
        return f'{name}("{label(title)}{actions}"):::{style}'
