"""The engine of a scan: opened within its memory, on a history, and with its errors said in sentences."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals.history.layout import Layout, recognise


@contextmanager
def engine_within(memory_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, whose temporary files are gone afterwards, however it ends."""
    with tempfile.TemporaryDirectory(prefix="missions-history-") as folder:
        chosen: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MiB",
            "temp_directory": folder,
            "preserve_insertion_order": False,
            # the system keeps the pages of a file; the memory is for the work
            "enable_external_file_cache": False,
        }
        with duckdb.connect(config=chosen) as engine:
            engine.execute("set TimeZone = 'UTC'")
            # It would write its own among what the command prints. In a notebook without ipywidgets it is off,
            # and refuses to be set.
            if engine.execute("select current_setting('enable_progress_bar')").fetchall() == [(True,)]:
                engine.execute("set enable_progress_bar = false")
            yield engine


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


def opened(engine: duckdb.DuckDBPyConnection, orders: pd.DataFrame | Path | str, what: str) -> tuple[Layout, str]:
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
    try:
        schema = pq.read_schema(orders)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise BadInput(f"{what}: is no parquet file that can be read ({str(error).splitlines()[0][:120]}); give one") from error
    # a name is a pattern to the engine: what means something in patterns is put in brackets
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(orders))
    quoted = pattern.replace("'", "''")
    # the folders of its path tell nothing of it, though they be called such as sku=5
    return recognise(schema, what), f"read_parquet('{quoted}', hive_partitioning = false)"
