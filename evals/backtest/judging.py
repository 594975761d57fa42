"""What a Mission would have done about an exception beside what the history really did next, and how often which.

What followed is a weak label: a refund says that something was wrong, not that it was this, and a customer who kept two
orders may have wanted one. The declarations in `evals/history/detectors.yaml` say, for each kind, which of it is trouble.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, get_args

from evals.history.detectors import DETECTORS, Backtested, Followed
from evals.intervals import Interval, of_mean, of_share
from rendering import approver, money, plain, words

Response = Literal["stepped in", "let it go", "handed over"]
Label = Literal["trouble", "fine", "not known"]
Judged = Literal["caught", "needless", "missed", "rightly let go", "handed over", "not known"]
JUDGED: tuple[Judged, ...] = get_args(Judged)
_FOLLOWED: tuple[Followed, ...] = get_args(Followed)
#: days in which trouble, or a payment, may still come: of what went so for less than this nothing is known
SETTLES_DAYS = 30
#: trouble that is only that something has not come yet
_MAY_CHANGE: Sequence[Followed] = ("never_charged",)
_JUDGED: Mapping[tuple[Response, Label], Judged] = {
    ("stepped in", "trouble"): "caught",
    ("stepped in", "fine"): "needless",
    ("let it go", "trouble"): "missed",
    ("let it go", "fine"): "rightly let go",
}


@dataclass(frozen=True, kw_only=True)
class Minutes:
    """What a person needs, declared: nothing in a history tells it."""

    #: to work on an exception by hand
    by_hand: float
    #: to decide about a proposal
    to_decide: float


@dataclass(frozen=True, kw_only=True)
class BacktestCase:
    """An exception, what the Mission would have done about it, and what followed."""

    exception_id: str
    kind: str
    subject: str
    other_id: str | None
    customer_id: str | None
    channel: str | None
    #: when people would have been told
    known_at: datetime
    #: None where the history does not tell
    money_cents: int | None
    says: str
    verdict: str
    #: who would have had to approve: "nobody" where it would have gone ahead
    approver: str
    #: what it would have had to know
    lacking: Sequence[str]
    response: Response
    followed: Sequence[Followed]
    #: of what followed, what decides `label`; None where nothing does
    because: Followed | None
    label: Label
    #: refunded or disputed later, of all orders that the exception is about
    given_back_cents: int
    #: how long after `known_at` an order of it was cancelled; None where none was, or it is not told
    cancelled_after: timedelta | None

    @property
    def judged(self) -> Judged:
        """What it comes to."""
        return "handed over" if self.response == "handed over" else _JUDGED.get((self.response, self.label), "not known")


def judged_case(row: Mapping[str, Any], result: Mapping[str, Any], declared: Backtested, history_ends: datetime) -> BacktestCase:
    """Of a row of `Worlds`, and a result in the format of evals/cases/README.md."""
    verdict, known_at = result["verdict"], row["known_at"].replace(tzinfo=UTC)
    response: Response = "handed over" if verdict == "escalate" else "let it go" if verdict in declared.lets_go else "stepped in"
    settled = known_at + timedelta(SETTLES_DAYS) <= history_ends
    trouble = next((one for one in declared.trouble if row[one] and (settled or one not in _MAY_CHANGE)), None)
    fine = next((one for one in declared.fine if row[one]), None)
    cancelled_at = row["cancelled_at"]
    return BacktestCase(
        **{name: row[name] for name in ("exception_id", "kind", "subject", "other_id", "customer_id", "channel", "money_cents")},
        known_at=known_at, says=row["says"], verdict=verdict,
        approver=approver(result["approval"]["role"], result["approval"]["four_eyes"]),
        lacking=list(dict.fromkeys(map(_named, result["lacking"]))) if response == "handed over" else [], response=response,
        followed=[one for one in _FOLLOWED if row[one]], because=trouble or (fine if settled else None),
        label="trouble" if trouble else "fine" if fine and settled else "not known",
        given_back_cents=row["given_back_cents"],
        cancelled_after=cancelled_at.replace(tzinfo=UTC) - known_at if cancelled_at else None,
    )  # fmt: skip


#: what could not be worked out names what it needs: «payment.fraud.score >= FRD_3.from»
_FIELD = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+\b(?!\()")
_UNREACHED = re.compile(r"(\S+) could not be (?:reached|read)")


def _named(lacking: str) -> str:
    if unreached := _UNREACHED.match(lacking):
        return f"{plain(unreached[1], 60)}: any record"
    fields = (field.split(".") for field in _FIELD.findall(lacking) if "«" in lacking)
    return ", ".join(dict.fromkeys(f"{words(record)}: {words('_'.join(path))}" for record, *path in fields)) or plain(
        lacking.partition(" of ")[0], 120
    )


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
