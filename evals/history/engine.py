"""The engine of a scan: opened within its memory, on a history, and with its errors said in sentences."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from errors import BadInput
from evals.history.layout import Layout, recognise
from evals.history.parquet import check_texts, checked_schema

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
        raise BadInput(f"{what}: holds something that cannot be reckoned with ({first}); mend it") from error


def opened(
    engine: duckdb.DuckDBPyConnection, orders: pd.DataFrame | Path | str, what: str, trusted: bool = False
) -> tuple[Layout, str]:
    """The layout of a history, and SQL that names its rows."""
    if isinstance(orders, pd.DataFrame):
        twice = orders.columns[orders.columns.duplicated()]
        if len(twice):
            raise BadInput(f"{what}: has several columns {str(twice[0])[:60]}; rename all but one")
        try:
            table = pa.Table.from_pandas(orders, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise BadInput(f"{what}: a column holds values of several types ({str(error)[:200]}); convert it before") from error
        engine.register("history", table)
        return recognise(table.schema, what), "history"
    schema = checked_schema(Path(orders), what, trusted)
    rows = rows_of(orders)
    layout = recognise(schema, what)
    if not trusted:
        check_texts(engine, rows, schema, Path(orders).stat().st_size, what)
    return layout, rows


def rows_of(file: Path | str) -> str:
    """SQL that names the rows of a parquet file."""
    # a name is a pattern to the engine: what means something in patterns is put in brackets
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file))
    quoted = pattern.replace("'", "''")
    # the folders of its path tell nothing of it, though they be called such as sku=5
    return f"read_parquet('{quoted}', hive_partitioning = false)"
