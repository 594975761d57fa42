"""How often what a Mission would have done was caught, needless or missed, slice by slice, and how sure that is."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from evals.backtest.judging import JUDGED, BacktestCase, Judged
from evals.history.detectors import DETECTORS
from evals.intervals import Interval, of_mean, of_share
from rendering import money, plain


@dataclass(frozen=True, kw_only=True)
class Minutes:
    """What a person needs, declared: nothing in a history tells it."""

    #: to work on an exception by hand
    by_hand: float
    #: to decide about a proposal
    to_decide: float


@dataclass(frozen=True)
class Tally:
    """Cases of one sort, counted.

    Intervals take customers as a sample of those that might come: what happens to one of them several times counts once.
    """

    name: str
    cases: Sequence[BacktestCase]
    minutes: Minutes

    @cached_property
    def counts(self) -> Mapping[Judged, int]:
        """Cases by what they come to, all of JUDGED."""
        found = Counter(case.judged for case in self.cases)
        return {judged: found[judged] for judged in JUDGED}

    def money_cents(self, judged: Judged) -> int:
        """What these cases are about, together."""
        return sum(case.money_cents or 0 for case in self.cases if case.judged == judged)

    @property
    def given_back_cents(self) -> int:
        """Refunded or disputed later, of what would have been caught."""
        return sum(case.given_back_cents for case in self.cases if case.judged == "caught")

    @property
    def troubles(self) -> int:
        """Cases that went wrong, whatever the Mission would have done."""
        return sum(case.label == "trouble" for case in self.cases)

    @property
    def caught_share(self) -> Interval | None:
        """Of what went wrong, also of what is handed over; None where nothing did."""
        return self._share(lambda case: case.judged == "caught", lambda case: case.label == "trouble")

    @property
    def needless_share(self) -> Interval | None:
        """Of what it would have stepped into and of which is known what followed; None where there is nothing."""
        return self._share(lambda case: case.judged == "needless", lambda case: case.judged in ("caught", "needless"))

    @property
    def missed_share(self) -> Interval | None:
        """Of what went wrong; None where nothing did."""
        return self._share(lambda case: case.judged == "missed", lambda case: case.label == "trouble")

    @property
    def caught_cents(self) -> Interval | None:
        """The money of what would have been caught, over all cases together."""
        return self._total(lambda case: float(case.money_cents or 0) if case.judged == "caught" else 0.0)

    @property
    def hours(self) -> float:
        """Of work by hand that would not have been needed, less that of deciding about proposals."""
        return sum(map(self._hours, self.cases))

    @property
    def hours_interval(self) -> Interval | None:
        """The same with its interval."""
        return self._total(self._hours)

    def _hours(self, case: BacktestCase) -> float:
        if case.response == "handed over":
            return 0.0
        return (self.minutes.by_hand - (0.0 if case.approver == "nobody" else self.minutes.to_decide)) / 60

    def _share(self, hit: Callable[[BacktestCase], bool], of: Callable[[BacktestCase], bool]) -> Interval | None:
        return of_share(list(self._by_customer(case for case in self.cases if of(case))(lambda case: float(hit(case)))))

    def _total(self, value: Callable[[BacktestCase], float]) -> Interval | None:
        found = of_mean(list(self._by_customer(self.cases)(value)), bounded=False)
        n = len(self.cases)
        return found and Interval(found.mean * n, found.low * n, found.high * n)

    @staticmethod
    def _by_customer(cases: Iterable[BacktestCase]) -> Callable[[Callable[[BacktestCase], float]], Iterable[list[float]]]:
        clusters: dict[str, list[BacktestCase]] = {}
        for case in cases:
            clusters.setdefault(case.customer_id or f"\0{case.exception_id}", []).append(case)
        return lambda value: ([value(case) for case in cluster] for cluster in clusters.values())


#: kind -> what people call it
TITLES: Mapping[str, str] = {detector.kind: detector.title for detector in DETECTORS}
By = Literal["kind", "month", "channel", "value"]
WAYS: tuple[By, ...] = get_args(By)
#: upper ends of bands of money, minor units
_BANDS = (5_000, 20_000, 100_000)
_NOT_TOLD = "not told"


def slice_name(case: BacktestCase, by: By, currency: str) -> tuple[float, str]:
    """Which slice a case is in, with its place among the others."""
    if by == "kind":
        return 0.0, TITLES[case.kind]
    if by == "month":
        return case.known_at.year * 12.0 + case.known_at.month, f"{case.known_at:%b %Y}"
    if by == "channel":
        return 0.0, plain(case.channel or _NOT_TOLD, 60)
    if case.money_cents is None:
        return float("inf"), _NOT_TOLD
    most = next((band for band in _BANDS if case.money_cents <= band), None)
    return (most, f"up to {money(most, currency)}") if most else (_BANDS[-1] + 1, f"more than {money(_BANDS[-1], currency)}")


def tallies(cases: Sequence[BacktestCase], by: By, minutes: Minutes, currency: str) -> list[Tally]:
    """The cases slice by slice: months, and bands of money, in their order, others by how many they are."""
    found: dict[tuple[float, str], list[BacktestCase]] = {}
    for case in cases:
        found.setdefault(slice_name(case, by, currency), []).append(case)
    slices = [Tally(name, ones, minutes) for (_, name), ones in sorted(found.items())]
    return slices if by in ("month", "value") else sorted(slices, key=lambda one: -len(one.cases))


def lacks(cases: Iterable[BacktestCase]) -> list[tuple[str, str, int, int]]:
    """What was not known: (data, kind, cases handed over for it, those of them that went wrong), the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for case in cases:
        for one in case.lacking or ([] if case.response != "handed over" else ["nothing: the policy asks a person"]):
            found[one, case.kind] += 1
            wrong[one, case.kind] += case.label == "trouble"
    return [(data, TITLES[kind], number, wrong[data, kind]) for (data, kind), number in found.most_common()]
