"""Whatever is done to the ledger in whatever order: both ledgers say the same, and what must always hold does."""

from collections.abc import Callable
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import MissionsError
from ledger.base import Ledger
from ledger.jobs import look
from ledger.memory import MemoryLedger
from ledger.postgres import PostgresLedger
from tests.conftest import empty
from tests.ledger_examples import LATER, NOW, a_proposal, an_effect, decided, staffed, started

RUNS = ("run-1", "run-2", "run-3")
PEOPLE = ("Rita", "Rolf", "Fred", "Nick", "Nobody")
#: what somebody does: (name, run, further)
Deed = tuple[str, str, Any]

_RUN = st.sampled_from(RUNS)
DEEDS: st.SearchStrategy[Deed] = st.one_of(
    st.tuples(
        st.just("propose"), _RUN, st.tuples(st.sets(st.sampled_from("ABC")), st.sampled_from(["none", "reviewer", "finance"]))
    ),
    st.tuples(st.just("decide"), _RUN, st.tuples(st.sampled_from(["approve", "reject", "respond"]), st.sampled_from(PEOPLE))),
    st.tuples(st.just("effect"), _RUN, st.sampled_from(["intend", "executing", "done", "failed", "unknown"])),
    st.tuples(st.just("finish"), _RUN, st.sampled_from(["executed", "rejected"])),
    st.tuples(st.just("incident"), _RUN, st.sampled_from(["down", "odd"])),
    st.tuples(st.sampled_from(["resume", "abandon", "restart"]), _RUN, st.sampled_from(PEOPLE)),
)


class World:
    """A ledger to which deeds are done; it counts the proposals of each run."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.made = ledger, dict.fromkeys(RUNS, 0)
        staffed(ledger)
        for run_id in RUNS:
            started(ledger, run_id)

    def do(self, deed: Deed) -> str:
        """What came of it: the refusal's sentence, or nothing."""
        name, run_id, further = deed
        try:
            self._doing(name)(run_id, further)
        except MissionsError as error:
            return str(error)
        return ""

    def _doing(self, name: str) -> Callable[[str, Any], object]:
        ledger = self.ledger
        settling: dict[str, Any] = {"reason": "seen", "at": LATER}
        return {
            "propose": self._propose,
            "decide": lambda run, what: decided(ledger, what[0], what[1], f"{run}.{self.made[run]}"),
            "effect": self._effect,
            "finish": lambda run, outcome: ledger.finish(run, "fulfil", outcome, LATER),
            "incident": lambda run, reason: ledger.incident(run, reason, LATER),
            "resume": lambda run, by: ledger.resume(run, by=by, **settling),
            "abandon": lambda run, by: ledger.abandon(run, by=by, **settling),
            "restart": lambda run, by: ledger.restart(run, {"graph": "2"}, by=by, **settling),
        }[name]

    def _propose(self, run_id: str, what: tuple[set[str], str]) -> None:
        records, role = what
        revision = self.made[run_id] + 1
        changes = [{"system": "oms", "record": one, "field": "status", "before": "a", "after": "b"} for one in sorted(records)]
        proposal = a_proposal(f"{run_id}.{revision}", run_id=run_id, role=role, revision=revision, changes=changes)
        self.ledger.propose(proposal)
        self.made[run_id] = revision

    def _effect(self, run_id: str, status: str) -> None:
        key = f"{run_id}.{self.made[run_id]}"
        if status == "intend":
            self.ledger.intend([an_effect(key, run_id=run_id, proposal_id=key)])
        else:
            self.ledger.mark_effect(key, status, at=LATER)  # type: ignore[arg-type]

    def told(self) -> Any:
        """Everything that the ledger holds, without what it chose at random."""
        ledger = self.ledger
        return [
            (
                ledger.run(run_id).status, ledger.run(run_id).outcome, dict(ledger.run(run_id).versions),
                [(one.proposal_id, one.status, one.held_by) for one in ledger.proposals(run_id)],
                [(one.kind, one.by) for one in ledger.decisions(run_id)],
                [(one.key, one.status) for one in ledger.effects(run_id)],
                [entry.kind for entry in ledger.audit(run_id)],
            )
            for run_id in RUNS
        ]  # fmt: skip


def check(ledger: Ledger) -> None:
    """What holds whatever was done."""
    stuck = {incident.run_id for incident in ledger.incidents()}
    waits: dict[str, str] = {}
    for run_id in RUNS:
        run, proposals = ledger.run(run_id), ledger.proposals(run_id)
        pending = [one for one in proposals if one.status == "pending"]
        assert len(pending) <= 1
        assert (run.status == "incident") == (run_id in stuck)
        assert run.status != "waiting" or pending
        assert not pending or run.status in ("waiting", "incident")
        assert (run.outcome is not None) == (run.status == "closed")
        for one in pending:
            assert not one.held_by or ledger.run(one.held_by).status != "closed"
            waits |= {run_id: one.held_by} if one.held_by else {}
        deciding = {one.proposal_id: one for one in proposals}
        for effect in ledger.effects(run_id):
            approved = [one for one in ledger.decisions(run_id) if (one.proposal_id, one.kind) == (effect.proposal_id, "approve")]
            assert approved or deciding[effect.proposal_id].approval.role == "none"
    for run_id in RUNS:  # nobody waits for themselves, however many are between
        at = run_id
        for _ in RUNS:
            at = waits.get(at, "")
        assert not at


@given(st.lists(DEEDS, max_size=30))
def test_a_ledger_in_memory_is_never_in_a_state_that_cannot_be(deeds: list[Deed]) -> None:
    world = World(MemoryLedger())
    for deed in deeds:
        before = world.told()
        if world.do(deed):
            assert world.told() == before  # what is refused changes nothing
        check(world.ledger)
    assert world.ledger.verify_audit() == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=10, max_size=25))
def test_the_ledger_in_the_database_says_and_does_the_same(deeds: list[Deed], ledger_url: str) -> None:
    with psycopg.connect(ledger_url) as session:
        empty(session)
    with PostgresLedger.open(ledger_url, clock=lambda: NOW) as ledger:
        memory, database = World(MemoryLedger(clock=lambda: NOW)), World(ledger)
        for deed in deeds:
            assert database.do(deed) == memory.do(deed)
        assert database.told() == memory.told()
        check(ledger)
        assert ledger.verify_audit() == [] and look(ledger_url).broken == ()


def test_the_deeds_reach_what_they_are_about() -> None:
    """Otherwise the two above would prove nothing."""
    world = World(MemoryLedger())
    deeds: list[Deed] = [
        ("propose", "run-1", ({"A"}, "reviewer")),
        ("propose", "run-2", ({"A"}, "none")),
        ("decide", "run-1", ("approve", "Rita")),
        *(("effect", "run-1", status) for status in ("intend", "executing", "done")),
        ("finish", "run-1", "executed"),
    ]
    assert [world.do(deed) for deed in deeds] == [""] * len(deeds)
    assert world.ledger.run("run-2").status == "running"
