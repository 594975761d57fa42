"""An evaluation to take away: a row a case for a spreadsheet."""

import csv
import io
from collections.abc import Iterable

from dashboard.text import plain
from dashboard.views.evaluations import FIGURES
from ledger.evaluations import EvaluationCase


def as_csv(cases: Iterable[EvaluationCase]) -> bytes:
    """A row a case for a spreadsheet. A text that a spreadsheet would take for a formula has an apostrophe before it."""
    out = io.StringIO()
    rows = csv.writer(out)
    figures = [figure.name for figure in FIGURES]
    rows.writerow(["case", "mission", "expected", "given", "actions expected", "actions given", "approval", "at stake", *figures])
    for case in cases:
        expected, given = case.expected, case.result
        texts = [
            case.case_id, case.mission, expected.verdict if expected else "", given.verdict,
            " ".join(step.name for step in expected.actions) if expected else "", " ".join(step.name for step in given.actions),
            f"{given.role}{' × 2' if given.four_eyes else ''}",
        ]  # fmt: skip
        cents = "" if given.money_at_stake_cents is None else f"{given.money_at_stake_cents / 100:.2f}"
        rows.writerow([*map(_no_formula, texts), cents, *(_shown(case.figures.get(name)) for name in figures)])
    return out.getvalue().encode()


def _no_formula(text: str) -> str:
    text = plain(text, 2_000)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
