"""The exceptions of a history as they were known at the moment at which people would have been told, and what followed.

Of what came later nothing is in a case: rows and moments after it are cut away, and what stands in the history without a
moment of its own, such as the status of an order, is what it must have been (rewind.sql).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals.history.detectors import DETECTORS, Backtested, Detector, missing
from evals.history.layout import Layout
from evals.history.scanning import WRITTEN, OnProgress, ScanThresholds, Search, open_search
from ledger.canonical import utc_now

_REWIND, _WORLDS, _MATERIAL, _OUTCOMES = (
    Template(Path(__file__).with_name(f"{name}.sql").read_text("utf-8")) for name in ("rewind", "worlds", "material", "outcomes")
)
#: SQL of the moment of an order that "after" means; corrections of stock are looked at when they are recorded
_ANCHORS = {"placed": "placed_at", "shipped": "shipped_at", "recorded": "placed_at"}
#: days in which goods that are cancelled, or ordered again, are taken to be so because of what happened
_REORDER_DAYS = 30
_A_DAY = 24 * 60
_TROUBLED = """
select count(distinct order_id) from all_rows
where record = 'line' and status = 'cancelled' or record = 'charge' and (status in ('refunded', 'disputed') or refunded_cents > 0)
"""


@dataclass(frozen=True)
class Worlds:
    """What was found; the cases are in a file."""

    #: a row an exception: those of a scan, and those of outcomes.sql
    exceptions: Sequence[Mapping[str, Any]]
    #: kind -> why it was not looked at
    left_out: Mapping[str, str]
    #: first and last moment of the history
    begins: datetime
    ends: datetime
    lines: int
    #: of its amounts; empty: the company's
    currency: str
    #: orders that were cancelled, refunded or disputed, whether or not there was an exception
    troubled: int


def find_worlds(
    orders: pd.DataFrame | Path | str,
    out: Path,
    missions: Sequence[str],
    thresholds: ScanThresholds,
    *,
    memory_mb: int,
    trusted: bool,
    on_progress: OnProgress | None,
) -> Worlds:
    """Write the cases of a history into the parquet file `out`; of the kinds that one of these Missions handles.

    Raises BadInput as `scan` does, and where these Missions handle none.
    """
    if not isinstance(orders, pd.DataFrame) and Path(orders).suffix != ".parquet":
        raise BadInput(f"{orders}: is no history (parquet); `missions history import` makes one of any export of orders")
    exceptions: list[dict[str, Any]] = []
    handled = [(one, one.backtest) for one in DETECTORS if one.backtest and one.event and one.event[0] in missions]
    if not handled:
        raise BadInput(f"Of the Missions {', '.join(missions)} none handles an exception that is looked for in a history.")
    troubled = 0
    left_out = {one.kind: "no Mission handles it" for one in DETECTORS if (one, one.backtest) not in handled}
    with pq.ParquetWriter(out, WRITTEN, compression="zstd") as cases:
        for done, (detector, when) in enumerate(handled):
            if on_progress:
                on_progress(done, len(handled))
            with open_search(orders, thresholds, memory_mb=memory_mb, trusted=trusted) as search:
                troubled = troubled if done else search.engine.execute(_TROUBLED).fetchall()[0][0]
                (begins, ends), lines, currency = search.span, search.records["line"], search.layout.told.currency
                if reason := _left_out(detector, when, search):
                    left_out[detector.kind] = reason
                    continue
                for part in _found(search, detector, when):
                    cases.write_table(part.select(WRITTEN.names))
                    exceptions += part.drop_columns("case").to_pylist()
    return Worlds(exceptions, left_out, begins.replace(tzinfo=UTC), ends.replace(tzinfo=UTC), lines, currency, troubled)


def _left_out(detector: Detector, when: Backtested, search: Search) -> str | None:
    if reason := missing(detector, search.layout, search.records):
        return reason
    if when.after == "shipped" and "shipped_at" not in search.layout.columns:
        return "no column shipped_at, so it is not known when it would have been noticed"
    if search.layout.told.is_dates_only and when.minutes < _A_DAY:
        return "its moments are days, so it is not known what came first"
    return None


def _found(search: Search, detector: Detector, when: Backtested) -> Iterator[pa.Table]:
    """What was found of a kind, in parts: the columns of WRITTEN, then those of outcomes.sql."""
    search.set(**_variables(search.layout, search.thresholds, when, search.records))
    search.engine.execute(_REWIND.substitute(anchor=_ANCHORS[when.after]))
    search.find([detector], "from known_rows")
    known_at = "e.moment + to_minutes(getvariable('minutes'))" if when.after == "recorded" else "f.known_at"
    search.engine.execute(_WORLDS.substitute(known_at=known_at))
    search.lay_out(utc_now())
    search.engine.execute(_MATERIAL.template)
    search.set(end_of_history=search.span[1])
    search.engine.execute(_OUTCOMES.template)
    first = 0
    for part in search.parts():
        outcomes = search.engine.sql(
            f"select * exclude (number, subject, customer_id) from outcomes order by number limit {len(part)} offset {first}"
        )
        first += len(part)
        for name, column in zip(outcomes.columns, outcomes.to_arrow_table().columns, strict=True):
            part = part.append_column(name, column)
        yield part


def _variables(layout: Layout, thresholds: ScanThresholds, when: Backtested, records: Mapping[str, int]) -> dict[str, Any]:
    tells_progress = bool({"status", "shipped_at"} & layout.columns.keys())
    return {
        "minutes": when.minutes,
        "before": int(layout.told.is_dates_only),
        "placed_status": thresholds.open_statuses[0] if tells_progress and thresholds.open_statuses else None,
        "has_refunds": "refunded_cents" in layout.columns,
        "has_charges": records.get("charge", 0) > 0,
        "reorder_days": _REORDER_DAYS,
        "names_no_order": layout.origin == "customer_id",
    }
