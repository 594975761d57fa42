"""One recorded exception side by side: what was expected, what came out, of one run or of two, step by step.

For pages, reports and notebooks, which have the classes (m-…) in style sheets of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from evals.evaluation.answers import CaseAnswer, PlanStep
from rendering import chip, dollars, in_words, joined, markup, plain, words

Counting = Mapping[str, Sequence[str]]
State = Literal["same", "arguments", "extra", "missing", "unknown"]

_STATES: Mapping[State, tuple[str, str]] = {
    "same": ("", ""),
    "unknown": ("", ""),
    "arguments": ("warn", "other arguments"),
    "extra": ("bad", "not expected"),
    "missing": ("bad", "missing"),
}


@dataclass(frozen=True)
class Place:
    """A step of a plan with its place in it, from 1; `state` says how it compares with what was expected."""

    number: int
    step: PlanStep
    state: State


@dataclass(frozen=True)
class Line:
    """One action through all answers: expected (None where it was not), and what each answer has of it."""

    expected: Place | None
    given: tuple[Place | None, ...]


def aligned(expected: CaseAnswer | None, answers: Sequence[CaseAnswer], counting: Counting) -> list[Line]:
    """The steps of all answers beside those expected: the same action first, then one of the same name, then the rest."""
    wanted = list(expected.actions) if expected else []
    found: list[list[Place | None]] = [[None] * len(answers) for _ in wanted]
    rests: list[tuple[int, Place]] = []
    alikes: Sequence[tuple[State, Callable[[PlanStep, PlanStep, Counting], bool]]] = (
        ("same", _same),
        ("arguments", lambda one, other, _: one.name == other.name),
    )
    for column, answer in enumerate(answers):
        rest = list(enumerate(answer.actions, start=1))
        for state, alike in alikes:
            for line, step in enumerate(wanted):
                match = (
                    next((one for one in rest if alike(step, one[1], counting)), None) if found[line][column] is None else None
                )
                if match:
                    rest.remove(match)
                    found[line][column] = Place(*match, state)
        rests += [(column, Place(*one, "extra" if expected else "unknown")) for one in rest]
    lines = [Line(Place(number, step, "same"), tuple(found[number - 1])) for number, step in enumerate(wanted, start=1)]
    return lines + _further(rests, len(answers), counting)


def _further(rests: Sequence[tuple[int, Place]], width: int, counting: Counting) -> list[Line]:
    """What was not expected: the same action of two answers stands in one line."""
    lines: list[list[Place | None]] = []
    for column, place in rests:
        for line in lines:
            other = next(one for one in line if one)
            if line[column] is None and _same(other.step, place.step, counting):
                line[column] = place
                break
        else:
            lines.append([place if column == at else None for at in range(width)])
    return [Line(None, tuple(line)) for line in lines]


def _same(one: PlanStep, other: PlanStep, counting: Counting) -> bool:
    return one.name == other.name and all(one.args.get(name) == other.args.get(name) for name in _counting(one, counting))


def _counting(step: PlanStep, counting: Counting) -> Sequence[str]:
    return counting.get(step.name, sorted(step.args))


def out_of_order(expected: CaseAnswer, lines: Sequence[Line], column: int) -> list[str]:
    """A sentence for each pair of steps that an answer has the other way round."""
    messages = []
    for first, then in expected.before:
        if first >= len(expected.actions) or then >= len(expected.actions):
            continue
        one, other = lines[first].given[column], lines[then].given[column]
        if one and other and one.number > other.number:
            messages.append(f"{words(plain(one.step.name, 60))} must come before {words(plain(other.step.name, 60))}")
    return messages


def side_by_side(expected: CaseAnswer | None, answers: Sequence[CaseAnswer], titles: Sequence[str], counting: Counting) -> Markup:
    """A table: what was expected, and a column for each answer."""
    lines = aligned(expected, answers, counting)
    heads = joined(markup("<th>{}</th>", title) for title in (["expected"] if expected else []) + [*titles])
    rows = [markup("<tr><th></th>{}</tr>", heads)]
    columns = ([expected] if expected else []) + [*answers]
    rows.append(_row("verdict", [_verdict(one, expected) for one in columns]))
    rows += [_steps(number, line, expected is not None, counting) for number, line in enumerate(lines)]
    if not lines:
        rows.append(_row("actions", [markup('<span class="m-dim">none</span>')] * len(columns)))
    if expected:
        orders = [out_of_order(expected, lines, column) for column in range(len(answers))]
        late = [joined(markup('<div class="m-off">{}</div>', text) for text in messages) for messages in orders]
        if any(late):
            rows.append(_row("order", [Markup(""), *late]))
    rows.append(_row("approval", [_approval(one, expected) for one in columns]))
    rows.append(_row("cites", [_cites(one, expected) for one in columns]))
    stakes = ["" if one.money_at_stake_cents is None else dollars(one.money_at_stake_cents) for one in columns]
    rows.append(_row("at stake", [markup("{}", stake) for stake in stakes]))
    return markup('<table class="m-table m-eval m-sides m-sides-{}">{}</table>', len(columns), joined(rows))


def _row(name: str, cells: Sequence[Markup]) -> Markup:
    return markup("<tr><th>{}</th>{}</tr>", name, joined(markup("<td>{}</td>", cell) for cell in cells))


def _steps(number: int, line: Line, known: bool, counting: Counting) -> Markup:
    against = line.expected.step if line.expected else None
    cells = [_step(line.expected, None, counting, known=False)] if known else []
    cells += [_step(place, against, counting, known) for place in line.given]
    return _row("actions" if not number else "", cells)


def _step(place: Place | None, against: PlanStep | None, counting: Counting, known: bool) -> Markup:
    if place is None:
        return chip("missing", "bad") if known and against else Markup("")
    kind, remark = _STATES[place.state]
    arguments = joined(_argument(name, value, against, place.step, counting) for name, value in place.step.args.items())
    note = markup(" {}", chip(remark, kind)) if remark else Markup("")
    name = words(plain(place.step.name, 60))
    return markup('<span class="m-dim m-num">{}.</span> {}{}<div class="m-args">{}</div>', place.number, name, note, arguments)


def _argument(name: str, value: object, against: PlanStep | None, step: PlanStep, counting: Counting) -> Markup:
    off = against is not None and name in _counting(step, counting) and against.args.get(name) != value
    return markup(
        '<div class="{}">{}: {}</div>',
        "m-off" if off else "",
        words(plain(name.removesuffix("_cents"), 60)),
        in_words(name, value),
    )


def _verdict(answer: CaseAnswer, expected: CaseAnswer | None) -> Markup:
    off = expected is not None and answer.verdict != expected.verdict
    return markup('<b class="{}">{}</b>', "m-off" if off else "", words(plain(answer.verdict, 60)))


def _approval(answer: CaseAnswer, expected: CaseAnswer | None) -> Markup:
    off = expected is not None and (answer.role, answer.four_eyes) != (expected.role, expected.four_eyes)
    return markup('<span class="{}">{}</span>', "m-off" if off else "", plain(answer.approval, 60))


def _cites(answer: CaseAnswer, expected: CaseAnswer | None) -> Markup:
    """Clauses that are not expected stand out; those that are missing are named too."""
    wanted = set(expected.cite) if expected else set(answer.cite)
    cited = joined(chip(plain(one, 20), "" if one in wanted else "warn") + Markup(" ") for one in dict.fromkeys(answer.cite))
    missing = joined(chip(f"{plain(one, 20)} missing", "bad") + Markup(" ") for one in sorted(wanted - set(answer.cite)))
    return cited + missing
