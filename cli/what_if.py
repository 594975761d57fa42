"""`missions what-if`: recorded exceptions replayed with other policies or packs, before anything is put in force."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.screen import moment, progress_told, say, say_all
from errors import BadInput
from evals.what_if import sweep as sweep_values
from evals.what_if import what_if
from evals.whole_file import whole_file
from graphs.candidate import Change, require_change
from graphs.shown import document
from graphs.spreadsheet import as_csv
from graphs.what_if import Sweep, WhatIf
from knowledge_index.changing import read_change

_SUFFIXES = (".json", ".csv", ".html")


def ask(
    cases: Annotated[list[Path] | None, typer.Argument(help="Files of recorded exceptions; the checkout's unless given.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One value otherwise: FRD-2.elevated=0.8, tier.cancel_order=automate.")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="The folder of all policies as they would be.")] = None,
    packs: Annotated[Path | None, typer.Option(help="A folder of packs, in place of those of their Missions.")] = None,
    sweep: Annotated[str, typer.Option(help="Try values one after another: FRD-2.elevated=0.5,0.6,0.7.")] = "",
    as_of: Annotated[str, typer.Option(help="What is in force at this moment, of both sides; now unless given.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write what was found here: .json, .csv or .html.")] = None,
) -> None:
    """Print what would be answered otherwise; write it to `out` too, where that is given."""
    if out and out.suffix not in _SUFFIXES:
        raise BadInput(f"{out}: what was found is written as {', '.join(_SUFFIXES)}; give the file one of these endings")
    values = read_changes(set_ or [])
    at = moment(as_of)
    found: WhatIf | Sweep
    with progress_told("replaying") as told:
        if sweep:
            if policies or packs:
                raise BadInput("--sweep tries values of the present policies; leave --policies and --packs out")
            path, tried = read_change(sweep if "[" in sweep else _as_list(sweep))
            found = sweep_values(path, tried, changes=values, cases=cases or None, as_of=at, on_progress=told)
        else:
            require_change(Change(policies, packs, values))
            found = what_if(
                policies, changes=values, packs=packs, cases=cases or None, as_of=at, on_progress=told
            )  # fmt: skip
    say_all(found)
    if out:
        with whole_file(out) as unfinished:
            unfinished.write_text({".json": _json, ".csv": _csv, ".html": _html}[out.suffix](found), encoding="utf-8")
        say(f"Written to {out}.")


def read_changes(changes: Sequence[str]) -> dict[str, Any]:
    """The changes that --set gives. Raises BadInput for what is none, or stands twice."""
    values: dict[str, Any] = {}
    for text in changes:
        path, value = read_change(text)
        if path in values:
            raise BadInput(f"--set {path} is given twice; leave one of the two out")
        values[path] = value
    return values


def _as_list(swept: str) -> str:
    path, mark, values = swept.partition("=")
    return f"{path}{mark}[{values}]"


def _json(found: WhatIf | Sweep) -> str:
    return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n"


def _csv(found: WhatIf | Sweep) -> str:
    rows: Sequence[Mapping[str, Any]] = found.rows()
    columns = list(rows[0]) if rows else ["case"]
    return as_csv(columns, ([row[column] for column in columns] for row in rows))


def _html(found: WhatIf | Sweep) -> str:
    return document("What if", found)
