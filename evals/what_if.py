"""What if: which recorded exceptions would be answered otherwise under changed policies, and what money that moves.

>>> found = what_if(Path("policies-with-a-change"))
>>> found.ways
{'no_longer_escalated': 12, 'less_approval': 3}
>>> pandas.DataFrame(found.rows())

Both sides are replayed as if their policies had always been in force, whatever the moment of a case: the question is what
they would do to such cases from now on.
"""

import gc
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from evals.cases import RecordedException, read_cases
from evals.run import Evaluation, Laboratory
from graphs.runtime import load_packs, utc_now
from graphs.settings import CHECKOUT, Settings, settings
from graphs.what_if import Answer, Broken, Flip, OnProgress, Way, WhatIf
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import KnowledgeIndex
from knowledge_index.policies import PolicyBook
from knowledge_index.remembered import RememberedVectors
from ledger.records import ROLES
from nodes.listening import Phrasebook
from nodes.pack import Pack
from systems.catalogue import Catalogue, default_catalogue
from systems.records import Records

#: Sides that are remembered: the present one is asked for again with every draft.
MOST_REMEMBERED = 6
_DIGITS = 16

Answers = Mapping[str, Answer | Broken]
_remembered: OrderedDict[str, Answers] = OrderedDict()
#: One replay at a time: it takes a whole core.
_replaying = Lock()


def what_if(
    changed: PolicyBook | Path,
    *,
    cases: Sequence[Path] | None = None,
    as_of: datetime | None = None,
    present: PolicyBook | Path | None = None,
    chosen: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> WhatIf:
    """Replay recorded exceptions with the present and with the changed policies, and compare.

    Args:
        changed: the policies that would be, or their folder.
        cases: files of recorded exceptions; those of this checkout unless given.
        as_of: of both sides that is replayed which is in force then; now unless given.
        present: the policies that are, or their folder; those of the settings unless given.
        chosen: packs and phrasings; the settings of this process unless given.
        on_progress: told how many cases are replayed, and of how many; about 200 a second.

    Raises BadInput for policies, packs or cases that do not load. Results are remembered by policies, packs and cases.
    """
    begun = time.perf_counter()
    chosen, as_of = chosen or settings(), as_of or utc_now()
    sides = [_book(one).standing(as_of) for one in (present or chosen.policies, changed)]
    catalogue = default_catalogue()
    with _replaying:
        benches = [_Bench(chosen, policies, catalogue, load_packs(chosen.packs, catalogue, policies)) for policies in sides]
        before_packs, packs = (bench.packs for bench in benches)
        recorded = [case for file in cases or recorded_files() for case in read_cases(file, before_packs)]
        told = _progress(on_progress, 2 * len(recorded))
        before, after = (bench.answers(recorded, told) for bench in benches)
    clauses = _changed(*sides)
    flips = [flip for case in recorded if (flip := _flip(case, before, after, clauses, packs)) is not None]
    answered = [(b, a) for case in recorded if (b := _of(before, case)) and (a := _of(after, case))]
    return WhatIf(
        changed=clauses,
        cases=len(recorded),
        flips=flips,
        broken=[one for case in recorded if isinstance(one := after[case.case_id], Broken)],
        money_before_cents=_sums([b for b, _ in answered]),
        money_after_cents=_sums([a for _, a in answered]),
        at_stake_before_cents=sum(b.at_stake_cents for b, _ in answered),
        at_stake_after_cents=sum(a.at_stake_cents for _, a in answered),
        seconds=time.perf_counter() - begun,
    )


def recorded_files() -> list[Path]:
    """The recorded exceptions of this checkout, a file a Mission."""
    return sorted((CHECKOUT / "evals" / "cases").glob("*_*.jsonl"))


@dataclass(frozen=True)
class _Bench:
    """Where one side is replayed; nothing is opened before it must be."""

    chosen: Settings
    policies: PolicyBook
    catalogue: Catalogue
    packs: Mapping[str, Pack]

    def answers(self, cases: Sequence[RecordedException], told: Callable[[int], None]) -> Answers:
        """Case id -> answer; remembered ones at once."""
        key = self._key(cases)
        if key in _remembered:
            _remembered.move_to_end(key)
            told(len(cases))
            return _remembered[key]
        answers: dict[str, Answer | Broken] = {}
        with self._laboratory() as laboratory, _collector_as_before():
            evaluation = Evaluation(laboratory)
            for case in cases:
                answers[case.case_id] = _answer(evaluation, case)
                told(1)
        _remembered[key] = answers
        while len(_remembered) > MOST_REMEMBERED:
            _remembered.popitem(last=False)
        return answers

    def _key(self, cases: Sequence[RecordedException]) -> str:
        phrasings = [[str(file), file.stat().st_mtime_ns] for file in sorted(self.chosen.phrasings.rglob("*.txt"))]
        packs = {name: pack.digest for name, pack in self.packs.items()}
        told = [self.policies.digest(utc_now()), packs, phrasings, self.catalogue.digest, [case.raw for case in cases]]
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:_DIGITS]

    @contextmanager
    def _laboratory(self) -> Iterator[Laboratory]:
        """Vectors come from the file that messages are understood with: a clause or a query is embedded once a machine."""
        chosen, embedder = self.chosen, MiniLM()
        with (
            closing(RememberedVectors(embedder, chosen.language)) as vectors,
            KnowledgeIndex.in_memory(self.policies, vectors) as knowledge,
            closing(Phrasebook(chosen.phrasings, embedder, chosen.language)) as phrasebook,
        ):
            yield Laboratory(self.packs, self.catalogue, self.policies, knowledge, phrasebook)


@contextmanager
def _collector_as_before() -> Iterator[None]:
    """An evaluation sets the garbage collector up for itself; a process that goes on needs it as it was."""
    before = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def _book(policies: PolicyBook | Path) -> PolicyBook:
    return PolicyBook.load(policies) if isinstance(policies, Path) else policies


def _progress(on_progress: OnProgress | None, total: int) -> Callable[[int], None]:
    done = 0

    def told(number: int) -> None:
        nonlocal done
        done += number
        if on_progress:
            on_progress(done, total)

    return told


def _answer(evaluation: Evaluation, case: RecordedException) -> Answer | Broken:
    try:
        result = evaluation.run(case)
    except Exception as error:  # what a change breaks is what is asked for
        return Broken(case_id=case.case_id, mission=case.event.mission, error=f"{type(error).__name__}: {error}"[:300])
    return Answer(
        verdict=result["verdict"],
        actions=result["actions"],
        cites=result["cite"],
        role=result["approval"]["role"],
        four_eyes=result["approval"]["four_eyes"],
        at_stake_cents=result["money_at_stake_cents"],
        money_cents=_money(case, result["actions"], evaluation.laboratory.catalogue),
    )


def _money(case: RecordedException, actions: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> dict[str, int]:
    """What a plan moves, by kind: worked out on the recorded systems, action by action, as the check does.

    An amount that no approval looks at, such as a credit, is summed under the name of its action.
    """
    world = Records()
    for system, collections in case.systems.items():
        for name, rows in (collections or {}).items():
            world.add(f"{system}.{name}", rows)
    world = world.copy()
    money: dict[str, int] = {}
    for planned in actions:
        action = catalogue[planned["name"]]
        seen = action.seen(world, planned["args"])
        amounts = action.cents(seen) or {action.name: planned["args"].get("amount_cents") or 0}
        for kind, cents in amounts.items():
            money[kind] = money.get(kind, 0) + cents
        action.apply(world, seen)
    return {kind: cents for kind, cents in money.items() if cents}


def _of(answers: Answers, case: RecordedException) -> Answer | None:
    answer = answers[case.case_id]
    return answer if isinstance(answer, Answer) else None


def _changed(before: PolicyBook, after: PolicyBook) -> list[str]:
    """Clauses that are written otherwise: one that only shows a number of another does not change itself."""
    old, new = _written(before), _written(after)
    return [clause for clause in dict.fromkeys([*old, *new]) if old.get(clause) != new.get(clause)]


def _written(book: PolicyBook) -> dict[str, Any]:
    return {clause.id: (clause.values, clause.prose) for document in book.documents for clause in document.clauses}


def _flip(
    case: RecordedException, before: Answers, after: Answers, changed: Sequence[str], packs: Mapping[str, Pack]
) -> Flip | None:
    was, now = _of(before, case), _of(after, case)
    way = was and now and _way(was, now)
    if was is None or now is None or not way:
        return None
    event = case.event
    return Flip(
        case_id=case.case_id,
        mission=event.mission,
        event=event.name,
        subject=event.subject,
        way=way,
        before=was,
        after=now,
        because_of=_because(changed, was, now, packs[event.mission].of(event.name)),
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
    rule = pack.approval
    rules = {rule.automate, rule.base, rule.bands, *(one.clause for one in rule.raises)}
    at_work = [clause for clause in changed if clause in {*pack.clauses, *rules}]
    cited = [clause for clause in at_work if clause in {*was.cites, *now.cites}]
    return cited or at_work


def _sums(answers: Sequence[Answer]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for answer in answers:
        for kind, cents in answer.money_cents.items():
            sums[kind] = sums.get(kind, 0) + cents
    return sums
