"""Thresholds that people's decisions suggest, with the evidence. It only suggests: a policy is changed by people.

A decision speaks about a threshold where the case, on its other side, would have been answered otherwise. An approval then
speaks for the side on which the case is; a decision to do what would have been proposed on the other side speaks for that
one, and so does a rejection. The number that is suggested is the one with the fewest decisions against it, the nearest to
the present one if there are several.

>>> found = thresholds(judged_proposals(ledger, catalogue), ledger, laboratory.packs, laboratory.policies, catalogue)
>>> pandas.DataFrame(found.rows())
>>> text = draft_of(found.suggestions[0], laboratory.policies, date(2026, 12, 1))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.comparisons import Comparison, Values, comparisons
from evals.overruled import Judged
from evals.recording import facts_behind
from graphs.runtime import utc_now
from knowledge_index.drafting import Edit, newest, redrafted
from knowledge_index.policies import PolicyBook
from ledger.base import Ledger
from nodes.case import Case
from nodes.diagnose import find
from nodes.pack import Pack
from nodes.planner import Planner
from systems.catalogue import Catalogue

#: decisions that must speak about a threshold, those of them against it, and those on each side of a suggested one
LEAST_DECISIONS, LEAST_AGAINST, LEAST_A_SIDE = 20, 5, 3
#: the chance, at most, that decisions that have nothing to do with the fact would suggest any of the thresholds (Holm 1979)
MOST_CHANCE = 0.05
PERMUTATIONS = 4_000
_AT_ONCE = 250


@dataclass(frozen=True)
class Voice:
    """What one decision says about a threshold."""

    decision_id: str
    by: str
    fact: float
    #: the side on which the person wants the case
    above: bool
    #: whether that is the other side than it was on
    against: bool


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What people's decisions say about one threshold."""

    mission: str
    comparison: str
    clause: str
    value: str
    #: the number in force, and the one with the fewest decisions against it; the same where none is better
    present: float
    suggested: float
    #: every number in between does as well as the suggested one; None where no decision bounds it
    best_from: float | None
    best_to: float | None
    decisions: int
    people: int
    #: decisions against the present and against the suggested number
    against_present: int
    against_suggested: int
    #: the chance of so great a difference were decisions and fact unrelated; and with all thresholds looked at considered
    chance: float
    chance_of_any: float
    #: why nothing is suggested; empty where it is
    because: str
    voices: Sequence[Voice]

    @property
    def moved(self) -> list[str]:
        """The decisions whose cases would be on the other side."""
        low, high = sorted((self.present, self.suggested))
        return [one.decision_id for one in self.voices if low <= one.fact <= high and self._crosses(one)]

    def _crosses(self, one: Voice) -> bool:
        strict = " > " in self.comparison
        sides = [one.fact > number if strict else one.fact >= number for number in (self.present, self.suggested)]
        return sides[0] != sides[1]

    def row(self) -> dict[str, Any]:
        """For a table."""
        return {**{name: value for name, value in asdict(self).items() if name != "voices"}, "moved": self.moved}

    def sentence(self) -> str:
        """For a person to read."""
        about = f"{self.clause}.{self.value} (present {self.present:g})"
        if self.because:
            return f"{about}: {self.because}"
        return (
            f"{about}: {self.suggested:g} agrees with all but {self.against_suggested} of {self.decisions} decisions of "
            f"{self.people} people, the present one with all but {self.against_present}; by chance in {self.chance_of_any:.1%}"
        )


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Every threshold that a decision speaks about; those with a suggestion first."""

    evidence: Sequence[Evidence]
    #: decided proposals that present policies and packs would not make: they say nothing about these
    made_otherwise: int

    @property
    def suggestions(self) -> list[Evidence]:
        """Those with enough evidence for another number."""
        return [one for one in self.evidence if not one.because]

    def rows(self) -> list[dict[str, Any]]:
        """For a table: `pandas.DataFrame(found.rows())`."""
        return [one.row() for one in self.evidence]


def thresholds(
    judged: Sequence[Judged],
    ledger: Ledger,
    packs: Mapping[str, Pack],
    policies: PolicyBook,
    catalogue: Catalogue,
    *,
    as_of: datetime | None = None,
    on_progress: Callable[[], None] = lambda: None,
) -> Thresholds:
    """What decisions say about the thresholds of the policies in force at `as_of` (now unless given).

    `on_progress` is called once for each of the `judged`. The same decisions give the same answer.
    """
    bench, values = _Bench(ledger, packs, policies, catalogue), policies.values(as_of or utc_now())
    voices: dict[Comparison, list[Voice]] = {}
    otherwise = 0
    for one in judged:
        said = [] if one.decision.kind == "respond" else bench.voices(one)
        otherwise += said is None
        for comparison, voice in said or ():
            voices.setdefault(comparison, []).append(voice)
        on_progress()
    weighed = [
        _weighed(comparison, number, heard)
        for comparison, heard in voices.items()
        if (number := comparison.number(values)) is not None
    ]
    told = _with_chance_of_any(weighed)
    return Thresholds(
        evidence=sorted(told, key=lambda one: (bool(one.because), one.chance_of_any, -one.against_present, -one.decisions)),
        made_otherwise=otherwise,
    )


def draft_of(suggestion: Evidence, policies: PolicyBook, in_force_from: date) -> str:
    """The text of the policy's next version with the suggested number, as a draft is handed in. Raises BadInput."""
    before = newest(policies, suggestion.clause.rpartition("-")[0])
    edits = {suggestion.clause: Edit(values={suggestion.value: suggestion.suggested})}
    return redrafted(before.text, before.file, edits, version=before.header.version + 1, in_force_from=in_force_from)


# What one decision says

Outcome = tuple[str, tuple[tuple[str, ...], ...]]


class _Bench:
    """Where cases are answered again, with other numbers."""

    def __init__(self, ledger: Ledger, packs: Mapping[str, Pack], policies: PolicyBook, catalogue: Catalogue) -> None:
        self._ledger, self._packs, self._policies, self._catalogue = ledger, packs, policies, catalogue
        self._comparisons: dict[int, list[Comparison]] = {}

    def voices(self, one: Judged) -> list[tuple[Comparison, Voice]] | None:
        """What one decision says; None where the proposal is not what would be proposed today."""
        event, catalogue = one.run.event, self._catalogue
        if event.mission not in self._packs:
            return None
        pack, values = self._packs[event.mission].of(event.name), self._policies.values(event.as_of)
        facts, proposed = facts_behind(self._ledger, one.proposal), _outcome(vars(one.proposal), catalogue)

        def answer(under: Values) -> Outcome:
            case = Case(pack, event, facts, under)
            return _outcome(Planner().propose(case, find(case), catalogue), catalogue)

        if not facts or answer(values) != proposed:
            return None
        said, case = [], Case(pack, event, facts, values)
        for comparison in self._of(pack):
            number, fact = comparison.number(values), comparison.fact_of(case)
            if number is None or fact is None:
                continue
            other = answer(comparison.flipped(values, fact))
            if other != proposed and (not one.overruled or _is_that(one, other, catalogue)):
                above = comparison.above(fact, number) != one.overruled
                said.append((comparison, Voice(one.decision.decision_id, one.decision.by, fact, above, one.overruled)))
        return said

    def _of(self, pack: Pack) -> list[Comparison]:
        if id(pack) not in self._comparisons:
            self._comparisons[id(pack)] = comparisons(pack)
        return self._comparisons[id(pack)]


def _outcome(made: Mapping[str, Any], catalogue: Catalogue) -> Outcome:
    """Verdict, and the actions with the arguments that count, in any order."""
    return made["verdict"], _actions(made["plan"], catalogue)


def _actions(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> tuple[tuple[str, ...], ...]:
    return tuple(
        sorted((one["name"], *(repr(one["args"].get(name)) for name in catalogue[one["name"]].counting)) for one in plan)
    )


def _is_that(one: Judged, other: Outcome, catalogue: Catalogue) -> bool:
    """Whether what the person decided is this outcome; of a rejection it can be."""
    decision = one.decision
    if decision.kind == "reject":
        return True
    if decision.kind == "escalate":
        return other[0] == "escalate" and any(repr(decision.details.get("queue")) in action for action in other[1])
    plan = decision.details.get("plan")
    if plan is None:  # approved without some parts
        plan = [step for step in one.proposal.plan if step.get("part") not in one.difference.without]
    return _actions(plan, catalogue) == other[1]


# What all of them say

def _weighed(comparison: Comparison, present: float, voices: Sequence[Voice]) -> Evidence:
    heard = sorted(voices, key=lambda one: one.fact)
    facts, wants = np.array([one.fact for one in heard]), np.array([one.above for one in heard])
    cuts = _cuts(facts, comparison, present)
    against = _against(wants[np.newaxis, :])[0]
    here = int(np.searchsorted(facts, present, side="right" if comparison.strict else "left"))
    ways = [(int(against[here]), 0.0, present, here)]
    ways += [(int(against[cut]), abs(number - present), number, cut) for cut, number in cuts.items()]
    fewest, _, suggested, cut = min(ways)
    chance = _chance(wants, here, sorted({here, *cuts})) if fewest < against[here] else 1.0
    return Evidence(
        mission=comparison.mission,
        comparison=str(comparison),
        clause=comparison.clause,
        value=comparison.value,
        present=present,
        suggested=suggested,
        best_from=float(facts[cut - 1]) if cut else None,
        best_to=float(facts[cut]) if cut < len(facts) else None,
        decisions=len(heard),
        people=len({one.by for one in heard}),
        against_present=int(against[here]),
        against_suggested=fewest,
        chance=chance,
        chance_of_any=chance,
        because=_too_little(heard, int(against[here]), fewest),
        voices=heard,
    )


def _too_little(heard: Sequence[Voice], against_present: int, fewest: int) -> str:
    if not against_present:
        return f"none of {len(heard)} decisions speaks against it"
    if not _is_enough(len(heard), against_present):
        least = f"{LEAST_DECISIONS}, and {LEAST_AGAINST} against it"
        return f"{len(heard)} decisions speak about it, {against_present} against it; it takes {least}"
    return "" if fewest < against_present else f"no other number agrees with more of the {len(heard)} decisions"


def _is_enough(decisions: int, against: int) -> bool:
    return decisions >= LEAST_DECISIONS and against >= LEAST_AGAINST


def _cuts(facts: NDArray[Any], comparison: Comparison, present: float) -> dict[int, float]:
    """How many facts are below a number -> the number of which that is so."""
    found = {}
    for cut in range(LEAST_A_SIDE, len(facts) - LEAST_A_SIDE + 1):
        low, high = float(facts[cut - 1]), float(facts[cut])
        if low < high and (number := roundest(low, high, comparison.strict, present)) is not None:
            found[cut] = number
    return found


def roundest(low: float, high: float, from_low: bool, near: float) -> float | None:
    """The number with the fewest digits between two, and of these the nearest to another one.

    `low` itself is one of them where it is `from_low`, otherwise `high` is. It is an integer where `near` is one, or there
    is none.
    """
    for digits in range(-12, 1 if isinstance(near, int) else 10):
        unit = 10.0**-digits
        first, last = floor(low / unit), ceil(high / unit)
        places = {first, first + 1, last - 1, last, min(max(round(near / unit), first), last)}
        numbers = [round(place * unit, max(digits, 0)) for place in places]
        fitting = [one for one in numbers if (low <= one < high if from_low else low < one <= high)]
        if fitting:
            nearest = min(fitting, key=lambda one: abs(one - near))
            return int(nearest) if isinstance(near, int) else nearest
    return None if isinstance(near, int) else low if from_low else high


def _against(wants: NDArray[Any]) -> NDArray[Any]:
    """For each row of wishes, in the order of their facts, and each number of facts below a cut: how many wishes it denies."""
    nothing = np.zeros((wants.shape[0], 1), dtype=int)
    above_before = np.hstack([nothing, np.cumsum(wants, axis=1)])
    below_before = np.hstack([nothing, np.cumsum(~wants, axis=1)])
    return above_before + (below_before[:, -1:] - below_before)


def _chance(wants: NDArray[Any], here: int, cuts: Sequence[int]) -> float:
    """How often so many fewer would be denied if those who are against the present number had cases of any fact.

    A permutation test; that the best of all cuts is taken is in it.
    """
    above_now = np.arange(len(wants)) >= here
    against, random = wants != above_now, np.random.default_rng(0)

    def gained(rows: NDArray[Any]) -> NDArray[Any]:
        denied = _against(rows != above_now)
        return denied[:, here] - denied[:, cuts].min(axis=1)

    least, as_great = gained(against[np.newaxis, :])[0], 1
    for _ in range(PERMUTATIONS // _AT_ONCE):
        shuffled = random.permuted(np.tile(against, (_AT_ONCE, 1)), axis=1)
        as_great += int(np.sum(gained(shuffled) >= least))
    return as_great / (PERMUTATIONS + 1)


def _with_chance_of_any(found: Sequence[Evidence]) -> list[Evidence]:
    """Holm's correction over the thresholds with enough decisions: of many that are looked at, one looks odd by chance."""
    family = sorted((one for one in found if _is_enough(one.decisions, one.against_present)), key=lambda one: one.chance)
    told, most = {}, 0.0
    for place, one in enumerate(family):
        most = max(most, min(1.0, (len(family) - place) * one.chance))
        told[one.comparison, one.mission] = most
    return [_with_chance(one, told.get((one.comparison, one.mission), 1.0)) for one in found]


def _with_chance(one: Evidence, chance: float) -> Evidence:
    because = one.because
    if not because and chance > MOST_CHANCE:
        because = f"{one.suggested:g} would agree with more decisions, but that may be chance ({chance:.0%})"
    return replace(one, chance_of_any=chance, because=because)
