"""The planner: the embedded reasoner. It needs no model and gives the same plan for the same case.

Dimension by dimension it takes the first workable option for every finding. An option that ends the case ends it, and
the verdict says what of the plan so far is kept. A finding that cannot be told ends it too, when it is reached: missing
evidence is escalated, never guessed. What the plan then means (`conclusions`) gives the verdict. Last, the actions are
put in order by what they change and what must come before them.

Where a pack leaves the choice open (`choice: any`), another option that works can be picked: `nodes.derivation` goes
through all of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from nodes.case import Case
from nodes.draft import End, Part, draft
from nodes.letters import Letter
from nodes.pack import Conclusion, Option, Step, Way
from nodes.reasoning.task import Task
from systems.catalogue import Catalogue
from systems.conditions import Unknown

#: Each of so many findings is tried in another place of the queue; the work grows with their number times that of all.
MOST_SWAPPED = 12
#: the id of its plan among those that follow from a case
PLANNERS = "plan-1"
#: a finding that leaves a choice: its id, and which one of that id it is, from 0
Point = tuple[str, int]
NO_PICKS: Mapping[Point, str] = MappingProxyType({})


@dataclass
class Progress:
    """The plan so far."""

    #: the options to take where the pack leaves the choice open; the first that works elsewhere
    picks: Mapping[Point, str] = field(default_factory=dict)
    #: the options that worked where the choice is open, the one that was taken first
    choices: dict[Point, list[str]] = field(default_factory=dict)
    #: text -> the letter that it is
    letters: dict[str, Letter] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    unmet: dict[str, list[Any]] = field(default_factory=dict)
    alternatives: list[dict[str, str]] = field(default_factory=list)

    def planned(self) -> Counter[str]:
        """How many actions of each name are planned."""
        return Counter(action["name"] for part in self.parts for action in part.actions)


@dataclass(frozen=True)
class Composed:
    """A draft, and what it was made of."""

    draft: dict[str, Any]
    #: step of the plan, from 0 -> the letter that is its text
    letters: Mapping[int, Letter]
    #: in the order in which they came up; the option that was taken first
    choices: Mapping[Point, Sequence[str]]


class Planner:
    """Composes the options for all findings into one ordered plan."""

    name = "planner"
    version = "planner"
    asked = 2

    def propose(self, task: Task) -> dict[str, Any]:
        """A draft of a proposal; see `nodes.state.Reasoner`."""
        return {**compose(task.case, task.findings, task.catalogue).draft, "of": PLANNERS}


def compose(
    case: Case, findings: Sequence[Mapping[str, Any]], catalogue: Catalogue, picks: Mapping[Point, str] = NO_PICKS
) -> Composed:
    """The options for all findings as one ordered plan; `picks` are options for findings of which the pack leaves the choice."""
    progress = Progress(picks)
    case.stock.put_back()
    case.plan_so_far({}, progress.unmet)
    try:
        end = _options(case, findings, progress) or _conclude(case, progress)
    except Unknown as unknown:
        end = _lacking(case, case.lacking(unknown), progress)
    made = draft(case, end, progress.parts, progress.alternatives, catalogue)
    letters = {}
    for step, action in enumerate(made["plan"]):
        for value in action["args"].values():
            if isinstance(value, str) and value in progress.letters:
                letters[step] = progress.letters[value]
    return Composed(made, letters, progress.choices)


def escalation(case: Case, queue: str, says: str, cites: Sequence[str], catalogue: Catalogue) -> dict[str, Any]:
    """The draft that escalates the case to a queue: whatever else was found, nothing else is proposed."""
    part = Part("escalation", says, [], cites)
    return draft(case, End("escalate", queue), [part], [], catalogue)


def _options(case: Case, findings: Sequence[Mapping[str, Any]], progress: Progress) -> End | None:
    for finding_id, found in groupby(findings, key=itemgetter("id")):
        if finding_id in case.pack.options:
            elements = list(found)
            clause = case.pack.priority(finding_id)
            others = clause is not None and _another_order_differs(case, elements)
            end = _meet(case, elements, progress)
            if end:
                return end
            if clause and others:
                progress.parts.append(Part(finding_id, "Another order of priority would have given another plan.", [], [clause]))
        else:
            for finding in found:
                if finding["lacking"]:
                    return _lacking(case, finding["lacking"], progress)
    return None


def _meet(case: Case, findings: Sequence[Mapping[str, Any]], progress: Progress) -> End | None:
    """Take the first workable option for each of the findings, one after the other."""
    for place, finding in enumerate(findings):
        if finding["lacking"]:
            return _lacking(case, finding["lacking"], progress)
        options: Sequence[Option] = case.pack.options[finding["id"]]
        if finding["id"] in case.pack.open_choices:
            options = _choice(case, finding, place, progress)
        lost = []
        for option in options:
            bound = _workable(case, option, finding["about"])
            if bound is None:
                lost.append(case.sentence(option.otherwise, finding["about"]))
                progress.alternatives.append({"option": option.id, "for": finding["id"], "lost_because": lost[-1]})
                continue
            said = case.sentence(option.says, bound) if option.says else ""
            end = _take(case, option, finding["id"], " ".join([finding["says"], said]).strip(), bound, progress)
            if option.takes:
                case.stock.take(**{name: case.value(raw, bound) for name, raw in option.takes.items()})
            if end:
                return end
            break
        else:
            progress.unmet.setdefault(finding["id"], []).extend(finding["about"].values())
            progress.parts.append(Part(finding["id"], f"{finding['says']} Nothing helps: {'; '.join(lost)}.", [], []))
    return None


def _choice(case: Case, finding: Mapping[str, Any], place: int, progress: Progress) -> Sequence[Option]:
    """The options of a finding that leaves the choice: those that do not work, then the one that is picked, else the first."""
    lost, works = list[Option](), list[Option]()
    for option in case.pack.options[finding["id"]]:
        try:
            (lost if _workable(case, option, finding["about"]) is None else works).append(option)
        except Unknown:
            if not works:
                raise
    if not works:
        return lost
    point = (finding["id"], place)
    taken = next((option for option in works if option.id == progress.picks.get(point)), works[0])
    others = [option for option in works if option is not taken]
    progress.choices[point] = [taken.id, *(option.id for option in others)]
    because = f"it works too, and {taken.id} was chosen"
    progress.alternatives += [{"option": one.id, "for": finding["id"], "lost_because": because} for one in others]
    return [*lost, taken]


def _another_order_differs(case: Case, findings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the findings, met in another order, would have got something else."""
    taken = case.stock.taken()

    def plan(order: Sequence[Mapping[str, Any]]) -> set[str]:
        trial = Progress()
        _meet(case, order, trial)
        case.stock.put_back(taken)
        return {repr(part.actions) for part in trial.parts if part.actions}

    here = plan(findings)
    return any(plan(order) != here for order in _other_orders(findings))


def _other_orders(found: Sequence[Mapping[str, Any]]) -> Iterable[Sequence[Mapping[str, Any]]]:
    """All reversed, two neighbours swapped, one served first, one served last; of many findings, those of the first few.

    Of 100,000 random cases of up to five claims on up to three places there was none in which these gave the same plan
    and another permutation another one; without the last two there were 1%.
    """
    if len(found) > 1:
        yield found[::-1]
    for i in range(min(len(found) - 1, MOST_SWAPPED)):
        yield [*found[:i], found[i + 1], found[i], *found[i + 2 :]]
    if len(found) > 2:
        for i in range(min(len(found), MOST_SWAPPED)):
            others = [*found[:i], *found[i + 1 :]]
            yield [found[i], *others]
            yield [*others, found[i]]


def _conclude(case: Case, progress: Progress) -> End:
    for conclusion in case.pack.conclusions:
        case.plan_so_far(progress.planned(), progress.unmet)
        for bound in case.elements(conclusion.each):
            if case.holds(conclusion.when, bound):
                end = _take(case, conclusion, conclusion.id, case.sentence(conclusion.says, bound), bound, progress)
                if end:
                    return end
    return _lacking(case, ["no conclusion of the pack fits"], progress)


def _workable(case: Case, option: Option, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the option binds if it is workable, else None."""
    if not case.holds(option.when, about):
        return None
    return next(case.elements(option.choose, about), None)


def _take(
    case: Case, way: Option | Conclusion, finding: str, says: str, bound: Mapping[str, Any], progress: Progress
) -> End | None:
    actions, cites = _actions(case, way, bound, progress)
    if way.escalate:
        progress.parts = [Part(finding, says, [], cites)]
        return End("escalate", way.escalate)
    if way.end:
        keeps = case.pack.verdicts[way.end].keeps
        progress.parts = [part for part in progress.parts if keeps is None or part.finding in keeps]
    progress.parts.append(Part(finding, says, actions, cites, case.value(way.part, bound)))
    return End(way.end) if way.end else None


def _actions(case: Case, way: Way, bound: Mapping[str, Any], progress: Progress) -> tuple[list[dict[str, Any]], list[str]]:
    actions: list[dict[str, Any]] = []
    cites = dict.fromkeys(way.cites)
    for step in way.do:
        for done, clauses in _perform(case, step, bound, progress):
            actions.append(done)
            cites.update(dict.fromkeys(clauses))
    return actions, list(cites)


def _perform(
    case: Case, step: Step, bound: Mapping[str, Any], progress: Progress
) -> Iterable[tuple[dict[str, Any], Sequence[str]]]:
    for here in case.elements(step.each, bound):
        if not case.holds(step.if_, here):
            continue
        args = {name: _argument(case, raw, here, progress) for name, raw in step.args.items()}
        if step.action:
            yield {"name": step.action, "args": args}, step.cites
        else:
            for inner in case.pack.procedures[str(step.procedure)].do:
                yield from _perform(case, inner, {**here, **args}, progress)


def _argument(case: Case, raw: Any, bound: Mapping[str, Any], progress: Progress) -> Any:
    if not isinstance(raw, dict) or raw.keys() != {"draft"}:
        return case.value(raw, bound)
    letter = case.letter(raw["draft"], bound)
    progress.letters[text := letter.filled] = letter
    return text


def _lacking(case: Case, lacking: Sequence[str], progress: Progress) -> End:
    says = f"It cannot be decided: {'; '.join(lacking)}."
    progress.parts = [Part("evidence.missing", says, [], case.pack.missing.cites)]
    return End("escalate", case.pack.missing.escalate)
