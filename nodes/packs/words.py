"""A pack in words for people: conditions, actions, steps, who approves. The numbers are those of the clauses in force."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nodes.governance import GIVEN, tier
from nodes.pack import Option, Pack, Step, Way
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
    pieces = _TEXT.split(" ".join(source.split()))
    return "".join(piece if i % 2 else _outside_texts(piece, values) for i, piece in enumerate(pieces)).strip()


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
        args = {name: _told(raw) for name, raw in given.items()}
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


def ending(way: Way) -> str:
    """How a case goes on after an option or conclusion."""
    if way.escalate:
        return f"escalate to {way.escalate}"
    return f"verdict {way.end}" if way.end else "goes on"


def option(one: Option, values: Values) -> str:
    """When an option is taken, and what it chooses."""
    when = [f"if {condition(one.when, values)}"] if one.when != "true" else []
    chosen = [f"with the first {name} of {condition(source, values)}" for name, source in one.choose.items()]
    return ", ".join([*when, *chosen])


def approval(pack: Pack, values: Values) -> Iterator[str]:
    """Who approves a plan, by the clauses in force."""
    rule = pack.approval
    alone, base = _of(rule.automate, values), _of(rule.base, values)
    yield f"no one: a plan of {', '.join(alone['automate'])} only ({rule.automate})"
    for action, templates in alone["automate_templates"].items():
        yield f"no one: {action} with {', '.join(templates)} ({rule.automate})"
    yield f"{base['role']}: every other plan, at least ({rule.base})"
    for band in _of(rule.bands, values)["bands"]:
        up_to = f"up to {_shown('_cents', band['up_to_cents'])} at stake" if "up_to_cents" in band else "above that"
        yield f"{band['role']}{', two different people' if band.get('four_eyes') else ''}: {up_to} ({rule.bands})"
    for band in _of(rule.costs, values)["bands"]:
        up_to = f"up to {_shown('_cents', band['up_to_cents'])} given away" if "up_to_cents" in band else "above that"
        yield f"{band['role']}{', two different people' if band.get('four_eyes') else ''}: {up_to} ({rule.costs})"
    for clause in rule.limits:
        for one in _of(clause, values)["limits"]:
            per, days = one["per"], "day" if one["days"] == 1 else f"{one['days']} days"
            more = f"above {_shown('_cents', one['most_cents'])} {one.get('counts', GIVEN)} per {per} in a {days}"
            yield f"{one['role']}{', two different people' if one.get('four_eyes') else ''}: {more} ({clause})"
    for one in rule.raises:
        yield f"{_of(one.clause, values)['role']}, at least: {one.for_} if {condition(one.that, values)} ({one.clause})"
    yield "a person other than the editor: every edited plan"
    if rule.own:
        actions = ", ".join(_of(rule.own.clause, values)["own_wording"])
        yield f"who edited it, if {rule.own.owner.removeprefix('=')} and only the tone of {actions} ({rule.own.clause})"


def _of(clause: str, values: Values) -> Mapping[str, Any]:
    return values[clause.replace("-", "_")]


def _outside_texts(piece: str, values: Values) -> str:
    for sign, word in _WORDS:
        piece = re.sub(sign, word, piece)
    return _CLAUSE_VALUE.sub(lambda match: _clause_value(match, values), piece)


def _clause_value(match: re.Match[str], values: Values) -> str:
    family, number, name = match.groups()
    known = values.get(f"{family}_{number}", {}).get(name)
    told = f" ({_shown(name, known)})" if known is not None else ""
    return f"{family}-{number} {name}{told}"


def _shown(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"${value / 100:,.2f}" if name.endswith("_cents") and isinstance(value, int) else str(value)


def _told(raw: Any) -> Any:
    """An argument as it is, or what it is computed from, in braces."""
    return f"{{{raw[1:].strip()}}}" if _computed(raw) else raw


def _cites(clauses: Sequence[str]) -> str:
    return f" ({', '.join(clauses)})" if clauses else ""


def _computed(raw: Any) -> bool:
    return isinstance(raw, str) and raw.startswith("=")
