"""`missions run`: take events in and run a Mission on each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.knowledge import learn_phrasings
from cli.screen import counted, moment, progress, say, table
from cli.show import who
from errors import BadInput
from evals.recorded.cases import read_objects, recorded
from graphs.events import event_of
from graphs.invoices import invoice_event
from graphs.runtime import Runtime, open_runtime
from graphs.sources import batch_events, ranked
from ledger.canonical import utc_now
from ledger.inbox import EventOrigin, SourceBounds, check_arrival
from ledger.records import Event, Run
from nodes.pack import UNDERSTAND, Pack
from rendering import dollars, words
from settings import settings
from systems.config import load_config
from systems.sandbox.loader import load_cases


def run_targets(
    target: Annotated[
        str,
        typer.Argument(
            help="FILE.json, FILE.jsonl or FILE.jsonl#CASE: events or recorded exceptions; FILE.xml, FILE.pdf: an invoice."
        ),
    ],
    every: Annotated[
        bool, typer.Option("--all", help="TARGET is an event, such as account.daily_review: run all subjects.")
    ] = False,
    as_of: Annotated[str, typer.Option(help="--all: the moment, such as 2026-03-14T09:30:00Z; now unless given.")] = "",
) -> None:
    """Run what a file holds: events, an invoice, or recorded exceptions, which are put into the sandbox company first."""
    if every:
        _run_batch(target, as_of)
        return
    if as_of:
        raise BadInput("--as-of belongs to --all; an event of a file has its own as_of")
    if target.lower().endswith((".xml", ".pdf")):
        run_invoice(Path(target))
        return
    raws = read_targets(target)
    if recorded_at := next((where for raw, where in raws if "systems" in raw), None):
        require_sandbox(recorded_at)
    with open_runtime(settings()) as runtime:
        events = [_event(raw, where, runtime.context.packs) for raw, where in raws]
        if any(read.tool == UNDERSTAND for event in events for read in runtime.context.pack(event).reads.values()):
            learn_phrasings(settings())
        if cases := [raw for raw, _ in raws if "systems" in raw]:
            for case_id, reason in load_cases(runtime.database_url, cases).refused.items():
                raise BadInput(f"{case_id}: {reason}")
        summary(runtime, run_events(runtime, events))


def require_sandbox(where: str) -> None:
    """Raise BadInput where a recorded exception would be in the hands of a system that is not of the sandbox company."""
    for name, system in load_config(settings().systems).systems.items():
        if not system.is_sandbox:
            raise BadInput(
                f"{where}: a recorded exception runs on no live system, and {name} is one; `missions eval FILE --out RESULTS` "
                "runs it on what was recorded, and an event runs on the systems as they are"
            )


def _row(runtime: Runtime, run: Run) -> tuple[str, int, str, int]:
    """(verdict, number of actions, whom it waits for, cents at stake) of a run."""
    proposal = runtime.ledger.proposal(run.run_id)
    if proposal is None:
        return run.status, 0, "nobody", 0
    waits_for = who(proposal, runtime.ledger.decisions(run.run_id)) if run.status == "waiting" else "nobody"
    return words(proposal.verdict), len(proposal.plan), waits_for, proposal.money_at_stake_cents


def _run_batch(event: str, as_of: str) -> None:
    """Run the Mission of an event on every subject, and print them with the most urgent first."""
    with open_runtime(settings()) as runtime:
        left_out: list[str] = []
        runs = run_events(runtime, batch_events(runtime, event, moment(as_of), left_out.append))
        rows, stakes = [], []
        for place, one in enumerate(ranked(runtime, runs), start=1):
            verdict, _, waits_for, cents = _row(runtime, one.run)
            rows.append((place, one.run.run_id, one.run.event.subject, verdict, waits_for, one.says))
            stakes += [cents] if one.run.status == "waiting" else []
        table(("", "run", "subject", "verdict", "waits for", "because"), rows, right=("",))
        for subject in left_out:
            say(f"Skipped, because its name cannot be stored: {subject[:60]}")
        say(f"{len(runs)} subjects, {len(stakes)} wait for a person, {dollars(sum(stakes))} at stake.")


def run_invoice(file: Path) -> None:
    """Enter the invoice of a file, and run its Mission."""
    with open_runtime(settings()) as runtime:
        summary(runtime, run_events(runtime, [invoice_event(runtime, file)]))


def read_targets(target: str) -> list[tuple[Mapping[str, Any], str]]:
    """The JSON objects of FILE or FILE#CASE, each with where it stands. Raises BadInput."""
    name, _, wanted = target.partition("#")
    hint = "give a file of events or recorded exceptions, or an event with a batch and --all"
    raws: list[tuple[Mapping[str, Any], str]] = list(read_objects(Path(name), hint, one=name.endswith(".json")))
    if wanted:
        raws = [(raw, where) for raw, where in raws if wanted in (raw.get("case_id"), raw.get("source_id"))]
    if not raws:
        raise BadInput(f"{target}: there is no such event or recorded exception; check the file")
    return raws


def run_events(runtime: Runtime, events: Sequence[Event]) -> list[Run]:
    """Take events in and drive their runs, with a progress bar; runs as they stand then."""
    runs = []
    with progress("missions", len(events)) as advance:
        for event in events:
            runs.append(runtime.drive(runtime.take_in(event).run_id))
            advance()
    return runs


def summary(runtime: Runtime, runs: Sequence[Run]) -> None:
    """Print what was found: subject, verdict, what waits for whom, money at stake."""
    rows, stakes = [], []
    for run in runs:
        verdict, actions, waits_for, cents = _row(runtime, run)
        rows.append((run.run_id, run.event.subject, verdict, actions, waits_for, dollars(cents)))
        stakes += [cents] if run.status == "waiting" else []
    columns = ("run", "subject", "verdict", "actions", "waits for", "at stake")
    table(columns, rows, right=("actions", "at stake"), whole=("run", "verdict", "waits for"))
    exceptions, wait = counted(len(runs), "exception", "exceptions"), counted(len(stakes), "waits", "wait")
    say(f"{exceptions}, {wait} for a person, {dollars(sum(stakes))} at stake.")


def _event(raw: Mapping[str, Any], where: str, packs: Mapping[str, Pack]) -> Event:
    if "systems" in raw:
        return recorded(raw, packs, where).event
    try:
        event, now = event_of(raw, packs, utc_now()), utc_now()
        # of any moment is what brings its world along; this one is looked at in the world as it is
        check_arrival(event, EventOrigin("a file", SourceBounds(as_of_days=settings().as_of_days)), now)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    return event
