"""Evaluation: run Missions over recorded exceptions, on recorded systems, in memory.

Each case runs on the same graph as live, up to where a person decides or the plan would be executed.
"""

import atexit
import gc
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from errors import BadInput
from evals.cases import RecordedException, recorded
from graphs.mission import GRAPH_VERSION, mission_graph
from graphs.runtime import load_packs, utc_now
from graphs.settings import Settings, settings
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import KnowledgeIndex
from knowledge_index.policies import PolicyBook
from ledger.memory import MemoryLedger
from ledger.records import Proposal
from nodes.ground import NEIGHBOURS
from nodes.listening import Listening, Phrasebook
from nodes.pack import Pack
from nodes.planner import Planner
from nodes.state import MissionContext
from systems.catalogue import Catalogue, default_catalogue
from systems.recorded import RecordedSystems

CHUNK = 16


@dataclass(frozen=True)
class Laboratory:
    """What all cases of an evaluation share."""

    packs: Mapping[str, Pack]
    catalogue: Catalogue
    policies: PolicyBook
    knowledge: KnowledgeIndex
    phrasebook: Phrasebook

    @classmethod
    def open(cls, chosen: Settings) -> "Laboratory":
        """Load packs and policies; the knowledge index is the built one, or one in memory where that is not there."""
        catalogue, policies = default_catalogue(), PolicyBook.load(chosen.policies)
        packs = load_packs(chosen.packs, catalogue, policies)
        embedder = MiniLM()
        try:
            knowledge = KnowledgeIndex.open(chosen.knowledge, policies, embedder)
        except BadInput:
            knowledge = KnowledgeIndex.in_memory(policies, embedder)
        parts = [part for pack in packs.values() for part in pack.parts.values() or (pack,)]
        for part in parts:  # embed the queries once, before the first case
            for topic in part.topics.values():
                knowledge.search(topic, k=NEIGHBOURS, as_of=utc_now())
        phrasebook = Phrasebook(chosen.phrasings, embedder, chosen.language)
        phrasebook.learn(parts)
        return cls(packs, catalogue, policies, knowledge, phrasebook)


class Evaluation:
    """Runs recorded exceptions one after the other in this process."""

    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self._saver = InMemorySaver()
        self._graph = mission_graph(self._saver)
        self._planner = Planner()
        # what is loaded by now stays, and of a case nothing does: the collector need not walk it all again and again
        gc.freeze()
        atexit.register(gc.unfreeze)  # libraries in C++ complain at the end of the process about what stayed
        gc.set_threshold(50_000, 20, 50)

    def run(self, case: RecordedException) -> dict[str, Any]:
        """One result in the format of CONTRACT.md. Raises BadInput for a case whose systems are malformed."""
        lab = self.laboratory
        systems = RecordedSystems(case.systems, lab.catalogue, utc_now)
        ledger = MemoryLedger()
        reader = Listening(systems, lab.phrasebook, utc_now)
        context = MissionContext(
            ledger=ledger, reader=reader, writer=systems, packs=lab.packs, catalogue=lab.catalogue, policies=lab.policies,
            knowledge=lab.knowledge, reasoner=self._planner, clock=utc_now,
        )  # fmt: skip
        ledger.take_in(case.event, case.case_id, {"graph": GRAPH_VERSION})
        steps = self._graph.stream(
            {"run_id": case.case_id},
            {"configurable": {"thread_id": case.case_id}},
            context=context,
            stream_mode=[],
            interrupt_before=["review", "execute"],
            durability="exit",
        )
        for _ in steps:
            pass
        self._saver.delete_thread(case.case_id)
        proposal = ledger.proposals(case.case_id)[0]
        return result(case.case_id, proposal)


def result(case_id: str, proposal: Proposal) -> dict[str, Any]:
    """A proposal in the result format of CONTRACT.md."""
    return {
        "case_id": case_id,
        "verdict": proposal.verdict,
        "actions": [{"name": action["name"], "args": action["args"]} for action in proposal.plan],
        "tiers": [action["tier"] for action in proposal.plan],
        "cite": [cite["clause"] for cite in proposal.cites],
        "approval": {"role": proposal.approval.role, "four_eyes": proposal.approval.four_eyes},
        "money_at_stake_cents": proposal.money_at_stake_cents,
    }


def evaluate(cases: Iterable[RecordedException], laboratory: Laboratory, workers: int = 1) -> Iterator[dict[str, Any]]:
    """Results in the order of the cases, with `workers` processes."""
    if workers == 1:
        evaluation = Evaluation(laboratory)
        yield from map(evaluation.run, cases)
        return
    # spawned, not forked: a fork of a process whose libraries run threads can hang
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chunks = _chunks(case.raw for case in cases)
        for results in pool.map(_evaluate_chunk, chunks):
            yield from results


def _chunks(raws: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    rest = iter(raws)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


@lru_cache(maxsize=1)
def _evaluation_of_this_process() -> Evaluation:
    return Evaluation(Laboratory.open(settings()))


def _evaluate_chunk(raws: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    evaluation = _evaluation_of_this_process()
    return [evaluation.run(recorded(raw, evaluation.laboratory.packs, str(raw["case_id"]))) for raw in raws]
