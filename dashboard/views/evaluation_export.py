"""An evaluation to take away: a row a case for a spreadsheet."""

from collections.abc import Iterable, Iterator
from typing import Any

from dashboard.views.evaluations import FIGURES
from graphs import spreadsheet
from ledger.evaluations import EvaluationCase


def as_csv(cases: Iterable[EvaluationCase]) -> bytes:
    """A row a case for a spreadsheet."""
    figures = [figure.name for figure in FIGURES]
    told = ["case", "mission", "expected", "given", "actions expected", "actions given", "approval", "at stake"]
    return spreadsheet.as_csv([*told, *figures], _rows(cases, figures)).encode()


def _rows(cases: Iterable[EvaluationCase], figures: Iterable[str]) -> Iterator[list[Any]]:
    for case in cases:
        expected, given = case.expected, case.result
        cents = given.money_at_stake_cents
        yield [
            case.case_id, case.mission, expected.verdict if expected else "", given.verdict,
            " ".join(step.name for step in expected.actions) if expected else "", " ".join(step.name for step in given.actions),
            f"{given.role}{' × 2' if given.four_eyes else ''}", "" if cents is None else round(cents / 100, 2),
            *(case.figures.get(name) for name in figures),
        ]  # fmt: skip
