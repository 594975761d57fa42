"""`missions history`: the exceptions of historical orders, and made-up histories in which they are known."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import progress, say, table
from errors import BadInput
from evals.atomic_write import atomic_write
from evals.history import ScanResult, make_files, scan
from evals.history.importing import import_exports
from evals.history.mapping import ExportMapping
from evals.history.planting import plant_files
from evals.history.profile import Profile
from evals.reports.incidents import incidents_csv
from evals.reports.incidents import report as page_of
from rendering import day, plain

app = typer.Typer(no_args_is_help=True)
#: statuses that are not known, the most frequent first; incidents, the first
_MOST_NAMED = 5


@app.command("import")
def import_history(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Exports of one kind: CSV, TSV, XLSX, JSON, parquet.")],
    out: Annotated[Path, typer.Option(help="Where the history goes (parquet).")],
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="MAPPING.yaml", help="How they are read; else a guess, which is written beside OUT."),
    ] = None,
) -> None:
    """Make a history of orders that `scan` reads of any export, and say what stands in it and what is missing."""
    guessed = out.with_suffix(".mapping.yaml")
    if mapping is None and guessed.exists():
        raise BadInput(f"{guessed} is there already: import with `--mapping {guessed}`, or remove it for another guess")
    profile = import_exports(files, out, ExportMapping.load(mapping) if mapping else None)
    if mapping is None:
        with atomic_write(guessed) as unfinished:
            profile.mapping.dump(unfinished)
    table(("ours", "column", "because"), list(_columns(profile)))
    for sentence in profile.sentences():
        say(plain(sentence, 1_000))
    say(f"The history is in {out}; `missions history scan {out} --out exceptions.parquet` looks for exceptions.")
    if mapping is None:
        say(f"How the export was read is in {guessed}: correct it and import again with `--mapping {guessed}`.")


def _columns(profile: Profile) -> Iterator[tuple[str, str, str]]:
    for ours, (theirs, *_) in profile.mapping.columns.items():
        yield ours, theirs, profile.because.get(ours, profile.mapping.layout)


@app.command("scan")
def scan_history(
    orders: Annotated[Path, typer.Argument(metavar="ORDERS.parquet", help="What `missions history import` or `make` wrote.")],
    out: Annotated[Path, typer.Option(help="Where the exceptions go (parquet).")],
    report: Annotated[
        Path | None,
        typer.Option(metavar="INCIDENTS.html", help="A page of the incidents most worth a look; all of them as CSV beside it."),
    ] = None,
    memory_mb: Annotated[int, typer.Option(help="What the engine may use, MiB; the rest goes to temporary files.")] = 1024,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="The file is trusted: read it even if it holds more than files of its size do.")
    ] = False,
) -> None:
    """Find the exceptions in a history of orders: double orders and charges, wrong prices, late promises and more."""
    beside = report.with_suffix(".csv") if report else None
    if report and (report == beside or {report, beside} & {orders, out}):
        raise BadInput(f"{report}: is a file of its own beside {orders} and {out}; name one that ends with .html")
    with progress("scanning") as advance:
        found = scan(orders, out, memory_mb=memory_mb, trusted=trusted, on_progress=advance)
    rows: list[tuple[object, ...]] = [
        (kind, f"{number:,}", f"{found.cases.get(kind, 0):,}") for kind, number in found.counts.items()
    ]
    rows += [(kind, f"not looked for: {reason}", "") for kind, reason in found.not_looked_for.items()]
    table(("kind", "exceptions", "cases for a Mission"), rows, right=("cases for a Mission",))
    _show_first(found)
    if report and beside:
        for file, text in ((report, page_of(found, orders.name)), (beside, incidents_csv(found))):
            with atomic_write(file) as unfinished:
                unfinished.write_text(text, "utf-8")
        say(f"The {len(found.incidents):,} incidents most worth a look are in {report} and {beside}.")
    if found.unknown_statuses:
        most = islice(found.unknown_statuses.items(), _MOST_NAMED)
        listed = ", ".join(f"{status!r} of {rows:,} {record}s" for (record, status), rows in most)
        say(f"Unknown statuses (docs/history.md lists the known ones): {plain(listed, 500)}.", style="bold")
    if found.judged_from:
        since = day(found.judged_from)
        say(
            f"Cancellations name no order here: those before {since} are not looked at, for the order may lie before the history."
        )
    speed = f"{found.lines:,} lines searched in {found.finding_s:.1f} s, {found.lines / found.finding_s:,.0f} a second"
    say(f"{found.layout}: {speed}; {sum(found.counts.values()):,} exceptions in {out} after {found.seconds:.1f} s.")


def _show_first(found: ScanResult) -> None:
    first = found.incidents.head(_MOST_NAMED)
    rows = [(row.rank, plain(row.says, 160), plain(row.why, 200)) for row in first.itertuples()]
    if rows:
        table(("", "most worth a look", "why"), rows)


@app.command("plant")
def plant_exceptions(
    history: Annotated[Path, typer.Argument(metavar="HISTORY.parquet", help="A real one; it stays as it is.")],
    out: Annotated[Path, typer.Option(help="Where the history with the exceptions goes (parquet).")],
    truth: Annotated[Path, typer.Option(help="Where the exceptions go (parquet).")],
    each: Annotated[int, typer.Option(min=1, max=100_000, help="How many of each kind at most.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed plants the same.")] = 0,
) -> None:
    """Put known exceptions into a copy of a real history, to see how many of them a scan finds there."""
    planted = plant_files(history, out, truth, each, seed)
    table(("kind", "planted"), [(kind, f"{number:,}") for kind, number in sorted(planted.items())], right=("planted",))
    say(f"The history with them is in {out}, what they are in {truth}; scan the former and compare.")


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
