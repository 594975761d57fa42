"""Parquet files of others: whether one is about as large as it says it is, looked at before it is read.

A file of a megabyte can say that it holds a billion rows, or one text of many megabytes in each of them. What a file may
hold grows with its size; histories that people have take a few bytes a row, and are far within it.
"""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput

#: what every file may hold: rows, bytes, row groups, columns
ROWS, BYTES, ROW_GROUPS, COLUMNS = 50_000, 64_000_000, 1_000, 500
#: and for each byte that it has: rows, bytes; bytes for a row group
ROWS_A_BYTE, BYTES_A_BYTE, BYTES_A_ROW_GROUP = 0.5, 50, 10_000


def checked_schema(file: Path, what: str, trusted: bool = False) -> pa.Schema:
    """The columns of a file. Raises BadInput where it is no parquet file, or holds more than one of its size does.

    A file that is `trusted` may hold anything.
    """
    try:
        size = file.stat().st_size
        with pq.ParquetFile(file) as opened:
            schema, metadata = opened.schema_arrow, opened.metadata
            if not trusted:
                _check_footer(metadata, size, what)
    except (OSError, pa.ArrowException, ValueError, RecursionError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BadInput(f"{what}: is no parquet file that can be read ({problem}); give one") from error
    return schema


def check_texts(engine: duckdb.DuckDBPyConnection, rows: str, schema: pa.Schema, size: int, what: str) -> None:
    """Raise BadInput where the texts of a file's rows are longer together than those of a file of its size.

    The engine knows the length of a text without looking at it, however often it stands in a column.
    """
    quoted = [field.name.replace('"', '""') for field in schema if _is_text(field.type)]
    lengths = [f'coalesce(sum(strlen("{name}")), 0)' for name in quoted]
    if not lengths:
        return
    (total,) = engine.execute(f"select {' + '.join(lengths)} from {rows}").fetchall()[0]
    _refuse_more(what, "bytes of text", int(total), BYTES + BYTES_A_BYTE * size)


def _check_footer(metadata: pq.FileMetaData, size: int, what: str) -> None:
    _refuse_more(what, "columns", metadata.num_columns, COLUMNS)
    _refuse_more(what, "row groups", metadata.num_row_groups, ROW_GROUPS + size // BYTES_A_ROW_GROUP)
    most_rows, held, values = ROWS + int(ROWS_A_BYTE * size), 0, [0] * metadata.num_columns
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        for column in range(metadata.num_columns):
            chunk = group.column(column)
            held += max(0, chunk.total_uncompressed_size)
            values[column] += max(0, chunk.num_values)
    # what is inside lists and objects is counted too
    _refuse_more(what, "rows", max([metadata.num_rows, *values]), most_rows)
    _refuse_more(what, "bytes", held, BYTES + BYTES_A_BYTE * size)


def _refuse_more(what: str, of: str, there: int, most: int) -> None:
    if there > most:
        raise BadInput(
            f"{what}: says that it holds {there:,} {of}, and a file of its size holds {most:,} at most; "
            "if it is one of yours, read it as trusted"
        )


def _is_text(type_: pa.DataType) -> bool:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))
