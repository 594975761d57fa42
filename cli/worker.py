"""`missions worker` and `missions sweep`."""

import logging
from functools import partial
from typing import Annotated

import typer

from cli.screen import say
from cli.session import open_ledger
from graphs.ingestion import Intake
from graphs.ledgers import heads_outside
from graphs.runtime import open_database, open_runtime
from graphs.worker import MissionsWorker
from ledger.jobs import look, open_jobs
from ledger.services import Inbox
from logs import log_as_json
from settings import settings
from systems.config import load_config


def work(hands: Annotated[int, typer.Option(min=1, max=64, help="How many runs to work on in parallel.")] = 4) -> None:
    """Work until Ctrl-C or SIGTERM."""
    chosen = settings()
    if chosen.log == "json":
        log_as_json()
    else:
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with open_runtime(chosen) as runtime, open_jobs(runtime.database_url) as jobs, open_ledger() as ledger:
        intake = Intake(runtime, Inbox(ledger), jobs.drive, chosen.as_of_days)
        keep_head = partial(heads_outside(chosen).look, ledger)
        worker = MissionsWorker(intake, load_config(chosen.systems).feeds, hands, chosen.lease_seconds, keep_head)
        say(f"Working, {hands} runs in parallel. Press Ctrl-C to stop after the current runs.")
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
