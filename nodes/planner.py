"""The planner: the embedded reasoner. It needs no model and gives the same plan for the same case.

Dimension by dimension it takes the first workable option for every finding. An option that ends the case ends it, and
the verdict says what of the plan so far is kept. A finding that is not known ends it too, when it is reached: missing
evidence is escalated, never guessed. What the plan then means (`conclusions`) gives the verdict. Last, the actions are
put in order by what they change and what must come before them.

Where a pack leaves the choice open (`choice: any`), another option that works can be picked: `nodes.derivation` goes
through all of them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from errors import Refused, SendBack
from ledger.records import NewObservation
from nodes.case import Case, PlanSoFar
from nodes.letters import Letter
from nodes.pack import Conclusion, Option, Step
from nodes.state import Task
from systems.catalogue import Catalogue
from systems.conditions import Unknown

#: Each of so many findings is tried in another place of the queue; the work grows with their number times that of all.
MOST_SWAPPED = 12
Found = Mapping[str, Any]
#: a finding that leaves a choice: its id, and which one of that id it is, from 0
Point = tuple[str, int]
NO_PICKS: Mapping[Point, str] = MappingProxyType({})
#: options that cannot be done on the records as they are: why, in words
Passed = Mapping[tuple[Point, str], str]
NONE_PASSED: Passed = MappingProxyType({})


@dataclass(frozen=True)
class Part:
    """What one finding contributed to the plan."""

    finding: str
    says: str
    actions: Sequence[Mapping[str, Any]] = ()
    cites: Sequence[str] = ()
    #: the part of the plan that a person can reject by itself, if it is one
    name: str | None = None
    #: the option that was taken, and of which finding; None of what is no option
    taken: tuple[Point, str] | None = None


@dataclass(frozen=True)
class End:
    """How the case ends, and with what of the plan."""

    verdict: str
    queue: str = ""


@dataclass(frozen=True)
class Composed:
    """A draft, and what it was made of."""

    draft: Mapping[str, Any]
    #: step of the plan, from 0 -> the letter that is its text
    letters: Mapping[int, Letter]
    #: in the order in which they came up; the option that was taken first
    choices: Mapping[Point, Sequence[str]]


#: before what would have been needed, in the rationale of a case that cannot be decided
UNDECIDED = "It cannot be decided: "
#: the plan of each case, as long as there is the case: it follows from that and the catalogue alone
_PLANNED: WeakKeyDictionary[Case, tuple[Catalogue, Composed]] = WeakKeyDictionary()


class Planner:
    """Composes the options for all findings into one ordered plan."""

    name = "planner"
    version = "planner"
    asked = 2

    def propose(self, task: Task) -> dict[str, Any]:
        """A draft of a proposal; see `nodes.state.Reasoner`."""
        return dict(plan_of_rules(task.case, task.catalogue).draft)


def planners_plan(task: Task, because: str) -> dict[str, Any]:
    """The planner's plan, where a model gives none that stands."""
    made = Planner().propose(task)
    return {**made, "author": Planner.name, "said": [NewObservation("propose", "missing", because), *made["said"]]}


def plan_of_rules(case: Case, catalogue: Catalogue) -> Composed:
    """The plan of the planner: made once for a case, whoever asks for it."""
    known = _PLANNED.get(case)
    if known is None or known[0] is not catalogue:
        known = _PLANNED[case] = (catalogue, compose(case, catalogue))
    return known[1]


def compose(case: Case, catalogue: Catalogue, picks: Mapping[Point, str] = NO_PICKS) -> Composed:
    """The options for all findings as one ordered plan; `picks` are options for findings of which the pack leaves the choice.

    An option with a step that cannot be done where it comes in the plan is passed over for the next one of its finding; where
    none is left, the plan stays as it was at first, and the check says what is wrong with it.
    """
    passed = dict[tuple[Point, str], str]()
    first: Composed | None = None
    while True:
        trial = _Trial(case, picks, passed=passed)
        try:
            end = trial.options() or trial.conclude()
        except Unknown as unknown:
            end = trial.lacking(case.lacking(unknown))
        if trial.exhausted and first:
            return first
        made = draft(trial.case, end, trial.parts, trial.alternatives, catalogue)
        texts = ((step, value) for step, action in enumerate(made["plan"]) for value in action["args"].values())
        letters = {step: trial.letters[text] for step, text in texts if isinstance(text, str) and text in trial.letters}
        composed = Composed(made, letters, trial.choices)
        stops = trial.stops(made, catalogue)
        if not stops:
            return composed
        first = first or composed
        passed |= stops


def escalation(case: Case, queue: str, says: str, cites: Sequence[str], catalogue: Catalogue) -> dict[str, Any]:
    """The draft that escalates the case to a queue: whatever else was found, nothing else is proposed."""
    return draft(case, End("escalate", queue), [Part("escalation", says, [], cites)], [], catalogue)


class _Trial:
    """A plan as it comes about, tried on values: `case` is what the case looks like after what is planned so far."""

    def __init__(
        self, case: Case, picks: Mapping[Point, str] = NO_PICKS, plan: PlanSoFar | None = None, passed: Passed = NONE_PASSED
    ) -> None:
        self._picks, self._passed = picks, passed
        #: every option of some finding was tried, and one of them could not be done
        self.exhausted = False
        #: the options that worked where the choice is open, the one that was taken first
        self.choices: dict[Point, list[str]] = {}
        #: text -> the letter that it is
        self.letters: dict[str, Letter] = {}
        self.parts: list[Part] = []
        self.alternatives: list[dict[str, str]] = []
        self._go_on(case, plan or PlanSoFar())

    def stops(self, made: Mapping[str, Any], catalogue: Catalogue) -> Passed:
        """The option whose step is the first of its plan that cannot be done, and why; empty where there is none."""
        taken = {id(action["args"]): part.taken for part in self.parts for action in part.actions}
        world = self.case.records.copy()
        for planned in made["plan"]:
            action, option = catalogue[planned["name"]], taken.get(id(planned["args"]))
            try:
                action.validate(planned["args"])
                seen = action.seen(world, planned["args"])
                if unmet := action.unmet_need(seen):
                    return {option: unmet} if option else {}
                action.apply(world, seen)
            except Refused as error:
                return {option: str(error)} if option else {}
            except (SendBack, Unknown):  # the check says what is wrong
                return {}
        return {}

    def _go_on(self, case: Case, plan: PlanSoFar) -> None:
        self.plan, self.case = plan, case.after(plan)

    def options(self) -> End | None:
        """Meet every finding that has options; the end of the case, where one ends it."""
        for finding_id, elements in groupby(self.case.findings, key=itemgetter("id")):
            found = list(elements)
            if finding_id not in self.case.pack.options:
                lacking = next((finding["lacking"] for finding in found if finding["lacking"]), None)
                if lacking:
                    return self.lacking(lacking)
                continue
            clause = self.case.pack.priorities.get(finding_id)
            others = clause is not None and self._another_order_differs(found)
            if end := self._meet(found):
                return end
            if clause and others:
                says = "Another order of priority would have given another plan."
                self.parts.append(Part(finding_id, says, cites=[clause]))
        return None

    def conclude(self) -> End:
        """What the plan means, and what follows from it."""
        for conclusion in self.case.pack.conclusions:
            actions = Counter(action["name"] for part in self.parts for action in part.actions)
            self._go_on(self.case, replace(self.plan, planned=actions))
            for bound in self.case.elements(conclusion.each):
                if self.case.holds(conclusion.when, bound):
                    end = self._take(conclusion, conclusion.id, self.case.sentence(conclusion.says, bound), bound)
                    if end:
                        return end
        return self.lacking(["no conclusion of the pack fits"])

    def lacking(self, lacking: Sequence[str]) -> End:
        """The end of a case that cannot be decided."""
        missing = self.case.pack.missing
        self.parts = [
            Part(
                "evidence.missing",
                f"{UNDECIDED}{'; '.join(one.removesuffix('.') for one in lacking)}.",
                cites=missing.cites,
            )
        ]
        return End("escalate", missing.escalate)

    def _meet(self, findings: Sequence[Found]) -> End | None:
        """Take the first workable option for each of the findings, one after the other."""
        for place, finding in enumerate(findings):
            if finding["lacking"]:
                return self.lacking(finding["lacking"])
            lost, undoable, point = list[str](), list[str](), (finding["id"], place)
            for option in self._options(finding, place):
                if because := self._passed.get((point, option.id)):
                    undoable.append(f"Not {option.id}: {because}.")
                    self.alternatives.append({"option": option.id, "for": finding["id"], "lost_because": because})
                    continue
                bound = self._workable(option, finding)
                if bound is None:
                    lost.append(self.case.sentence(option.otherwise, finding["about"]))
                    self.alternatives.append({"option": option.id, "for": finding["id"], "lost_because": lost[-1]})
                    continue
                says = self.case.sentence(option.says, bound) if option.says else ""
                says = " ".join([finding["says"], *undoable, says]).strip()
                end = self._take(option, finding["id"], says, bound, (point, option.id))
                if option.consumes:
                    taken = {name: self.case.value(raw, bound) for name, raw in option.consumes.items()}
                    self._go_on(self.case, self.plan.taking(**taken))
                if end:
                    return end
                break
            else:
                self.exhausted = self.exhausted or bool(undoable)
                self._go_on(self.case, self.plan.leaving(finding["id"], finding["about"].values()))
                self.parts.append(Part(finding["id"], f"{finding['says']} Nothing helps: {'; '.join(lost)}."))
        return None

    def _options(self, finding: Found, place: int) -> Sequence[Option]:
        """The options of a finding in their order. Of one that leaves the choice those that do not work, then the one that is
        picked, else the first that works."""
        options = self.case.pack.options[finding["id"]]
        if finding["id"] not in self.case.pack.open_choices:
            return options
        point = (finding["id"], place)
        lost, works = list[Option](), list[Option]()
        for option in options:
            try:
                passed = (point, option.id) in self._passed
                (lost if passed or self._workable(option, finding) is None else works).append(option)
            except Unknown:
                if not works:
                    raise
        if not works:
            return lost
        taken = next((option for option in works if option.id == self._picks.get(point)), works[0])
        others = [option for option in works if option is not taken]
        self.choices[point] = [taken.id, *(option.id for option in others)]
        because = f"it works too, and {taken.id} was chosen"
        self.alternatives += [{"option": option.id, "for": finding["id"], "lost_because": because} for option in others]
        return [*lost, taken]

    def _workable(self, option: Option, finding: Found) -> dict[str, Any] | None:
        """What the option binds if it is workable, else None."""
        if not self.case.holds(option.when, finding["about"]):
            return None
        return next(self.case.elements(option.choose, finding["about"]), None)

    def _another_order_differs(self, findings: Sequence[Found]) -> bool:
        """Whether the findings, met in another order, would have got something else."""

        def got(order: Sequence[Found]) -> set[str]:
            trial = _Trial(self.case, plan=self.plan)
            trial._meet(order)
            return {repr(part.actions) for part in trial.parts if part.actions}

        here = got(findings)
        return any(got(order) != here for order in _other_orders(findings))

    def _take(
        self,
        way: Option | Conclusion,
        finding: str,
        says: str,
        bound: Mapping[str, Any],
        taken: tuple[Point, str] | None = None,
    ) -> End | None:
        steps = [done for step in way.do for done in self._perform(step, bound)]
        actions = [action for action, _ in steps]
        cites = list(dict.fromkeys([*way.cites, *(clause for _, clauses in steps for clause in clauses)]))
        if way.escalate:
            self.parts = [Part(finding, says, cites=cites)]
            return End("escalate", way.escalate)
        if way.end:
            keeps = self.case.pack.verdicts[way.end].keeps
            self.parts = [part for part in self.parts if keeps is None or part.finding in keeps]
        self.parts.append(Part(finding, says, actions, cites, self.case.value(way.part, bound), taken))
        return End(way.end) if way.end else None

    def _perform(self, step: Step, bound: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Sequence[str]]]:
        """Each action of a step, with what it cites."""
        for here in self.case.elements(step.each, bound):
            if not self.case.holds(step.if_, here):
                continue
            args = dict[str, Any]()
            for name, raw in step.args.items():
                if isinstance(raw, dict) and raw.keys() == {"draft"}:
                    letter = self.case.letter(raw["draft"], here)
                    args[name] = letter.filled
                    self.letters[letter.filled] = letter
                else:
                    args[name] = self.case.value(raw, here)
            if step.action:
                yield {"name": step.action, "args": args}, step.cites
            else:
                for inner in self.case.pack.procedures[str(step.procedure)].do:
                    yield from self._perform(inner, {**here, **args})


def _other_orders(found: Sequence[Found]) -> Iterable[Sequence[Found]]:
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


def draft(
    case: Case, end: End, parts: Sequence[Part], alternatives: Sequence[Mapping[str, str]], catalogue: Catalogue
) -> dict[str, Any]:
    """The draft of a proposal from the parts of a plan."""
    bound = {"queue": end.queue}
    if end.verdict == "escalate":
        args = {name: case.value(raw, bound) for name, raw in case.pack.escalation.args.items()}
        parts = [*parts, Part("escalation", "", [{"name": str(case.pack.escalation.action), "args": args}], [])]
    because = {id(action): part for part in parts for action in part.actions}
    plan = [
        {
            "name": action["name"],
            "args": action["args"],
            "for": because[id(action)].finding,
            "part": because[id(action)].name,
            "cites": list(because[id(action)].cites),
        }
        for action in in_order(unique((action for part in parts for action in part.actions), catalogue), catalogue)
    ]
    reasons = list(dict.fromkeys(part.says for part in parts if part.says and (part.actions or part.cites or part.name)))
    answered = sum(fact.status != "failed" for fact in case.facts)
    return {
        "verdict": end.verdict,
        "plan": plan,
        "rationale": " ".join([case.sentence(case.pack.verdicts[end.verdict].says, bound), *reasons]),
        "cites": list(dict.fromkeys(clause for part in parts for clause in part.cites)),
        #: what each finding came to, for the rail
        "said": list(dict.fromkeys(part.says for part in parts if part.says)),
        "alternatives": list(alternatives),
        #: the share of the reads that answered: the planner is sure of its rules, not of what it could not read
        "confidence": round(answered / len(case.facts), 2) if case.facts else 0.0,
    }


def unique(actions: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> list[Mapping[str, Any]]:
    """The actions, those left out that are the same as an earlier one and need no repetition."""
    kept: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    for action in actions:
        entry = catalogue[action["name"]]
        key = repr((entry.name, [action["args"][name] for name in entry.counting]))
        if not (entry.once and key in seen):
            kept.append(action)
        seen.add(key)
    return kept


def in_order(actions: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[Mapping[str, Any]]:
    """The actions so that each comes after what the catalogue puts before it; otherwise in the given order."""
    waiting, ordered = list(actions), []
    while waiting:
        free = next(
            (
                action
                for action in waiting
                if not any(
                    catalogue[action["name"]].comes_after(catalogue[other["name"]]) for other in waiting if other is not action
                )
            ),
            waiting[0],  # a circle in the catalogue: the check refuses the plan
        )
        waiting.remove(free)
        ordered.append(free)
    return ordered
