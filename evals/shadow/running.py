"""Runs of a shadow: each the mission graph from its event to its end, on real reads, with writes that are simulated.

`over_last` and `follow` run the shadow once on each run of the live company, one after the other and not too fast.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, takewhile
from typing import Any, Literal

from langgraph.checkpoint.memory import InMemorySaver

from errors import BadInput, MissionsError, TryAgain
from evals.evaluation.answers import CaseAnswer, answer_of
from evals.recorded.labels import plain_answer
from evals.recorded.recording import looks_behind
from evals.shadow.persistence import ShadowFile, ShadowRun, ShadowWriter, SimulatedStep
from evals.shadow.session import Shadow
from graphs.runtime import Runtime
from ledger.base import Ledger
from ledger.canonical import canonical, utc_now
from ledger.memory import MemoryLedger
from ledger.queries import RunFilter
from ledger.records import Effect, Fact, Proposal, Run
from ledger.services import AdminService
from nodes.gather import AsThen
from nodes.pack import UNDERSTAND
from systems.calls import Reader
from systems.catalogue import Catalogue
from systems.recorded import SimulatedSystems


@dataclass(frozen=True)
class Beside:
    """The look of a live run that a shadow is set beside: its last, or where it has had effects the last before them."""

    #: from 1
    look: int
    facts: Sequence[Fact]
    #: whether the run has had effects, which the systems show now
    late: bool

    @classmethod
    def of(cls, ledger: Ledger, run_id: str) -> "Beside":
        """Where a run stands at this moment."""
        begun = next((effect for effect in ledger.effects(run_id) if effect.status != "intended"), None)
        looks = looks_behind(ledger, run_id)
        look = looks.get(begun.proposal_id, 1) if begun else next(reversed(looks.values()), 1)
        return cls(look, ledger.facts(run_id, look), begun is not None)

    def reader(self, systems: Reader) -> Reader:
        """What a shadow reads with: of a run that has had effects, what that had read before stands for what they said."""
        # what could not be asked then, for want of its arguments, is asked
        return AsThen([fact for fact in self.facts if fact.args or fact.status == "ok"] if self.late else (), systems)

    def moved(self, now: Sequence[Fact]) -> list[str]:
        """The tools that answered the same question otherwise now."""
        before = {(fact.tool, canonical(fact.args)): (fact.status, fact.value) for fact in self.facts}
        moved = []
        for fact in now:
            key = fact.tool, canonical(fact.args)
            if fact.tool != UNDERSTAND and key in before and before[key] != (fact.status, fact.value):
                moved.append(fact.tool)
        return list(dict.fromkeys(moved))


#: proposals whose approval is assumed; what has not come to its end by then goes round in circles
MOST_APPROVALS = 8
_STATUS: Mapping[str, Literal["done", "failed"]] = {"done": "done", "failed": "failed"}


def shadowed(shadow: Shadow, run: Run) -> ShadowRun:
    """What the candidate would have done in place of a live run.

    Where the live run has had effects, the systems show them: then what it had read last before stands for what they said.
    Raises TryAgain where the live ledger does not answer.
    """
    begun = time.perf_counter()
    beside = Beside.of(shadow.ledger, run.run_id)
    memory, error = _drive(shadow, run, beside)
    if not beside.late:
        beside = Beside.of(shadow.ledger, run.run_id)
        if beside.late:  # meanwhile: what was read may be what the live run has written
            memory, error = _drive(shadow, run, beside)
    after, proposals = memory.run(run.run_id), memory.proposals(run.run_id)
    return ShadowRun(
        run_id=run.run_id,
        mission=run.event.mission,
        event=run.event.name,
        subject=run.event.subject,
        at=utc_now(),
        evidence="then" if beside.late else "now",
        look=beside.look,
        moved=beside.moved(memory.facts(run.run_id, 1)),
        live_versions=run.versions,
        answer=counted_answer(proposals[0], shadow.environment.catalogue) if proposals else None,
        looks=sum(1 for _ in takewhile(lambda look: memory.facts(run.run_id, look), count(1))),
        proposals=len(proposals),
        outcome=after.outcome or "stuck",
        steps=[_step(effect, shadow.environment.catalogue) for effect in memory.effects(run.run_id)],
        error=error,
        seconds=time.perf_counter() - begun,
    )


def counted_answer(proposal: Proposal, catalogue: Catalogue, left_out: Collection[int] = ()) -> CaseAnswer:
    """A proposal as an answer, without the steps that were left out (from 0); of each action the arguments that count."""
    plan = [action for step, action in enumerate(proposal.plan) if step not in left_out]
    counted = [{**action, "args": _counting(action["name"], action["args"], catalogue)} for action in plan]
    more = {"tiers": [action["tier"] for action in plan], "money_at_stake_cents": proposal.money_at_stake_cents}
    return answer_of({**plain_answer(proposal, counted), **more})


def _drive(shadow: Shadow, run: Run, beside: Beside) -> tuple[MemoryLedger, str]:
    """Drive it to its end, every approval assumed: its ledger, and why it got stuck, or nothing."""
    memory = MemoryLedger()
    lab = shadow.environment
    pack = lab.packs.get(run.event.mission)
    if pack is None or run.event.name not in pack.trigger.events:
        memory.take_in(run.event, run.run_id, {})
        return memory, f"no pack of the shadow has the event {run.event.name} of {run.event.mission}"
    systems = SimulatedSystems(beside.reader(shadow.reader), lab.catalogue)
    runtime = Runtime(lab.context(memory, systems, systems, utc_now), InMemorySaver(), "", memory)
    runtime.take_in(run.event, run.run_id)
    try:
        for _ in range(MOST_APPROVALS + 1):
            status = runtime.drive_one(run.run_id).status
            if status != "waiting":
                return memory, "" if status == "closed" else memory.incidents()[-1].reason[:500]
            _approve(memory, run.run_id)
    except MissionsError as stuck:
        return memory, str(stuck)[:500]
    except Exception as defect:  # its words may hold what was read
        return memory, f"the candidate fails with {type(defect).__name__}"
    return memory, f"it is not done after {MOST_APPROVALS} approvals"


def _approve(memory: MemoryLedger, run_id: str) -> None:
    """Assume that everybody approves who has to."""
    proposal = memory.proposal(run_id)
    assert proposal is not None, "only a proposal pauses the graph"
    for number in range(2 if proposal.approval.four_eyes else 1):
        name = f"assumed {proposal.approval.role} {number + 1}"
        memory.add_person(name, proposal.approval.role)
        memory.decide(
            proposal.proposal_id, kind="approve", by=name, reason="assumed by a shadow", digest=proposal.digest, at=utc_now()
        )


def _step(effect: Effect, catalogue: Catalogue) -> SimulatedStep:
    changed = (effect.receipt or {}).get("changed", ())
    return SimulatedStep(
        proposal=int(effect.proposal_id.rpartition(".")[2]),
        action=effect.action,
        args=_counting(effect.action, effect.args, catalogue),
        status=_STATUS.get(effect.status, "not reached"),
        error=(effect.error or "")[:500],
        changes=[f"{one['system']} {one['record']} {one['field']}" for one in changed],
    )


def _counting(name: str, args: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    action = catalogue.get(name)
    return {key: args[key] for key in action.counting if key in args} if action else {}


#: of this share of the time at most a shadow works: the systems that it reads are those of the live company
BUSY = 0.5
#: between two looks for new runs
LOOK_EVERY_S = 2.0
#: runs of a page of the ledger; and that --last may name
PAGE, MOST_LAST = 200, 10_000
#: by so much the clock of a machine that takes runs in may be behind that of another
SLOW_CLOCK = timedelta(minutes=10)

OnRun = Callable[[ShadowRun], None]


def over_last(shadow: Shadow, file: ShadowFile, number: int, on_run: OnRun = lambda _: None) -> int:
    """Run the last runs of the live company, the oldest first; how many of them were new to the shadow.

    Raises BadInput for a number that is not from 1 to MOST_LAST.
    """
    if not 1 <= number <= MOST_LAST:
        raise BadInput(f"The last {number:,} runs cannot be run; give a number from 1 to {MOST_LAST:,}")
    with file.writing(shadow.named(file.name)) as writer:
        runs = shadow.ledger.runs(limit=number)
        return sum(_shadow(shadow, writer, run, on_run) for run in reversed(runs) if _is_ready(run))


def follow(
    shadow: Shadow, file: ShadowFile, on_run: OnRun = lambda _: None, wait: Callable[[float], object] = time.sleep
) -> None:
    """Run what the live company takes in, from the moment when the shadow of this name was first started; never ends.

    `wait` is called between two looks; what it raises ends this.
    """
    with file.writing(shadow.named(file.name)) as writer:
        following = Following(shadow, writer, on_run)
        while True:
            with suppress(TryAgain):  # the ledger does not answer; it is asked again
                following.catch_up()
            wait(LOOK_EVERY_S)


class Following:
    """What of the live company the shadow has met, and what it comes back to."""

    def __init__(self, shadow: Shadow, writer: ShadowWriter, on_run: OnRun = lambda _: None) -> None:
        self._shadow, self._writer, self._on_run = shadow, writer, on_run
        self._newest = writer.shadow.since
        #: ids of runs that were met before they were ready
        self._early: set[str] = set()

    def catch_up(self) -> None:
        """Run everything that is new and ready, the oldest first."""
        ledger = self._shadow.ledger
        started = self._started()
        still = {run.run_id for run in ledger.runs("running", MOST_LAST)} if self._early else set()
        for run in [*map(ledger.run, sorted(self._early - still - {run.run_id for run in started})), *started]:
            if run.run_id in self._writer.known:
                continue
            if _is_ready(run):
                self._early.discard(run.run_id)
                _shadow(self._shadow, self._writer, run, self._on_run)
            else:
                self._early.add(run.run_id)
        self._newest = max([self._newest, *(run.started_at for run in started)])

    def _started(self) -> list[Run]:
        """The runs that may be new, the oldest first, each once."""
        wanted = RunFilter(since=max(self._writer.shadow.since, self._newest - SLOW_CLOCK))
        found: dict[str, Run] = {}  # a run that is taken in meanwhile moves the others on by one
        for page in count():
            runs = AdminService(self._shadow.ledger).search(wanted, page * PAGE, PAGE).runs
            found |= {run.run_id: run for run in runs}
            if len(runs) < PAGE:
                break
        return list(reversed(found.values()))


def _is_ready(run: Run) -> bool:
    """Whether the live run has come as far as it does by itself: before, there is nothing to compare with."""
    return run.status != "running"


def _shadow(shadow: Shadow, writer: ShadowWriter, run: Run, on_run: OnRun) -> bool:
    if run.run_id in writer.known:
        return False
    done = shadowed(shadow, run)
    writer.add(done)
    on_run(done)
    time.sleep(done.seconds * (1 / BUSY - 1))
    return True
