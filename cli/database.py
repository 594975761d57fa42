"""`missions database roles|backup|restore` and `missions prune`."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from langgraph.checkpoint.postgres import PostgresSaver

from cli.screen import progress, say
from graphs.ledgers import database_address
from graphs.pruning import prune
from graphs.runtime import open_database
from graphs.settings import settings
from ledger import backup
from ledger.auditing import keep_powers
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.roles import WRITES, give_passwords, grant_roles

app = typer.Typer(no_args_is_help=True)


@app.command("roles")
def make_roles(
    logins: Annotated[
        Path | None, typer.Option(help="A new file for a login of each, to be named in MISSIONS_DATABASE_LOGINS.")
    ] = None,
) -> None:
    """Make the database roles of reasoner, executor and dashboard, and grant them what they may write."""
    url = open_database(settings())
    grant_roles(url)
    keep_powers(url)
    say(f"The roles {', '.join(WRITES)} are there, and hold their rights on this database.")
    if logins:
        backup.make_private(logins)  # first: one that cannot be written takes nobody's password away
        logins.write_text(json.dumps(give_passwords(url), indent=1))
        say(f"They sign in as {logins} says: name it in MISSIONS_DATABASE_LOGINS, and start anew what runs.")


def prune_all(
    days: Annotated[float | None, typer.Option(min=0, help="Over for how long; MISSIONS_RETENTION_DAYS unless given.")] = None,
) -> None:
    """Prune what is older than some days."""
    chosen = settings()
    kept = chosen.retention_days if days is None else days
    url = open_database(chosen)
    # as the account itself: the roles may delete none of it
    with PostgresLedger.open(url) as ledger, PostgresSaver.from_conn_string(url) as saver, progress("pruning", None):
        done = prune(ledger, saver, utc_now() - timedelta(days=kept))
    say(
        f"Deleted what was over for {kept:g} days: the checkpoints of {done.runs} runs, {done.leases} leases, "
        f"{done.sessions} sessions, {done.dead_letters} dead letters. The ledger and the audit log are whole."
    )


@app.command("backup")
def back_up(file: Path) -> None:
    """Write the whole database into a new file, while everybody goes on working."""
    with progress("backing up", None):
        size = backup.back_up(_url(), file)
    say(f"The database is in {file}, {size / 1_000_000:.1f} MB. Keep the keys of {settings().home} too.")


@app.command("restore")
def restore(file: Path) -> None:
    """Put a backup into the database, which must be empty."""
    with progress("restoring", None):
        backup.restore(_url(), file)
    open_database(settings())
    say(f"{file} is restored. `missions audit verify` says whether it is whole; `missions knowledge build` makes the index.")


def _url() -> str:
    """Not migrated: an empty database is to stay so until a backup is in it."""
    return database_address(settings())
