"""The engine of a scan: opened within its memory, on a history, and with its errors said in sentences.

Parquet files of others are looked at before they are read: one of a megabyte can say that it holds a billion rows, or a text
of many megabytes in each of them. What a file may hold grows with its size; histories that people have are far within it.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
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
    except FileNotFoundError as error:
        raise BadInput(f"{what}: there is no such file; give the path of a parquet file") from error
    except (OSError, pa.ArrowException, ValueError, RecursionError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BadInput(f"{what}: is not a readable parquet file ({problem}); give one") from error
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


_INTERRUPTED_EVERY = 0.02  # seconds


@contextmanager
def engine_within(memory_mb: int, temporary_mb: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, whose temporary files are gone afterwards, however it ends; of at most `temporary_mb`."""
    with tempfile.TemporaryDirectory(prefix="missions-history-") as folder:
        chosen: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MiB",
            "temp_directory": folder,
            "preserve_insertion_order": False,
            # the system keeps the pages of a file; the memory is for the work
            "enable_external_file_cache": False,
        }
        if temporary_mb is not None:
            chosen["max_temp_directory_size"] = f"{temporary_mb}MiB"
        with duckdb.connect(config=chosen) as engine:
            engine.execute("set TimeZone = 'UTC'")
            # It would write its own among what the command prints. In a notebook without ipywidgets it is off,
            # and refuses to be set.
            if engine.execute("select current_setting('enable_progress_bar')").fetchall() == [(True,)]:
                engine.execute("set enable_progress_bar = false")
            yield engine


@contextmanager
def within_seconds(engine: duckdb.DuckDBPyConnection, seconds: float | None, what: str) -> Iterator[None]:
    """Stop the engine after a while. Raises BadInput then; without a limit it takes what it takes."""
    if seconds is None:
        yield
        return
    late, over = threading.Event(), threading.Event()

    def stop() -> None:
        # again and again: an interrupt that comes between two queries stops neither
        over.wait(seconds)
        while not over.wait(_INTERRUPTED_EVERY):
            late.set()
            engine.interrupt()

    watch = threading.Thread(target=stop, daemon=True)
    watch.start()
    try:
        yield
    except (RuntimeError, duckdb.Error) as error:
        if not late.is_set():
            raise
        raise BadInput(
            f"{what}: takes more than {seconds:.0f} seconds, which no file of its size does; "
            "if it is one of yours, read it as trusted"
        ) from error
    finally:
        over.set()
        watch.join()


@contextmanager
def in_sentences(what: str, memory_mb: int) -> Iterator[None]:
    """Errors of the engine as BadInput."""
    try:
        yield
    except RuntimeError as error:  # so the engine says that Ctrl-C was pressed
        if "interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        raise BadInput(
            f"{what}: {memory_mb} MiB of memory and the space for temporary files are not enough; give more of either"
        ) from error
    except (duckdb.DataError, duckdb.InvalidInputException, duckdb.NotSupportedError, duckdb.OperationalError) as error:
        first = str(error).splitlines()[0][:200]
        raise BadInput(f"{what}: holds something that cannot be reckoned with ({first}); fix it") from error


def opened(
    engine: duckdb.DuckDBPyConnection, orders: pd.DataFrame | Path | str, what: str, trusted: bool = False
) -> tuple[pa.Schema, str]:
    """The columns of a history, and SQL that names its rows. Raises BadInput for one that cannot be read."""
    if isinstance(orders, pd.DataFrame):
        twice = orders.columns[orders.columns.duplicated()]
        if len(twice):
            raise BadInput(f"{what}: has several columns {str(twice[0])[:60]}; rename all but one")
        try:
            table = pa.Table.from_pandas(orders, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise BadInput(f"{what}: a column holds values of several types ({str(error)[:200]}); convert it before") from error
        engine.register("given", table)
        return table.schema, "given"
    schema = checked_schema(Path(orders), what, trusted)
    rows = rows_of(orders)
    if not trusted:
        check_texts(engine, rows, schema, Path(orders).stat().st_size, what)
    return schema, rows


def rows_of(file: Path | str, reader: str = "read_parquet", options: str = "") -> str:
    """SQL that names the rows of a file, for one of the engine's readers."""
    # a name is a pattern to the engine: what means something in patterns is put in brackets
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file))
    quoted = pattern.replace("'", "''")
    # the folders of its path tell nothing of it, though they be called such as sku=5
    return f"{reader}('{quoted}', hive_partitioning = false{options})"
