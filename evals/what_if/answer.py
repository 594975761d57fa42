"""What a change of policies or packs would do to recorded exceptions.

`evals.what_if.what_if` gives it to the dashboard, to commands and to notebooks; here stands what all of them know of it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from errors import BadInput
from evals import plots
from evals.evaluation.answers import CaseAnswer, differences
from graphs.candidate import named_changes
from ledger.records import ROLES
from nodes.clause_values import ClauseReads
from rendering import Displayable, Part, Table, Title, dollars, frame, major, table, words
from settings import company_currency

#: Called with how many cases are replayed, and of how many.
OnProgress = Callable[[int, int], None]

#: of flips, and of broken cases, that a notebook shows
_MOST_ROWS = 50

#: What became of a case: it goes to a queue now, or no longer; another verdict; the same with other actions; the same plan
#: with more or less approval.
Way = Literal["now_escalated", "no_longer_escalated", "other_verdict", "other_actions", "more_approval", "less_approval"]


@dataclass(frozen=True, kw_only=True)
class ReplayedAnswer(CaseAnswer):
    """What a Mission proposes for a recorded exception."""

    #: what decides about the approval, in cents
    money_at_stake_cents: int
    #: refund, capture, release, payment, or an action with an amount of its own (offer_credit) -> sum of the plan, in cents
    money_cents: Mapping[str, int]
    #: what the case read of clauses
    reads: ClauseReads | None = field(default=None, compare=False, repr=False)


@dataclass
class Proof:
    """That the answers which a change cannot reach stay as they are, tried on a random sample of them."""

    not_reached: int = 0
    sampled: int = 0
    #: of the sample; where there is one, every case was replayed
    differed: int = 0

    @property
    def sentence(self) -> str:
        """How many cases were not replayed, and what the sample says; empty where all were."""
        if not self.not_reached:
            return ""
        if self.differed:
            return (
                f"{self.differed:,} of {self.sampled:,} that it should not reach came out otherwise, so every case was replayed."
            )
        return (
            f"It cannot reach {self.not_reached:,} of them, by the clause values and facts that they read; "
            f"{self.sampled:,} of these were replayed all the same, and none came out otherwise."
        )


def way(before: CaseAnswer, after: CaseAnswer) -> Way | None:
    """What became of a case; None where the answer stayed the same in what counts."""
    differing = differences(before, after)
    if "verdict" in differing:
        if "escalate" in (before.verdict, after.verdict):
            return "now_escalated" if after.verdict == "escalate" else "no_longer_escalated"
        return "other_verdict"
    if "actions" in differing or "order" in differing:
        return "other_actions"
    if "approval" in differing:
        was, now = ((ROLES.index(answer.role), answer.four_eyes) for answer in (before, after))
        return "more_approval" if now > was else "less_approval"
    return None


@dataclass(frozen=True, kw_only=True)
class Flip(Displayable):
    """A recorded exception that is answered otherwise."""

    case_id: str
    mission: str
    event: str
    subject: str
    way: Way
    before: ReplayedAnswer
    after: ReplayedAnswer
    #: what of the change can have made it, clauses and the pack: one where it is certain, none where it cannot be
    because_of: Sequence[str]

    @property
    def moved_cents(self) -> int:
        """By how much the money at stake changes."""
        return self.after.money_at_stake_cents - self.before.money_at_stake_cents

    def parts(self) -> Iterator[Part]:
        """Both answers, side by side."""
        yield Title(f"{self.case_id}: {self.subject}, {self.event}")
        sides = (self.before, self.after)
        plans = ["\n".join(words(step.name) for step in side.actions) or "nothing" for side in sides]
        stakes = [dollars(side.money_at_stake_cents) for side in sides]
        cites = [", ".join(side.cite) for side in sides]
        verdicts, approvals = [words(side.verdict) for side in sides], [side.approval for side in sides]
        lines = {"verdict": verdicts, "plan": plans, "approval": approvals, "at stake": stakes, "cites": cites}
        yield Table(("", "now", "with the change"), [(name, *both) for name, both in lines.items()])
        if self.because_of:
            yield f"Because of {', '.join(self.because_of)}."

    @property
    def verdicts(self) -> str:
        """The verdict in words, or both where they differ."""
        return _both(words(self.before.verdict), words(self.after.verdict))

    @property
    def approvals(self) -> str:
        """Who must approve, or both where they differ."""
        return _both(self.before.approval, self.after.approval)


def _both(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A recorded exception that could not be answered any more, and why."""

    case_id: str
    mission: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Detected:
    """Exceptions by kind that a scan of a history finds, with the present policies and with changed ones."""

    #: numbers of the definitions that are others: ("window_minutes",); empty where the change defines nothing
    thresholds: tuple[str, ...] = ()
    #: exceptions by kind; None where there is no history
    before: Mapping[str, int] | None = None
    after: Mapping[str, int] | None = None

    @property
    def sentence(self) -> str:
        """What it comes to; empty where the change defines nothing."""
        if not self.thresholds:
            return ""
        named = " and ".join(words(one) for one in self.thresholds)
        begins = f"The change ({named}) also says what is an exception at all"
        if self.before is None or self.after is None:
            return (
                f"{begins}. These cases were found with the present value, and cannot tell how many more or fewer there are: "
                "name the history they come from with --history."
            )
        moved = [
            f"{self.before.get(kind, 0):,} → {number:,} {words(kind)}"
            for kind, number in self.after.items()
            if number != self.before.get(kind, 0)
        ]
        return f"{begins}: a scan of the history would find {', '.join(moved) or 'the same number of each kind'}."


@dataclass(frozen=True, kw_only=True)
class WhatIf(Displayable):
    """What would be otherwise, over all cases that were replayed."""

    #: clauses that say something else than now
    changed: Sequence[str]
    cases: int
    flips: Sequence[Flip]
    broken: Sequence[Broken]
    #: kind of money -> sums over all cases, in cents
    money_before_cents: Mapping[str, int]
    money_after_cents: Mapping[str, int]
    #: sums of what is at stake, case by case
    money_at_stake_before_cents: int
    money_at_stake_after_cents: int
    #: cases whose verdict is to escalate
    escalated_before: int
    escalated_after: int
    seconds: float
    #: Missions that have another pack than now
    changed_packs: Sequence[str] = ()
    proof: Proof = field(default_factory=Proof)
    #: what a scan would find otherwise
    found: Detected = field(default_factory=Detected)

    @property
    def ways(self) -> Mapping[Way, int]:
        """How many cases flip which way, most first."""
        return dict(Counter(flip.way for flip in self.flips).most_common())

    @property
    def moved_cents(self) -> int:
        """By how much the money at stake changes over all cases."""
        return self.money_at_stake_after_cents - self.money_at_stake_before_cents

    def rows(self) -> list[dict[str, Any]]:
        """A row a flip, for a table or `pandas.DataFrame`: money in cents."""
        return [
            {
                "case": flip.case_id,
                "mission": flip.mission,
                "event": flip.event,
                "subject": flip.subject,
                "way": flip.way,
                "verdict_before": flip.before.verdict,
                "verdict_after": flip.after.verdict,
                "actions_before": len(flip.before.actions),
                "actions_after": len(flip.after.actions),
                "approval_before": flip.before.approval,
                "approval_after": flip.after.approval,
                "money_at_stake_before_cents": flip.before.money_at_stake_cents,
                "money_at_stake_after_cents": flip.after.money_at_stake_cents,
                "because_of": ", ".join(flip.because_of),
            }
            for flip in self.flips
        ]

    def money_rows(self) -> list[dict[str, Any]]:
        """[{"kind", "before_cents", "after_cents", "moved_cents"}], a row a kind of money that any plan moves."""
        kinds = sorted({*self.money_before_cents, *self.money_after_cents})
        pairs = [(kind, self.money_before_cents.get(kind, 0), self.money_after_cents.get(kind, 0)) for kind in kinds]
        return [{"kind": kind, "before_cents": b, "after_cents": a, "moved_cents": a - b} for kind, b, a in pairs]

    @property
    def sentence(self) -> str:
        """What would be otherwise, in one sentence."""
        ways = ", ".join(f"{count:,} {words(way)}" for way, count in self.ways.items())
        return (
            f"With {named_changes(self.changed, self.changed_packs)} changed, {len(self.flips):,} of {self.cases:,} recorded "
            f"exceptions would get a different answer{f' ({ways})' if ways else ''}; {dollars(self.moved_cents)} more at stake "
            f"over all of them, {self.escalated_before:,} → {self.escalated_after:,} escalated."
        )

    def frame(self) -> Any:
        """`rows` as a pandas DataFrame."""
        return frame(self.rows(), ["case", "mission"])

    def plot(self) -> "plots.Drawing":
        """A chart: how many cases flip from which verdict to which, and which way."""
        pairs = [{"verdict": flip.verdicts, "cases": 1, "what becomes of them": words(flip.way)} for flip in self.flips]
        return plots.bars(frame(pairs, ["verdict", "cases", "what becomes of them"]), "cases", "verdict", "what becomes of them")

    def explain(self, case_id: str) -> Flip:
        """Both answers to a case that flips. Raises BadInput where it does not."""
        flip = next((one for one in self.flips if one.case_id == case_id), None)
        if flip is None:
            raise BadInput(f"{case_id} does not flip: it is answered as now; `frame()` lists those that do")
        return flip

    def parts(self) -> Iterator[Part]:
        """The sentence, money that moves, and what becomes of which cases; `rows` has more of each."""
        yield " ".join(filter(None, (self.sentence, self.found.sentence, self.proof.sentence)))
        if kinds := [row for row in self.money_rows() if row["moved_cents"]]:
            money = [(row["kind"], *map(dollars, list(row.values())[1:])) for row in kinds]
            yield Table(("money that plans move", "now", "then", "moves"), money, right=("now", "then", "moves"))
        if self.flips:
            moved = {way: sum(flip.moved_cents for flip in self.flips if flip.way == way) for way in self.ways}
            ways = [(words(way), f"{count:,}", dollars(moved[way])) for way, count in self.ways.items()]
            yield Table(("what becomes of them", "cases", "at stake moves"), ways, right=("cases", "at stake moves"))
            flips = [_row(flip) for way in self.ways for flip in self.flips if flip.way == way]
            yield Table(("case", "subject", "verdict", "approval", "at stake", "because of"), flips, most=_MOST_ROWS)
        if self.broken:
            broken = [(one.case_id, one.mission, one.error) for one in self.broken]
            yield Table(("case", "mission", "could not be answered any more"), broken, most=_MOST_ROWS)


def _row(flip: Flip) -> tuple[str, ...]:
    at_stake = _both(dollars(flip.before.money_at_stake_cents), dollars(flip.after.money_at_stake_cents))
    return flip.case_id, flip.subject, flip.verdicts, flip.approvals, at_stake, ", ".join(flip.because_of)


@dataclass(frozen=True)
class Point:
    """One value of a sweep, and what it would do."""

    value: Any
    found: WhatIf


@dataclass(frozen=True, kw_only=True)
class Sweep(Displayable):
    """What one value after another would do."""

    #: the path of the value, such as FRD-2.elevated
    value: str
    #: what it is now; None where that is no single value
    present: Any
    points: Sequence[Point]

    def rows(self) -> list[dict[str, Any]]:
        """A row a value: how many cases flip, and are escalated then; money in cents, and by how much it moves."""
        return [
            {
                self.value: point.value,
                "flips": len(point.found.flips),
                "no_longer_escalated": point.found.ways.get("no_longer_escalated", 0),
                "now_escalated": point.found.ways.get("now_escalated", 0),
                "escalated": point.found.escalated_after,
                "money_at_stake_cents": point.found.money_at_stake_after_cents,
                "moved_cents": point.found.moved_cents,
                "broken": len(point.found.broken),
            }
            for point in self.points
        ]

    @property
    def sentence(self) -> str:
        """What was tried, in one sentence."""
        now = "" if self.present is None else f", which is {self.present} now"
        return f"{self.value}{now}, over {self.points[0].found.cases:,} recorded exceptions."

    def frame(self) -> Any:
        """`rows` as a pandas DataFrame."""
        return frame(self.rows())

    def plot(self) -> "plots.Drawing":
        """A chart: cases that are escalated and money at stake, over the values."""
        rows = self.frame()
        money = f"money at stake, {company_currency()}"
        rows[money] = [major(cents) for cents in rows["money_at_stake_cents"]]
        return plots.curves(rows, self.value, ["escalated", money], self.present)

    def parts(self) -> Iterator[Part]:
        """The sentence, and a row a value."""
        yield self.sentence
        yield table([{"value": row.pop(self.value), **row} for row in self.rows()])
