"""What if: which recorded exceptions would get a different answer under other policies or packs, and what money that moves.

>>> found = what_if(changes={"FRD-2.elevated": 0.6})
>>> found.ways
{'no_longer_escalated': 13}
>>> found.frame()
>>> sweep("FRD-2.elevated", [0.5, 0.6, 0.7]).frame()

Both sides are replayed as if they had always been in force, whatever the moment of a case: the question is what they would
do to such cases from now on.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from errors import BadInput
from evals.evaluation.answers import CaseAnswer
from evals.recorded.cases import RecordedException, recorded_files
from evals.what_if.answer import Broken, Flip, OnProgress, Point, Proof, ReplayedAnswer, Sweep, WhatIf, way
from evals.what_if.finding import found_otherwise
from evals.what_if.replaying import Answers, Recordings, replay
from graphs.candidate import Candidate, Change, differing_clauses, differing_packs
from graphs.reasoners import open_reasoning
from knowledge_index.policies import PolicyBook
from ledger.canonical import utc_now
from nodes.pack import Pack
from nodes.planner import Planner
from settings import Settings, settings
from systems.catalogue import load_catalogue

CaseSource = Sequence[Path] | Sequence[RecordedException] | None
#: One replay at a time: it takes a whole core.
_replaying = Lock()


def what_if(
    changed: PolicyBook | Path | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    packs: Path | None = None,
    cases: CaseSource = None,
    as_of: datetime | None = None,
    chosen: Settings | None = None,
    reasoner: str = Planner.name,
    history: Path | None = None,
    on_progress: OnProgress | None = None,
) -> WhatIf:
    """Replay recorded exceptions with what there is and with what would be, and compare.

    Args:
        changed: the policies that would be, or their folder; the present ones unless given.
        changes: values of clauses, and tiers of actions, that would be others: {"FRD-2.elevated": 0.8}.
        packs: a folder of packs that would take the place of those of their Missions.
        cases: recorded exceptions, each with an id of its own, or files of them; those of this checkout unless given.
        as_of: of both sides that is replayed which is in force then; now unless given.
        chosen: packs and phrasings; the settings of this process unless given.
        reasoner: which makes the proposals of both sides; one that asks a model asks that of the settings, within its budgets.
        history: the history of orders that the cases were found in; it is searched again where the change says what is found.
        on_progress: called with how many cases are replayed, and of how many; about 200 a second.

    Raises BadInput for policies, packs, changes or cases that do not load, and where no model is set and one is asked.
    Answers are remembered (`evals.what_if.replaying`).
    """
    _, (found,) = _replayed([Change(changed, packs, changes)], cases, as_of, chosen, on_progress, reasoner, history)
    return found


def sweep(
    value: str,
    values: Sequence[Any],
    *,
    changes: Mapping[str, Any] | None = None,
    cases: CaseSource = None,
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
    tried = [Change(values={**(changes or {}), value: one}) for one in values]
    present, found = _replayed(tried, cases, as_of, chosen, on_progress)
    points = [Point(one, would_be) for one, would_be in zip(values, found, strict=True)]
    return Sweep(value=value, present=_present(present.policies, value), points=points)


def _replayed(
    changes: Sequence[Change],
    cases: CaseSource,
    as_of: datetime | None,
    chosen: Settings | None,
    on_progress: OnProgress | None,
    reasoner: str = Planner.name,
    history: Path | None = None,
) -> tuple[Candidate, list[WhatIf]]:
    """What there is, and what each change would do; nothing is replayed before all of them load."""
    begun = time.perf_counter()
    chosen, as_of = chosen or settings(), as_of or utc_now()
    catalogue = load_catalogue(chosen.systems)
    present = Candidate.present(chosen, catalogue, as_of)
    recordings = _recordings(cases, present.packs)
    candidates = [present.with_change(change, chosen, catalogue, as_of) for change in changes]
    done, total = 0, (1 + len(candidates)) * len(recordings.cases)

    def on_done(number: int) -> None:
        nonlocal done
        done += number
        if on_progress:
            on_progress(done, total)

    would_find = [found_otherwise(history, present.policies, one.policies, as_of) for one in candidates]
    found = []
    with open_reasoning(chosen, reasoner) as reasoning, _replaying:
        before = replay(recordings, present, catalogue, chosen, on_done, reasoning)
        for candidate, detected in zip(candidates, would_find, strict=True):
            proof = Proof()
            after = replay(recordings, candidate, catalogue, chosen, on_done, reasoning, (present, before), proof)
            compared = _compared(recordings.cases, present, before, candidate, after, time.perf_counter() - begun)
            found.append(dataclasses.replace(compared, proof=proof, found=detected))
            begun = time.perf_counter()
    return present, found


def _recordings(cases: CaseSource, packs: Mapping[str, Pack]) -> Recordings:
    given = [case for case in cases or () if isinstance(case, RecordedException)]
    return (
        Recordings.of(given)
        if given
        else Recordings.read([file for file in cases or recorded_files() if isinstance(file, Path)], packs)
    )


def _compared(
    cases: Sequence[RecordedException], present: Candidate, before: Answers, candidate: Candidate, after: Answers, seconds: float
) -> WhatIf:
    changed = differing_clauses(present.policies, candidate.policies)
    changed_packs = differing_packs(present.packs, candidate.packs)
    olds, news, broken, flips = list[ReplayedAnswer](), list[ReplayedAnswer](), list[Broken](), list[Flip]()
    for case in cases:
        was, now, event = before[case.case_id], after[case.case_id], case.event
        if isinstance(now, Broken):
            broken.append(now)
        elif isinstance(was, ReplayedAnswer):
            olds.append(was)
            news.append(now)
            if flipped := way(was, now):
                because = _because(changed, was, now, candidate.packs[event.mission].of(event.name))
                if event.mission in changed_packs:
                    because.append("the pack")
                flips.append(
                    Flip(case_id=case.case_id, mission=event.mission, event=event.name, subject=event.subject, way=flipped,
                         before=_without_reads(was), after=_without_reads(now), because_of=because)
                )  # fmt: skip
    return WhatIf(
        changed=changed,
        changed_packs=changed_packs,
        cases=len(cases),
        flips=flips,
        broken=broken,
        money_before_cents=_sums(olds),
        money_after_cents=_sums(news),
        money_at_stake_before_cents=sum(one.money_at_stake_cents for one in olds),
        money_at_stake_after_cents=sum(one.money_at_stake_cents for one in news),
        escalated_before=sum(one.verdict == "escalate" for one in olds),
        escalated_after=sum(one.verdict == "escalate" for one in news),
        seconds=seconds,
    )


def _without_reads(answer: ReplayedAnswer) -> ReplayedAnswer:
    """What the facts said that it was held against is for the replay, and not for what is written."""
    return dataclasses.replace(answer, reads=None)


def _present(book: PolicyBook, path: str) -> Any:
    """The value that a path leads to now; None where it leads to none, as that of a tier."""
    clause, _, way = path.partition(".")
    values: Any = {one.id: one.values for document in book.documents for one in document.clauses}.get(clause)
    with suppress(KeyError, IndexError, ValueError, TypeError):
        for name in way.split("."):
            values = values[int(name)] if isinstance(values, list) else values[name]
        return values
    return None


def _because(changed: Sequence[str], was: CaseAnswer, now: CaseAnswer, pack: Pack) -> list[str]:
    """Of the changed clauses those that this pack works with; of these, where there are any, those that are cited."""
    at_work = [clause for clause in changed if clause in {*pack.clauses, *pack.rules}]
    cited = [clause for clause in at_work if clause in {*was.cite, *now.cite}]
    return cited or at_work


def _sums(answers: Sequence[ReplayedAnswer]) -> dict[str, int]:
    sums = Counter[str]()
    for answer in answers:
        sums.update(answer.money_cents)
    return dict(sums)
