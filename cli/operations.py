"""`missions worker`, `sweep`, `prune`, `clean` and `database`: what runs and is kept beside the people."""

import json
import logging
import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from langgraph.checkpoint.postgres import PostgresSaver

from cli.screen import progress, say
from cli.session import open_ledger
from errors import BadInput
from graphs.checkpoints import prune
from graphs.delivery import open_senders
from graphs.ingestion import Intake
from graphs.ledgers import database_address, heads_outside
from graphs.outgoing import load_outgoing
from graphs.runtime import open_database, open_runtime
from graphs.worker import MissionsWorker
from ledger import backup
from ledger.audit_export import keep_powers
from ledger.canonical import utc_now
from ledger.embedded import stop_embedded
from ledger.jobs import look, open_jobs
from ledger.postgres import PostgresLedger
from ledger.roles import WRITES, give_passwords, grant_roles
from ledger.services import Inbox, Outbox
from logs import log_as_json
from settings import default_home, settings
from systems.config import load_config
from systems.event_sources import load_mappings

app = typer.Typer(no_args_is_help=True)


def work(concurrency: Annotated[int, typer.Option(min=1, max=64, help="How many runs to work on in parallel.")] = 4) -> None:
    """Work until Ctrl-C or SIGTERM."""
    chosen = settings()
    if chosen.log == "json":
        log_as_json()
    else:
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with open_runtime(chosen) as runtime, open_jobs(runtime.database_url) as jobs, open_ledger() as ledger:
        intake = Intake(runtime, Inbox(ledger), jobs.drive, chosen.as_of_days, mappings=load_mappings(chosen.sources))
        keep_head = partial(heads_outside(chosen).look, ledger)
        outgoing = load_outgoing(chosen.outgoing)
        senders = open_senders(outgoing, Outbox(ledger), runtime.context.packs) if outgoing else ()
        feeds = load_config(chosen.systems).feeds
        worker = MissionsWorker(intake, feeds, concurrency, chosen.lease_seconds, keep_head, senders=senders)
        say(f"Working, {concurrency} runs in parallel. Press Ctrl-C to stop after the current runs.")
        worker.run()
    say("The worker has stopped.")


def show_sweep() -> None:
    """Print how many runs are in which state; exit 1 where one is in none."""
    found = look(open_database(settings()))
    for status in ("running", "waiting", "incident", "closed"):
        say(f"{status:9} {found.runs.get(status, 0):,}")
    say(f"lost      {found.lost:,}")
    for run_id, reason in found.broken:
        say(f"{run_id}: {reason}")
    if found.broken or found.lost:
        raise typer.Exit(1)


@app.command("roles")
def make_roles(
    logins: Annotated[
        Path | None, typer.Option(help="A new file for the logins, to be named in MISSIONS_DATABASE_LOGINS.")
    ] = None,
) -> None:
    """Make the database roles of reasoner, executor and dashboard, and grant them what they may write."""
    url = open_database(settings())
    grant_roles(url)
    keep_powers(url)
    say(f"The roles {', '.join(WRITES)} exist and have their rights on this database.")
    if logins:
        backup.make_private(logins)  # first: one that cannot be written takes nobody's password away
        logins.write_text(json.dumps(give_passwords(url), indent=1))
        say(f"They sign in as {logins} says: name it in MISSIONS_DATABASE_LOGINS, and restart everything that is running.")


def prune_all(
    days: Annotated[
        float | None, typer.Option(min=0, help="How many days ago it ended; default: MISSIONS_RETENTION_DAYS.")
    ] = None,
) -> None:
    """Prune what is older than some days."""
    chosen = settings()
    kept = chosen.retention_days if days is None else days
    url = open_database(chosen)
    # as the account itself: the roles may delete none of it
    with PostgresLedger.open(url) as ledger, PostgresSaver.from_conn_string(url) as saver, progress("pruning"):
        done = prune(ledger, saver, utc_now() - timedelta(days=kept))
    say(
        f"Deleted what ended more than {kept:g} days ago: the checkpoints of {done.runs} runs, {done.leases} leases, "
        f"{done.sessions} sessions, {done.dead_letters} dead letters. The ledger and the audit log are complete."
    )


@app.command("backup")
def back_up(file: Path) -> None:
    """Write the whole database into a new file, while everybody goes on working."""
    with progress("backing up"):
        size = backup.back_up(database_address(settings()), file)
    say(f"The database is in {file}, {size / 1_000_000:.1f} MB. Keep the keys of {settings().home} too.")


@app.command("restore")
def restore(file: Path) -> None:
    """Put a backup into the database, which must be empty."""
    with progress("restoring"):
        backup.restore(database_address(settings()), file)  # not migrated: it must be empty
    open_database(settings())
    say(f"{file} was restored. Run `missions audit verify` to check it and `missions knowledge build` to build the index.")


def clean_home() -> None:
    """Stop the embedded database and remove the data of this checkout. Raises BadInput for a folder that was named by hand."""
    home = settings().home
    if home != default_home(settings().company):
        raise BadInput(f"{home} was named in MISSIONS_HOME; remove it yourself if you no longer need what is in it")
    if (home / "postgres").exists():
        stop_embedded(home / "postgres")
    shutil.rmtree(home, ignore_errors=True)
    if home.exists():
        raise BadInput(f"{home} could not be removed completely; stop what still uses it and try again")
    say(f"{home} is removed.")
