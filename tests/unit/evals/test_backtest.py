"""A backtest knows nothing from later than the moment of an exception, and says of what followed no more than there is."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cli.backtest import run_backtest
from errors import BadInput
from evals.backtest import Backtest, backtest
from evals.backtest.judging import BacktestCase, judged_case
from evals.backtest.page import page
from evals.backtest.tallies import Minutes, Tally
from evals.backtest.worlds import find_worlds
from evals.history import make
from evals.history.detectors import DETECTORS, Followed
from evals.history.importing import import_exports
from evals.intervals import wilson
from tests.evaluation_examples import HOSTILE
from tests.unit.evals.test_history import LIMITS

MISSIONS = ("order_exception", "omnichannel_exception")
DECLARED = {detector.kind: detector.backtest for detector in DETECTORS}
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return make(10_000, seed=11)[0]


@pytest.fixture(scope="module")
def found(history: pd.DataFrame) -> Backtest:
    return backtest(history)


def cases_of(history: pd.DataFrame, folder: Path) -> dict[str, tuple[datetime, str]]:
    """Of each exception its moment, and its case."""
    file = folder / "cases.parquet"
    worlds = find_worlds(history, file, MISSIONS, LIMITS, memory_mb=1024, trusted=False, on_progress=None)
    cases = dict(pd.read_parquet(file)[["exception_id", "case"]].itertuples(index=False, name=None))
    return {row["exception_id"]: (row["known_at"], cases[row["exception_id"]]) for row in worlds.exceptions}


def with_another_future(history: pd.DataFrame, cut: pd.Timestamp, seed: int) -> pd.DataFrame:
    """Rows, moments and last words after `cut` are others, and every row stands elsewhere."""
    pick, rows = np.random.default_rng(seed), history.copy()
    rows = rows[(rows["at"] <= cut) | (pick.random(len(rows)) < 0.5)]
    for name in ("at", "shipped_at", "cancelled_at"):
        later = rows[name].isna() if name != "at" else pd.Series(False, rows.index)
        later |= rows[name] > cut
        moved = pd.Series(cut + pd.to_timedelta(pick.integers(1, 10**6, len(rows)), "s"), rows.index)
        rows.loc[later, name] = moved.where(pd.Series(pick.random(len(rows)) < 0.7, rows.index) | (name == "at"))[later]
    rows["moved_to"] = cut + pd.to_timedelta(pick.integers(0, 10**6, len(rows)), "s")
    words = {
        "line": ["new", "shipped", "delivered", "cancelled", None], "charge": ["captured", "refunded", "disputed"],
        "authorization": ["authorized", "expired", "voided"],
    }  # fmt: skip
    for record, statuses in words.items():
        last = (rows["record"] == record) & ((record == "line") | rows["status"].isin(statuses))
        rows.loc[last, "status"] = pick.choice(np.array(statuses, dtype=object), last.sum())
    rows.loc[rows["record"] == "charge", "refunded_cents"] = pick.integers(0, 500)
    return rows.sample(frac=1, random_state=seed)


@pytest.fixture(scope="module")
def cases(history: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[datetime, str]]:
    return cases_of(history, tmp_path_factory.mktemp("cases"))


# to make an example smaller would take minutes
@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.floats(0.3, 0.9))
def test_another_future_changes_no_case_and_no_exception(
    history: pd.DataFrame, cases: dict[str, tuple[datetime, str]], tmp_path: Path, seed: int, share: float
) -> None:
    first, last = history["at"].min(), history["at"].max()
    cut = first + (last - first) * share
    others = cases_of(with_another_future(history, cut, seed), tmp_path)
    before, after = ({name: one for name, one in found.items() if one[0] <= cut.tz_localize(None)} for found in (cases, others))
    assert len(before) > 20 and after == before


def test_a_case_tells_of_orders_as_they_were_five_minutes_after_the_second_one(cases: dict[str, tuple[datetime, str]]) -> None:
    for known_at, case in cases.values():
        told = json.loads(case)
        assert told["as_of"] == f"{known_at:%Y-%m-%dT%H:%M:%S.%fZ}"
        if told["trigger"]["event"] == "order.duplicate_suspected":
            assert {order["status"] for order in told["systems"]["oms"]["orders"]} <= {"new", "shipped"}
        for payment in (told["systems"]["payments"] or {"payments": []})["payments"]:
            moments = [one["captured_at"] for one in payment["charges"]] + [
                one["authorized_at"] for one in payment["authorizations"]
            ]
            assert all(moment <= told["as_of"] for moment in moments)


def test_every_duplicate_is_cancelled_five_minutes_after_the_order(found: Backtest) -> None:
    duplicates = [case for case in found.cases if case.kind == "duplicate_order"]
    assert len(duplicates) >= 19 and {case.verdict for case in duplicates} == {"cancel_duplicate"}
    # most of them were delivered in the end
    assert sum("shipped" in case.followed for case in duplicates) > len(duplicates) / 3
    assert {case.judged for case in duplicates} == {"caught", "needless", "not known"}


def test_what_is_handed_over_says_what_was_not_known(found: Backtest) -> None:
    handed = [case for case in found.cases if case.response == "handed over"]
    assert handed and all(case.lacking for case in handed)
    assert ("payment: fraud score", "payment not secured") in {(data, kind) for data, kind, *_ in found.lacks}
    assert found.left_out["double_charge"] == "no Mission handles it"


def test_figures_slices_and_frame_say_the_same(found: Backtest) -> None:
    for by in ("kind", "month", "channel", "value"):
        slices = found.tallies(by)  # type: ignore[arg-type]
        assert sum(len(one.cases) for one in slices) == len(found.cases)
        assert sum(one.counts["caught"] for one in slices) == found.all.counts["caught"] > 0
    table, summary = found.frame(), json.loads(json.dumps(found.summary(), default=str))
    assert (table["judged"] == "caught").sum() == summary["all"]["caught"]
    assert table.loc[table["judged"] == "caught", "money_cents"].sum() == summary["all"]["caught_cents"]


def a_row(**told: Any) -> Mapping[str, Any]:
    followed = dict.fromkeys(get_args(Followed), False)
    return {
        "exception_id": "e", "kind": "duplicate_order", "subject": "O-2", "other_id": "O-1", "customer_id": "C", "channel": "web",
        "known_at": AT.replace(tzinfo=None), "money_cents": 1_000, "says": "", "given_back_cents": 0, "cancelled_at": None,
        **followed, **told,
    }  # fmt: skip


def a_judged(verdict: str = "cancel_duplicate", ends: datetime = AT + timedelta(90), **told: Any) -> BacktestCase:
    result = {"verdict": verdict, "approval": {"role": "reviewer", "four_eyes": False}, "lacking": []}
    declared = DECLARED[told.get("kind", "duplicate_order")]
    assert declared
    return judged_case(a_row(**told), result, declared, ends)


def test_what_followed_is_trouble_before_it_is_fine_and_fine_only_when_some_time_has_gone_by() -> None:
    assert a_judged(shipped=True).judged == "needless"
    assert a_judged(shipped=True, refunded=True).judged == "caught"
    assert a_judged("no_action", shipped=True, disputed=True).judged == "missed"
    assert a_judged("no_action", reordered=True).judged == "rightly let go"
    assert a_judged("escalate", refunded=True).judged == "handed over"
    assert a_judged().judged == "not known" and a_judged().because is None
    early = a_judged(ends=AT + timedelta(29), shipped=True)
    assert early.judged == "not known" and early.because is None
    assert a_judged(ends=AT + timedelta(29), refunded=True).judged == "caught"
    unpaid = {"kind": "capture_missing", "verdict": "capture", "never_charged": True}
    assert a_judged(**unpaid).judged == "caught"
    # somebody may still pay
    assert a_judged(**unpaid, ends=AT + timedelta(29)).judged == "not known"
    assert a_judged(cancelled=True, cancelled_at=(AT + timedelta(hours=3)).replace(tzinfo=None)).cancelled_after == timedelta(
        hours=3
    )


def test_intervals_are_over_customers_and_hours_are_what_is_declared() -> None:
    minutes = Minutes(by_hand=12, to_decide=2)
    caught = [a_judged(exception_id=f"c{n}", customer_id=f"C{n}", refunded=True, money_cents=100 * n) for n in range(20)]
    needless = [a_judged(exception_id=f"n{n}", customer_id=f"N{n}", shipped=True) for n in range(5)]
    tally = Tally("all", [*caught, *needless, a_judged("escalate", customer_id="E")], minutes)
    assert tally.needless_share == wilson(0.2, 25) and tally.caught_share == wilson(1.0, 20)
    assert tally.hours == pytest.approx(25 * 10 / 60)
    money = tally.caught_cents
    assert money and money.mean == pytest.approx(19_000) and money.low < 19_000 < money.high
    # of one customer they tell as much as one case
    alone = Tally("all", [a_judged(exception_id=f"{n}", refunded=n < 20, shipped=True) for n in range(25)], minutes)
    assert alone.needless_share == wilson(0.2, 1)
    nothing = Tally("none", [], minutes)
    assert nothing.caught_share is nothing.caught_cents is None and nothing.hours == 0


ADDRESS = "1 Main St,4101"
SHOP = f"""\
Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Total,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Shipping Street,Shipping Zip,Cancelled at,Refunded Amount,Source
#1,bob@example.com,paid,2026-05-04 09:01:00 +0000,fulfilled,2026-05-06 10:00:00 +0000,EUR,30.00,2026-05-04 09:00:00 +0000,\
2,Mug,15.00,MUG,{ADDRESS},,0.00,web
#2,bob@example.com,refunded,2026-05-04 09:11:00 +0000,unfulfilled,,EUR,30.00,2026-05-04 09:10:00 +0000,2,Mug,15.00,MUG,{ADDRESS},\
2026-05-05 08:15:00 +0000,30.00,web
#3,bob@example.com,refunded,2026-05-04 09:21:00 +0000,unfulfilled,,EUR,30.00,2026-05-04 09:20:00 +0000,2,Mug,15.00,MUG,{ADDRESS},\
2026-05-04 09:22:00 +0000,30.00,web
"""


def test_an_export_of_a_shop_is_backtested_in_its_currency(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(SHOP)
    import_exports([tmp_path / "orders.csv"], tmp_path / "orders.parquet")
    found = backtest(tmp_path / "orders.parquet")
    # the third was cancelled before anybody would have been told
    assert [(case.subject, case.verdict, case.judged) for case in found.cases] == [("#2", "cancel_duplicate", "caught")]
    assert found.cases[0].channel == "web" and found.cases[0].cancelled_after == timedelta(hours=23)
    assert "30.00 EUR" in found.money(found.all.given_back_cents) and "no column" in found.left_out["stock_short"]


def test_cancellations_that_name_only_the_customer_tell_before_and_after(tmp_path: Path) -> None:
    at = pd.Timestamp("2011-03-16 11:50")
    sold = [(f"{n}", f"{n // 2}", 5, at + pd.Timedelta(minutes=n % 2)) for n in range(6)]
    # of the first customer at once, of the second after three days; of the third too little comes back
    back = [("C7", "0", -5, 2), ("C8", "1", -3, 60 * 24 * 3), ("C9", "2", -2, 60 * 24 * 3)]
    rows = sold + [(invoice, customer, qty, at + pd.Timedelta(minutes=later)) for invoice, customer, qty, later in back]
    history = pd.DataFrame(rows, columns=["InvoiceNo", "CustomerID", "Quantity", "InvoiceDate"]).assign(
        StockCode="85048", Description="MUG", UnitPrice=6.95
    )
    found = find_worlds(history, tmp_path / "c.parquet", MISSIONS, LIMITS, memory_mb=1024, trusted=False, on_progress=None)
    followed = {row["subject"]: (row["cancelled"], row["cancelled_at"]) for row in found.exceptions}
    assert followed == {"3": (True, datetime(2011, 3, 19, 11, 50)), "5": (False, None)} and found.currency == "GBP"


def test_a_history_of_days_does_not_tell_what_came_first(tmp_path: Path) -> None:
    # shipped the day after, and paid on that day, or a day later
    days = [f"{n},C,2026-05-{n:02},S,1,5.00,shipped,2026-05-{n + 1:02},2026-05-{n + 1 + n % 2:02}" for n in range(1, 28)]
    columns = "order id,customer id,order date,sku,quantity,price,status,shipped date,payment date"
    (tmp_path / "orders.csv").write_text("\n".join([columns, *days]))
    import_exports([tmp_path / "orders.csv"], tmp_path / "orders.parquet")
    found = backtest(tmp_path / "orders.parquet")
    assert found.left_out["duplicate_order"] == "its moments are days, and minutes count"
    assert {case.subject for case in found.cases} == {str(n) for n in range(1, 28, 2)} and "charged" in found.cases[0].followed
    nothing = Backtest(**{**vars(found), "cases": []})
    assert "No exception was found" in nothing.headline() and "<h1>" in page(nothing)


def test_text_from_outside_is_text_in_the_report_and_no_formula_in_its_table(found: Backtest) -> None:
    case = a_judged(channel=HOSTILE, subject=HOSTILE)
    shown = page(Backtest(**{**vars(found), "cases": [case], "history": HOSTILE, "left_out": {HOSTILE: HOSTILE}}))
    assert "<img" not in shown and "&lt;img" in shown and "<script" not in shown


def test_what_cannot_be_backtested_or_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    exports = tmp_path / "orders.csv"
    exports.write_text(SHOP)
    with pytest.raises(BadInput, match="is written as .html, .csv, .json; give the file one of these endings"):
        run_backtest(exports, [tmp_path / "report.pdf"])
    with pytest.raises(BadInput, match="missions history import"):
        run_backtest(exports)
    with pytest.raises(BadInput, match="none.parquet: there is no such file"):
        run_backtest(tmp_path / "none.parquet")
