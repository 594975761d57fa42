"""`make bench`: speed and memory, each beside a baseline measured in the same run (machines are shared and noisy).

The baseline of a run is the same LangGraph graph shape with empty nodes and the same saver.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import psutil
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime as LangGraphRuntime
from langgraph.types import interrupt

from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.recorded.cases import read_cases
from graphs.mission import Node, mission_graph
from graphs.runtime import Runtime, open_runtime
from ledger.records import Event, Run
from nodes.state import MissionContext, MissionState
from settings import CHECKOUT, settings
from systems.calls import Call, Reader, ReadResult

CASES = CHECKOUT / "evals" / "cases"
SAMPLE = CASES / "sample.jsonl"
ROUNDS = 5


def empty_graph(
    saver: BaseCheckpointSaver[Any], gather: Callable[[], None] = lambda: None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The mission graph with nodes that do nothing, but for what is to be done in the first, and that wait where it waits."""

    def empty(node: Node) -> Node:
        def step(state: MissionState, runtime: LangGraphRuntime[MissionContext]) -> MissionState:
            if node.__name__ == "gather":
                gather()
            if node.__name__ == "review":
                interrupt({})
            return {"objections": [], "waits": True} if node.__name__ == "check" else {}

        return step

    return mission_graph(saver, empty)


def evaluation() -> tuple[float, float]:
    """(cases a second with the Missions, the same with empty nodes), the medians of paired rounds on one core.

    The cases are those of all Missions.
    """
    environment = EvalEnvironment.open(settings())
    cases = [case for mission in environment.packs for case in read_cases(CASES / f"{mission}.jsonl", environment.packs)]
    ids = [case.case_id for case in cases]
    ours, saver = Evaluation(environment), InMemorySaver()
    for case in cases:  # what is embedded once is kept: the rounds measure what every further evaluation takes
        ours.run(case)
    empty = empty_graph(saver)

    def pass_empty(case_id: str) -> None:
        _pass(empty, {"configurable": {"thread_id": case_id}})
        saver.delete_thread(case_id)

    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        mission = len(cases) / seconds(lambda: [ours.run(case) for case in cases])
        rates.append((mission, len(cases) / seconds(lambda: deque(map(pass_empty, ids), maxlen=0))))
    return statistics.median(rate for rate, _ in rates), statistics.median(rate for _, rate in rates)


@dataclass(frozen=True)
class Took:
    """Of one live run to its pause."""

    seconds: float
    #: seconds of the processor in this process
    processor: float


@dataclass
class _Recorded:
    """A reader that remembers what is read at once."""

    reader: Reader
    waves: list[Sequence[Call]] = field(default_factory=list)

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        self.waves.append(calls)
        return self.reader.read_all(calls)


def to_the_pause() -> list[tuple[Took, Took]]:
    """(a live run from its event to its pause, its floor), for each case: embedded database, sandbox company over MCP.

    The floor makes the same reads over MCP in the same graph with nodes that do nothing else, on the same saver.
    """
    with open_runtime(settings()) as runtime:
        cases = list(read_cases(SAMPLE, runtime.context.packs))
        pairs = []
        for case in [*cases, *cases, *cases]:  # in the first round servers start, and what is embedded once a process is
            event = replace(case.event, source_id=f"bench-{uuid4()}")
            reader = _Recorded(runtime.context.reader)
            runtime.context.reader = reader
            ours = took(partial(_run, runtime, event))
            runtime.context.reader = reader.reader
            floor = empty_graph(runtime.saver, partial(_read, reader))
            config: RunnableConfig = {"configurable": {"thread_id": f"floor-{event.source_id}"}}
            pairs.append((ours, took(partial(_pass, floor, config))))
        return pairs[len(cases) :]


def side_by_side(runs: int = 60, beside: int = 12) -> tuple[float, float, float]:
    """(runs a second one after the other, so many beside each other, and the share of the processors that those take)."""
    with open_runtime(settings()) as runtime:
        cases = list(islice(cycle(read_cases(SAMPLE, runtime.context.packs)), runs))

        def drive(workers: int) -> float:
            events = [replace(case.event, source_id=f"bench-{uuid4()}") for case in cases]
            with ThreadPoolExecutor(workers) as pool:
                return runs / seconds(lambda: deque(pool.map(partial(_run, runtime), events), maxlen=0))

        drive(beside)  # starts the servers
        alone = drive(1)
        psutil.cpu_percent()
        return alone, drive(beside), psutil.cpu_percent() / 100


def _read(recorded: _Recorded) -> None:
    for calls in recorded.waves:
        recorded.reader.read_all(calls)


def _pass(graph: CompiledStateGraph[Any, Any, Any, Any], config: RunnableConfig) -> None:
    for _ in graph.stream({"run_id": "floor"}, config, stream_mode=[], durability="exit"):
        pass


def _run(runtime: Runtime, event: Event) -> Run:
    return runtime.drive(runtime.take_in(event).run_id)


def took(work: Callable[[], Any]) -> Took:
    """What a piece of work takes."""
    processor, begun = time.process_time(), time.perf_counter()
    work()
    return Took(time.perf_counter() - begun, time.process_time() - processor)


def command(*words: str) -> float:
    """Seconds of one command, from start to end, the best of three."""
    line = [sys.executable, "-m", "cli", *words]
    return min(seconds(lambda: subprocess.run(line, check=True, capture_output=True, cwd=CHECKOUT)) for _ in range(3))


def seconds(work: Callable[[], Any]) -> float:
    """How long a piece of work takes."""
    return took(work).seconds


def main() -> None:
    """Print the figures."""
    mission, empty = evaluation()
    beside = f"(empty nodes, same graph and saver: {empty:.0f}/s)"
    print(f"missions eval, one core           {mission:6.0f} cases/s {beside}")
    print(f"what a Mission adds to its graph  {1000 / mission - 1000 / empty:6.2f} ms a case")
    pairs = to_the_pause()
    runs = sorted(ours.seconds for ours, _ in pairs)
    p50, p95 = statistics.median(runs) * 1000, runs[int(len(runs) * 0.95)] * 1000
    print(f"a live run to its pause           {p50:6.0f} ms p50, {p95:.0f} ms p95 ({len(runs)} runs)")
    ours, floor = (statistics.median(one.processor for one in side) * 1000 for side in zip(*pairs, strict=True))
    beside = f"(same reads, same saver, empty nodes: {floor:.1f} ms; {ours / floor:.2f} times)"
    print(f"its processor time here           {ours:6.1f} ms {beside}")
    alone, together, busy = side_by_side()
    print(f"live runs, twelve side by side    {together:6.1f}/s (one after the other: {alone:.1f}/s; processors {busy:.0%} busy)")
    with open_runtime(settings()) as runtime:
        run_id = runtime.ledger.runs(limit=1)[0].run_id
    print(f"missions show RUN                 {command('show', run_id) * 1000:6.0f} ms")
    print(f"memory of this process            {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:6.0f} MiB at most")


if __name__ == "__main__":
    main()
