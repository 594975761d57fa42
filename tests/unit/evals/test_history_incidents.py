"""Exceptions that are one thing are one incident with its money once, and what is worth a look comes first."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from evals.history import ScanResult, scan
from tests.unit.evals.test_history import BEGIN, LIMITS, RETAIL, a_line, frame


@pytest.fixture(scope="module")
def retail() -> ScanResult:
    return scan(RETAIL)


def test_the_largest_reversal_of_the_year_comes_first_with_its_money_once(retail: ScanResult) -> None:
    first = retail.incidents.iloc[0]
    assert set(first["documents"]) == {"541431", "C541433"} and first["exceptions"] == 2
    assert first["money_cents"] == 7_718_360 and "77,183.60 GBP" in first["says"] and "quick reversal" in first["why"]


def test_a_mistake_that_was_corrected_in_four_documents_is_one_incident(retail: ScanResult) -> None:
    about = {"556442", "556444", "556446", "C556448"}
    own = [row for row in retail.incidents.itertuples() if about & set(row.documents)]
    assert [(set(row.documents), row.money_cents, row.rank) for row in own] == [(about, 3_861_300, 2)]


def test_each_exception_names_the_incident_of_which_it_is_a_part(retail: ScanResult) -> None:
    assert retail.exceptions is not None
    counted = retail.exceptions.groupby("incident_id").size()
    assert counted.to_dict() == dict(zip(retail.incidents["incident_id"], retail.incidents["exceptions"], strict=True))
    assert retail.incidents["rank"].tolist() == list(range(1, len(counted) + 1))


def test_the_amounts_of_every_sentence_name_their_currency(retail: ScanResult) -> None:
    said = pd.concat([retail.incidents["says"], retail.incidents["why"]])
    assert not said.str.contains(r"\d\.\d\d(?! GBP)", regex=True).any()


def _repeats(customer_id: str, times: int, first: int) -> list[dict[str, Any]]:
    days = [BEGIN + timedelta(days=5 * nth, minutes=10 * half) for nth in range(times) for half in (0, 1)]
    return [
        a_line(order_id=f"O-{first + nth}", customer_id=customer_id, at=at, line1="1", postal_code="1")
        for nth, at in enumerate(days)
    ]


def test_what_a_customer_always_does_is_less_worth_a_look() -> None:
    found = scan(frame([*_repeats("C-often", 5, 0), *_repeats("C-once", 1, 100)]), thresholds=LIMITS).incidents
    assert found["customer_id"].tolist()[0] == "C-once" and len(found) == 6
    assert "this customer has it 5 times" in found["why"].iloc[-1]
