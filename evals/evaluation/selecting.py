"""Which of the recorded exceptions are run, and when an evaluation has seen enough of them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice

from errors import BadInput
from evals.evaluation.store import EvaluationCase
from evals.intervals import of_share
from evals.recorded.cases import RecordedException

#: fewer cases say nothing about how wide an interval will be
FEWEST = 30
#: of a filter, and what it is compared with
_FIELDS: Mapping[str, Callable[[RecordedException], str]] = {
    "case": lambda case: case.case_id,
    "mission": lambda case: case.event.mission,
    "event": lambda case: case.event.name,
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which cases of files are run; all, unless something is given.

    `filters` are `mission=order_exception`, `event=order.*`, `case=O-99*`: a case meets one of each name. `sample` cases are
    drawn from those, the same ones each time, in an order that is as good as random; or the first `limit` are taken.
    """

    filters: Sequence[str] = ()
    limit: int | None = None
    sample: int | None = None
    _patterns: Mapping[str, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Raises BadInput for what is no filter, and where both a sample and the first ones are asked for."""
        if self.limit is not None and self.sample is not None:
            raise BadInput("--limit takes the first cases and --sample draws some; give one of the two")
        patterns: dict[str, list[str]] = {}
        for text in self.filters:
            name, _, pattern = text.partition("=")
            if name not in _FIELDS or not pattern:
                known = ", ".join(f"{one}=…" for one in _FIELDS)
                raise BadInput(f"--filter {text[:80]!r} is not understood; give one of {known}, with * for anything")
            patterns.setdefault(name, []).append(pattern)
        object.__setattr__(self, "_patterns", patterns)

    def of(self, cases: Iterable[RecordedException]) -> Iterator[RecordedException]:
        """Those that are run, in the order in which they are; a sample is held in memory. Raises BadInput where none is."""
        met = (case for case in cases if self._meets(case))
        chosen = iter(sorted(met, key=_place)[: self.sample] if self.sample is not None else islice(met, self.limit))
        first = next(chosen, None)
        if first is None:
            raise BadInput(
                f"No case meets {' and '.join(self.filters)}; look at `mission` and `event` of the cases, or leave --filter out"
            )
        yield first
        yield from chosen

    def _meets(self, case: RecordedException) -> bool:
        return all(any(fnmatchcase(_FIELDS[name](case), one) for one in patterns) for name, patterns in self._patterns.items())

    @property
    def made_of(self) -> Mapping[str, object]:
        """What of it changes which cases are run, and in which order."""
        return {"selection": [sorted(self.filters), self.limit, self.sample]}


def _place(case: RecordedException) -> bytes:
    """Where a case stands among those that may be drawn: by chance, and the same each time."""
    return hashlib.sha256(case.case_id.encode()).digest()


@dataclass(kw_only=True)
class Enough:
    """When an evaluation ends before its cases do: at what it has cost, or once its share of exact is known well enough."""

    selection: Selection = field(default_factory=Selection)
    #: US dollars
    most_cost: float | None = None
    #: how wide the 95% interval of exact may be, from 0 to 1
    interval: float | None = None
    cost: float = 0.0
    _exact: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises BadInput where the cases up to an end are no fair part of all."""
        if self.selection.sample is None and (self.most_cost is not None or self.interval is not None):
            raise BadInput("An evaluation that may end early runs cases in an order by chance: say of how many with --sample")

    @property
    def costs_too_much(self) -> bool:
        """Whether it has cost what it may."""
        return self.most_cost is not None and self.cost >= self.most_cost

    def after(self, case: EvaluationCase) -> str:
        """Why it ends after this case; empty where it goes on."""
        self.cost += case.usage.get("cost_cents", 0.0) / 100
        if (exact := case.figures.get("exact")) is not None:
            self._exact.setdefault(case.case_id, []).append(exact)
        if self.costs_too_much:
            return f"it has cost ${self.cost:,.2f} of the ${self.most_cost:,.2f} that it may"
        if self.interval is None or len(self._exact) < FEWEST:
            return ""
        found = of_share([*self._exact.values()])
        if found is None or found.high - found.low > self.interval:
            return ""
        return f"the interval of exact is {found.low:.1%} to {found.high:.1%}, narrower than the {self.interval:.1%} asked for"
