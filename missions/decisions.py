"""What people overrule, by what they decided in a ledger."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import pandas as pd

from evals import plots
from evals.learning.lessons import lessons
from evals.learning.overruled import Overruled, judged_proposals
from evals.learning.overruled import overruled as rates_of
from evals.learning.thresholds import Evidence, Thresholds, draft_of, thresholds
from graphs.ledgers import open_front
from ledger.base import Ledger
from missions.opened import as_day, present
from missions.progress import progress
from rendering import Displayable, Part, Title, frame, table
from settings import settings

By = Literal["clauses", "findings", "verdicts", "roles"]
#: of a notebook
_SHOWN = 12


@dataclass(frozen=True)
class PeopleOverrule(Displayable):
    """How often people overruled what, their lessons, and the numbers that their decisions suggest."""

    rates: Overruled
    #: a row a lesson: what was proposed, what a person changed, and why
    lessons: pd.DataFrame = field(repr=False)
    thresholds: Thresholds = field(repr=False)

    def frame(self, by: By = "clauses") -> pd.DataFrame:
        """A row a clause, finding, verdict or role: name, decided, overruled, rate (0 to 1), low and high of its 95% interval."""
        columns = ["name", "decided", "overruled", "rate", "low", "high"]
        found: pd.DataFrame = frame(self.rates.plain()[by], columns).set_index("name")
        return found

    def plot(self, by: By = "clauses") -> "plots.Drawing":
        """A chart: the share that was overruled, with its interval, the highest first."""
        rows = self.frame(by).reset_index().head(_SHOWN)
        return plots.intervals(rows, "name", "overruled of decided, 95% interval", "rate")

    @property
    def suggestions(self) -> list[Evidence]:
        """The numbers with enough evidence for another one."""
        return self.thresholds.suggestions

    def evidence(self) -> pd.DataFrame:
        """A row a number that a decision speaks about: present, suggested, how many decisions are against each, and why not."""
        found: pd.DataFrame = frame(self.thresholds.rows(), ["clause", "value"]).set_index(["clause", "value"])
        return found

    def draft(self, suggestion: Evidence, in_force_from: date | str) -> str:
        """The text of the policy's next version with a suggested number. Raises BadInput."""
        return draft_of(suggestion, present().policies, as_day(in_force_from))

    @property
    def sentence(self) -> str:
        """How much was decided."""
        return f"{len(self.rates.judged):,} proposals were decided about, {len(self.lessons):,} decisions are lessons."

    def parts(self) -> Iterator[Part]:
        """How much was decided, the rates of clauses, the numbers that are suggested."""
        yield self.sentence
        if self.rates.clauses:
            yield table([{"clause": row.pop("name"), **row} for row in self.rates.plain()["clauses"][:_SHOWN]])
        for one in self.suggestions:
            yield Title(f"{one.clause}.{one.value}: {one.present:g} → {one.suggested:g}")
            yield one.sentence()


def overruled(ledger: Ledger | None = None, mission: str | None = None) -> PeopleOverrule:
    """What people overrule, in the ledger of the company unless another is given (that of walks), of one Mission or of all.

    >>> found = ms.overruled()
    >>> found.plot()
    >>> found.lessons[["subject", "difference", "reason"]]

    Raises BadInput where the database of the company cannot be opened.
    """
    shared = present()
    with nullcontext(ledger) if ledger is not None else open_front(settings()) as opened, progress():
        judged = judged_proposals(opened, shared.catalogue, mission)
        learned = [one.row() for one in lessons(opened, shared.catalogue, mission)]
        numbers = thresholds(judged, opened, shared.packs, shared.policies, shared.catalogue)
    return PeopleOverrule(rates_of(judged), frame(learned, ["lesson", "subject", "reason"]), numbers)
