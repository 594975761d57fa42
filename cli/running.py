"""`missions run`: take events in and run a Mission on each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.invoicing import invoice_event
from cli.knowing import learn_phrasings
from cli.screen import counted, dollars, progress, say, table
from cli.showing import who
from errors import BadInput
from evals.cases import parse_line, recorded
from graphs.events import event_of
from graphs.runtime import Runtime, open_runtime, utc_now
from graphs.settings import settings
from ledger.records import Event, Run
from nodes.listening import UNDERSTAND
from nodes.pack import Pack
from systems.sandbox.loader import load_cases


def run_targets(target: str) -> None:
    """Run what a file holds: events, an invoice, or recorded exceptions, which are put into the sandbox company first."""
    if target.lower().endswith(".xml"):
        with open_runtime(settings()) as runtime:
            summary(runtime, run_events(runtime, [invoice_event(runtime, Path(target))]))
        return
    raws = read_targets(target)
    with open_runtime(settings()) as runtime:
        events = [_event(raw, where, runtime.context.packs) for raw, where in raws]
        if any(read.tool == UNDERSTAND for event in events for read in runtime.context.pack(event).reads.values()):
            learn_phrasings(settings())
        cases = [raw for raw, _ in raws if "systems" in raw]
        if cases:
            report = load_cases(runtime.database_url, cases)
            if report.refused:
                case_id, sentence = next(iter(report.refused.items()))
                raise BadInput(f"{case_id}: {sentence}")
        runs = run_events(runtime, events)
        summary(runtime, runs)


def read_targets(target: str) -> list[tuple[Mapping[str, Any], str]]:
    """The JSON objects of FILE or FILE#CASE, each with where it stands. Raises BadInput."""
    name, _, wanted = target.partition("#")
    file = Path(name)
    try:
        content = file.read_bytes()
    except OSError as error:
        hint = "give a file of events or recorded exceptions, or an event of a book with --all"
        raise BadInput(f"{name}: cannot be read ({error.strerror}); {hint}") from error
    lines = [content] if file.suffix == ".json" else content.split(b"\n")
    raws: list[tuple[Mapping[str, Any], str]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{name}, line {number}"
            raws.append((parse_line(line, where), where))
    if wanted:
        raws = [(raw, where) for raw, where in raws if wanted in (raw.get("case_id"), raw.get("source_id"))]
    if not raws:
        raise BadInput(f"{target}: there is no such event or recorded exception; look into the file")
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
    rows, at_stake, waiting = [], 0, 0
    for run in runs:
        proposal = runtime.ledger.proposal(run.run_id)
        cents = proposal.money_at_stake_cents if proposal else 0
        waits = who(proposal, runtime.ledger.decisions(run.run_id)) if proposal and run.status == "waiting" else "nobody"
        waiting, at_stake = waiting + (run.status == "waiting"), at_stake + (cents if run.status == "waiting" else 0)
        verdict = proposal.verdict if proposal else run.status
        rows.append((run.run_id, run.event.subject, verdict, len(proposal.plan) if proposal else 0, waits, dollars(cents)))
    columns = ("run", "subject", "verdict", "actions", "waits for", "at stake")
    table(columns, rows, right=("actions", "at stake"), whole=("run", "verdict", "waits for"))
    exceptions, wait = counted(len(runs), "exception", "exceptions"), counted(waiting, "waits", "wait")
    say(f"{exceptions}, {wait} for a person, {dollars(at_stake)} at stake.")


def _event(raw: Mapping[str, Any], where: str, packs: Mapping[str, Pack]) -> Event:
    if "systems" in raw:
        return recorded(raw, packs, where).event
    try:
        return event_of(raw, packs, utc_now())
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
