"""Thresholds that people's decisions suggest, with the evidence. It only suggests: a policy is changed by people.

Which decisions speak about a threshold, and for which side, says `evals.learning.votes`. The number that is suggested is the one
with the fewest decisions against it, the nearest to the present one if there are several.

>>> found = thresholds(judged_proposals(ledger, catalogue), ledger, environment.packs, environment.policies, catalogue)
>>> pandas.DataFrame(found.rows())
>>> text = draft_of(found.suggestions[0], environment.policies, date(2026, 12, 1))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.learning.judged import JudgedProposal
from evals.learning.votes import ThresholdComparison, Vote, VoteCounter
from knowledge_index.drafting import Edit, newest, redrafted
from knowledge_index.policies import PolicyBook
from ledger.base import Ledger
from ledger.canonical import utc_now
from nodes.pack import Pack
from systems.catalogue import Catalogue

#: decisions that must speak about a threshold, those of them against it, and those on each side of a suggested one
LEAST_DECISIONS, LEAST_AGAINST, LEAST_A_SIDE = 20, 5, 3
#: decisions that a suggested number must agree with beyond the present one: at least so many, and that share of all about it
LEAST_GAIN, LEAST_GAIN_SHARE = 3, 0.05
#: the chance, at most, that decisions that have nothing to do with the fact would suggest any of the thresholds (Holm 1979)
MOST_CHANCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Evidence(ThresholdComparison):
    """What people's decisions say about one threshold."""

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
    votes: Sequence[Vote]

    @property
    def moved(self) -> list[str]:
        """The decisions whose cases would be on the other side."""
        return [
            one.decision_id for one in self.votes if self.above(one.fact, self.present) != self.above(one.fact, self.suggested)
        ]

    def row(self) -> dict[str, Any]:
        """For a table."""
        return {**{name: value for name, value in asdict(self).items() if name != "votes"}, "moved": self.moved}

    def sentence(self) -> str:
        """For a person to read."""
        about = f"{self.clause}.{self.value} (present {self.present:g})"
        if self.because:
            return f"{about}: {self.because}"
        return (
            f"{about}: {self.suggested:g} agrees with all but {self.against_suggested} of {self.decisions} decisions of "
            f"{self.people} people, the present one with all but {self.against_present}; by chance at most "
            f"{max(self.chance_of_any, 0.001):.1%}"
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
    judged: Sequence[JudgedProposal],
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
    counter, values = VoteCounter(ledger, packs, policies, catalogue), policies.period(as_of or utc_now()).values
    votes: dict[ThresholdComparison, list[Vote]] = {}
    otherwise = 0
    for one in judged:
        said = [] if one.decision.kind == "respond" else counter.votes(one)
        otherwise += said is None
        for comparison, vote in said or ():
            votes.setdefault(comparison, []).append(vote)
        on_progress()
    weighed = [
        _weighed(comparison, number, heard)
        for comparison, heard in votes.items()
        if (number := comparison.number(values)) is not None
    ]
    shown = _without_rivals(_with_chance_of_any(weighed))
    return Thresholds(
        evidence=sorted(shown, key=lambda one: (bool(one.because), one.chance_of_any, -one.against_present, -one.decisions)),
        made_otherwise=otherwise,
    )


def draft_of(suggestion: Evidence, policies: PolicyBook, in_force_from: date) -> str:
    """The text of the policy's next version with the suggested number, as a draft is handed in. Raises BadInput."""
    before = newest(policies, suggestion.clause.rpartition("-")[0])
    edits = {suggestion.clause: Edit(values={suggestion.value: suggestion.suggested})}
    return redrafted(before.text, before.file, edits, version=before.version + 1, in_force_from=in_force_from)


def _weighed(comparison: ThresholdComparison, present: float, votes: Sequence[Vote]) -> Evidence:
    heard = sorted(votes, key=lambda one: one.fact)
    facts, wants = np.array([one.fact for one in heard]), np.array([one.above for one in heard])
    candidates = split_points(facts, comparison.strict, present, LEAST_A_SIDE)
    denied = against(wants[np.newaxis, :])[0]
    here = int(np.searchsorted(facts, present, side="right" if comparison.strict else "left"))
    ways = [(int(denied[here]), 0.0, present, here)]
    ways += [(int(denied[cut]), abs(number - present), number, cut) for cut, number in candidates.items()]
    fewest, _, suggested, cut = min(ways)
    by_chance = chance(wants, here, sorted({here, *candidates})) if fewest < denied[here] else 1.0
    return Evidence(
        **vars(comparison),
        present=present,
        suggested=suggested,
        best_from=float(facts[cut - 1]) if cut else None,
        best_to=float(facts[cut]) if cut < len(facts) else None,
        decisions=len(heard),
        people=len({one.by for one in heard}),
        against_present=int(denied[here]),
        against_suggested=fewest,
        chance=by_chance,
        chance_of_any=by_chance,
        because=_too_little(heard, int(denied[here]), fewest),
        votes=heard,
    )


def _too_little(heard: Sequence[Vote], against_present: int, fewest: int) -> str:
    if not against_present:
        return (
            "the one decision about it does not speak against it"
            if len(heard) == 1
            else f"none of {len(heard)} decisions speaks against it"
        )
    if not _is_enough(len(heard), against_present):
        speak = "1 decision speaks" if len(heard) == 1 else f"{len(heard)} decisions speak"
        needed = f"{LEAST_DECISIONS}, and {LEAST_AGAINST} against it"
        return f"{speak} about it, {against_present} against it; it takes {needed}"
    gain, least = against_present - fewest, max(LEAST_GAIN, ceil(LEAST_GAIN_SHARE * len(heard)))
    if not gain:
        return f"no other number agrees with more of the {len(heard)} decisions"
    more = f"the best other number agrees with {gain} more of the {len(heard)} decisions; it takes {least} more"
    return "" if gain >= least else more


def _is_enough(decisions: int, against: int) -> bool:
    return decisions >= LEAST_DECISIONS and against >= LEAST_AGAINST


def _with_chance_of_any(found: Sequence[Evidence]) -> list[Evidence]:
    """Holm's correction over the thresholds with enough decisions: of many that are looked at, one looks odd by chance."""
    family = sorted((one for one in found if _is_enough(one.decisions, one.against_present)), key=lambda one: one.chance)
    chances, most = {}, 0.0
    for place, one in enumerate(family):
        most = max(most, min(1.0, (len(family) - place) * one.chance))
        chances[id(one)] = most
    return [_with_chance(one, chances.get(id(one), 1.0)) for one in found]


def _with_chance(one: Evidence, of_any: float) -> Evidence:
    because = one.because
    if not because and of_any > MOST_CHANCE:
        because = f"{one.suggested:g} would agree with more decisions, but that may be chance ({of_any:.0%})"
    return replace(one, chance_of_any=of_any, because=because)


def _without_rivals(found: Sequence[Evidence]) -> list[Evidence]:
    """Of several thresholds of one fact for which the same decisions speak, the one that moves least."""
    kept: dict[tuple[str, str], Evidence] = {}
    for one in sorted((one for one in found if not one.because), key=lambda one: abs(one.suggested - one.present)):
        kept.setdefault((one.mission, one.fact), one)
    explained = []
    for one in found:
        first = kept.get((one.mission, one.fact), one)
        shared = not one.because and one is not first and not {*one.moved}.isdisjoint(first.moved)
        moved = f"{first.clause}.{first.value} from {first.present:g} to {first.suggested:g}"
        rival = f"{one.suggested:g} would agree with more decisions, but {moved} does it and moves less"
        explained.append(replace(one, because=rival) if shared else one)
    return explained


# Where a line of facts is best cut in two, and whether chance would cut it as well

PERMUTATIONS = 4_000
_AT_ONCE = 250
Numbers = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


def split_points(facts: Numbers, from_low: bool, near: float, least: int) -> dict[int, float]:
    """How many of the sorted facts lie below a number -> the roundest number of which that is so.

    At least so many lie on each side; a fact that is the number itself lies below where it is `from_low`.
    """
    found = {}
    for cut in range(least, len(facts) - least + 1):
        low, high = float(facts[cut - 1]), float(facts[cut])
        if low < high and (number := roundest(low, high, from_low, near)) is not None:
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


def against(wants: Flags) -> Counts:
    """For each row of wishes, in the order of their facts, and each number of facts below a cut: how many wishes it denies."""
    nothing = np.zeros((wants.shape[0], 1), dtype=np.int64)
    above_before = np.hstack([nothing, np.cumsum(wants, axis=1)])
    below_before = np.hstack([nothing, np.cumsum(~wants, axis=1)])
    denied: Counts = above_before + (below_before[:, -1:] - below_before)
    return denied


def chance(wants: Flags, here: int, candidates: Sequence[int]) -> float:
    """How often so many fewer would be denied if those who are against the present cut (`here`) had cases of any fact.

    A permutation test; that the best of all candidates is taken is in it. The same wishes give the same number.
    """
    above_now = np.arange(len(wants)) >= here
    disagree, random = wants != above_now, np.random.default_rng(0)

    def gained(rows: Flags) -> Counts:
        denied = against(rows != above_now)
        fewer: Counts = denied[:, here] - denied[:, candidates].min(axis=1)
        return fewer

    least, as_great = gained(disagree[np.newaxis, :])[0], 1
    for _ in range(PERMUTATIONS // _AT_ONCE):
        shuffled = random.permuted(np.tile(disagree, (_AT_ONCE, 1)), axis=1)
        as_great += int(np.sum(gained(shuffled) >= least))
    return as_great / (PERMUTATIONS + 1)
