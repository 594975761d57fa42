"""Evaluation: run Missions over recorded exceptions, on recorded systems, in memory.

Each case runs on the same graph as live, up to where a person decides or the plan would be executed.
"""

import atexit
import gc
import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langsmith import tracing_context

from errors import BadInput
from evals.atomic_write import reading
from evals.recorded.cases import RecordedException
from evals.recorded.labels import plain_answer
from graphs.candidate import Candidate
from graphs.mission import graph_version, mission_graph
from graphs.pack_files import load_packs
from graphs.reasoners import MissionResources, Reasoning, open_reasoning
from graphs.transcripts import Transcript
from knowledge_index.embeddings import MiniLM, RememberedVectors
from knowledge_index.index import Answers, KnowledgeIndex
from knowledge_index.policies import PolicyBook
from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.memory import MemoryLedger
from ledger.records import Proposal
from nodes.clause_values import ClauseReads
from nodes.diagnose import NEIGHBOURS
from nodes.pack import Pack
from nodes.planner import UNDECIDED, Planner
from nodes.understanding import Phrasebook
from settings import CHECKOUT, Settings
from systems.catalogue import Catalogue, load_catalogue
from systems.recorded import RecordedSystems


@dataclass(frozen=True)
class EvalEnvironment(MissionResources):
    """What all cases of an evaluation share."""

    #: as of when what is in force counts for cases of any day; None: what was in force then
    standing: datetime | None = None
    #: hears what the model is asked, where one is
    transcript: Transcript = field(default_factory=Transcript)

    @classmethod
    @contextmanager
    def with_reasoner(
        cls, chosen: Settings, name: str, answers: Answers | None = None, standing: datetime | None = None
    ) -> Iterator["EvalEnvironment"]:
        """See `open`, with the reasoner of this name, or that of the settings; what its model is asked is heard.

        Raises BadInput as `open_reasoning` does.
        """
        transcript = Transcript()
        with open_reasoning(chosen, name, transcript.before) as reasoning:
            yield replace(cls.open(chosen, answers, reasoning, standing), transcript=transcript)

    @classmethod
    def open(
        cls,
        chosen: Settings,
        answers: Answers | None = None,
        reasoning: Reasoning | None = None,
        standing: datetime | None = None,
    ) -> "EvalEnvironment":
        """Load packs and policies; the knowledge index is the built one, or one in memory where that is not there.

        `answers` are those of another environment of the same policies and packs: what it has searched is not searched again.
        The planner makes the proposals and no model is asked, unless `reasoning` is given. Of `standing`, what is in force then
        counts for cases of any day.
        """
        catalogue, policies = load_catalogue(chosen.systems), PolicyBook.load(*chosen.policy_folders)
        policies = policies.standing(standing) if standing else policies
        packs = load_packs(chosen.packs, catalogue, policies)
        embedder = MiniLM()
        try:
            knowledge = KnowledgeIndex.open(chosen.knowledge, policies, embedder)
        except BadInput:
            knowledge = KnowledgeIndex.in_memory(policies, embedder)
        phrasebook = Phrasebook(chosen.phrasings, embedder, chosen.language)
        asked = reasoning or Reasoning()
        environment = cls(packs, catalogue, policies, knowledge, phrasebook, asked.reasoner, asked.reads, standing)
        if answers is None:
            environment.answers()  # embed the queries once, before the first case
        else:
            knowledge.take_over(answers)
        phrasebook.learn(environment._parts())
        return environment

    @classmethod
    @contextmanager
    def of_candidate(
        cls,
        candidate: Candidate,
        catalogue: Catalogue,
        chosen: Settings,
        embedder: MiniLM,
        standing: datetime | None = None,
        reasoning: Reasoning | None = None,
    ) -> Iterator["EvalEnvironment"]:
        """What a candidate works with; vectors are remembered: a clause or a query is embedded once a machine.

        The planner makes the proposals and no model is asked, unless `reasoning` is given.
        """
        asked = reasoning or Reasoning()
        with (
            closing(RememberedVectors(embedder, chosen.language)) as vectors,
            KnowledgeIndex.in_memory(candidate.policies, vectors) as knowledge,
            closing(Phrasebook(chosen.phrasings, embedder, chosen.language)) as phrasebook,
        ):
            resources = candidate.packs, catalogue, candidate.policies, knowledge, phrasebook
            yield cls(*resources, asked.reasoner, asked.reads, standing)

    @property
    def asks_model(self) -> bool:
        """Whether its reasoner asks a model."""
        return self.reasoner.version != self.reasoner.name

    def answers(self) -> Answers:
        """What the index finds at this moment for all that the packs ask it."""
        topics = [topic for part in self._parts() for topic in part.topics.values()]
        return self.knowledge.answers(topics, NEIGHBOURS, as_of=utc_now())

    def _parts(self) -> list[Pack]:
        return [part for pack in self.packs.values() for part in pack.parts.values() or (pack,)]


class Evaluation:
    """Runs recorded exceptions one after the other in this process."""

    def __init__(self, environment: EvalEnvironment) -> None:
        self.environment = environment
        #: what a model has answered to earlier cases
        self._answers = MemoryLedger()
        #: what the last case read of clauses
        self.reads = ClauseReads()
        self._saver = InMemorySaver()
        self._graph = mission_graph(self._saver)
        # what is loaded by now stays, and of a case nothing does: the collector need not walk it all again and again
        gc.freeze()
        atexit.register(gc.unfreeze)  # libraries in C++ complain at the end of the process about what stayed
        gc.set_threshold(50_000, 20, 50)

    @tracing_context(enabled=False)  # whatever the environment says: it would send the state away
    def run(self, case: RecordedException) -> dict[str, Any]:
        """One result in the format of evals/cases/README.md, with what it took.

        Raises BadInput for a case whose systems are malformed, and Stuck for one that would be an incident.
        """
        lab, begun = self.environment, time.perf_counter()
        systems = RecordedSystems(case.systems, lab.catalogue, utc_now)
        ledger = MemoryLedger()
        self.reads = ClauseReads()
        context = replace(lab.context(ledger, systems, systems, utc_now, self._answers), clause_reads=self.reads)
        ledger.take_in(case.event, case.case_id, {"graph": graph_version()})
        steps = self._graph.stream(
            {"run_id": case.case_id},
            {"configurable": {"thread_id": case.case_id}},
            context=context,
            stream_mode=[],
            interrupt_before=["review", "execute"],
            durability="exit",
        )
        try:
            for _ in steps:
                pass
        finally:
            self._saver.delete_thread(case.case_id)
        proposal = ledger.proposals(case.case_id)[0]
        latency_ms = round((time.perf_counter() - begun) * 1000, 2)
        heard = [asdict(one) for one in lab.transcript.take()]
        took = {"usage": usage(ledger, proposal), "latency_ms": latency_ms, "clauses_read": self.reads.names()}
        return {**result(case.case_id, proposal), **took, **({"transcript": heard} if heard else {})}


def result(case_id: str, proposal: Proposal) -> dict[str, Any]:
    """A proposal in the format of evals/cases/README.md."""
    return {
        "case_id": case_id,
        **plain_answer(proposal, proposal.plan),
        "tiers": [action["tier"] for action in proposal.plan],
        "money_at_stake_cents": proposal.money_at_stake_cents,
        "confidence": proposal.confidence,
        # what would have been needed to decide
        "lacking": [one for one in proposal.rationale.partition(UNDECIDED)[2].removesuffix(".").split("; ") if one],
    }


def usage(ledger: Ledger, proposal: Proposal) -> dict[str, float]:
    """What a proposal took: reads, drafts until one passed, and what the planner needs none of: a model's tokens, money and time.

    `by_model` is 1 where it is a model's, and 0 where it is the planner's, which stands where no answer of a model does.
    """
    run_id = proposal.run_id
    calls = ledger.model_calls(run_id)
    return {
        "reads": len(ledger.facts(run_id)),
        "tries": sum(one.kind == "check" for one in ledger.observations(run_id)),
        "tokens": sum(call.input_tokens + call.output_tokens for call in calls),
        "cost_cents": sum((call.cost_cents for call in calls), 0.0),
        "by_model": float(proposal.author != Planner.name),
        "retries": sum(call.retries for call in calls),
        "model_ms": round(sum((call.latency_ms for call in calls), 0.0), 2),
    }


_DIGITS = 12
#: where what decides a case stands
_ROOMS = ("evals", "graphs", "knowledge_index", "ledger", "models", "nodes", "systems")


def versions_of(environment: EvalEnvironment, phrasings: Path) -> dict[str, str]:
    """Graph, reasoner (with model, prompts and what packs show it, if it has any), policies, phrasings (the folder), and more."""
    files, reasoner, packs = sorted(phrasings.rglob("*.txt")), environment.reasoner, sorted(environment.packs.items())
    return {
        "graph": graph_version(),
        "reasoner": reasoner.name,
        **({"model": reasoner.version} if environment.asks_model else {}),
        **({"texts": environment.reads.version} if environment.reads else {}),
        **({f"shown by {mission}": pack.model_digest for mission, pack in packs} if environment.asks_model else {}),
        # of every period: recorded exceptions are looked at as of then
        "policies": _digest(period.digest.encode() for period in environment.policies.periods),
        "phrasings": _digest(part for file in files for part in (file.name.encode(), file.read_bytes())),
        "catalogue": environment.catalogue.digest,
        **{f"pack {mission}": pack.digest for mission, pack in packs},
    }


def code_digest() -> str:
    """Of the Python files that are here, whatever git knows of them."""
    files = sorted(file for room in _ROOMS for file in (CHECKOUT / room).rglob("*.py"))
    return _digest(part for file in files for part in (str(file.relative_to(CHECKOUT)).encode(), file.read_bytes()))


def file_digest(file: Path) -> str:
    """Of a file of any size. Raises BadInput where it cannot be read."""
    with reading(file, "give a file of recorded exceptions"), file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:_DIGITS]


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:_DIGITS]
