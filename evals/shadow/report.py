"""How a shadow agrees with what the live version proposed, and with what people decided about it.

>>> found = report(ShadowFile(settings().home, "lenient"), ledger)
>>> found.people.share, found.people.interval
(0.93, (0.84, 0.97))
>>> found.frame()
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from evals.evaluation.answers import CaseAnswer, differences
from evals.intervals import of_count
from evals.recorded.recording import looks_behind
from evals.shadow.persistence import ShadowFile, ShadowOf, ShadowRun
from evals.shadow.running import counted_answer
from graphs.candidate import named_changes
from ledger.authorization import steps_left_out
from ledger.base import Ledger
from ledger.records import Decision, Proposal
from rendering import Displayable, Part, Table, clock, dollars, frame, share, table
from settings import settings
from systems.catalogue import Catalogue, load_catalogue

#: what became of the live run's proposal: it ran without a person; a person approved it as it was, approved another plan
#: in its place, rejected it, escalated it; or nobody has decided yet
Decided = Literal["automatic", "approved", "edited", "rejected", "escalated", "undecided"]
#: how the shadow's answer compares with a plan
AnswerComparison = Literal[
    "same", "other_approval", "other_actions", "other_verdict", "escalates", "does_not_escalate", "no_answer"
]
DECIDED: tuple[Decided, ...] = ("automatic", "approved", "edited", "escalated", "rejected", "undecided")
COMPARED: tuple[AnswerComparison, ...] = (
    "same", "other_approval", "other_actions", "other_verdict", "escalates", "does_not_escalate", "no_answer",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ShadowedRun:
    """A run of a shadow beside what the live version proposed, and what people made of it."""

    run: ShadowRun
    decided: Decided
    #: whether the live version has looked again since its look that the shadow is set beside
    looked_again: bool
    #: the first live proposal of that look
    live: CaseAnswer
    #: the plan that people let happen, or rejected; where nobody has decided, what was proposed
    last: CaseAnswer

    @property
    def with_live(self) -> AnswerComparison:
        """The shadow's answer against that of the live version."""
        return _compared(self.run.answer, self.live)

    @property
    def with_people(self) -> AnswerComparison | None:
        """Against what was decided: the plan that was approved or rejected, the escalation; None where nobody has decided."""
        return None if self.decided == "undecided" else _compared(self.run.answer, self.last)

    @property
    def moved_cents(self) -> int:
        """How much more money the shadow's plan would put at stake than what was decided, or else proposed."""
        mine = self.run.answer.money_at_stake_cents if self.run.answer else 0
        return (mine or 0) - (self.last.money_at_stake_cents or 0)

    @property
    def failed(self) -> str:
        """Why the shadow's run got stuck, or which step would fail and why; empty where neither is so."""
        steps = [f"{step.action}: {step.error}" for step in self.run.steps if step.status == "failed"]
        return self.run.error or "; ".join(steps)

    @property
    def differing(self) -> list[str]:
        """What the shadow's plan has and has not, against what was decided or, where nobody has yet, proposed."""
        if self.run.answer is None:
            return [self.failed]
        mine, other = (Counter(step.action for step in answer.actions) for answer in (self.run.answer, self.last))
        return [f"{sign}{_said(*one)}" for sign, more in (("+", mine - other), ("-", other - mine)) for one in more.elements()]

    def row(self) -> dict[str, Any]:
        """For a table; money in cents."""
        answer = self.run.answer
        return {
            "run": self.run.run_id,
            "mission": self.run.mission,
            "event": self.run.event,
            "subject": self.run.subject,
            "decided": self.decided,
            "with_live": self.with_live,
            "with_people": self.with_people,
            "verdict_live": self.live.verdict,
            "verdict_decided": self.last.verdict,
            "verdict_shadow": answer.verdict if answer else None,
            "differs": " ".join(self.differing),
            "money_at_stake_decided_cents": self.last.money_at_stake_cents,
            "money_at_stake_shadow_cents": answer.money_at_stake_cents if answer else None,
            "moved_cents": self.moved_cents,
            "evidence": self.run.evidence,
            "answered_otherwise": ", ".join(self.run.moved),
            "looked_again": self.looked_again,
            "outcome_shadow": self.run.outcome,
            "failed": self.failed,
        }


def beside_live(run: ShadowRun, ledger: Ledger, catalogue: Catalogue) -> ShadowedRun | None:
    """The run as it stands by now; None where the live version has proposed nothing."""
    # to take steps back is no answer to the exception
    proposals = [one for one in ledger.proposals(run.run_id) if not one.undoes]
    if not proposals:
        return None
    decisions, looks = ledger.decisions(run.run_id), looks_behind(ledger, run.run_id)
    beside = [one for one in proposals if looks.get(one.proposal_id, 1) == run.look]
    live = counted_answer((beside or proposals)[0], catalogue)
    decided, standing = _decided(proposals, decisions)
    last = counted_answer(standing, catalogue, steps_left_out(standing, decisions)) if standing else live
    looked_again = (standing or proposals[-1]) not in beside
    return ShadowedRun(run=run, decided=decided, looked_again=looked_again, live=live, last=last)


def _decided(proposals: Sequence[Proposal], decisions: Sequence[Decision]) -> tuple[Decided, Proposal | None]:
    """What people made of it, and the proposal that they did that to: the last one that was settled."""
    settled = [one for one in proposals if one.status in ("approved", "automatic", "rejected")]
    if not settled or proposals[-1].status == "pending":
        return "undecided", None
    last = settled[-1]
    if last.status == "rejected":
        return "rejected", last
    if last.verdict == "escalate" and decisions and decisions[-1].kind == "escalate":
        return "escalated", last
    if last.status == "automatic":
        return "automatic", last
    edited = steps_left_out(last, decisions) or last.author in {one.by for one in decisions if one.kind == "edit"}
    return ("edited" if edited else "approved"), last


def _compared(mine: CaseAnswer | None, other: CaseAnswer) -> AnswerComparison:
    """The order of the actions is not looked at."""
    if mine is None:
        return "no_answer"
    differing = differences(mine, other)
    if "verdict" in differing:
        escalates: AnswerComparison = "escalates" if mine.verdict == "escalate" else "other_verdict"
        return "does_not_escalate" if other.verdict == "escalate" else escalates
    if "actions" in differing:
        return "other_actions"
    return "other_approval" if "approval" in differing else "same"


def _said(name: str, args: bytes) -> str:
    return f"{name}({', '.join(map(str, orjson.loads(args).values()))})"


#: the same plan, whoever would approve it
_AGREES: tuple[AnswerComparison, ...] = ("same", "other_approval")
#: of runs that a notebook shows
_MOST_ROWS = 50


@dataclass(frozen=True)
class Agreement:
    """In how many runs the shadow agrees, of those where that is known."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """None where there is no run."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return of_count(self.hits, self.of)

    @property
    def text(self) -> str:
        """12 of 13, 92.3% (66.7% to 98.6%)."""
        if not self.of:
            return "no run yet"
        low, high = self.interval
        return f"{self.hits:,} of {self.of:,}, {share(self.share)} ({share(low)} to {share(high)})"


@dataclass(frozen=True, kw_only=True)
class ShadowReport(Displayable):
    """What a shadow did beside the live company so far."""

    shadow: ShadowOf
    runs: Sequence[ShadowedRun]
    #: lines of its file that cannot be read, and runs for which the live version has proposed nothing
    left_out: int

    @property
    def live(self) -> Agreement:
        """With the first proposal of the live version, of the look that the shadow is set beside."""
        return _agreement(self.runs, lambda row: row.with_live)

    @property
    def people(self) -> Agreement:
        """With what people let happen: plans that were approved, edited and approved, or ran by themselves, and escalations.

        What a person rejected says what was wrong and not what would be right: see `rejected_again`.
        """
        return _agreement([row for row in self.runs if row.decided not in ("rejected", "undecided")], lambda row: row.with_people)

    @property
    def same_evidence(self) -> Agreement:
        """`people`, of the runs in which the shadow got the answers that the live version got."""
        same = [row for row in self.runs if not (row.run.moved or row.looked_again)]
        return replace(self, runs=same).people

    @property
    def rejected_again(self) -> Agreement:
        """Of the proposals that people rejected, how many the shadow makes as well."""
        return _agreement([row for row in self.runs if row.decided == "rejected"], lambda row: row.with_people)

    @property
    def undecided(self) -> int:
        """Runs that nobody has decided about yet."""
        return sum(row.decided == "undecided" for row in self.runs)

    @property
    def would_fail(self) -> Sequence[ShadowedRun]:
        """Runs that would get stuck, or in which a step would fail."""
        return [row for row in self.runs if row.failed]

    @property
    def disagreements(self) -> Sequence[ShadowedRun]:
        """Runs in which the shadow differs from what was decided or, where nobody has yet, proposed; most money first."""
        found = [row for row in self.runs if row.decided != "rejected" and (row.with_people or row.with_live) not in _AGREES]
        return sorted(found, key=lambda row: -abs(row.moved_cents))

    def matrix(self) -> list[dict[str, Any]]:
        """What people decided (a row each) by how the shadow compares with it; undecided: with what was proposed."""
        counts = Counter((row.decided, row.with_people or row.with_live) for row in self.runs)
        met = [decided for decided in DECIDED if any(counts[decided, compared] for compared in COMPARED)]
        return [{"decided": one, **{compared: counts[one, compared] for compared in COMPARED}} for one in met]

    def missions(self) -> list[dict[str, Any]]:
        """A row a Mission: runs, and agreement with the live version and with people."""
        rows = []
        for mission in sorted({row.run.mission for row in self.runs}):
            part = replace(self, runs=[row for row in self.runs if row.run.mission == mission])
            texts = {"with_live": part.live.text, "with_people": part.people.text}
            rows.append({"mission": mission, "runs": len(part.runs), **texts})
        return rows

    def rows(self) -> list[dict[str, Any]]:
        """A row a run; money in cents."""
        return [row.row() for row in self.runs]

    def frame(self) -> Any:
        """`rows` as a pandas DataFrame."""
        return frame(self.rows())

    @property
    def sentences(self) -> list[str]:
        """The report in sentences."""
        what = named_changes(self.shadow.changed, self.shadow.changed_packs)
        model = self.shadow.versions.get("model", "")
        now = sum(row.run.evidence == "now" for row in self.runs)
        moved = sum(bool(row.run.moved) for row in self.runs)
        sentences = [
            f"{self.shadow.name}, with {what} changed{f' and proposals by {model}' if model else ''}: {_runs(len(self.runs))} "
            f"since {clock(self.shadow.since)}.",
            f"Same proposal as the live version: {self.live.text}.",
            f"Same as what people approved: {self.people.text}; of those where the systems gave both the same answers: "
            f"{self.same_evidence.text}.",
            f"Proposed again though people rejected it: {self.rejected_again.text}. Not decided yet: {_runs(self.undecided)}.",
            f"The shadow asked the systems itself in {_runs(now)}; in {_runs(moved)} it got other answers than the live version.",
            f"Would get stuck, or fail in a step: {_runs(len(self.would_fail))}.",
        ]
        if self.left_out:
            skipped = f"Skipped, as their lines cannot be read or the live version proposed nothing: {_runs(self.left_out)}."
            sentences.append(skipped)
        return sentences

    def parts(self) -> Iterator[Part]:
        """The sentences, who agrees where, and the runs that differ or would fail; `rows` has more of each."""
        yield from self.sentences
        if not self.runs:
            return
        matrix = self.matrix()
        met = [name for name in COMPARED if any(row[name] for row in matrix)]
        yield table([{"decided": row["decided"], **{name: row[name] for name in met}} for row in matrix])
        yield table(self.missions())
        if self.disagreements:
            columns = ("run", "subject", "decided", "verdict", "shadow", "moves")
            yield Table(columns, [_differing(row) for row in self.disagreements], right=("moves",), most=_MOST_ROWS)
            yield from ("\n".join([f"{row.run.run_id} differs in", *row.differing]) for row in self.disagreements[:_MOST_ROWS])
        if self.would_fail:
            yield Table(("run", "would fail because"), [(row.run.run_id, row.failed) for row in self.would_fail], most=_MOST_ROWS)


def report(file: ShadowFile, ledger: Ledger) -> ShadowReport:
    """Compare what a shadow did with what the live ledger says by now. Raises BadInput where there is no such shadow."""
    kept, catalogue = file.read(), load_catalogue(settings().systems)
    rows = [row for run in kept.runs if (row := beside_live(run, ledger, catalogue))]
    return ShadowReport(shadow=kept.shadow, runs=rows, left_out=kept.broken + len(kept.runs) - len(rows))


def _runs(number: int) -> str:
    return f"{number:,} run{'' if number == 1 else 's'}"


def _agreement(rows: Iterable[ShadowedRun], compared: Callable[[ShadowedRun], AnswerComparison | None]) -> Agreement:
    agrees = [compared(row) in _AGREES for row in rows]
    return Agreement(sum(agrees), len(agrees))


def _differing(row: ShadowedRun) -> tuple[str, ...]:
    verdict = row.run.answer.verdict if row.run.answer else "–"
    return row.run.run_id, row.run.subject, row.decided, row.last.verdict, verdict, dollars(row.moved_cents)
