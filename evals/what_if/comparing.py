"""What if: which recorded exceptions would get a different answer under other policies or packs, and what money that moves.

>>> found = what_if(changes={"FRD-2.elevated": 0.6})
>>> found.ways
{'no_longer_escalated': 13}
>>> found.frame()
>>> sweep("FRD-2.elevated", [0.5, 0.6, 0.7]).frame()

Both sides are replayed as if they had always been in force, whatever the moment of a case: the question is what they would
do to such cases from now on.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from errors import BadInput
from evals.recorded.cases import RecordedException, recorded_files
from evals.what_if.answer import Answer, Broken, Flip, OnProgress, Point, Sweep, Way, WhatIf
from evals.what_if.replaying import Answers, OnDone, Recordings, replay
from graphs.candidate import Candidate, Change, differing_clauses, differing_packs
from knowledge_index.policies import PolicyBook
from ledger.canonical import utc_now
from ledger.records import ROLES
from nodes.pack import Pack
from settings import Settings, settings
from systems.catalogue import Catalogue, default_catalogue

#: One replay at a time: it takes a whole core.
_replaying = Lock()


def what_if(
    changed: PolicyBook | Path | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    packs: Path | None = None,
    cases: Sequence[Path] | None = None,
    as_of: datetime | None = None,
    chosen: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> WhatIf:
    """Replay recorded exceptions with what there is and with what would be, and compare.

    Args:
        changed: the policies that would be, or their folder; the present ones unless given.
        changes: values of clauses, and tiers of actions, that would be others: {"FRD-2.elevated": 0.8}.
        packs: a folder of packs that would take the place of those of their Missions.
        cases: files of recorded exceptions; those of this checkout unless given.
        as_of: of both sides that is replayed which is in force then; now unless given.
        chosen: packs and phrasings; the settings of this process unless given.
        on_progress: called with how many cases are replayed, and of how many; about 200 a second.

    Raises BadInput for policies, packs, changes or cases that do not load. Answers are remembered (`evals.what_if.replaying`).
    """
    begun = time.perf_counter()
    setup = _ReplaySetup.open(cases, as_of, chosen)
    candidate = setup.with_change(Change(changed, packs, changes))
    with _replaying:
        on_done = _progress(on_progress, 2 * len(setup.recordings.cases))
        return setup.compare(setup.answers(setup.present, on_done), candidate, on_done, begun)


def sweep(
    value: str,
    values: Sequence[Any],
    *,
    changes: Mapping[str, Any] | None = None,
    cases: Sequence[Path] | None = None,
    as_of: datetime | None = None,
    chosen: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> Sweep:
    """`what_if` for one value of a clause after another: what each would flip, escalate and move.

    Args:
        value: such as "FRD-2.elevated".
        values: those to be tried, in the order in which they are to be shown.
        changes: what would be otherwise besides, for all of them.
        cases, as_of, chosen, on_progress: as for `what_if`.

    Raises BadInput before anything is replayed, where one of the values cannot be.
    """
    if not values:
        raise BadInput(f"There is no value of {value} to try; give at least one.")
    setup = _ReplaySetup.open(cases, as_of, chosen)
    tried = [(one, setup.with_change(Change(values={**(changes or {}), value: one}))) for one in values]
    with _replaying:
        on_done = _progress(on_progress, (1 + len(tried)) * len(setup.recordings.cases))
        before = setup.answers(setup.present, on_done)
        points = [Point(one, setup.compare(before, candidate, on_done, time.perf_counter())) for one, candidate in tried]
    return Sweep(value=value, present=_present(setup.present.policies, value), points=points)


@dataclass(frozen=True)
class _ReplaySetup:
    """What every question is asked over."""

    chosen: Settings
    as_of: datetime
    catalogue: Catalogue
    present: Candidate
    recordings: Recordings

    @classmethod
    def open(cls, cases: Sequence[Path] | None, as_of: datetime | None, chosen: Settings | None) -> "_ReplaySetup":
        chosen, as_of, catalogue = chosen or settings(), as_of or utc_now(), default_catalogue()
        before = Candidate.present(chosen, catalogue, as_of)
        return cls(chosen, as_of, catalogue, before, Recordings.read(cases or recorded_files(), before.packs))

    def with_change(self, change: Change) -> Candidate:
        return self.present.with_change(change, self.chosen, self.catalogue, self.as_of)

    def answers(self, candidate: Candidate, on_done: OnDone) -> Answers:
        return replay(self.recordings, candidate, self.catalogue, self.chosen, on_done)

    def compare(self, before: Answers, candidate: Candidate, on_done: OnDone, begun: float) -> WhatIf:
        after = self.answers(candidate, on_done)
        clauses = differing_clauses(self.present.policies, candidate.policies)
        packs = differing_packs(self.present.packs, candidate.packs)
        recorded = self.recordings.cases
        flips = [_flip(case, before, after, clauses, packs, candidate.packs) for case in recorded]
        answered = [(b, a) for case in recorded if (b := _of(before, case)) and (a := _of(after, case))]
        olds, news = [b for b, _ in answered], [a for _, a in answered]
        return WhatIf(
            changed=clauses,
            changed_packs=packs,
            cases=len(recorded),
            flips=[flip for flip in flips if flip is not None],
            broken=[one for case in recorded if isinstance(one := after[case.case_id], Broken)],
            money_before_cents=_sums(olds),
            money_after_cents=_sums(news),
            at_stake_before_cents=sum(one.at_stake_cents for one in olds),
            at_stake_after_cents=sum(one.at_stake_cents for one in news),
            escalated_before=sum(one.verdict == "escalate" for one in olds),
            escalated_after=sum(one.verdict == "escalate" for one in news),
            seconds=time.perf_counter() - begun,
        )


def _progress(on_progress: OnProgress | None, total: int) -> Callable[[int], None]:
    done = 0

    def on_done(number: int) -> None:
        nonlocal done
        done += number
        if on_progress:
            on_progress(done, total)

    return on_done


def _of(answers: Answers, case: RecordedException) -> Answer | None:
    answer = answers[case.case_id]
    return answer if isinstance(answer, Answer) else None


def _present(book: PolicyBook, path: str) -> Any:
    """The value that a path leads to now; None where it leads to none, as that of a tier."""
    clause, _, way = path.partition(".")
    values: Any = {one.id: one.values for document in book.documents for one in document.clauses}.get(clause)
    with suppress(KeyError, IndexError, ValueError, TypeError):
        for name in way.split("."):
            values = values[int(name)] if isinstance(values, list) else values[name]
        return values
    return None


def _flip(
    case: RecordedException,
    before: Answers,
    after: Answers,
    clauses: Sequence[str],
    packs: Sequence[str],
    candidates: Mapping[str, Pack],
) -> Flip | None:
    was, now, event = _of(before, case), _of(after, case), case.event
    way = was and now and _way(was, now)
    if was is None or now is None or not way:
        return None
    because = _because(clauses, was, now, candidates[event.mission].of(event.name))
    return Flip(
        case_id=case.case_id,
        mission=event.mission,
        event=event.name,
        subject=event.subject,
        way=way,
        before=was,
        after=now,
        because_of=[*because, *(["the pack"] if event.mission in packs else [])],
    )


def _way(was: Answer, now: Answer) -> Way | None:
    if was.verdict != now.verdict:
        if "escalate" in (was.verdict, now.verdict):
            return "now_escalated" if now.verdict == "escalate" else "no_longer_escalated"
        return "other_verdict"
    if was.actions != now.actions:
        return "other_actions"
    ranks = [(ROLES.index(answer.role), answer.four_eyes) for answer in (was, now)]
    if ranks[0] != ranks[1]:
        return "more_approval" if ranks[1] > ranks[0] else "less_approval"
    return None


def _because(changed: Sequence[str], was: Answer, now: Answer, pack: Pack) -> list[str]:
    """Of the changed clauses those that this pack works with; of these, where there are any, those that are cited."""
    at_work = [clause for clause in changed if clause in {*pack.clauses, *pack.rules}]
    cited = [clause for clause in at_work if clause in {*was.cites, *now.cites}]
    return cited or at_work


def _sums(answers: Sequence[Answer]) -> dict[str, int]:
    sums = Counter[str]()
    for answer in answers:
        sums.update(answer.money_cents)
    return dict(sums)
