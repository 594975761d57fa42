"""Two evaluations compared: which cases flipped, whether that is more than noise, and what differs between the two."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, Literal

from markupsafe import Markup

from dashboard.markup import joined, markup
from dashboard.text import plain, words
from dashboard.views.evaluations import is_exact, mission_title, share, verdict_words
from ledger.evaluations import ALL, EvaluationCase, EvaluationRun

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


@dataclass(frozen=True)
class Pair:
    """A case of both runs."""

    a: EvaluationCase
    b: EvaluationCase
    kind: Kind
    #: verdict, actions, citations, approval, money
    differs_in: tuple[str, ...]
    expected_changed: bool


@dataclass(frozen=True)
class Comparison:
    """Two runs, case by case."""

    pairs: Sequence[Pair]
    only_a: int
    only_b: int

    def count(self, kind: Kind, mission: str = ALL) -> int:
        """How many cases of a mission are of a kind."""
        return sum(pair.kind == kind and mission in (ALL, pair.b.mission) for pair in self.pairs)


def compare(a: Sequence[EvaluationCase], b: Sequence[EvaluationCase]) -> Comparison:
    """The cases that both have, in the order of b."""
    before = {case.case_id: case for case in a}
    pairs = [_pair(before[case.case_id], case) for case in b if case.case_id in before]
    return Comparison(pairs, len(before) - len(pairs), len(b) - len(pairs))


def _pair(a: EvaluationCase, b: EvaluationCase) -> Pair:
    differs = _differences(a, b)
    kind: Kind
    if a.expected is None or b.expected is None:
        kind = "unknown" if differs else "same"
    elif is_exact(a) != is_exact(b):
        kind = "worse" if is_exact(a) else "better"
    elif not differs:
        kind = "same"
    else:
        kind = "right" if is_exact(a) else "wrong"
    return Pair(a, b, kind, differs, a.expected != b.expected)


def _differences(a: EvaluationCase, b: EvaluationCase) -> tuple[str, ...]:
    one, other = a.result, b.result
    alike = {
        "verdict": one.verdict == other.verdict,
        "actions": one.actions == other.actions,
        "citations": set(one.cite) == set(other.cite),
        "approval": (one.role, one.four_eyes) == (other.role, other.four_eyes),
        "money": one.money_at_stake_cents == other.money_at_stake_cents,
    }
    return tuple(name for name, equal in alike.items() if not equal)


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
        return (
            f"Of the {len(comparison.pairs):,} cases that both ran, none became right or wrong: there is no difference of exact."
        )
    probability = chance(worse, better)
    said = f"{better} became right and {worse} wrong of the {len(comparison.pairs):,} cases that both ran"
    odds = f"p = {probability:.2g}, exact McNemar test"
    if probability < NOISE:
        which = "B is better" if better > worse else "B is worse"
        return f"{which}: {said}. That is more than noise ({odds})."
    return f"No difference that is more than noise: {said}, and a split like that comes about by chance ({odds})."


def notes(comparison: Comparison) -> list[str]:
    """What else one has to know about the two."""
    told = []
    if comparison.only_a or comparison.only_b:
        told.append(f"{comparison.only_a:,} cases are in A only and {comparison.only_b:,} in B only; they are left out.")
    if changed := sum(pair.expected_changed for pair in comparison.pairs):
        told.append(f"What is expected of {changed:,} cases was changed between the two; each run is measured by its own.")
    return told


def differing_versions(a: EvaluationRun, b: EvaluationRun) -> list[tuple[str, str, str]]:
    """(what, in A, in B) for each version and file that is not the same."""
    files = [{f"file {file.name}": file.digest for file in run.files} for run in (a, b)]
    before, after = {**a.versions, **files[0]}, {**b.versions, **files[1]}
    names = [*before, *(name for name in after if name not in before)]
    return [
        (words(plain(name, 60)) if not name.startswith("file ") else plain(name, 60),
         plain(before.get(name) or "–", 60), plain(after.get(name) or "–", 60))
        for name in names
        if before.get(name) != after.get(name)
    ]  # fmt: skip


def version_table(a: EvaluationRun, b: EvaluationRun) -> Markup:
    """What differs in versions and files, or that nothing does."""
    differing = differing_versions(a, b)
    if not differing:
        return markup('<p class="m-dim">Nothing: the same code, policies, packs, catalogue and cases.</p>')
    rows = joined(markup('<tr><td>{}</td><td class="m-mono">{}</td><td class="m-mono">{}</td></tr>', *row) for row in differing)
    return markup('<table class="m-table m-eval"><tr><th>what</th><th>A</th><th>B</th></tr>{}</table>', rows)


def mission_table(comparison: Comparison) -> Markup:
    """Per mission: cases of both, exact in A and in B, and how many are of each kind."""
    missions = sorted({pair.b.mission for pair in comparison.pairs})
    groups = [*missions, ALL] if len(missions) > 1 else missions
    kinds: list[Kind] = [kind for kind in KINDS if kind != "unknown" or comparison.count(kind)]
    titles = ("cases", "exact A", "exact B", *(KINDS[kind] for kind in kinds))
    heads = joined(markup('<th class="m-num">{}</th>', title) for title in titles)
    rows = joined(_mission_row(comparison, group, kinds) for group in groups)
    return markup('<table class="m-table m-eval"><tr><th>mission</th>{}</tr>{}</table>', heads, rows)


def _mission_row(comparison: Comparison, mission: str, kinds: Sequence[Kind]) -> Markup:
    pairs = [pair for pair in comparison.pairs if mission in (ALL, pair.b.mission)]
    known = [pair for pair in pairs if pair.a.expected is not None and pair.b.expected is not None]
    exact = [
        share(sum(map(is_exact, side)) / len(known) if known else None)
        for side in ([pair.a for pair in known], [pair.b for pair in known])
    ]
    cells = [(f"{len(pairs):,}", ""), *((one, "") for one in exact), *(_counted(comparison, kind, mission) for kind in kinds)]
    numbers = joined(markup('<td class="m-num {}">{}</td>', kind, text) for text, kind in cells)
    name = markup('<td class="{}">{}</td>', "m-sum" if mission == ALL else "", mission_title(mission))
    return markup("<tr>{}{}</tr>", name, numbers)


def _counted(comparison: Comparison, kind: Kind, mission: str) -> tuple[str, str]:
    number = comparison.count(kind, mission)
    colours: dict[Kind, str] = {"worse": "m-miss", "better": "m-hit"}
    return (f"{number:,}" if number else "·", colours.get(kind, "") if number else "")


def kinds_of(comparison: Comparison, mission: str) -> dict[Kind, int]:
    """The kinds that there are, with how many cases."""
    counted = Counter(pair.kind for pair in comparison.pairs if mission in (ALL, pair.b.mission))
    return {kind: counted[kind] for kind in KINDS if counted[kind]}


def pair_rows(pairs: Sequence[Pair], several_kinds: bool) -> list[dict[str, Any]]:
    """A row a case, for the list; of a list of one kind nobody needs to read which."""
    return [
        {
            "case": plain(pair.b.case_id, 80),
            **({"what happened": KINDS[pair.kind]} if several_kinds else {}),
            "A": verdict_words(pair.a.result.verdict),
            "B": verdict_words(pair.b.result.verdict),
            "differs in": ", ".join((*pair.differs_in, *(["what is expected"] if pair.expected_changed else []))),
        }
        for pair in pairs
    ]
