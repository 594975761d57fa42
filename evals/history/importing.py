"""Any export of orders as a history that `scan` reads: `missions history import`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals.atomic_write import atomic_write, refuse_to_replace
from evals.history.detectors import DETECTORS, missing
from evals.history.engine import engine_within, in_sentences
from evals.history.exports import FILE, ROW, quoted, read_exports, read_rows
from evals.history.guessing import guess, moment, number
from evals.history.layout import SCHEMA, Layout, Told, recognise
from evals.history.mapping import AMOUNTS, MOMENTS, OURS, ExportMapping, Mark, Ours, vocabulary
from evals.history.profile import Profile, WrongRow
from rendering import decimals
from settings import company_currency

#: of the rows, which may be wrong and are left out; of more, the mapping is wrong
_MOST_WRONG = 0.01
#: that are named
_MOST_NAMED = 20
_HISTORY, _PROFILE = (Path(__file__).with_name(f"importing_{name}.sql") for name in ("history", "profile"))


def import_exports(files: Sequence[Path], out: Path, mapping: ExportMapping | None = None, *, memory_mb: int = 2048) -> Profile:
    """Write the history of exported orders to the parquet file `out`, whole or not at all; without a mapping, by a guess.

    >>> profile = import_exports([Path("orders.csv")], Path("history.parquet"))
    >>> profile.mapping.dump(Path("mapping.yaml"))

    Raises BadInput for files that cannot be read, columns that are not there, and where more than 1 row of 100 is wrong.
    """
    refuse_to_replace(files, out)
    what = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    with engine_within(memory_mb) as engine, in_sentences(what, memory_mb), TemporaryDirectory() as folder:
        there = read_exports(engine, files, Path(folder))
        profile, known = make_history(engine, there, [str(file) for file in files], mapping)
        with atomic_write(out) as unfinished:
            # in an order of its own, so that the same export makes the same file
            rows = (
                f"select {', '.join(map(quoted, known))} from history order by order_id, record, len(record_id), record_id, sku"
            )
            history = engine.sql(rows).to_arrow_table()
            pq.write_table(history.replace_schema_metadata(profile.told.metadata), unfinished, compression="zstd")
    return profile


def read_layout(engine: duckdb.DuckDBPyConnection, schema: pa.Schema, rows: str, what: str) -> tuple[Layout, str]:
    """The layout of rows (SQL that names them) with these columns, and SQL of the rows in it; known exports are imported.

    Raises BadInput for one that is no history, and of no export that is known.
    """
    if vocabulary().known(schema.names) is None:
        return recognise(schema, what), rows
    read_rows(engine, rows, {name: quoted(name) for name in schema.names})
    profile, known = make_history(engine, schema.names, [what])
    engine.execute(f"create temp view imported as select {', '.join(map(quoted, known))} from history")
    columns = engine.sql("from imported limit 0").to_arrow_table().schema
    return recognise(columns.with_metadata(profile.told.metadata), what), "imported"


def make_history(
    engine: duckdb.DuckDBPyConnection, there: Sequence[str], files: Sequence[str], mapping: ExportMapping | None = None
) -> tuple[Profile, list[str]]:
    """Make the table `history` of the rows of `export` (exports.py), with those of our columns of which it tells something.

    Raises BadInput where a column is not there, and where more than 1 row of 100 is wrong.
    """
    what, because = files[0], {}
    if mapping is None:
        guessed = guess(engine, there)
        mapping, because = guessed.mapping, guessed.because
    else:
        mapping = mapping.fitted(there, what)
    engine.execute(f"set TimeZone = '{mapping.time.zone}'")
    _read(engine, mapping)
    currency, others = _one_currency(engine, mapping)
    wrong, wrong_rows, rows = _take_out_wrong(engine, mapping, files)
    if wrong_rows > _MOST_WRONG * rows:
        raise BadInput(
            f"{wrong[0].file}, row {wrong[0].row}: {wrong[0].column} is {wrong[0].value[:60]!r}, which cannot be read, and so in "
            f"{wrong_rows:,} of {rows:,} rows; say in a mapping how it is to be read (docs/history.md)"
        )
    scale = 1 if mapping.money.unit == "minor" else 10 ** decimals(currency)
    engine.execute(Template(_HISTORY.read_text("utf-8")).substitute(scale=scale))
    records = dict(engine.execute("select record, count(*) from history group by record").fetchall())
    names, values = engine.execute(_PROFILE.read_text("utf-8")), engine.fetchone() or ()
    figures = dict(zip([name for name, *_ in names.description or ()], values, strict=True))
    unknown = engine.execute(_UNKNOWN_STATUSES).fetchall()
    engine.execute("set TimeZone = 'UTC'")
    told, known = _told(mapping, currency, figures["is_dates_only"]), _known(mapping, records)
    layout = Layout(told.layout, dict.fromkeys(known, ""), told.origin, told)
    reasons = {detector.kind: missing(detector, layout, records) for detector in DETECTORS}
    profile = Profile(
        mapping=mapping, because=because, currency=currency, other_currencies=others, rows=rows, wrong_rows=wrong_rows,
        wrong=wrong, records=records, unknown_statuses=dict(unknown), **figures,
        told=told, not_looked_for={kind: reason for kind, reason in reasons.items() if reason},
    )  # fmt: skip
    return profile, known


_UNKNOWN_STATUSES = """
    select said, count(*) from told where said is not null and standing is null
    group by said order by count(*) desc, said limit 20
"""
#: of a history, that come from one of ours of the same name
_SAME = (
    "customer_id",
    "location",
    "line1",
    "postal_code",
    "promised_at",
    "shipped_at",
    "cancelled_at",
    "channel",
    "customer_kind",
)


def _known(mapping: ExportMapping, records: Mapping[str, int]) -> list[str]:
    """The columns of a history of which the export tells something: of others nothing is looked for."""
    has = mapping.columns.keys()
    known = {"record", "record_id", "order_id", "at", "sku", "qty", *(name for name in _SAME if name in has)}
    if has & {"status", "cancelled_at", "shipped_at"} or "charge" in records:
        known.add("status")
    if has & {"unit_price", "line_total"}:
        known.add("unit_price_cents")
    if "total" in has:
        known.add("total_cents")
    if "charge" in records:
        known |= {"amount_cents", "refunded_cents"}
    return [name for name in SCHEMA.names if name in known]


def _told(mapping: ExportMapping, currency: str, is_dates_only: bool) -> Told:
    # a cancellation that has a number of its own names no order, and is held against its customer
    names_no_order = any(mark.column in mapping.columns["order_id"] for mark in mapping.cancellation)
    by_customer = names_no_order and "customer_id" in mapping.columns
    origin: Literal["order_id", "customer_id"] = "customer_id" if by_customer else "order_id"
    return Told(layout=mapping.layout, currency=currency, is_dates_only=is_dates_only, origin=origin)


def _read(engine: duckdb.DuckDBPyConnection, mapping: ExportMapping) -> None:
    """The table `told` (importing_history.sql)."""
    columns = {ours: quoted(theirs[0]) for ours, theirs in mapping.columns.items()}
    typed = ", ".join(f"{_typed(ours, columns.get(ours), mapping)} as {quoted(ours)}" for ours in OURS)
    goods = ", ".join(_text(one) for one in mapping.not_goods)
    is_fee = f"{columns.get('sku') or columns['item']} in ({goods})" if goods else "false"
    engine.execute(
        f"create temp table told as select {FILE}, {ROW}, {typed}, "
        f"case when {_holds(mapping.adjustment, mapping)} then 'adjustment' when {is_fee} then 'fee' "
        f"when {_holds(mapping.cancellation, mapping)} then 'cancellation' else 'line' end as record, "
        f"{columns.get('status', 'null')} as said, {_meaning_of(columns.get('status'), mapping.statuses)} as standing, "
        f"{_meaning_of(columns.get('payment_status'), mapping.payments)} as payment from export"
    )


def _typed(ours: Ours, column: str | None, mapping: ExportMapping) -> str:
    if ours in MOMENTS:
        return moment(column, mapping.time.formats) if column else "null::timestamptz"
    if ours == "qty" or ours in AMOUNTS:
        return number(column, mapping.money.decimal) if column else "null::double"
    if column is None or ours == "item":
        return column or "null::varchar"
    # a number that a program keeps as a decimal one; the apostrophe by which a spreadsheet is told that it is text
    return rf"regexp_replace(ltrim({column}, ''''), '^([0-9]+)\.0+$', '\1')"


def _holds(marks: Sequence[Mark], mapping: ExportMapping) -> str:
    """SQL of whether a row has all these marks; none has no mark."""
    return f"coalesce({' and '.join(_marked(one, mapping) for one in marks)}, false)" if marks else "false"


def _marked(mark: Mark, mapping: ExportMapping) -> str:
    column = quoted(mark.column)
    if mark.starts_with is not None:
        return f"starts_with({column}, {_text(mark.starts_with)})"
    value = number(column, mapping.money.decimal)
    if mark.below is not None:
        return f"{value} < {mark.below}"
    return f"({' or '.join(_is(column, value, text) for text in mark.is_ or ())})"


def _is(column: str, value: str, text: str) -> str:
    if not text:
        return f"{column} is null"
    return f"{value} = {float(text)}" if text.replace(".", "", 1).isdecimal() else f"lower({column}) = lower({_text(text)})"


def _meaning_of(column: str | None, meanings: Mapping[str, str]) -> str:
    cases = " ".join(f"when {_text(said.casefold())} then {_text(meaning)}" for said, meaning in meanings.items())
    return f"case lower({column}) {cases} end" if column and cases else "null::varchar"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _one_currency(engine: duckdb.DuckDBPyConnection, mapping: ExportMapping) -> tuple[str, dict[str, int]]:
    """The currency of the history, and the rows of orders in others, which are taken out of `told`."""
    if "currency" not in mapping.columns:
        return mapping.money.currency or company_currency(), {}
    engine.execute(
        "create temp table paid_in as "
        "select order_id, upper(any_value(currency)) as currency, count(*) as rows from told group by order_id"
    )
    counted = "select currency, sum(rows)::bigint from paid_in where currency is not null group by currency order by 2 desc"
    rows = dict(engine.execute(counted).fetchall())
    currency = mapping.money.currency or next(iter(rows), company_currency())
    others = {one: times for one, times in rows.items() if one != currency}
    engine.execute(f"delete from told where order_id in (select order_id from paid_in where currency <> {_text(currency)})")
    return currency, others


def _take_out_wrong(
    engine: duckdb.DuckDBPyConnection, mapping: ExportMapping, files: Sequence[str]
) -> tuple[list[WrongRow], int, int]:
    """Take the rows out of `told` that lack what each must have, or cannot be read: some of them, how many, and of how many."""
    columns = {ours: theirs[0] for ours, theirs in mapping.columns.items()}
    wrong = {
        ours: f"told.{quoted(ours)} is null and export.{quoted(theirs)} is not null" for ours, theirs in columns.items()
        if ours in (*MOMENTS, *AMOUNTS, "qty")
    }  # fmt: skip
    # the rows of an order may leave to its first what is the same on all of them
    wrong |= {"order_id": "told.order_id is null", "at": f"({wrong['at']}) or told.order_id in (from undated)"}
    wrong |= {"qty": "told.qty is null"} if "qty" in columns else {}
    cases = " ".join(f"when {condition} then {_text(ours)}" for ours, condition in wrong.items())
    engine.execute('create temp table undated as select order_id from told group by order_id having count("at") = 0')
    engine.execute(
        f"create temp table wrong as select {FILE}, {ROW}, case {cases} end as ours from told join export using ({FILE}, {ROW}) "
        "where ours is not null"
    )
    ((rows, bad),) = engine.execute("select (select count(*) from told), (select count(*) from wrong)").fetchall()
    first = engine.execute(f"select ours, {FILE}, {ROW} from wrong order by {FILE}, {ROW} limit {_MOST_NAMED}").fetchall()
    named = []
    for ours, file, row in first:
        ((value,),) = engine.execute(
            f"select {quoted(columns[ours])} from export where {FILE} = {file} and {ROW} = {row}"
        ).fetchall()
        named.append(WrongRow(files[file], row, columns[ours], value or ""))
    engine.execute(f"delete from told where ({FILE}, {ROW}) in (select ({FILE}, {ROW}) from wrong)")
    return named, bad, rows
