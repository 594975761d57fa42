"""`missions backtest`: what would have happened, had the Missions of today been there when a history was made."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import orjson
import typer

from cli.screen import Json, moment, print_json, progress, say, say_all
from errors import BadInput
from evals.atomic_write import atomic_write, refuse_to_replace
from evals.backtest import Backtest, backtest
from evals.backtest.page import page
from evals.backtest.tallies import Minutes
from rendering import as_csv
from settings import settings

_MINUTES = {"min": 0.0, "max": 10_000.0}


def run_backtest(
    history: Annotated[Path, typer.Argument(metavar="HISTORY.parquet", help="What `missions history import` or `make` wrote.")],
    out: Annotated[
        list[Path] | None, typer.Option(help="Write it here: .html (the report), .csv (a row an exception), .json; repeatable.")
    ] = None,
    as_of: Annotated[str, typer.Option(help="Use the policies in force at this time for all of it; default: now.")] = "",
    by_hand: Annotated[
        float | None, typer.Option(help="Minutes to work on an exception by hand; default: MISSIONS_MINUTES_BY_HAND.", **_MINUTES)
    ] = None,
    to_decide: Annotated[
        float | None, typer.Option(help="Minutes to decide about a proposal; default: MISSIONS_MINUTES_TO_DECIDE.", **_MINUTES)
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: 1.")] = None,
    memory_mb: Annotated[int, typer.Option(help="What the search may use, MiB; the rest goes to temporary files.")] = 1024,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="The file is trusted: read it even if it holds more than files of its size do.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run Missions on each exception of a history as it was known at that moment, beside what really happened next."""
    for file in out or ():
        if file.suffix not in _WRITERS:
            raise BadInput(f"{file}: a backtest is written as {', '.join(_WRITERS)}; give the file one of these endings")
        refuse_to_replace([history], file)
    chosen = settings()
    minutes = Minutes(
        by_hand=chosen.minutes_by_hand if by_hand is None else by_hand,
        to_decide=chosen.minutes_to_decide if to_decide is None else to_decide,
    )
    with ExitStack() as files:
        unfinished = [(files.enter_context(atomic_write(file)), _WRITERS[file.suffix]) for file in out or ()]
        with progress("backtest") as advance:
            found = backtest(
                history, as_of=moment(as_of), minutes=minutes, workers=workers, memory_mb=memory_mb, trusted=trusted,
                on_progress=lambda _, done, of: advance(done, of),
            )  # fmt: skip
        for written, writer in unfinished:
            written.write_text(writer(found), encoding="utf-8")
    if as_json:
        print_json(found.summary())
        return
    say_all(found)
    if out:
        say(f"Written to {', '.join(map(str, out))}.")


def _csv(found: Backtest) -> str:
    rows = found.rows()
    columns = list(rows[0]) if rows else ["exception_id"]
    return as_csv(columns, (list(row.values()) for row in rows))


def _json(found: Backtest) -> str:
    return orjson.dumps(found.summary(), option=orjson.OPT_INDENT_2).decode() + "\n"


_WRITERS: Mapping[str, Callable[[Backtest], str]] = {".html": page, ".csv": _csv, ".json": _json}
