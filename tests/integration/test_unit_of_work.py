"""A step of a run is one transaction under the lease of the run, and a run to its pause takes few of them."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from errors import BadInput, TakenOver
from ledger.base import Ledger
from ledger.postgres import HeldLedger, PostgresLedger
from ledger.records import Fact, Lease
from tests.integration.live_company import Company
from tests.ledger_examples import a_fact, a_proposal, said, started

pytest_plugins = ["tests.integration.live_company"]

CASE = "dev-ord-0007"
#: what a live run may take from its event to its pause, checkpoints included
MOST_STATEMENTS, MOST_COMMITS = 45, 9


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        started(opened)
        yield opened


@pytest.fixture
def held(ledger: PostgresLedger) -> Iterator[HeldLedger]:
    with ledger.lease("run-1") as lease:
        mine = ledger.under(lease)
        assert isinstance(mine, HeldLedger)
        yield mine


def there(ledger: PostgresLedger) -> tuple[int, int, int]:
    """How many facts, observations and proposals others see."""
    return len(ledger.facts("run-1")), len(ledger.observations("run-1")), len(ledger.proposals("run-1"))


def test_what_a_step_writes_is_there_as_one_at_its_end(ledger: PostgresLedger, held: HeldLedger) -> None:
    with held.step():
        held.record_facts("run-1", [a_fact()])
        held.observe("run-1", [said("a"), said("b")])
        held.propose(a_proposal())
        assert there(ledger) == (0, 0, 0)
    assert there(ledger) == (1, 2, 1)
    assert [one.seq for one in ledger.observations("run-1")] == [1, 2]
    assert ledger.verify_audit() == []


def test_of_a_step_that_fails_nothing_is_there_and_the_next_begins_anew(ledger: PostgresLedger, held: HeldLedger) -> None:
    with suppress(ZeroDivisionError), held.step():
        held.record_facts("run-1", [a_fact()])
        held.observe("run-1", [said("a")])
        held.propose(a_proposal())
        raise ZeroDivisionError
    assert there(ledger) == (0, 0, 0)
    held.forget()
    with held.step():
        held.observe("run-1", [said("b")])
    assert [(one.seq, one.text) for one in ledger.observations("run-1")] == [(1, "b")]


def test_what_was_committed_within_a_step_stays_where_it_fails_afterwards(ledger: PostgresLedger, held: HeldLedger) -> None:
    with suppress(ZeroDivisionError), held.step():
        held.observe("run-1", [said("before it is sent")])
        held.commit()
        held.observe("run-1", [said("after")])
        raise ZeroDivisionError
    assert [one.text for one in ledger.observations("run-1")] == ["before it is sent"]


def write_late(late: Ledger, facts: list[Fact]) -> None:
    with late.step():
        late.observe("run-1", [said("late")])
        if facts:
            late.record_facts("run-1", facts)


@pytest.mark.parametrize("words_alone", [True, False])
def test_a_step_of_whoever_has_lost_the_run_writes_nothing(ledger: PostgresLedger, words_alone: bool) -> None:
    with ledger.lease("run-1") as lease, pytest.raises(TakenOver):
        write_late(ledger.under(Lease("run-1", lease.token - 1)), facts=[] if words_alone else [a_fact()])
    assert there(ledger) == (0, 0, 0)


def test_a_draft_of_a_step_is_there_with_what_it_says_and_known_before(ledger: PostgresLedger, held: HeldLedger) -> None:
    with held.step():
        draft_id = held.draft("run-1", {"plan": ["a"]})
        held.observe("run-1", [said("a")])
        assert held.drafted(draft_id) == {"plan": ["a"]}
        with pytest.raises(BadInput):
            ledger.drafted(draft_id)
    assert ledger.drafted(draft_id) == {"plan": ["a"]} and len(ledger.observations("run-1")) == 1
    with suppress(ZeroDivisionError), held.step():
        lost = held.draft("run-1", {"plan": ["b"]})
        raise ZeroDivisionError
    with pytest.raises(BadInput):
        ledger.drafted(lost)
    with held.step():
        again = held.draft("run-1", {"plan": ["a"]})
        held.propose(a_proposal())
    assert again == draft_id and ledger.verify_audit() == []


def test_a_draft_that_was_changed_behind_the_ledgers_back_is_not_given_out(ledger: PostgresLedger, ledger_url: str) -> None:
    draft_id = ledger.draft("run-1", {"plan": ["a"]})
    with psycopg.connect(ledger_url) as owner:
        owner.execute("UPDATE ledger.drafts SET body = '{}'")
    with pytest.raises(BadInput, match="does not say what it said"):
        ledger.drafted(draft_id)


def test_what_is_read_in_a_step_is_what_it_has_written_so_far(ledger: PostgresLedger, held: HeldLedger) -> None:
    with held.step():
        held.record_facts("run-1", [a_fact()])
        held.observe("run-1", [said("a")])
        assert [one.name for one in held.facts("run-1")] == ["order"]
        assert [one.text for one in held.observations("run-1")] == ["a"]
        held.propose(a_proposal())
        latest = held.proposal("run-1")
        assert latest is not None and latest.proposal_id == "p-1"
        assert held.run("run-1").status == "waiting"


def test_the_ledger_of_another_role_knows_what_this_one_has_written(ledger: PostgresLedger, held: HeldLedger) -> None:
    beside = ledger.under(held._lease, held)
    assert beside.proposals("run-1") == []
    with held.step():
        held.propose(a_proposal())
    assert [one.proposal_id for one in beside.proposals("run-1")] == ["p-1"]


def test_a_live_run_to_its_pause_takes_few_statements_and_commits(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.propose(CASE)  # connections and strings are made ready
    company.load(CASE)
    event = company.event(CASE)
    with counted(monkeypatch) as count:
        run = company.runtime.drive(company.runtime.take_in(event).run_id)
    assert run.status == "waiting"
    assert 0 < count["statements"] <= MOST_STATEMENTS
    assert 0 < count["commits"] <= MOST_COMMITS


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Statements that this process sends, and what it commits: transactions, and writes that are one by themselves.

    What prolongs all leases of the process, every so many seconds, is of no run.
    """
    count: Counter[str] = Counter()
    execute, many = psycopg.Cursor.execute, psycopg.Cursor.executemany
    commit, transaction = psycopg.Connection.commit, psycopg.Connection.transaction

    def note(cursor: psycopg.Cursor[Any], query: Any) -> None:
        if threading.current_thread().name == "leases":
            return
        count["statements"] += 1
        alone = cursor.connection.autocommit and cursor.connection.info.transaction_status == TransactionStatus.IDLE
        count["commits"] += alone and not str(query).lstrip().upper().startswith("SELECT")

    def one(self: psycopg.Cursor[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
        note(self, query)
        return execute(self, query, *args, **kwargs)

    def several(self: psycopg.Cursor[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
        note(self, query)
        return many(self, query, *args, **kwargs)

    def committed(self: psycopg.Connection[Any]) -> None:
        count["commits"] += self.info.transaction_status != TransactionStatus.IDLE
        commit(self)

    def within(self: psycopg.Connection[Any], *args: Any, **kwargs: Any) -> Any:
        count["commits"] += 1
        return transaction(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", one)
        patch.setattr(psycopg.Cursor, "executemany", several)
        patch.setattr(psycopg.Connection, "commit", committed)
        patch.setattr(psycopg.Connection, "transaction", within)
        yield count
