"""`python -m tests.bench.history --lines 10000000`: speed and memory of a scan, recall and precision, by kind.

The baseline is the same engine that reads the same columns of the same file, in the same run: machines are shared and noisy.
Both are measured by wall clock, and by the time that processors worked, which other processes change less. Scans run in
processes of their own, so that the greatest memory of each is known.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pandas as pd
import psutil
import pyarrow as pa

from evals.history.layout import SCHEMA
from evals.history.making import compare, make_files
from evals.history.scanning import scan
from settings import CHECKOUT

ROUNDS = 3


def main() -> None:
    """Print the figures, of a history that is made for them unless one is named."""
    parser = argparse.ArgumentParser(description="Speed, memory, recall and precision of missions history scan.")
    parser.add_argument("--lines", type=int, default=2_000_000, help="order lines of the history that is made")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--history", type=Path, help="one that is there, with --truth")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--once", choices=["scan", "read"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        _print_once(chosen.once, chosen.history, chosen.truth)
        return
    with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
        history, truth = chosen.history, chosen.truth
        if history is None:
            history, truth = Path(folder, "history.parquet"), Path(folder, "truth.parquet")
            make_files(chosen.lines, 1, history, truth)
        _measure(history, truth, Path(folder, "exceptions.parquet"), chosen.rounds)


def _measure(history: Path, truth: Path, out: Path, rounds: int) -> None:
    pairs = [(_once("read", history, out), _once("scan", history, out)) for _ in range(rounds)]
    lines = pairs[0][1]["lines"]
    load = psutil.getloadavg()[0]
    print(f"missions history scan of {lines:,.0f} lines, {rounds} times, load of {load:.1f} on {psutil.cpu_count()} processors")
    print(f"  {'finding the exceptions':26} {lines / min(scan['finding'] for _, scan in pairs):12,.0f} lines/s by the clock")
    for what, index in (("with telling and writing", 1), ("reading the same columns", 0)):
        one = min((pair[index] for pair in pairs), key=lambda figures: figures["wall"])
        at_work = lines / one["processor"] * 2
        print(
            f"  {what:26} {lines / one['wall']:12,.0f} lines/s by the clock, {at_work:,.0f} by what two processors "
            f"work; {one['memory_mb']:,.0f} MiB at most"
        )
    print(f"  a scan takes {min(s['processor'] / r['processor'] for r, s in pairs):.1f} times the work of reading")
    for kind, hits in compare(pd.read_parquet(out), pd.read_parquet(truth)).items():
        print(f"  {kind:28} {hits.true:9,} true, recall {hits.recall:.4f}, precision {hits.precision:.4f}")


def _once(what: str, history: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.history", "--once", what, "--history", str(history), "--truth", str(out)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT).stdout
    figures: dict[str, float] = json.loads(said.splitlines()[-1])
    return figures


def _print_once(what: str, history: Path, out: Path) -> None:
    begun, worked = time.perf_counter(), time.process_time()
    figures: dict[str, float] = {}
    if what == "scan":
        found = scan(history, out)
        figures = {"lines": found.lines, "finding": found.finding_s}
    else:
        _read(history)
    figures |= {"wall": time.perf_counter() - begun, "processor": time.process_time() - worked}
    print(json.dumps({**figures, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def _read(history: Path) -> None:
    """Decode every column of the layout, and do nothing with it."""
    totals = ", ".join(f'sum("{field.name}")' if field.type == pa.int64() else f'count("{field.name}")' for field in SCHEMA)
    with duckdb.connect() as engine:
        engine.execute(f"select {totals} from read_parquet($1)", [str(history)]).fetchall()


if __name__ == "__main__":
    main()
