"""`missions history`: the exceptions of historical orders, and made-up histories in which they are known."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import progress, say, table
from evals.history import make_files, scan
from rendering import plain

app = typer.Typer(no_args_is_help=True)
#: statuses that are not known, the most frequent first
_MOST_NAMED = 5


@app.command("scan")
def scan_history(
    orders: Annotated[Path, typer.Argument(metavar="ORDERS.parquet", help="Order records or Online Retail: docs/history.md.")],
    out: Annotated[Path, typer.Option(help="Where the exceptions go (parquet).")],
    memory_mb: Annotated[int, typer.Option(help="What the engine may use, MiB; the rest goes to temporary files.")] = 1024,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="The file is trusted: read it even if it holds more than files of its size do.")
    ] = False,
) -> None:
    """Find the exceptions in a history of orders: double orders and charges, wrong prices, late promises and more."""
    with progress("scanning") as advance:
        found = scan(orders, out, memory_mb=memory_mb, trusted=trusted, on_progress=advance)
    rows: list[tuple[object, ...]] = [
        (kind, f"{number:,}", f"{found.cases.get(kind, 0):,}") for kind, number in found.counts.items()
    ]
    rows += [(kind, f"not looked for: {reason}", "") for kind, reason in found.not_looked_for.items()]
    table(("kind", "exceptions", "cases for a Mission"), rows, right=("cases for a Mission",))
    if found.unknown_statuses:
        most = islice(found.unknown_statuses.items(), _MOST_NAMED)
        listed = ", ".join(f"{status!r} of {rows:,} {record}s" for (record, status), rows in most)
        say(f"Unknown statuses (docs/history.md lists the known ones): {plain(listed, 500)}.", style="bold")
    speed = f"{found.lines:,} lines searched in {found.finding_s:.1f} s, {found.lines / found.finding_s:,.0f} a second"
    say(f"{found.layout}: {speed}; {sum(found.counts.values()):,} exceptions in {out} after {found.seconds:.1f} s.")


@app.command("make")
def make_history(
    lines: Annotated[int, typer.Option(help="About how many order lines.")],
    out: Annotated[Path, typer.Option(help="Where the history goes (parquet).")],
    truth: Annotated[Path, typer.Option(help="Where its exceptions go (parquet).")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same history.")] = 0,
) -> None:
    """Make a history up, with exceptions, and with what looks like one and is none."""
    with progress("making") as advance:
        exceptions = make_files(lines, seed, out, truth, on_progress=advance)
    say(f"About {lines:,} order lines in {out}; the {exceptions:,} exceptions in them are listed in {truth}.")
