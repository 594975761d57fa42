"""What becomes of a lesson is decided once, by who may, alike in both ledgers."""

from typing import Any

import pytest

from errors import BadInput, Refused
from ledger.base import Ledger
from ledger.lessons import Settlement
from tests.ledger_examples import LATER, a_proposal, decided, staffed, started


def asked(decision_id: str, **other: Any) -> Settlement:
    values: dict[str, Any] = {"status": "promoted", "by": "nick", "at": LATER, "dataset": "/data/overrides.jsonl", "digest": "d"}
    return Settlement(decision_id=decision_id, **(values | other))


@pytest.fixture
def rejected(ledger: Ledger) -> str:
    """The id of a rejection."""
    staffed(ledger)
    for number in ("1", "2"):
        started(ledger, f"run-{number}")
        ledger.propose(a_proposal(f"p-{number}", run_id=f"run-{number}"))
    decided(ledger, proposal_id="p-2")
    return decided(ledger, "reject", proposal_id="p-1")[0].decision_id


def test_a_lesson_is_settled_once_and_the_audit_log_says_so(ledger: Ledger, rejected: str) -> None:
    settled = ledger.settle_lesson(asked(rejected))
    assert ledger.settlements() == [settled] and settled.by == "Nick"
    last = ledger.audit("run-1")[-1]
    assert (last.kind, last.body["decision_id"], last.body["by"]) == ("lesson_promoted", rejected, "Nick")
    with pytest.raises(Refused, match=r"was promoted to /data/overrides\.jsonl by Nick already"):
        ledger.settle_lesson(asked(rejected, status="dropped", dataset="", reason="no"))
    assert ledger.verify_audit() == []


def test_what_is_done_first_is_done_only_for_who_settles_it_and_where_it_fails_nothing_is_settled(
    ledger: Ledger, rejected: str
) -> None:
    done: list[str] = []
    with pytest.raises(BadInput, match="printable"):
        ledger.settle_lesson(asked(rejected, dataset="a\nb"), lambda: done.append("a"))
    with pytest.raises(ZeroDivisionError):
        ledger.settle_lesson(asked(rejected), lambda: 1 / 0)
    assert (done, ledger.settlements()) == ([], [])
    ledger.settle_lesson(asked(rejected), lambda: done.append("b"))
    with pytest.raises(Refused, match="already"):
        ledger.settle_lesson(asked(rejected), lambda: done.append("c"))
    assert done == ["b"]


def test_decisions_of_all_runs_are_told_in_their_order(ledger: Ledger, rejected: str) -> None:
    assert [(one.run_id, one.kind) for one in ledger.all_decisions()] == [("run-2", "approve"), ("run-1", "reject")]
    assert ledger.all_decisions("order_exception") == ledger.all_decisions()
    assert ledger.all_decisions("account_save") == []


@pytest.mark.parametrize(
    ("other", "error", "sentence"),
    [
        ({"by": "Rita"}, Refused, "requires the role administrator or analyst, and Rita is reviewer"),
        ({"by": "Mallory"}, Refused, "Sign in to promote or drop a lesson"),
        ({"decision_id": "none"}, BadInput, "There is no lesson 'none'"),
        ({"dataset": " "}, BadInput, "name its file"),
        ({"dataset": "a\nb"}, BadInput, "printable"),
        ({"status": "dropped", "dataset": "", "reason": " "}, BadInput, "A reason is missing"),
    ],
)
def test_what_may_not_be_is_refused_and_nothing_is_kept(
    ledger: Ledger, rejected: str, other: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        ledger.settle_lesson(asked(**{"decision_id": rejected, **other}))
    assert ledger.settlements() == []


def test_there_is_no_lesson_in_a_whole_approval(ledger: Ledger, rejected: str) -> None:
    approval = ledger.decisions("run-2")[0].decision_id
    with pytest.raises(Refused, match="approves the whole proposal"):
        ledger.settle_lesson(asked(approval))
