"""`plant`: exceptions put into a real history, so that what is found can be counted against a real background."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq

from errors import BadInput
from evals.atomic_write import atomic_write, refuse_to_replace
from evals.history.detectors import DETECTORS, missing
from evals.history.engine import engine_within, in_sentences, opened
from evals.history.importing import read_layout
from evals.history.making import TRUTH

_PLANTED = Path(__file__).with_name("planting.sql")
_MEMORY_MB = 1024


def plant_files(history: Path, out: Path, truth: Path, each: int, seed: int = 0) -> Mapping[str, int]:
    """Write the history with at most `each` exceptions of every kind that its columns can tell into it, and what they are.

    Gives how many of each kind. Raises BadInput for a history that cannot be read, or is one of the files to be written.
    """
    refuse_to_replace([history], out)
    refuse_to_replace([history, out], truth)
    with engine_within(_MEMORY_MB) as engine, in_sentences(str(history), _MEMORY_MB):
        layout, rows = read_layout(engine, *opened(engine, history, str(history)), str(history))
        engine.execute(f"create view records as {layout.view(rows)}")
        counts = dict(engine.execute("select record, count(*) from records group by record").fetchall())
        kinds = [detector.kind for detector in DETECTORS if missing(detector, layout, counts) is None]
        chosen = {
            "seed": seed, "each": each, "planted_kinds": kinds, "by_customer": layout.origin == "customer_id",
            "total_told": "total_cents" in layout.columns,
        }  # fmt: skip
        for name, value in chosen.items():
            engine.execute(f"set variable {name} = $1", [value])
        engine.execute(_PLANTED.read_text("utf-8"))
        known = engine.sql("from planted_truth").to_arrow_table().cast(TRUTH)
        if not known.num_rows:
            raise BadInput(f"{history}: has no order of which a copy could be planted; give a history of orders")
        named = ", ".join(f'moment::timestamptz as "{name}"' if name == "at" else name for name in layout.columns)
        both = engine.sql(f"select {named} from (select * exclude (origin) from records union all by name from planted)")
        with atomic_write(out) as unfinished, atomic_write(truth) as unfinished_truth:
            table = both.to_arrow_table().replace_schema_metadata(layout.told.metadata)
            pq.write_table(table, unfinished, compression="zstd")
            pq.write_table(known, unfinished_truth, compression="zstd")
    numbers = known["kind"].value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in numbers}
