"""Two evaluations compared (`graphs.comparison`), as the page shows it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from dashboard.markup import joined, markup
from dashboard.text import plain, share, words
from dashboard.views.evaluations import mission_title, verdict_words
from graphs.comparison import KINDS, Comparison, Kind, Pair, differing_versions, is_exact
from ledger.evaluations import ALL, EvaluationRun


def version_table(a: EvaluationRun, b: EvaluationRun) -> Markup:
    """What differs in versions and files, or that nothing does."""
    differing = differing_versions(a, b)
    if not differing:
        return markup('<p class="m-dim">Nothing: the same code, policies, packs, catalogue and cases.</p>')
    rows = joined(
        markup(
            '<tr><td>{}</td><td class="m-mono">{}</td><td class="m-mono">{}</td></tr>',
            _version_name(name), plain(before or "–", 60), plain(after or "–", 60),
        )
        for name, before, after in differing
    )  # fmt: skip
    return markup('<table class="m-table m-eval"><tr><th>what</th><th>A</th><th>B</th></tr>{}</table>', rows)


def _version_name(name: str) -> str:
    return plain(name, 60) if name.startswith("file ") else words(plain(name, 60))


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
