"""Several processes at one PostgreSQL: exactly one wins, and the others are told."""

import multiprocessing
import os
import signal
from collections import Counter
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event

import pytest

from errors import Refused
from ledger.postgres import PostgresLedger
from tests.ledger_examples import LATER, a_proposal, an_effect, an_event, decided, staffed, started

ROUNDS = 20
#: seconds after which a test gives up on a process
PATIENCE = 60
SPAWN = multiprocessing.get_context("spawn")
Told = tuple[str, int, str]


def _work(url: str, name: str, job: str, start: Barrier, told: "Queue[Told]") -> None:
    """One process: `ROUNDS` times, at the same moment as the others, do the job and tell how it went."""
    with PostgresLedger.open(url) as ledger:
        ledger.people()
        for n in range(ROUNDS):
            start.wait(PATIENCE)
            try:
                told.put((name, n, _JOBS[job](ledger, name, n)))
            except Refused as refused:
                told.put((name, n, f"refused: {refused}"))


def _approve(ledger: PostgresLedger, name: str, n: int) -> str:
    return decided(ledger, by=name, proposal_id=f"p-{n}")[1]


def _reject(ledger: PostgresLedger, name: str, n: int) -> str:
    kind = "approve" if name == "Rita" else "reject"
    return decided(ledger, kind, by=name, proposal_id=f"p-{n}")[1]  # type: ignore[arg-type]


def _approve_as_fred(ledger: PostgresLedger, name: str, n: int) -> str:
    return decided(ledger, by="Fred", proposal_id=f"p-{n}")[1]


def _take_in(ledger: PostgresLedger, name: str, n: int) -> str:
    return ledger.take_in(an_event(f"ev-{n}"), f"run-{name}-{n}", {}).run_id


def _execute(ledger: PostgresLedger, name: str, n: int) -> str:
    return ledger.mark_effect(f"k-{n}", "executing", at=LATER).status


_JOBS = {
    "approve": _approve,
    "approve_or_reject": _reject,
    "approve_as_fred": _approve_as_fred,
    "take_in": _take_in,
    "execute": _execute,
}


def _race(url: str, job: str, names: tuple[str, ...] = ("Rita", "Rolf")) -> list[list[str]]:
    """What the processes were told, by round."""
    start = SPAWN.Barrier(len(names))
    told: Queue[Told] = SPAWN.Queue()
    processes = [SPAWN.Process(target=_work, args=(url, name, job, start, told)) for name in names]
    for process in processes:
        process.start()
    rounds: list[list[str]] = [[] for _ in range(ROUNDS)]
    for _ in range(ROUNDS * len(names)):
        _name, n, result = told.get(timeout=PATIENCE)
        rounds[n].append(result)
    for process in processes:
        process.join(PATIENCE)
    return rounds


@pytest.fixture
def ledger(ledger_url: str) -> PostgresLedger:
    """With people, and a waiting run for each round."""
    opened = PostgresLedger.open(ledger_url)
    staffed(opened)
    return opened


def _waiting(ledger: PostgresLedger, **other: object) -> None:
    for n in range(ROUNDS):
        started(ledger, f"run-{n}")
        ledger.propose(a_proposal(f"p-{n}", run_id=f"run-{n}", **other))  # type: ignore[arg-type]


@pytest.mark.parametrize("job", ["approve", "approve_or_reject"])
def test_of_two_who_decide_at_the_same_moment_one_wins_and_the_other_is_told(
    ledger: PostgresLedger, ledger_url: str, job: str
) -> None:
    _waiting(ledger)
    for n, results in enumerate(_race(ledger_url, job)):
        refused = [result for result in results if result.startswith("refused")]
        assert len(refused) == 1 and f"p-{n} was already" in refused[0]
        assert len(ledger.decisions(f"run-{n}")) == 1
    assert ledger.verify_audit() == []
    ledger.close()


def test_one_person_in_two_windows_is_not_four_eyes(ledger: PostgresLedger, ledger_url: str) -> None:
    _waiting(ledger, role="finance", four_eyes=True)
    for n, results in enumerate(_race(ledger_url, "approve_as_fred")):
        assert sorted(result.split(":")[0] for result in results) == ["pending", "refused"]
        assert ledger.run(f"run-{n}").status == "waiting"
    ledger.close()


def test_an_event_that_arrives_twice_at_once_is_taken_in_once(ledger: PostgresLedger, ledger_url: str) -> None:
    for results in _race(ledger_url, "take_in"):
        assert len(results) == 2 and len(set(results)) == 1
    assert len(ledger.runs()) == ROUNDS
    assert ledger.verify_audit() == []
    ledger.close()


def test_an_effect_is_started_by_one_process(ledger: PostgresLedger, ledger_url: str) -> None:
    _waiting(ledger, role="none")
    for n in range(ROUNDS):
        ledger.intend([an_effect(f"k-{n}", run_id=f"run-{n}", proposal_id=f"p-{n}")])
    for results in _race(ledger_url, "execute"):
        assert Counter(result.split(":")[0] for result in results) == {"executing": 1, "refused": 1}
    ledger.close()


def _hold(url: str, held: Event) -> None:
    with PostgresLedger.open(url) as ledger, ledger.lease("run-1"):
        held.set()
        signal.pause()


def test_the_lease_of_a_process_that_is_killed_is_free_again(ledger: PostgresLedger, ledger_url: str) -> None:
    started(ledger)
    held = SPAWN.Event()
    holder: BaseProcess = SPAWN.Process(target=_hold, args=(ledger_url, held))
    holder.start()
    assert held.wait(PATIENCE)
    with pytest.raises(Refused, match="run-1 is being worked on by another process"), ledger.lease("run-1"):
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(PATIENCE)
    _lease_within(ledger, seconds=5)
    ledger.close()


def _lease_within(ledger: PostgresLedger, seconds: int) -> None:
    """The server notices a little later that its client is gone."""
    pause = SPAWN.Event()
    for _ in range(seconds * 20):
        try:
            with ledger.lease("run-1"):
                return
        except Refused:
            pause.wait(0.05)
    raise AssertionError("the lease was not given back")
