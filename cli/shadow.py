"""`missions shadow`: another version beside the live one, which reads and never writes; and how they agree."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import Json, moment, print_json, say, say_all
from cli.what_if import read_changes
from errors import BadInput
from evals.shadow.following import follow as follow_live
from evals.shadow.following import over_last
from evals.shadow.keeping import ShadowFile, ShadowRun
from evals.shadow.opening import live_url, open_shadow
from evals.shadow.report import report
from graphs.candidate import Change, require_change
from graphs.ledgers import database_logins
from graphs.settings import settings
from ledger.postgres import PostgresLedger
from ledger.roles import reading

app = typer.Typer(no_args_is_help=True)

#: the live processes of the machine come first
_NICE = 10


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="A name for what is tried, such as lenient-fraud.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One value otherwise: FRD-2.elevated=0.8, tier.cancel_order=automate.")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="The folder of all policies as they would be.")] = None,
    packs: Annotated[Path | None, typer.Option(help="A folder of packs, in place of those of their Missions.")] = None,
    as_of: Annotated[str, typer.Option(help="Of the changed policies those in force at this moment; now unless given.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Runs to come, until it is stopped.")] = False,
    last: Annotated[int | None, typer.Option(help="The last runs, so many of them.")] = None,
) -> None:
    """Run another version on what the live company takes in: real reads, simulated writes, nothing executed."""
    if follow == (last is not None):
        raise BadInput("say which runs: --follow for those to come, or --last N for the last ones")
    change = Change(policies, packs, read_changes(set_ or []))
    require_change(change)
    file = ShadowFile(settings().home, name)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    with open_shadow(change, as_of=moment(as_of) if as_of else None) as shadow:
        if last is not None:
            done = over_last(shadow, file, last, _tell)
            say(f"{done:,} runs in {file.path}; `missions shadow report {name}` says how they agree.")
            return
        say(f"The shadow {name} follows the live company (Ctrl-C stops it); `missions shadow report {name}` says how it agrees.")
        follow_live(shadow, file, _tell)


@app.command("report")
def show(name: str, as_json: Json = False) -> None:
    """How a shadow agrees with the live version, and with what people decided."""
    chosen = settings()
    file = ShadowFile(chosen.home, name)
    file.read()  # a wrong name is told before the database is asked
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
