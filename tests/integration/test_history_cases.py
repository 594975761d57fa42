"""What a scan of a history finds becomes recorded exceptions, on which Missions are run."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.history import scan
from evals.history.cases import read_exceptions, without_mission
from settings import CHECKOUT, settings
from tests.integration.commands import missions


@pytest.fixture(scope="module")
def laboratory() -> EvalEnvironment:
    return EvalEnvironment.open(settings())


@pytest.fixture(scope="module")
def results(laboratory: EvalEnvironment, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any], Any]]:
    """(event, result, systems) of each exception of a small made-up history, by the commands."""
    folder = tmp_path_factory.mktemp("history")
    orders, truth, found = (folder / f"{name}.parquet" for name in ("orders", "truth", "found"))
    made = missions("history", "make", "--lines", "10000", "--seed", "2", "--out", orders, "--truth", truth)
    scanned = missions("history", "scan", orders, "--out", found)
    assert (made.returncode, scanned.returncode) == (0, 0), made.stderr + scanned.stderr
    assert (
        f"{len(pd.read_parquet(truth)):,} exceptions" in " ".join(made.stdout.split()) and "not looked for" not in scanned.stdout
    )
    cases = list(read_exceptions(found, laboratory.packs))
    assert len(cases) + sum(without_mission(found).values()) == len(pd.read_parquet(found))
    evaluation = Evaluation(laboratory)
    return [(case.event.name, evaluation.run(case), case.systems) for case in cases]


@pytest.mark.slow
def test_missions_decide_on_what_the_history_tells_and_escalate_where_it_does_not(results: Any) -> None:
    verdicts = {event: {result["verdict"] for name, result, _ in results if name == event} for event, _, _ in results}
    assert verdicts["order.duplicate_suspected"] == {"cancel_duplicate", "no_action"}
    assert verdicts["order.capture_failed"] == {"capture", "no_action"}  # delivered orders are left alone: ORD-3
    assert verdicts["order.stock_short"] == verdicts["order.payment_review"] == {"escalate"}  # no fraud score, no address check


@pytest.mark.slow
def test_a_system_of_which_the_history_tells_nothing_could_not_be_read(results: Any) -> None:
    for _, _, systems in results:
        assert systems["crm"] is systems["erp"] is systems["logistics"] is None
        assert all(payment["fraud"] is None for payment in systems["payments"]["payments"])


def test_duplicates_of_online_retail_are_escalated_for_nothing_tells_their_state(
    laboratory: EvalEnvironment, tmp_path: Path
) -> None:
    found = tmp_path / "found.parquet"
    counts = scan(CHECKOUT / "evals/history/data/online_retail_240k.parquet", found).counts
    evaluation = Evaluation(laboratory)
    given = [evaluation.run(case) for case in read_exceptions(found, laboratory.packs)]
    assert [one["verdict"] for one in given] == ["escalate"] * counts["duplicate_order"]
    assert all(one["cite"] == ["GOV-7"] for one in given)
    assert "duplicate_order" not in without_mission(found)


def test_a_case_is_told_only_where_it_can_be_read(laboratory: EvalEnvironment, tmp_path: Path) -> None:
    at, found = datetime(2026, 1, 5, tzinfo=UTC), tmp_path / "found.parquet"
    twins = [
        {
            "record": "line",
            "order_id": f"{first}{name}",
            "customer_id": name,
            "at": at,
            "sku": "T",
            "qty": 1,
            "status": "new",
            "line1": "1",
        }
        for name in ("\0", " ", "good", "x" * 500)
        for first in (" ", "  ")
    ]
    crowd = [
        {
            "record": "line",
            "order_id": f"O-{number}",
            "at": at,
            "sku": "S",
            "qty": 1,
            "status": "new",
            "location": place,
            "line1": place * 80,
        }
        for place, orders in (("L", 3), ("crowded", 10_001), ("long", 9_000))
        for number in range(orders)
    ]
    taken = [("L", "A"), ("L", "A"), ("", "A"), ("crowded", "A"), ("long", "A")]
    corrections = [
        {"record": "adjustment", "record_id": name, "at": at, "sku": "S", "qty": -9 - number, "on_hand": 20, "location": place}
        for number, (place, name) in enumerate(taken)
    ]
    scan(pd.DataFrame([*twins, *crowd, *corrections]), found)
    cases = {case.event.subject: case for case in read_exceptions(found, laboratory.packs)}
    assert set(cases) == {" good", "S@L"}
    # a case is a line of a file of recorded exceptions as it stands
    told = pd.read_parquet(found).dropna(subset="case")
    assert [json.loads(case)["case_id"] for case in told["case"]] == list(told["exception_id"])
    assert [order["order_id"] for order in cases["S@L"].systems["oms"]["orders"]] == ["O-0", "O-1", "O-2"]
    assert without_mission(found) == {"duplicate_order": 3, "stock_adjustment": 3}


def test_a_file_that_holds_no_exceptions_is_refused(laboratory: EvalEnvironment, tmp_path: Path) -> None:
    pd.DataFrame({"case": [1]}).to_parquet(tmp_path / "other.parquet")
    for name in ("other.parquet", "none.parquet"):
        with pytest.raises(BadInput, match=name):
            list(read_exceptions(tmp_path / name, laboratory.packs))


def test_a_history_that_cannot_be_read_is_one_sentence_on_the_command_line(tmp_path: Path) -> None:
    done = missions("history", "scan", tmp_path / "none.parquet", "--out", tmp_path / "found.parquet")
    assert done.returncode == 1 and done.stderr.startswith("missions: ") and done.stderr.count("\n") == 1
    assert "none.parquet: there is no such file" in done.stderr
    assert list(tmp_path.iterdir()) == []
