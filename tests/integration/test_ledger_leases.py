"""A run belongs to one process at a time: whoever was frozen, or cut off, writes nothing any more."""

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint

from errors import BadInput, Refused, TakenOver, TryAgain
from graphs.checkpoints import Checkpoints, open_pool
from graphs.runtime import open_database
from ledger.postgres import PostgresLedger
from ledger.records import Lease, NewObservation
from tests.integration.live_company import settings_for
from tests.ledger_examples import started

FORK = get_context("forkserver")
PATIENCE = 60
SAID = [NewObservation("gather", "read", "oms.get_order: O-1")]


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    """Its leases are good for a second."""
    with PostgresLedger.open(ledger_url, lease_lasts=1.0) as opened:
        started(opened)
        yield opened


def _hold(url: str, mine: Connection) -> None:
    """Take the lease of run-1, and say something whenever asked to; tells what became of it."""
    with PostgresLedger.open(url, lease_lasts=1.0) as ledger, ledger.lease("run-1") as held:
        mine.send("held")
        while mine.recv() == "say":
            try:
                ledger.under(held).observe("run-1", SAID)
                mine.send("said")
            except TakenOver as late:
                mine.send(str(late))


def test_a_holder_that_was_frozen_loses_the_run_and_writes_nothing_when_it_wakes_up(
    ledger: PostgresLedger, ledger_url: str
) -> None:
    mine, theirs = FORK.Pipe()
    holder = FORK.Process(target=_hold, args=(ledger_url, theirs))
    holder.start()
    assert holder.pid is not None and mine.poll(PATIENCE) and mine.recv() == "held"
    mine.send("say")
    assert mine.poll(PATIENCE) and mine.recv() == "said"
    with pytest.raises(Refused, match="being worked on"), ledger.lease("run-1"):
        pass
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        token = _taken(ledger)
    finally:
        os.kill(holder.pid, signal.SIGCONT)
    mine.send("say")
    assert mine.poll(PATIENCE) and "taken over by another process" in mine.recv()
    mine.send("stop")
    holder.join(PATIENCE)
    assert holder.exitcode == 0
    assert [one.text for one in ledger.observations("run-1")] == [SAID[0].text]
    with ledger.lease("run-1") as held:  # the late one gave nothing back that was not its own
        assert held.token == token + 1


def _taken(ledger: PostgresLedger) -> int:
    """The token of a lease that was taken over and given back."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with ledger.lease("run-1") as held:
                assert held.lost == 1
                return held.token
        except Refused:
            assert time.monotonic() < until, "the lease did not lapse"
            time.sleep(0.05)


def test_whoever_gives_signs_of_life_keeps_the_run(ledger: PostgresLedger) -> None:
    with ledger.lease("run-1") as held:
        time.sleep(1.5)
        with pytest.raises(Refused, match="being worked on"), ledger.lease("run-1"):
            pass
        ledger.under(held).observe("run-1", SAID)


def test_a_holder_whose_session_was_cut_is_fenced_off_as_soon_as_another_has_the_run(
    ledger: PostgresLedger, ledger_url: str
) -> None:
    with ledger.lease("run-1") as held:
        _cut(ledger_url)
        ledger.under(held).observe("run-1", SAID)  # nobody else has it yet
        with ledger.lease("run-1"):
            with pytest.raises(TakenOver):
                ledger.under(held).incident("run-1", "late", ledger.run("run-1").started_at)
            with pytest.raises(TakenOver):
                ledger.under(held).finish("run-1", "fulfil", "executed", ledger.run("run-1").started_at)
            with pytest.raises(TakenOver):
                ledger.under(held).restart("run-1", {}, by="sam", reason="late", at=ledger.run("run-1").started_at)
    assert ledger.run("run-1").status == "running" and ledger.incidents() == []


def _cut(url: str) -> None:
    """End every other session of the database, as a restart does."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_the_lease_of_a_run_that_is_not_there_is_bad_input(ledger: PostgresLedger) -> None:
    with pytest.raises(BadInput, match="no run 'run-9'"), ledger.lease("run-9"):
        pass


def test_a_checkpoint_is_written_by_the_holder_alone(database_url: str) -> None:
    url = open_database(settings_for(database_url))
    with PostgresLedger.open(url) as ledger, open_pool(url) as pool:
        started(ledger)
        with ledger.lease("run-1") as held:
            config = {"configurable": {"thread_id": "run-1", "checkpoint_ns": ""}}
            good, late = (Checkpoints(pool).under(Lease("run-1", held.token - less)) for less in (0, 1))
            kept = good.put(config, empty_checkpoint(), {"source": "input", "step": -1, "parents": {}}, {})
            good.put_writes(kept, [("run_id", "run-1")], "task")
            with pytest.raises(TakenOver):
                late.put(config, empty_checkpoint(), {"source": "input", "step": 0, "parents": {}}, {})
            with pytest.raises(TakenOver):
                late.put_writes(kept, [("look", 2)], "task")
            found = [one.config["configurable"]["checkpoint_id"] for one in Checkpoints(pool).list(config)]
            assert found == [kept["configurable"]["checkpoint_id"]]


def test_checkpoints_that_the_database_does_not_give_in_time_are_tried_again(database_url: str) -> None:
    url = open_database(settings_for(database_url))
    config = {"configurable": {"thread_id": "run-1", "checkpoint_ns": ""}}
    with open_pool(url) as pool, psycopg.connect(url) as other:
        other.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")
        limited = f"{url}{'&' if '?' in url else '?'}options=-c%20statement_timeout%3D50"
        with open_pool(limited) as hasty, pytest.raises(TryAgain, match="did not answer"):
            Checkpoints(hasty).get_tuple(config)
        other.rollback()
        assert Checkpoints(pool).get_tuple(config) is None


def test_whoever_has_to_wait_for_a_lease_keeps_the_others(ledger: PostgresLedger, ledger_url: str) -> None:
    started(ledger, "run-2")
    with ledger.lease("run-2"):
        pass  # there is a row to wait for
    with ledger.lease("run-1") as held, psycopg.connect(ledger_url) as other:
        other.execute("SELECT FROM ledger.leases WHERE run_id = 'run-2' FOR UPDATE")
        session = ledger._keeper._session
        assert session is not None
        session.execute("SET lock_timeout = '100ms'")
        with pytest.raises(TryAgain), ledger.lease("run-2"):
            pass
        assert ledger._keeper._session is session
        with pytest.raises(Refused, match="being worked on"), PostgresLedger.open(ledger_url) as another, another.lease("run-1"):
            pass
        ledger.under(held).observe("run-1", SAID)


def test_news_of_a_setting_ends_no_lease(ledger: PostgresLedger) -> None:
    started(ledger, "run-2")
    with ledger.lease("run-1"):
        session = ledger._keeper._session
        assert session is not None
        session.execute("LISTEN news")
        with ledger.transaction() as tx:
            tx.exec_driver_sql("NOTIFY news")
        with ledger.lease("run-2"):
            assert ledger._keeper._session is session
