"""The outline of a pack: everything that it says, as branches, for a screen or a page to draw."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodes.pack import GIVEN, Book, Conclusion, Finding, ModelSight, Option, Pack
from nodes.packs import words
from nodes.packs.hints import reached
from systems.catalogue import Catalogue


@dataclass(frozen=True)
class Branch:
    """A line and what belongs under it; `kind` tells a screen how to show it: heading, finding, option, detail."""

    text: str
    children: Sequence["Branch"] = field(default=())
    kind: str = "detail"


def outline(pack: Pack, flow: Sequence[str], catalogue: Catalogue, values: words.Values) -> Branch:
    """A pack, its parts each in full; `flow` are the lines that tell how a run flows."""
    head = Branch("How a run flows", _leaves(flow), "heading")
    book = [part.book for part in pack.and_parts if part.book]
    if pack.parts:
        middle = [Branch(f"Part {name}", list(_inside(part, catalogue, values)), "heading") for name, part in pack.parts.items()]
    else:
        middle = list(_inside(pack, catalogue, values))
    end = [
        Branch("Who approves", _leaves(words.approval(pack, values)), "heading"),
        Branch(f"Cases with missing data go to {pack.missing.escalate} ({', '.join(pack.missing.cites)})", (), "heading"),
        *(Branch(f"{_opened(one)}: every {one.field} of {one.tool}", (), "heading") for one in book),
    ]
    title = f"{pack.mission}: {pack.title}, version {pack.version}, {pack.digest}"
    return Branch(title, [head, *middle, *end], "heading")


def _opened(book: Book) -> str:
    by_itself = f", and automatically at {book.schedule} (UTC)" if book.schedule else ""
    return f"`missions run {book.event} --all`{by_itself}"


def _inside(pack: Pack, catalogue: Catalogue, values: words.Values) -> Iterator[Branch]:
    automate = values[pack.approval.automate.replace("-", "_")]
    events = [f"{event}, about {subject}" for event, subject in pack.trigger.events.items()]
    yield Branch("Begins with", _leaves(events), "heading")
    yield Branch("Reads", _leaves(_reads(pack)), "heading")
    if pack.let:
        lets = [f"{name}: {words.condition(source, values)}" for name, source in pack.let.items()]
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
        f"{guard.for_} only if {words.condition(guard.that, values)}: {guard.says}{f' ({guard.cites})' if guard.cites else ''}"
        for guard in pack.guards
    ]
    if guards:
        yield Branch("Guards", _leaves(guards), "heading")
    if pack.model:
        yield Branch("A language model sees", _leaves(_seen(pack.model)), "heading")


def _seen(model: ModelSight) -> Iterator[str]:
    for name, fields in model.sees.items():
        yield f"{name}: {', '.join(fields)}"
    for name, extra in model.may_read.items():
        yield f"{name}, if it asks for it: {', '.join(extra.sees)} of {extra.tool}"


def _reads(pack: Pack) -> Iterator[str]:
    for name, read in pack.reads.items():
        named = {one for raw in read.args.values() if raw in pack.expressions for one in pack.expressions[raw].names}
        after = [one for one in pack.reads if one in named - GIVEN]
        waits = f", after {', '.join(after)}" if after else ""
        absent = ", or its replacement" if read.if_absent is not None else ""
        system, _, tool = read.tool.partition(".")
        yield f"{name}: {tool} of {system}{waits}{absent}"


def _finding(pack: Pack, finding: Finding, catalogue: Catalogue, automate: Mapping[str, Any], values: words.Values) -> Branch:
    options = pack.options.get(finding.id, ())
    inside = [
        *_leaves(_whether(finding, values)),
        *(_option(pack, one, place, catalogue, automate, values) for place, one in enumerate(options, start=1)),
    ]
    if finding.choice == "any":
        inside.insert(0, Branch("any option that works may be chosen; the first one by default"))
    if finding.priority:
        inside.insert(0, Branch(f"served in the order of {finding.priority}"))
    return Branch(f"{finding.id}: {words.sentence(finding.says, values)}", inside, "finding")


def _option(
    pack: Pack, option: Option, place: int, catalogue: Catalogue, automate: Mapping[str, Any], values: words.Values
) -> Branch:
    cites = f" ({', '.join(option.cites)})" if option.cites else ""
    conditions = words.option(option, values)
    inside = [
        *([conditions] if conditions else []),
        *words.doings(pack, option, catalogue, automate, values),
        *([f"a part of the plan by itself: {option.part.removeprefix('=')}"] if option.part else []),
    ]
    return Branch(f"{place}. {option.id} → {words.ending(option)}{cites}", _leaves(inside), "option")


def _conclusion(
    pack: Pack, conclusion: Conclusion, catalogue: Catalogue, automate: Mapping[str, Any], values: words.Values
) -> Branch:
    cites = f" ({', '.join(conclusion.cites)})" if conclusion.cites else ""
    inside = [*_whether(conclusion, values), *words.doings(pack, conclusion, catalogue, automate, values)]
    says = words.sentence(conclusion.says, values)
    return Branch(f"{conclusion.id} → {words.ending(conclusion)}{cites}: {says}", _leaves(inside), "finding")


def _whether(one: Finding | Conclusion, values: words.Values) -> Iterator[str]:
    for name, source in one.each.items():
        yield f"for each {name} of {words.condition(source, values)}"
    if one.when != "true":
        yield f"if {words.condition(one.when, values)}"


def _kept(keeps: Sequence[str] | None) -> str:
    if keeps is None:
        return ""
    return f" Of the steps planned so far, only {', '.join(keeps)} is kept." if keeps else " No step planned so far is kept."


def _leaves(texts: Iterable[str]) -> list[Branch]:
    return [Branch(text) for text in texts]
