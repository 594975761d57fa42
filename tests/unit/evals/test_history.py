"""What a scan finds is what the definitions say, whatever the order of the rows; what cannot be read is one sentence."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import BadInput
from evals.history import ScanThresholds, make, make_files, scan
from evals.history.detectors import DETECTORS
from evals.history.layout import RECORDS, SCHEMA
from evals.history.making import compare
from tests.unit.evals.history_oracle import Row, exceptions_of

LIMITS = ScanThresholds(
    window_minutes=30,
    apart_hours=72,
    shortfall_units=5,
    shortfall_percent=20,
    open_statuses=("new", "payment_review", "backordered", "address_hold"),
    price_lines=12,
    near_hours=1,
    near_lines=1,
    near_percent=50,
    reversal_hours=1,
    quantity_factor=2,
)
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
RETAIL = Path("evals/history/data/online_retail_240k.parquet")


def frame(rows: list[Row]) -> pd.DataFrame:
    return pa.Table.from_pylist(rows, SCHEMA).to_pandas()


def a_line(**told: Any) -> Row:
    return {
        **dict.fromkeys(SCHEMA.names), "record": "line", "record_id": "1", "order_id": "O-1", "customer_id": "C-1", "at": BEGIN,
        "sku": "S", "qty": 1, "unit_price_cents": 100, **told,
    }  # fmt: skip


def some_history(seed: int) -> list[Row]:
    """Rows at and beside every threshold, with gaps, in any order."""
    pick = random.Random(seed)
    rows: list[Row] = []
    for number in range(pick.randint(30, 60)):
        order_id, promised = f"O-{number}", BEGIN + timedelta(days=2)
        at = BEGIN + pick.choice([0, 0, 1, 2]) * timedelta(minutes=30) + pick.choice([-1, 0, 0, 0, 1]) * INSTANT
        order = {
            "order_id": order_id,
            "at": at,
            "customer_id": pick.choice(["C-1", "C-1", "C-2", None]),
            "status": pick.choice(["new", "backordered", "ready", "shipped", "delivered", "cancelled", None]),
            "promised_at": pick.choice([promised, promised, None]),
            "moved_to": pick.choice([None, None, promised - INSTANT, promised + INSTANT]),
            "shipped_at": pick.choice([None, promised, promised - INSTANT, promised + INSTANT]),
            "total_cents": pick.choice([100, 100, 200, 201, None]),
            "channel": pick.choice(["web", "web", "web", "store", None]),
        }
        address = {"line1": pick.choice(["1 A St", "1 A St", "2 B St", None]), "postal_code": "10"}
        lines = pick.choice([1, 1, 2, 3])
        for place in range(lines):
            told = address if place == 0 or pick.random() < 0.5 else {}
            shelf = {"on_hand": pick.choice([5, 6, 7, None]), "reserved": 3, "safety_stock": 1}
            rows.append(
                a_line(
                    **order,
                    **told,
                    **shelf,
                    record_id=str(place),
                    sku=pick.choice(["S", "S", "T", None]),
                    qty=pick.choice([*[1] * 40, *[2] * 20, 5]),
                    unit_price_cents=pick.choice([*[100] * 30, 20, 19, 500, 501, 0, None]),
                    location=pick.choice(["L", "M", None]),
                )
            )
        for place in range(pick.choice([0, 1, 1, 2, 3])):
            later = pick.choice([timedelta(0), timedelta(hours=72), timedelta(hours=72) + INSTANT])
            money = {"order_id": order_id, "amount_cents": pick.choice([100, 100, 100, 101, 200, None])}
            record = pick.choice(["charge", "charge", "authorization"])
            status = pick.choice(
                ["captured", "captured", "captured", "pending", "refunded", "disputed", "declined", "authorized"]
            )
            rows.append(
                a_line(
                    record=record,
                    record_id=f"{record}-{number}-{place}",
                    at=at + later,
                    status=status,
                    sku=None,
                    qty=None,
                    unit_price_cents=None,
                    customer_id=None,
                    refunded_cents=pick.choice([0, 1, 100, None]),
                    **money,
                )
            )
        if pick.random() < 0.4:
            when = at + pick.choice([-INSTANT, timedelta(0), timedelta(hours=1)])
            sku, qty = pick.choice(["S", "T"]), pick.choice([1, 2])
            told = {"order_id": order_id, "at": when, "sku": sku, "qty": qty}
            rows += [
                a_line(record="cancellation", record_id=f"X-{number}-{nth}", **told) for nth in range(pick.choice([1, 1, 2]))
            ]
        if pick.random() < 0.3:
            change = {"qty": pick.choice([-6, -5, -4, -1, 3]), "on_hand": pick.choice([5, 20, 21, 1000, None])}
            rows.append(
                a_line(record="adjustment", record_id=f"A-{number}", order_id=None, location=pick.choice(["L", None]), **change)
            )
    last = {"order_id": "none", "sku": "none", "status": "pending", "amount_cents": 0}  # so that each kind is looked for
    rows += [a_line(record=record, record_id=f"last-{record}", **last) for record in RECORDS if record != "line"]
    pick.shuffle(rows)
    return rows


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_found_is_what_the_definitions_say(seed: int) -> None:
    rows = some_history(seed)
    found = scan(frame(rows), thresholds=LIMITS).exceptions
    assert found is not None
    given_ = set(found[["kind", "subject", "other_id"]].fillna("").itertuples(index=False, name=None))
    assert given_ == exceptions_of(rows, LIMITS)


def test_every_kind_is_found_in_a_made_up_history_and_nothing_else() -> None:
    history, truth = make(50_000, seed=3)
    found = scan(history)
    assert found.exceptions is not None and not found.not_looked_for
    for kind, hits in compare(found.exceptions, truth).items():
        assert hits.true >= 5 and hits.recall >= 0.99 and hits.precision >= 0.95, (kind, hits)


def test_a_file_of_any_name_gives_what_its_frame_gives_and_the_same_ids(tmp_path: Path) -> None:
    orders, truth, out = (tmp_path / name for name in ("it's [a] *; drop table.parquet", "truth.parquet", "o'ut.parquet"))
    assert make_files(10_000, 5, orders, truth) == len(pd.read_parquet(truth))
    found = scan(orders, out)
    from_frame = scan(pd.read_parquet(orders).sample(frac=1, random_state=1)).exceptions
    pd.testing.assert_frame_equal(pd.read_parquet(out).drop(columns="case"), from_frame.drop(columns="case"))
    assert found.exceptions is None and pd.read_parquet(out)["exception_id"].is_unique
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([orders.name, truth.name, out.name])


def test_cases_are_the_same_however_few_are_told_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    history, _ = make(60_000, seed=3)
    at_once = scan(history, thresholds=LIMITS, as_of=BEGIN, memory_mb=256).exceptions
    monkeypatch.setattr("evals.history.scanning._ORDERS_PER_MB", 1)
    in_portions = scan(history, thresholds=LIMITS, as_of=BEGIN, memory_mb=256).exceptions
    assert at_once is not None and in_portions is not None
    # with 256 MiB as many as 256 cases and orders
    told = at_once.groupby("kind").case.agg(lambda cases: cases.count() + cases.str.count('"lines"').sum())
    assert told[["authorization_short", "stock_adjustment"]].min() > 256
    pd.testing.assert_frame_equal(in_portions, at_once)


def test_a_scan_does_not_write_over_its_history_nor_a_made_up_one_over_its_truth(tmp_path: Path) -> None:
    orders = tmp_path / "orders.parquet"
    with pytest.raises(BadInput, match="cannot hold both the history and its truth; name two files"):
        make_files(10_000, 5, orders, tmp_path / "." / "orders.parquet")
    frame([a_line()]).to_parquet(orders)
    with pytest.raises(BadInput, match="is the file being read and would be overwritten; name another output file"):
        scan(orders, orders)
    assert len(pd.read_parquet(orders)) == 1


def test_statuses_that_no_definition_knows_are_told_with_their_rows() -> None:
    known = [a_line(order_id=f"O-{status}", status=status) for status in ("new", "shipped", None)]
    charge = a_line(record="charge", status="Captured", sku=None, qty=None)
    strange = [a_line(order_id="O-2", status="Shipped"), a_line(order_id="O-3", status="Shipped"), charge]
    found = scan(frame([*known, *strange]), thresholds=LIMITS)
    assert found.unknown_statuses == {("line", "Shipped"): 2, ("charge", "Captured"): 1}
    assert found.lines == 5 and scan(frame(known), thresholds=LIMITS).unknown_statuses == {}


def test_online_retail_is_recognised_and_what_it_cannot_tell_is_said() -> None:
    found = scan(RETAIL)
    retail = pd.read_parquet(RETAIL)
    # discounts, postage, fees and what was entered by hand
    fees = retail["StockCode"].isin(["AMAZONFEE", "B", "BANK CHARGES", "C2", "D", "DOT", "M", "POST", "S", "m"])
    retail = retail[~fees]
    cancels = retail["InvoiceNo"].str.startswith("C")
    adjusts = ~cancels & (retail["Quantity"] < 0) & (retail["UnitPrice"] == 0) & retail["CustomerID"].isna()
    lines = retail[~cancels & ~adjusts]
    repeated = lines[lines.duplicated(["InvoiceNo", "StockCode", "Quantity", "UnitPrice"])]
    known = lines.dropna(subset="CustomerID")
    per_sku = known.groupby(["CustomerID", "InvoiceNo", "StockCode"], as_index=False).agg(
        qty=("Quantity", "sum"), at=("InvoiceDate", "min")
    )
    per_sku["goods"] = per_sku["StockCode"] + "*" + per_sku["qty"].astype(str)
    placed = per_sku.groupby(["CustomerID", "InvoiceNo"]).agg(at=("at", "min"), goods=("goods", " ".join)).sort_values("at")
    paid = (known["Quantity"] * (known["UnitPrice"] * 100).round()).groupby(known["InvoiceNo"]).sum()
    placed["goods"] += placed.index.get_level_values("InvoiceNo").map(lambda invoice: f" for {paid[invoice]:.0f}")
    gap = placed.groupby(["CustomerID", "goods"])["at"].diff()
    assert found.layout == "Online Retail" and found.lines == len(lines)
    assert found.counts["repeated_line"] == len(repeated.drop_duplicates(["InvoiceNo", "StockCode"]))
    assert found.counts["stock_adjustment"] == (retail[adjusts]["Quantity"] <= -5).sum()
    assert found.counts["duplicate_order"] == (gap <= pd.Timedelta(minutes=30)).sum() > 0
    moves = pd.concat([lines[lines["Quantity"] > 0].assign(rank=0), retail[cancels].assign(rank=1)]).dropna(subset="CustomerID")
    moves = moves.sort_values(["InvoiceDate", "rank", "InvoiceNo"])
    beyond = (moves["rank"] == 1) & (moves.groupby(["CustomerID", "StockCode"])["Quantity"].cumsum() < 0)
    # the first third of less than nine months
    told = retail["InvoiceDate"].dt.tz_localize("Europe/London")
    assert pd.Timestamp(found.judged_from, tz="UTC") == told.min() + (told.max() - told.min()) / 3
    beyond &= moves["InvoiceDate"].dt.tz_localize("Europe/London") >= pd.Timestamp(found.judged_from, tz="UTC")
    assert found.counts["cancellation_without_order"] == len(moves[beyond].drop_duplicates(["InvoiceNo", "StockCode"])) > 0
    assert found.not_looked_for["late_promise"] == "no column status, promised_at, shipped_at"
    assert {*found.counts, *found.not_looked_for} == set(make(10_000)[1]["kind"])


def test_moments_are_compared_whatever_the_zone_in_which_they_are_told() -> None:
    # the clocks of New York go back between these two, which are 20 minutes apart
    twins = pd.to_datetime(["2026-11-01 05:50Z", "2026-11-01 06:10Z"]).tz_convert("America/New_York")
    rows = pd.DataFrame({"order_id": ["A", "B"], "customer_id": "C", "at": twins, "sku": "S", "qty": 1})
    assert scan(rows).exceptions["subject"].tolist() == ["B"]


def test_a_promise_is_kept_or_broken_whether_or_not_its_moments_are_told_with_a_zone() -> None:
    promised = pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:00"])
    shipped = pd.to_datetime(["2026-01-05 10:30", "2026-01-05 10:00"])
    rows = {"order_id": ["A", "B"], "at": [BEGIN, BEGIN], "sku": "S", "qty": 1, "status": "shipped"}
    for promise in (promised, promised.tz_localize("UTC").tz_convert("Asia/Tokyo")):
        for left in (shipped, shipped.tz_localize("UTC").tz_convert("America/New_York")):
            found = scan(pd.DataFrame({**rows, "promised_at": promise, "shipped_at": left})).exceptions
            assert found["subject"].tolist() == ["A"] and "left 00:30:00 later" in found["says"][0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_moments_are_read_whatever_their_unit(unit: str, zone: str | None, tmp_path: Path) -> None:
    twins = {"order_id": ["A", "B"], "customer_id": ["C", "C"], "sku": ["S", "S"], "qty": [1, 1]}
    table = pa.table({**twins, "at": pa.array([BEGIN, BEGIN]).cast(pa.timestamp(unit, zone))})
    pq.write_table(table, tmp_path / "orders.parquet")
    for orders in (table.to_pandas(), tmp_path / "orders.parquet"):
        assert scan(orders).exceptions["subject"].tolist() == ["B"]


def test_what_one_line_tells_of_its_order_holds_for_all_its_lines() -> None:
    hour = timedelta(hours=1)
    left = {"promised_at": BEGIN, "shipped_at": BEGIN + hour, "sku": "T"}
    shelf = {"location": "L", "on_hand": 5, "reserved": 0, "safety_stock": 0, "sku": "U"}
    rows = [
        a_line(order_id="moved", **left, moved_to=BEGIN + 2 * hour),
        a_line(order_id="moved", **left, record_id="2", qty=2),
        a_line(order_id="late", promised_at=BEGIN, customer_id="C-2"),
        a_line(order_id="late", shipped_at=BEGIN + hour, record_id="2", qty=2),
        a_line(order_id="cancelled", **left, status="cancelled", customer_id="C-3"),
        a_line(order_id="cancelled", **left, record_id="2", qty=2),
        a_line(order_id="short", **shelf, status="new", qty=3, customer_id="C-4"),
        a_line(order_id="short", **shelf, qty=4, record_id="2"),
        a_line(order_id="short", sku="V", at=None, record_id="3"),
        a_line(record="cancellation", record_id="X", order_id="short", sku="V", at=BEGIN + hour),
    ]
    for order_id in ("A", "B"):
        rows.append(a_line(order_id=order_id, customer_id="C-5"))
        rows.append(a_line(order_id=order_id, customer_id=None, line1="1 A St", postal_code="10", record_id="2", sku="W"))
    found = scan(frame(rows), thresholds=LIMITS).exceptions
    assert set(found[["kind", "subject"]].itertuples(index=False, name=None)) == {
        ("late_promise", "late"),
        ("stock_short", "short"),
        ("duplicate_order", "B"),
        ("quick_reversal", "short"),
    }


def test_a_charge_that_stands_twice_in_the_history_is_one_charge_and_no_exception_has_the_id_of_another() -> None:
    charge = {"record": "charge", "sku": None, "qty": None, "status": "captured", "amount_cents": 100}
    rows = [a_line(total_cents=100), *[a_line(**charge, record_id=name) for name in ("c1", "c1", None, None, "c2", "c2", "c2")]]
    found = scan(frame(rows), thresholds=LIMITS).exceptions
    assert found[["subject", "other_id"]].to_numpy().tolist() == [["O-1", "c2"]] and found["says"].notna().all()


def test_what_is_not_known_of_a_payment_or_a_cancellation_is_no_exception() -> None:
    hour = timedelta(hours=1)
    charge = {"record": "charge", "record_id": "c", "sku": None, "qty": None, "amount_cents": 100}
    authorized = {"record": "authorization", "sku": None, "qty": None, "amount_cents": 100, "order_id": "open"}
    rows = [
        a_line(order_id="left", status="shipped", customer_id="C-2"),
        a_line(**charge, order_id="left", status=None),
        a_line(order_id="open", status="new", total_cents=100, customer_id="C-3"),
        a_line(**authorized, record_id="a", status="authorized"),
        a_line(**authorized, record_id="b", status="expired", at=None),
        a_line(order_id="uncounted", qty=None),
        a_line(record="cancellation", record_id="x", order_id="uncounted", at=BEGIN + hour),
        a_line(order_id="one", customer_id="C-4", qty=2),
        a_line(record="cancellation", record_id="y", order_id="one", at=None),
        a_line(record="cancellation", record_id="z", order_id="one", at=BEGIN + hour),
    ]
    assert scan(frame(rows), thresholds=LIMITS).exceptions.empty


def test_quantities_below_1_are_no_order_and_no_cancellation_of_anything() -> None:
    shelf = {"status": "new", "location": "L", "on_hand": -5, "reserved": 0, "safety_stock": 0}
    cancel = {"record": "cancellation", "at": BEGIN + timedelta(hours=1)}
    rows = [
        a_line(qty=0, sku="T", **shelf),
        a_line(qty=2, sku="U"),
        a_line(qty=-2, sku="U", record_id="2"),
        *[a_line(**cancel, sku="U", record_id=name, qty=qty) for name, qty in (("X", 2), ("Y", 1), ("Z", 0), ("Z2", -1))],
        *[a_line(**cancel, sku="V", record_id="W", qty=qty) for qty in (-1, 3)],
        a_line(qty=2, sku="V", record_id="3"),
    ]
    for turned in (rows, rows[::-1]):
        found = scan(frame(turned), thresholds=LIMITS).exceptions
        assert found[["kind", "subject"]].to_numpy().tolist() == [["cancellation_without_order", "Y"], ["quick_reversal", "O-1"]]


def test_the_folders_in_which_a_history_lies_tell_nothing_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "sku=S"
    folder.mkdir()
    frame([a_line(line1="1", postal_code="1"), a_line(order_id="O-2", sku="T", line1="1", postal_code="1")]).to_parquet(
        folder / "orders.parquet"
    )
    assert scan(folder / "orders.parquet").exceptions.empty


def test_a_column_that_stands_twice_is_refused_whatever_the_capitals() -> None:
    row = pd.DataFrame({"order_id": ["A"], "at": [BEGIN], "sku": ["S"], "qty": [1]})
    for name in ("SKU", "sku"):
        with pytest.raises(BadInput, match="has several columns sku"):
            scan(pd.concat([pd.DataFrame({name: ["T"]}), row], axis=1))


def test_of_a_history_of_the_columns_that_must_be_there_only_quantities_are_looked_at() -> None:
    found = scan(pd.DataFrame({"order_id": ["A"], "at": [BEGIN], "sku": ["S"], "qty": [1]}))
    assert (
        found.lines == 1 and found.counts == {"quantity_outlier": 0} and found.exceptions is not None and found.exceptions.empty
    )
    assert {*found.not_looked_for, "quantity_outlier"} == {detector.kind for detector in DETECTORS}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"qty": [1.5]}, "qty is no whole number"),
        ({"qty": ["many"]}, "the column qty is .*string and must be a whole number"),
        ({"at": ["yesterday"]}, "the column at is .*string and must be a date and time"),
        ({"qty": [np.inf]}, "cannot be reckoned with"),
        ({"qty": [2**62], "unit_price_cents": [2**62]}, "cannot be reckoned with"),
        ({"sku": [{"a": 1}]}, "the column sku is struct.* and must be text"),
        ({"record": ["row"]}, "there is no record 'row'"),
        ({"record": ["charge"]}, "holds no order line"),
    ],
)
def test_what_cannot_be_reckoned_with_is_refused_in_a_sentence(columns: dict[str, Any], says: str) -> None:
    row = {"order_id": ["A"], "customer_id": [None], "at": [BEGIN], "sku": ["S"], "qty": [1], **columns}
    with pytest.raises(BadInput, match=says):
        scan(pd.DataFrame(row))


def test_what_is_not_known_is_no_exception_and_no_error() -> None:
    rows = {
        "order_id": ["A\0", None],
        "customer_id": [np.nan, 7.0],
        "at": [BEGIN, None],
        "sku": [None, "S\0"],
        "qty": [np.nan, 2.0],
    }
    found = scan(pd.DataFrame(rows))
    assert found.lines == 2 and found.exceptions is not None and found.exceptions.empty


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_file_that_is_no_history_is_refused_and_nothing_is_left_behind(content: bytes | None, tmp_path: Path) -> None:
    orders, out = tmp_path / "orders.parquet", tmp_path / "out.parquet"
    if content is None:
        pq.write_table(pa.table({"a": [1]}), orders)
    else:
        orders.write_bytes(content)
    with pytest.raises(BadInput, match=r"orders\.parquet"):
        scan(orders, out)
    assert list(tmp_path.iterdir()) == [orders]


def test_every_kind_stands_in_the_histories_that_the_definitions_are_tested_on() -> None:
    kinds = {kind for seed in range(15) for kind, _, _ in exceptions_of(some_history(seed), LIMITS)}
    assert kinds == {detector.kind for detector in DETECTORS}
