"""How a shadow agrees with what the live version proposed, and with what people decided about it.

>>> found = report(ShadowFile(settings().home, "lenient"), ledger)
>>> found.people.share, found.people.interval
(0.93, (0.84, 0.97))
>>> found.frame()
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evals.intervals import of_count
from evals.shadow.keeping import ShadowFile, ShadowOf
from evals.shadow.rows import COMPARED, DECIDED, Compared, Row, differs, row_of
from graphs.shown import Part, Shown, Table, frame, table
from graphs.text import dollars, share
from ledger.base import Ledger
from systems.catalogue import default_catalogue

#: the same plan, whoever would approve it
_AGREES: tuple[Compared, ...] = ("same", "other_approval")
#: of runs that a notebook shows
_MOST_ROWS = 50


@dataclass(frozen=True)
class Agreement:
    """In how many runs the shadow agrees, of those where that can be told."""

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
    def told(self) -> str:
        """12 of 13, 92.3% (66.7% to 98.6%)."""
        if not self.of:
            return "no run yet"
        low, high = self.interval
        return f"{self.hits:,} of {self.of:,}, {share(self.share)} ({share(low)} to {share(high)})"


@dataclass(frozen=True, kw_only=True)
class ShadowReport(Shown):
    """What a shadow did beside the live company so far."""

    shadow: ShadowOf
    runs: Sequence[Row]
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
        """`people`, of the runs in which the shadow was told what the live version was told."""
        same = [row for row in self.runs if not (row.moved or row.looked_anew)]
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
    def would_fail(self) -> Sequence[Row]:
        """Runs that would get stuck, or in which a step would fail."""
        return [row for row in self.runs if row.failed]

    @property
    def disagreements(self) -> Sequence[Row]:
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
        named = sorted({row.mission for row in self.runs})
        parts = [replace(self, runs=[row for row in self.runs if row.mission == name]) for name in named]
        return [
            {"mission": name, "runs": len(part.runs), "with_live": part.live.told, "with_people": part.people.told}
            for name, part in zip(named, parts, strict=True)
        ]

    def rows(self) -> list[dict[str, Any]]:
        """A row a run; money in cents."""
        return [_told(row) for row in self.runs]

    def frame(self) -> Any:
        """`rows` as a pandas DataFrame."""
        return frame(self.rows())

    @property
    def sentences(self) -> list[str]:
        """The report in sentences."""
        what = " and ".join([*self.shadow.changed, *(f"the pack of {one}" for one in self.shadow.changed_packs)]) or "nothing"
        now = sum(row.evidence == "now" for row in self.runs)
        moved = sum(bool(row.moved) for row in self.runs)
        return [
            f"{self.shadow.name}, with {what} changed: {len(self.runs):,} runs since {self.shadow.since:%Y-%m-%d %H:%M} UTC.",
            f"The shadow proposes what the live version proposed: {self.live.told}.",
            f"It proposes what people let happen: {self.people.told}; told the same by the systems: {self.same_evidence.told}.",
            f"It proposes again what people rejected: {self.rejected_again.told}. Undecided so far: {self.undecided:,}.",
            f"{now:,} runs were read from the systems, {moved:,} of all were told something else than the live version.",
            f"{len(self.would_fail):,} runs would get stuck, or a step of them would fail.",
            *(
                [f"{self.left_out:,} runs are left out: their lines cannot be read, or the live version has proposed nothing."]
                if self.left_out
                else []
            ),
        ]

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
            yield from ("\n".join([f"{row.run_id} differs in", *differs(row)]) for row in self.disagreements[:_MOST_ROWS])
        if self.would_fail:
            yield Table(("run", "would fail because"), [(row.run_id, row.failed) for row in self.would_fail], most=_MOST_ROWS)


def report(file: ShadowFile, ledger: Ledger) -> ShadowReport:
    """Compare what a shadow did with what the live ledger says by now. Raises BadInput where there is no such shadow."""
    kept, catalogue = file.read(), default_catalogue()
    rows = [row for run in kept.runs if (row := row_of(run, ledger, catalogue))]
    return ShadowReport(shadow=kept.shadow, runs=rows, left_out=kept.broken + len(kept.runs) - len(rows))


def _agreement(rows: Iterable[Row], compared: Callable[[Row], Compared | None]) -> Agreement:
    told = [compared(row) in _AGREES for row in rows]
    return Agreement(sum(told), len(told))


def _told(row: Row) -> dict[str, Any]:
    return {
        "run": row.run_id,
        "mission": row.mission,
        "event": row.event,
        "subject": row.subject,
        "decided": row.decided,
        "with_live": row.with_live,
        "with_people": row.with_people,
        "verdict_live": row.live.verdict,
        "verdict_decided": row.last.verdict,
        "verdict_shadow": row.shadow.verdict if row.shadow else None,
        "differs": " ".join(differs(row)),
        "at_stake_decided_cents": row.last.money_at_stake_cents,
        "at_stake_shadow_cents": row.shadow.money_at_stake_cents if row.shadow else None,
        "moved_cents": row.moved_cents,
        "evidence": row.evidence,
        "told_otherwise": ", ".join(row.moved),
        "looked_anew": row.looked_anew,
        "outcome_shadow": row.outcome,
        "failed": row.failed,
    }


def _differing(row: Row) -> tuple[str, ...]:
    verdict = row.shadow.verdict if row.shadow else "–"
    return row.run_id, row.subject, row.decided, row.last.verdict, verdict, dollars(row.moved_cents)
