"""Exceptions that are one thing are one incident with its money once, and what is worth a look comes first."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from evals.history import ScanResult, scan
from evals.history.layout import Told
from evals.history.planting import plant_files
from evals.reports.incidents import incidents_csv, report
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


def test_nine_in_ten_of_the_first_fifty_incidents_are_worth_a_look_by_hand(retail: ScanResult) -> None:
    labels = pd.read_csv(RETAIL.with_name("online_retail_labels.csv"), index_col="incident_id")["worth_a_look"]
    first = retail.incidents["incident_id"].head(50).map(labels)
    assert first.notna().all() and (first == "yes").mean() >= 0.9


def test_of_what_is_planted_into_a_real_history_hardly_anything_is_missed(tmp_path: Path) -> None:
    history, truth = tmp_path / "history.parquet", tmp_path / "truth.parquet"
    planted = plant_files(RETAIL, history, truth, each=50, seed=1)
    found, known = scan(history).exceptions, pd.read_parquet(truth)
    assert found is not None and set(planted.values()) == {50} and len(planted) == 8
    assert Told.by(pq.read_schema(history)).currency == "GBP" and len(known) == 400
    hits = known.merge(found[["kind", "subject"]].drop_duplicates(), on=["kind", "subject"])["kind"].value_counts()
    assert (hits / known["kind"].value_counts()).min() >= 0.98


def test_prices_of_another_channel_are_compared_with_those_of_that_channel_only() -> None:
    def lines(prices: dict[str, int]) -> list[dict[str, Any]]:
        return [
            a_line(order_id=f"{channel}-{nth}", customer_id=f"{channel}-{nth}", channel=channel, unit_price_cents=price)
            for channel, price in prices.items()
            for nth in range(20)
        ]

    slip = a_line(order_id="slip", customer_id="slip", channel="web", unit_price_cents=100)
    rows = [*lines({"wholesale": 100, "web": 1_000}), slip]
    found = scan(frame(rows), thresholds=LIMITS).exceptions
    assert found is not None and found[["kind", "subject"]].to_numpy().tolist() == [["price_outlier", "slip"]]


def test_the_page_and_the_csv_of_incidents_say_what_and_why_and_nothing_in_them_runs(retail: ScanResult) -> None:
    page, rows = report(retail, "<b>retail</b>"), list(csv.DictReader(io.StringIO(incidents_csv(retail))))
    assert "&lt;b&gt;retail" in page and "<svg" in page and "<script" not in page
    assert "C541433 takes back 77,183.60 GBP of order 541431" in page and "GBP at stake" in page
    assert len(rows) == len(retail.incidents) and rows[0]["money"] == "77183.6" and rows[0]["documents"] == "541431 C541433"


def test_hostile_names_of_a_history_are_text_on_the_page_and_no_formula_in_the_csv() -> None:
    rows = [
        a_line(order_id=f"=<i>{nth}", customer_id="@C", at=BEGIN + timedelta(minutes=nth), line1="1", postal_code="1")
        for nth in (0, 1)
    ]
    found = scan(frame(rows), thresholds=LIMITS)
    assert "<i>" not in report(found, "h") and "'=<i>0 =<i>1" in incidents_csv(found) and "'@C" in incidents_csv(found)
