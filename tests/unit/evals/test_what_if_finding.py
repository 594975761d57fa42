"""A change that says what is an exception at all: the history is searched again, or it is said that it cannot be known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from errors import BadInput
from evals.what_if.answer import Detected
from evals.what_if.finding import found_otherwise
from knowledge_index.changing import with_values
from knowledge_index.policies import PolicyBook
from settings import SHIPPED_POLICIES

NOW = datetime(2026, 7, 1, tzinfo=UTC)
PLACED = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def present() -> PolicyBook:
    return PolicyBook.load(SHIPPED_POLICIES)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One customer orders the same twice within 20 minutes, and another within 100."""
    minutes = {"A": (0, 20), "B": (0, 100)}
    rows = [
        {"order_id": f"{who}-{number}", "customer_id": who, "at": PLACED + timedelta(minutes=at), "sku": "S", "qty": 2}
        for who, twice in minutes.items()
        for number, at in enumerate(twice)
    ]
    file = tmp_path_factory.mktemp("history") / "orders.parquet"
    pd.DataFrame(rows).to_parquet(file)
    return file


def test_a_wider_window_finds_what_the_present_one_does_not(present: PolicyBook, history: Path) -> None:
    changed = with_values(present, {"DUP-1.window_minutes": 240})
    found = found_otherwise(history, present, changed, NOW)
    assert found.thresholds == ("window_minutes",) and found.before is not None and found.after is not None
    assert (found.before["duplicate_order"], found.after["duplicate_order"]) == (1, 2)
    assert "1 → 2 duplicate order" in found.sentence


def test_without_the_history_it_says_that_the_cases_cannot_tell(present: PolicyBook) -> None:
    found = found_otherwise(None, present, with_values(present, {"DUP-1.window_minutes": 240}), NOW)
    assert found.before is None and "cannot tell" in found.sentence and "--history" in found.sentence


def test_a_change_that_defines_nothing_searches_nothing_and_says_nothing(present: PolicyBook, tmp_path: Path) -> None:
    found = found_otherwise(tmp_path / "nowhere.parquet", present, with_values(present, {"FRD-2.elevated": 0.6}), NOW)
    assert found == Detected() and found.sentence == ""


def test_a_history_that_is_not_there_is_refused(present: PolicyBook, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        found_otherwise(tmp_path / "nowhere.parquet", present, with_values(present, {"DUP-1.window_minutes": 240}), NOW)
