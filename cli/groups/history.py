"""`missions history …`."""

from pathlib import Path
from typing import Annotated

import typer

history = typer.Typer(
    no_args_is_help=True, help="Historical orders: the exceptions in them, and histories made up with known ones."
)


@history.command("scan")
def history_scan(
    orders: Annotated[Path, typer.Argument(metavar="ORDERS.parquet", help="Order records or Online Retail: docs/history.md.")],
    out: Annotated[Path, typer.Option(help="Where the exceptions go (parquet).")],
    memory_mb: Annotated[int, typer.Option(help="What the engine may use, MiB; the rest goes to temporary files.")] = 1024,
) -> None:
    """Find the exceptions in a history of orders: double orders and charges, wrong prices, late promises and more."""
    from cli.history import scan_history

    scan_history(orders, out, memory_mb)


@history.command("make")
def history_make(
    lines: Annotated[int, typer.Option(help="About how many order lines.")],
    out: Annotated[Path, typer.Option(help="Where the history goes (parquet).")],
    truth: Annotated[Path, typer.Option(help="Where the exceptions that are in it go (parquet).")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same history.")] = 0,
) -> None:
    """Make a history up, with exceptions, and with what looks like one and is none."""
    from cli.history import make_history

    make_history(lines, seed, out, truth)
