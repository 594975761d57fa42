"""Recorded exceptions, replayed with one candidate after another; answers are remembered.

Of a Mission whose pack is the same, the planner's answers stand where the change cannot reach them (`evals.what_if.reached`).
That is proved each time: a random sample of them is replayed, and where one differs, everything is.

A Mission is replayed again only where something differs that can decide a case of it: its pack, a number of a clause that it
works with, what any clause says, how messages are understood, or the cases themselves.
"""

import gc
import hashlib
import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from evals.evaluation.answers import answer_of
from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.evaluation.jobs import read_unique
from evals.recorded.cases import RecordedException
from evals.what_if.answer import Broken, Proof, ReplayedAnswer
from evals.what_if.reached import Reach
from graphs.candidate import Candidate
from graphs.reasoners import Reasoning
from knowledge_index.embeddings import MiniLM
from nodes.governance import flat_costs
from nodes.pack import Pack
from nodes.planner import Planner
from settings import Settings
from systems.catalogue import Catalogue

#: answers that are remembered, at the most; but of so many replays of a Mission in any case
MOST_REMEMBERED, LEAST_REPLAYS = 50_000, 10
#: cases that a change cannot reach and that are replayed all the same: one of 20, but so many
LEAST_SAMPLE, MOST_SAMPLE = 20, 300

#: case id -> what came out
Answers = Mapping[str, ReplayedAnswer | Broken]
OnDone = Callable[[int], None]
_remembered: OrderedDict[str, Answers] = OrderedDict()


@dataclass(frozen=True)
class Recordings:
    """Recorded exceptions, read once."""

    cases: Sequence[RecordedException]
    #: mission -> digest of its cases
    digests: Mapping[str, str]

    @classmethod
    def read(cls, files: Sequence[Path], packs: Mapping[str, Pack]) -> "Recordings":
        """The cases of files. Raises BadInput for what is none, for none at all, and where a case id stands twice."""
        return cls.of([case for _, case in read_unique(files, packs)])

    @classmethod
    def of(cls, cases: Sequence[RecordedException]) -> "Recordings":
        """Cases, each with an id of its own."""
        digests: dict[str, Any] = {}
        for case in cases:
            digest = digests.setdefault(case.event.mission, hashlib.sha256())
            digest.update(orjson.dumps(case.raw, option=orjson.OPT_SORT_KEYS))
        return cls(cases, {mission: digest.hexdigest() for mission, digest in digests.items()})


def replay(
    recordings: Recordings,
    candidate: Candidate,
    catalogue: Catalogue,
    chosen: Settings,
    on_done: OnDone,
    reasoning: Reasoning,
    base: tuple[Candidate, Answers] | None = None,
    proof: Proof | None = None,
) -> Answers:
    """What a candidate answers to each case; `on_done` hears of so many cases that are done.

    `base` is another candidate with its answers, which stand where they cannot differ; what is found of that goes to `proof`.
    """
    answers: dict[str, ReplayedAnswer | Broken] = {}
    fresh: dict[str, str] = {}
    stands: dict[str, ReplayedAnswer | Broken] = {}
    for mission in recordings.digests:
        key = _key(recordings, candidate, mission, catalogue, chosen, reasoning)
        if key in _remembered:
            _remembered.move_to_end(key)
            answers |= _remembered[key]
            on_done(len(_remembered[key]))
        else:
            fresh[mission] = key
    if base and proof and reasoning.reasoner.version == Planner.version:
        same = [mission for mission in fresh if candidate.packs[mission].digest == base[0].packs[mission].digest]
        stands = _not_reached(recordings, same, base, candidate)
    if fresh:
        opened = EvalEnvironment.of_candidate(candidate, catalogue, chosen, _embedder(), reasoning=reasoning)
        with opened as environment, _collector_as_before():
            evaluation = Evaluation(environment)
            if proof is not None and not _prove(recordings, evaluation, stands, proof):
                stands = {}
            for mission, key in fresh.items():
                own = {}
                for case in (case for case in recordings.cases if case.event.mission == mission):
                    own[case.case_id] = stands.get(case.case_id) or _answer(evaluation, case)
                    on_done(1)
                _remember(key, own)
                answers |= own
    return answers


def _not_reached(
    recordings: Recordings, missions: Collection[str], base: tuple[Candidate, Answers], candidate: Candidate
) -> dict[str, ReplayedAnswer | Broken]:
    reach = Reach(base[0].policies, candidate.policies)
    known = ((case.case_id, base[1][case.case_id]) for case in recordings.cases if case.event.mission in missions)
    return {
        case_id: one
        for case_id, one in known
        if isinstance(one, ReplayedAnswer) and one.reads is not None and not reach.reaches(one.reads)
    }


def _prove(recordings: Recordings, evaluation: Evaluation, stands: Answers, proof: Proof) -> bool:
    """Replay a sample of the answers that stand; False where one of them does not."""
    cases = [case for case in recordings.cases if case.case_id in stands]
    sample = random.sample(cases, min(len(cases), max(LEAST_SAMPLE, min(MOST_SAMPLE, len(cases) // 20))))
    proof.not_reached, proof.sampled = len(cases), len(sample)
    proof.differed = sum(_answer(evaluation, case) != stands[case.case_id] for case in sample)
    return not proof.differed


def _key(
    recordings: Recordings, candidate: Candidate, mission: str, catalogue: Catalogue, chosen: Settings, reasoning: Reasoning
) -> str:
    pack, documents = candidate.packs[mission], candidate.policies.documents
    clauses = [(document, clause) for document in documents for clause in document.clauses]
    texts = [[header.version, clause.id, clause.title, clause.prose] for header, clause in clauses]
    numbers = {clause.id: clause.values for _, clause in clauses if clause.id in pack.ruling}
    phrasings = [[str(file), file.stat().st_mtime_ns] for file in sorted(chosen.phrasings.rglob("*.txt"))]
    proposes = [reasoning.reasoner.version, reasoning.reads and reasoning.reads.version, pack.model_digest]
    decides = [recordings.digests[mission], pack.digest, texts, numbers, phrasings, catalogue.digest, proposes]
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _remember(key: str, answers: Answers) -> None:
    _remembered[key] = answers
    while len(_remembered) > LEAST_REPLAYS and sum(map(len, _remembered.values())) > MOST_REMEMBERED:
        _remembered.popitem(last=False)


@cache
def _embedder() -> MiniLM:
    """One for all candidates: to load its model takes half a second."""
    return MiniLM()


@contextmanager
def _collector_as_before() -> Iterator[None]:
    """An evaluation sets the garbage collector up for itself; a process that goes on needs it as it was."""
    before = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def _answer(evaluation: Evaluation, case: RecordedException) -> ReplayedAnswer | Broken:
    event = case.event
    if event.name not in evaluation.environment.packs[event.mission].trigger.events:
        return Broken(case_id=case.case_id, mission=event.mission, error=f"{event.mission} has no event {event.name} any more")
    try:
        result = evaluation.run(case)
    except Exception as error:  # what a change breaks is what is asked for
        return Broken(case_id=case.case_id, mission=event.mission, error=f"{type(error).__name__}: {error}"[:300])
    money = _money(case, result["actions"], evaluation.environment)
    return ReplayedAnswer(**vars(answer_of(result)), money_cents=money, reads=evaluation.reads)


def _money(case: RecordedException, actions: Sequence[Mapping[str, Any]], shared: EvalEnvironment) -> dict[str, int]:
    """What a plan moves and costs, by kind: worked out on the recorded systems, action by action, as the check does."""
    rule = shared.packs[case.event.mission].of(case.event.name).approval
    flat = flat_costs(rule, shared.policies.period(case.event.as_of).values)
    world, money = case.records(shared.catalogue.record_schema).copy(), Counter[str]()
    for planned in actions:
        action = shared.catalogue[planned["name"]]
        seen = action.seen(world, planned["args"])
        money.update({kind: cents or 0 for kind, cents in action.cents(seen, flat).items()})
        action.apply(world, seen)
    return {kind: cents for kind, cents in money.items() if cents}
