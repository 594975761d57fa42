"""Values of clauses and tiers of actions that would be others, without a file."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import BadInput
from knowledge_index.changing import read_change, with_tiers, with_values
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from tests.actions import CANCEL_ORDER, CREATE_TASK, OPEN_CASE, SEND_MESSAGE

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BOOK = PolicyBook.load(REFERENCE_POLICIES).standing(NOW)
ACTIONS = (CANCEL_ORDER, OPEN_CASE, SEND_MESSAGE)


def test_a_number_is_another_and_the_text_shows_it() -> None:
    changed = with_values(BOOK, {"FRD-2.elevated": 0.6, "GOV-3.bands.0.up_to_cents": 20_000})
    assert changed.period(NOW).values["FRD_2"]["elevated"] == 0.6
    assert changed.period(NOW).values["GOV_3"]["bands"][0] == {"up_to_cents": 20_000, "role": "reviewer"}
    assert "0.60" in changed.clause("FRD-1", NOW).text
    assert BOOK.period(NOW).values["FRD_2"]["elevated"] == 0.4 and changed.period(NOW).digest != BOOK.period(NOW).digest


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("FDR-2.elevated", 1, "no clause 'FDR-2' (did you mean FRD-2"),
        ("FRD-2.elevatd", 1, "no value 'elevatd' (did you mean elevated?)"),
        ("FRD-2", 1, "FRD-2 has no value ''"),
        ("FRD-2.elevated.0", 1, "no value 'elevated.0'"),
        ("GOV-3.bands.7.role", "finance", "no value 'bands.7.role' (did you mean bands."),
        ("GOV-5.x", 1, "has no values"),
        ("FRD-2.elevated", "high", "make it a number"),
        ("FRD-2.elevated", True, "make it a number"),
        ("FRD-2.elevated", float("nan"), "make it a number"),
        ("FRD-2.elevated", None, "given no value"),
        ("GOV-1.automate", [], "a list of at least one item"),
    ],
)
def test_what_is_not_there_or_of_another_kind_is_refused_with_what_is_like_it(path: str, value: Any, said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        with_values(BOOK, {path: value})
    assert said in str(refusal.value)


def test_an_action_changes_its_tier() -> None:
    tiers = {CANCEL_ORDER: "automate", OPEN_CASE: "recommend", "send_message.apology": "automate"}
    values = with_tiers(BOOK, tiers, ["GOV-1"], ACTIONS).period(NOW).values["GOV_1"]
    assert CANCEL_ORDER in values["automate"] and OPEN_CASE not in values["automate"]
    assert values["automate_templates"][SEND_MESSAGE] == ["delay_notice", "apology"]
    for wrong, said in (({"cancel_ordr": "automate"}, "did you mean cancel_order"), ({OPEN_CASE: "never"}, "automate or")):
        with pytest.raises(BadInput, match=said):
            with_tiers(BOOK, wrong, ["GOV-1"], ACTIONS)


def test_a_change_is_read_as_it_is_written() -> None:
    assert read_change("FRD-2.elevated=0.8") == ("FRD-2.elevated", 0.8)
    assert read_change("GOV-1.automate=[open_case, create_task]") == ("GOV-1.automate", [OPEN_CASE, CREATE_TASK])


@given(st.text(max_size=80))
def test_whatever_is_written_is_a_change_or_refused_in_one_sentence(text: str) -> None:
    for written in (text, f"FRD-2.elevated={text}", f"{text}=1"):
        try:
            path, value = read_change(written)
            with_values(BOOK, {path: value})
        except BadInput as refusal:
            assert str(refusal)
