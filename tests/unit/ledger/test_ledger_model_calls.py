"""Questions to models are written down before they are sent, and counted against budgets, alike in both ledgers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from errors import BadInput, Refused
from ledger.base import Ledger
from tests.ledger_examples import NOW, a_call, answered

BUDGETS: dict[str, Any] = {"run_tokens": 10_000, "day_tokens": 15_000, "day_cents": 0.0}


def test_a_question_is_kept_as_it_was_begun_and_as_it_ended(ledger: Ledger) -> None:
    begun = ledger.begin_model_call(a_call(), **BUDGETS)
    assert (begun, ledger.model_calls("run-1")) == (a_call(), [a_call()])
    ended = ledger.end_model_call("c-1", answered())
    assert ended == replace(a_call(), **vars(answered())) and ended.tokens == 1_000
    assert ledger.model_calls("run-1") == [ended] and ledger.model_calls("") == []


def test_an_answer_is_found_again_by_the_digest_of_its_question(ledger: Ledger) -> None:
    for call_id, other in (("c-1", {}), ("c-2", {"look": 2}), ("c-3", {"run_id": ""}), ("c-4", {"run_id": "run-2"})):
        ledger.begin_model_call(a_call(call_id, reserved_tokens=0, **other), **BUDGETS)
        if call_id != "c-4":
            ledger.end_model_call(call_id, answered(answer={"by": call_id}))
    ledger.begin_model_call(a_call("c-5", reserved_tokens=0), **BUDGETS)
    ledger.end_model_call("c-5", answered(status="failed", answer=None, error="no answer"))
    asked = "digest of a question"
    assert ledger.model_answer(asked, "run-1", 1) == {"by": "c-1"}
    assert ledger.model_answer(asked, "run-1", 2) == {"by": "c-2"}
    assert ledger.model_answer(asked) == {"by": "c-3"}
    assert ledger.model_answer(asked, "run-2", 1) is None and ledger.model_answer("another") is None


def test_what_is_reserved_counts_until_the_answer_has_come(ledger: Ledger) -> None:
    for call_id in ("c-1", "c-2"):
        ledger.begin_model_call(a_call(call_id), **BUDGETS)
    with pytest.raises(Refused, match="Run run-1 has used 8,000 of the 10,000 tokens that a run may ask a model for"):
        ledger.begin_model_call(a_call("c-3"), **BUDGETS)
    ledger.end_model_call("c-1", answered())
    ledger.begin_model_call(a_call("c-3"), **BUDGETS)
    assert [call.call_id for call in ledger.model_calls("run-1")] == ["c-1", "c-2", "c-3"]


def test_a_day_is_that_of_utc_and_all_runs_share_it(ledger: Ledger) -> None:
    for number in range(3):
        ledger.begin_model_call(a_call(f"c-{number}", run_id=f"run-{number}"), **BUDGETS)
    with pytest.raises(Refused, match="12,000 of the 15,000 tokens are used that models may take on Mar 1, 2026"):
        ledger.begin_model_call(a_call("c-9", run_id=""), **BUDGETS)
    ledger.begin_model_call(a_call("c-9", run_id="", at=NOW + timedelta(days=1)), **BUDGETS)


def test_a_day_may_cost_so_much_where_prices_are_known(ledger: Ledger) -> None:
    budgets = BUDGETS | {"day_cents": 1.0}
    ledger.begin_model_call(a_call(cost_cents=0.75), **budgets)
    with pytest.raises(Refused, match=r"0\.75 of the 1\.00 US cents are used"):
        ledger.begin_model_call(a_call("c-2", cost_cents=0.5), **budgets)
    ledger.end_model_call("c-1", answered())
    ledger.begin_model_call(a_call("c-2", cost_cents=0.5), **budgets)


def test_a_question_begins_once_and_ends_once(ledger: Ledger) -> None:
    ledger.begin_model_call(a_call(), **BUDGETS)
    with pytest.raises(BadInput, match="The question 'c-1' to a model was already started"):
        ledger.begin_model_call(a_call(), **BUDGETS)
    with pytest.raises(BadInput, match="There is no question 'c-2'"):
        ledger.end_model_call("c-2", answered())
    ledger.end_model_call("c-1", answered())
    with pytest.raises(Refused, match="has ended: answered"):
        ledger.end_model_call("c-1", answered(status="failed"))
