"""`missions what-if` and `missions shadow`: another version on recorded exceptions, or beside the live one."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from cli.screen import Json, moment, print_json, progress, say, say_all
from errors import BadInput
from evals.atomic_write import atomic_write
from evals.shadow.persistence import ShadowFile, ShadowRun
from evals.shadow.report import report
from evals.shadow.running import follow as follow_live
from evals.shadow.running import over_last
from evals.shadow.session import live_url, open_shadow
from evals.what_if import sweep as sweep_values
from evals.what_if import what_if
from evals.what_if.answer import Sweep, WhatIf
from graphs.candidate import Change
from graphs.ledgers import database_logins
from knowledge_index.changing import read_change
from ledger.postgres import PostgresLedger
from ledger.roles import reading
from nodes.planner import Planner
from rendering import as_csv, document
from settings import settings

SetValues = Annotated[
    list[str] | None, typer.Option("--set", help="One changed value: FRD-2.elevated=0.8, tier.cancel_order=automate.")
]
PolicyFolder = Annotated[Path | None, typer.Option(help="A folder with all policies as they would be.")]
PackFolder = Annotated[Path | None, typer.Option(help="A folder of packs to use in place of the loaded ones.")]
ProposedBy = Annotated[
    Literal["planner", "hybrid", "llm"], typer.Option("--reasoner", help="The last two ask the model of MISSIONS_MODEL.")
]
shadow = typer.Typer(no_args_is_help=True)
#: the live processes of the machine come first
_NICE = 10


def ask(
    cases: Annotated[
        list[Path] | None, typer.Argument(help="Files of recorded exceptions; default: those of MISSIONS_CASES.")
    ] = None,
    set_: SetValues = None,
    policies: PolicyFolder = None,
    packs: PackFolder = None,
    sweep: Annotated[str, typer.Option(help="Try values one after another: FRD-2.elevated=0.5,0.6,0.7.")] = "",
    as_of: Annotated[str, typer.Option(help="Use what was in force at this time, for both sides; default: now.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write what was found here: .json, .csv or .html.")] = None,
    reasoner: ProposedBy = "planner",
    history: Annotated[
        Path | None,
        typer.Option(help="The history the cases are of (parquet), searched again where the change says what is found."),
    ] = None,
) -> None:
    """Print what would be answered otherwise; write it to `out` too, where that is given."""
    if out and out.suffix not in _WRITERS:
        raise BadInput(f"{out}: what was found is written as {', '.join(_WRITERS)}; give the file one of these endings")
    values = read_changes(set_ or [])
    at = moment(as_of)
    found: WhatIf | Sweep
    with progress("replaying") as advance:
        if sweep:
            if policies or packs or history or reasoner != Planner.name:
                raise BadInput("--sweep tries values of the present policies; omit --policies, --packs, --history and --reasoner")
            path, mark, listed = sweep.partition("=")
            path, tried = read_change(sweep if "[" in sweep else f"{path}{mark}[{listed}]")
            found = sweep_values(path, tried, changes=values, cases=cases or None, as_of=at, on_progress=advance)
        else:
            Change(policies, packs, values).require()
            found = what_if(
                policies, changes=values, packs=packs, cases=cases or None, as_of=at, reasoner=reasoner, history=history,
                on_progress=advance,
            )  # fmt: skip
    say_all(found)
    if out:
        with atomic_write(out) as unfinished:
            unfinished.write_text(_WRITERS[out.suffix](found), encoding="utf-8")
        say(f"Written to {out}.")


def read_changes(changes: Sequence[str]) -> dict[str, Any]:
    """The changes that --set gives. Raises BadInput for what is none, or stands twice."""
    values: dict[str, Any] = {}
    for text in changes:
        path, value = read_change(text)
        if path in values:
            raise BadInput(f"--set {path} is given twice; remove one of the two")
        values[path] = value
    return values


def _csv(found: WhatIf | Sweep) -> str:
    rows: Sequence[Mapping[str, Any]] = found.rows()
    columns = list(rows[0]) if rows else ["case"]
    return as_csv(columns, ([row[column] for column in columns] for row in rows))


_WRITERS: Mapping[str, Callable[[WhatIf | Sweep], str]] = {
    ".json": lambda found: orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n",
    ".csv": _csv,
    ".html": partial(document, "What if"),
}


@shadow.command("run")
def run_shadow(
    name: Annotated[str, typer.Argument(help="A name for the trial, such as lenient-fraud.")],
    set_: SetValues = None,
    policies: PolicyFolder = None,
    packs: PackFolder = None,
    as_of: Annotated[str, typer.Option(help="Use the changed policies in force at this time; default: now.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Follow new runs until stopped.")] = False,
    last: Annotated[int | None, typer.Option(help="How many of the latest runs.")] = None,
    reasoner: ProposedBy = "planner",
) -> None:
    """Run another version on what the live company takes in: real reads, simulated writes, nothing executed."""
    if follow == (last is not None):
        raise BadInput("say which runs: --follow for new ones, or --last N for the latest")
    change = Change(policies, packs, read_changes(set_ or []))
    if reasoner == Planner.name:
        change.require()
    file = ShadowFile(settings().home, name)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    with open_shadow(change, as_of=moment(as_of) if as_of else None, reasoner=reasoner) as candidate:
        if last is not None:
            done = over_last(candidate, file, last, _tell)
            say(f"{done:,} runs in {file.path}; `missions shadow report {name}` says how they agree.")
            return
        say(f"The shadow {name} follows the live company (Ctrl-C stops it); `missions shadow report {name}` says how it agrees.")
        follow_live(candidate, file, _tell)


@shadow.command("report")
def show_shadow(name: str, as_json: Json = False) -> None:
    """How a shadow agrees with the live version, and with what people decided."""
    chosen = settings()
    file = ShadowFile(chosen.home, name)
    file.read()  # a wrong name is reported before the database is asked
    with PostgresLedger.open(reading(live_url(chosen), database_logins(chosen))) as ledger:
        found = report(file, ledger)
    if as_json:
        print_json({"matrix": found.matrix(), "missions": found.missions(), "runs": found.rows()})
        return
    say_all(found)


def _tell(done: ShadowRun) -> None:
    verdict = done.answer.verdict if done.answer else "no answer"
    say(f"{done.run_id} {done.subject}: {verdict}, {done.outcome.replace('_', ' ')}{f' ({done.error})' if done.error else ''}")
    sys.stdout.flush()
