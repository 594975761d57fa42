"""The scorers: each is a small function `Sides -> float | None`, None where it does not apply to a case.

To add one, write it into a file of its own here, and name it in SCORERS: its name is that of the figure, its docstring says
what the figure means. A figure is the mean over the cases that it applies to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from evals.scorers.actions import actions
from evals.scorers.approval import approval
from evals.scorers.citations import cite_precision, cite_recall
from evals.scorers.confidence import brier
from evals.scorers.cost import cost_cents, reads, retries, tokens, tries
from evals.scorers.escalation import missed_escalation, needless_escalation
from evals.scorers.exact import exact
from evals.scorers.latency import latency_ms
from evals.scorers.order import order
from evals.scorers.sides import Sides
from evals.scorers.unsafe import unsafe
from evals.scorers.verdict import verdict

#: of a share each case says yes or no; a part is between 0 and 1; an amount is 0 or more, in the unit of its name
Kind = Literal["share", "part", "amount"]


@dataclass(frozen=True)
class Scorer:
    """A scorer, and how its figure is to be read."""

    score: Callable[[Sides], float | None]
    better: Literal["high", "low"] = "high"
    kind: Kind = "share"
    #: it is about the machine too: another one gives another figure
    of_machine: bool = False

    @property
    def name(self) -> str:
        """The name of the figure."""
        return self.score.__name__

    @property
    def title(self) -> str:
        """The name of the figure in words."""
        return self.name.replace("_", " ")

    @property
    def means(self) -> str:
        """What the figure means."""
        return str(self.score.__doc__)


SCORERS = (
    Scorer(exact),
    Scorer(verdict),
    Scorer(actions),
    Scorer(order),
    Scorer(unsafe, "low"),
    Scorer(missed_escalation, "low"),
    Scorer(needless_escalation, "low"),
    Scorer(cite_recall, kind="part"),
    Scorer(cite_precision, kind="part"),
    Scorer(approval),
    Scorer(brier, "low", "part"),
    Scorer(reads, "low", "amount"),
    Scorer(tries, "low", "amount"),
    Scorer(tokens, "low", "amount"),
    Scorer(cost_cents, "low", "amount"),
    Scorer(retries, "low", "amount", of_machine=True),
    Scorer(latency_ms, "low", "amount", of_machine=True),
)
BY_NAME: Mapping[str, Scorer] = {scorer.name: scorer for scorer in SCORERS}
