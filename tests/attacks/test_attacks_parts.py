"""Whoever has the executor's role executes a part of a plan that the approval left out."""

from collections.abc import Iterator

import pytest

from errors import Refused
from graphs.ledgers import Ledgers, open_ledgers
from ledger.audit_export import examine
from ledger.memory import MemoryLedger
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import grant_roles
from ledger.sql import reconciling
from tests.conftest import _database
from tests.ledger_examples import LATER, PLAN, a_proposal, an_effect, decided, staffed, started

pytestmark = pytest.mark.promise("What was not approved is not executed")

PARTS = [{**dict(action), "part": f"O-{number}"} for number, action in enumerate(PLAN[:2], start=1)]


@pytest.fixture(scope="module")
def ledgers(server_url: str) -> Iterator[Ledgers]:
    with _database(server_url) as url:
        migrate(url)
        grant_roles(url)
        with PostgresLedger.open(url) as owner:
            staffed(owner)
        with open_ledgers(url, 30) as opened:
            yield opened


def approved(ledgers: Ledgers, run_id: str, *without: list[str]) -> None:
    """A plan of two parts, approved by one or two people who each left something out."""
    started(ledgers.front, run_id)
    ledgers.reasoner.propose(a_proposal(f"p {run_id}", run_id=run_id, plan=PARTS, four_eyes=len(without) > 1))
    for by, parts in zip(("Fred", "Rita"), without, strict=False):
        decided(ledgers.front, by=by, proposal_id=f"p {run_id}", details={"without": parts})


LEFT_OUT = {"by the one who approved": [["O-2"]], "by the first of two": [["O-2"], []], "by the second of two": [[], ["O-2"]]}


@pytest.mark.parametrize("how", LEFT_OUT)
def test_the_executor_executes_a_part_that_was_left_out(how: str, ledgers: Ledgers) -> None:
    run_id = f"run {how}"
    approved(ledgers, run_id, *LEFT_OUT[how])
    wanted = [an_effect(f"k{step} {run_id}", step, run_id=run_id, proposal_id=f"p {run_id}") for step in (0, 1)]
    with pytest.raises(Refused, match="left out"):
        ledgers.executor.intend(wanted)
    ledgers.executor.intend(wanted[:1])
    columns = "key, run_id, proposal_id, step, action, tool, args, status, at"
    written = f"INSERT INTO ledger.effects ({columns}) SELECT 'forged', run_id, proposal_id, 1, %s, %s, args, status, at "
    with pytest.raises(Refused), ledgers.executor.transaction() as tx:
        tx.exec_driver_sql(f"{written} FROM ledger.effects WHERE run_id = %s", (PLAN[1]["name"], PLAN[1]["tool"], run_id))


def test_an_effect_of_a_part_that_was_left_out_is_found(server_url: str) -> None:
    with _database(server_url) as url:
        migrate(url)
        with PostgresLedger.open(url) as owner:
            staffed(owner)
            approved(Ledgers(owner, owner, owner, url), "run-1", ["O-2"])
            owner.intend([an_effect("k-0", run_id="run-1", proposal_id="p run-1")])
            with owner.transaction() as tx:
                assert not list(reconciling.differences(tx))
                tx.exec_driver_sql('UPDATE ledger.decisions SET details = \'{"without": ["O-1"]}\'')
                found = list(reconciling.differences(tx))
                tx.rollback()
            assert any("belongs to a part that an approval left out" in one for one in found), found
            assert examine(owner).problems == []


def test_the_ledger_in_memory_does_not_either() -> None:
    ledger = MemoryLedger(lambda: LATER)
    staffed(ledger)
    started(ledger, "run-1")
    ledger.propose(a_proposal("p-1", plan=PARTS))
    decided(ledger, details={"without": ["O-2"]})
    with pytest.raises(Refused, match="left out"):
        ledger.intend([an_effect("k-1", 1)])
