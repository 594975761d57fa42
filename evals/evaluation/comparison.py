"""Two evaluations compared: which cases flipped, and whether that is more than noise; and what is wrong with one case.

For the dashboard, for commands and for notebooks; `evals.reports.side_by_side` shows one case.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from evals.evaluation.answers import Difference, differences
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun
from rendering import plain

#: "right" and "wrong" is what both are, though not alike; of "unknown" nothing was expected
Kind = Literal["worse", "better", "wrong", "right", "unknown", "same"]
KINDS: Mapping[Kind, str] = {
    "worse": "right → wrong",
    "better": "wrong → right",
    "wrong": "both wrong, differently",
    "right": "both right, differently",
    "unknown": "changed, nothing expected",
    "same": "the same",
}
#: below this probability a difference is more than noise
NOISE = 0.05

_FAULTS = (
    ("unsafe", "unsafe action"),
    ("missed_escalation", "missed escalation"),
    ("needless_escalation", "needless escalation"),
)


@dataclass(frozen=True)
class Pair:
    """A case of both runs; where it was run several times, the first time at which the two are as `kind` says."""

    a: EvaluationCase
    b: EvaluationCase
    kind: Kind
    differs_in: tuple[Difference, ...]
    expected_changed: bool
    #: it was never unsafe in a, and is in b
    became_unsafe: bool


@dataclass(frozen=True)
class Comparison:
    """Two runs, case by case."""

    pairs: Sequence[Pair]
    #: ids of cases that the other run does not have
    missing_in_b: Sequence[str]
    missing_in_a: Sequence[str]

    def count(self, kind: Kind, mission: str = ALL) -> int:
        """How many cases of a mission are of a kind."""
        return sum(pair.kind == kind and mission in (ALL, pair.b.mission) for pair in self.pairs)


def is_exact(case: EvaluationCase) -> bool:
    """Whether it is right in what counts: verdict, actions and order. Of what nothing was expected nothing is wrong."""
    return case.expected is None or bool(case.figures.get("exact"))


def wrongs(case: EvaluationCase) -> list[str]:
    """What of a case is not as expected, in words; empty where everything is, or nothing was expected."""
    if case.expected is None:
        return []
    found, figures = [], case.figures
    if not figures.get("verdict"):
        found.append("verdict")
    elif not figures.get("exact"):
        found.append("actions")
    found += [word for name, word in _FAULTS if figures.get(name)]
    missing, surplus = set(case.expected.cite) - set(case.result.cite), set(case.result.cite) - set(case.expected.cite)
    found += [f"{clause} not cited" for clause in sorted(missing)] + [f"{clause} cited" for clause in sorted(surplus)]
    if not figures.get("approval"):
        found.append("approval")
    return [plain(one, 80) for one in found]


def by_case(cases: Iterable[EvaluationCase]) -> dict[str, list[EvaluationCase]]:
    """Case id -> every time that it was run."""
    found: dict[str, list[EvaluationCase]] = {}
    for case in cases:
        found.setdefault(case.case_id, []).append(case)
    return found


def common(
    a: Sequence[EvaluationCase], b: Sequence[EvaluationCase]
) -> list[tuple[Sequence[EvaluationCase], Sequence[EvaluationCase]]]:
    """The cases that both have, in the order of b, each as often as both were run: chances are fair only then."""
    before, after = by_case(a), by_case(b)
    pairs = [(before[case_id], trials) for case_id, trials in after.items() if case_id in before]
    return [(one[: len(other)], other[: len(one)]) for one, other in pairs]


def compare(a: Sequence[EvaluationCase], b: Sequence[EvaluationCase]) -> Comparison:
    """The cases that both have, in the order of b."""
    before, after = by_case(a), by_case(b)
    return Comparison(
        [_pair(*sides) for sides in common(a, b)],
        [case_id for case_id in before if case_id not in after],
        [case_id for case_id in after if case_id not in before],
    )


def _pair(before: Sequence[EvaluationCase], after: Sequence[EvaluationCase]) -> Pair:
    kind, a, b = _kind(before, after), before[0], after[0]
    if kind in ("worse", "better"):
        a, b = _first(before, is_exact_=kind == "worse"), _first(after, is_exact_=kind == "better")
    elif kind != "same":
        a, b = next(pair for pair in zip(before, after, strict=True) if _differ(*pair))
    unsafe_before, unsafe_after = (any(case.figures.get("unsafe") for case in side) for side in (before, after))
    differs_in = differences(a.result, b.result)
    return Pair(a, b, kind, differs_in, a.expected != b.expected, unsafe_after and not unsafe_before)


def _kind(before: Sequence[EvaluationCase], after: Sequence[EvaluationCase]) -> Kind:
    differs = any(map(_differ, before, after))
    if before[0].expected is None or after[0].expected is None:
        return "unknown" if differs else "same"
    was, now = (sum(map(is_exact, side)) for side in (before, after))
    if was != now:
        return "worse" if was > now else "better"
    if not differs:
        return "same"
    return "right" if is_exact(before[0]) else "wrong"


def _differ(a: EvaluationCase, b: EvaluationCase) -> bool:
    return bool(differences(a.result, b.result))


def _first(trials: Sequence[EvaluationCase], is_exact_: bool) -> EvaluationCase:
    return next((case for case in trials if is_exact(case) == is_exact_), trials[0])


def chance(worse: int, better: int) -> float:
    """How probable so uneven a split of the flipped cases is where neither run is better: the exact McNemar test.

    Two-sided binomial at one half over the discordant pairs; 1.0 where nothing flipped.
    """
    flips, fewer = worse + better, min(worse, better)
    return min(1.0, 2 * sum(comb(flips, k) for k in range(fewer + 1)) / (1 << flips))


def verdict_of(comparison: Comparison) -> str:
    """One sentence: is the difference of exact more than noise."""
    worse, better = comparison.count("worse"), comparison.count("better")
    if not comparison.pairs:
        return "The two runs have no case in common: there is nothing to compare."
    if not worse + better:
        both = f"{len(comparison.pairs):,} cases that both ran"
        return f"Of the {both}, none changed between right and wrong: there is no difference in exact."
    probability = chance(worse, better)
    flipped = f"{better} became right and {worse} wrong of the {len(comparison.pairs):,} cases that both ran"
    odds = f"p = {probability:.2g}, exact McNemar test"
    if probability < NOISE:
        which = "B is better" if better > worse else "B is worse"
        return f"{which}: {flipped}. That is more than noise ({odds})."
    return f"No difference that is more than noise: {flipped}, and a split like that comes about by chance ({odds})."


def notes(comparison: Comparison) -> list[str]:
    """What else one has to know about the two."""
    messages, only_a, only_b = [], len(comparison.missing_in_b), len(comparison.missing_in_a)
    if only_a or only_b:
        messages.append(f"{only_a:,} cases are in A only and {only_b:,} in B only; they are not compared.")
    if changed := sum(pair.expected_changed for pair in comparison.pairs):
        messages.append(f"The expected result of {changed:,} cases was changed between the two; each run is measured by its own.")
    return messages


def differing_versions(a: EvaluationRun, b: EvaluationRun) -> list[tuple[str, str, str]]:
    """(what, in A, in B) for each version and file that is not the same; what is not there is empty."""
    before, after = made_by(a), made_by(b)
    sides = [(name, before.get(name, ""), after.get(name, "")) for name in {**before, **after}]
    return [side for side in sides if side[1] != side[2]]


def made_by(run: EvaluationRun) -> dict[str, str]:
    """The version of all that made a run, and the digest of each file of cases."""
    return {**run.versions, **{f"file {file.name}": file.digest for file in run.files}}
