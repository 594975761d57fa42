"""The exceptions that a scan found, as recorded exceptions on which Missions are run."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals.history.engine import check_texts, checked_schema, engine_within, in_sentences, rows_of
from evals.recorded.cases import RecordedException, parse_line, recorded
from nodes.pack import Pack

_ROWS_AT_A_TIME = 1_000
#: to look at the lengths of texts
_MEMORY_MB = 256


def read_exceptions(file: Path, packs: Mapping[str, Pack]) -> Iterator[RecordedException]:
    """The recorded exceptions of a file that `scan` wrote, a thousand rows in memory at a time.

    The systems hold what the history says, as it stood at its end; of a system of which it says nothing they say null.
    Kinds that no Mission handles are passed over; `without_mission` counts them. Raises BadInput with file, row and remedy.
    """
    number = 0
    for batch in _batches(file, ["exception_id", "case"]):
        for exception_id, case in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            if case is not None:
                where = f"{file}, row {number}"
                yield recorded({**parse_line(case.encode(), where), "case_id": exception_id}, packs, where)


def exceptions_of(frame: pd.DataFrame, packs: Mapping[str, Pack]) -> Iterator[RecordedException]:
    """The recorded exceptions of the frame of a scan, or of part of its rows, as `read_exceptions`. Raises BadInput."""
    if not {"exception_id", "case"} <= set(frame.columns):
        raise BadInput("the frame has no columns exception_id and case; give the one that a scan has as `exceptions`")
    for number, (exception_id, case) in enumerate(zip(frame["exception_id"], frame["case"], strict=True), start=1):
        if isinstance(case, str):
            where = f"the frame, row {number}"
            yield recorded({**parse_line(case.encode(), where), "case_id": exception_id}, packs, where)


def without_mission(file: Path) -> Mapping[str, int]:
    """How many exceptions of each kind the file holds that no Mission is run on. Raises BadInput."""
    counts: Counter[str] = Counter()
    for batch in _batches(file, ["kind", "case"]):
        kinds, cases = (column.to_pylist() for column in batch.columns)
        counts.update(kind for kind, one in zip(kinds, cases, strict=True) if one is None)
    return dict(counts)


def _batches(file: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    schema = checked_schema(file, str(file))
    with engine_within(_MEMORY_MB) as engine, in_sentences(str(file), _MEMORY_MB):
        check_texts(engine, rows_of(file), schema, file.stat().st_size, str(file))
    try:
        with pq.ParquetFile(file) as rows:
            texts = [
                name for name, type_ in zip(rows.schema_arrow.names, rows.schema_arrow.types, strict=True) if type_ == pa.string()
            ]
            if not set(columns) <= set(texts):
                raise BadInput(f"{file}: contains no exceptions; give the file that `missions history scan` wrote")
            for batch in rows.iter_batches(_ROWS_AT_A_TIME, columns=columns):
                yield batch.select(columns)
    except (OSError, pa.ArrowException) as error:
        problem = str(error).splitlines()[0][:120]
        raise BadInput(f"{file}: cannot be read ({problem}); give the file that `missions history scan` wrote") from error
