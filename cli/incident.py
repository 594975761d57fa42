"""`missions incident`: what is stuck and why, and the ways out of it."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.screen import Json, Reason, RunId, moment, print_json, say, table
from cli.session import decider, open_ledger
from cli.show import ended
from errors import BadInput
from ledger.incident_resolution import Resolution, in_doubt, settle
from ledger.services import AdminService

app = typer.Typer(no_args_is_help=True)

#: what --step says of the step in doubt
_STEP: dict[str, Resolution] = {"": "retry", "done": "done", "failed": "failed"}


@app.command("list")
def list_incidents(as_json: Json = False) -> None:
    """What is stuck and why, and which step is in doubt."""
    with open_ledger() as ledger:
        found = AdminService(ledger).incidents()
        doubts = {run.run_id: in_doubt(ledger, run.run_id) for _, run in found}
    if as_json:
        print_json([{"incident": asdict(incident), "run": asdict(run)} for incident, run in found])
        return
    if not found:
        say("Nothing is stuck.")
        return
    rows = []
    for incident, run in found:
        doubt = doubts[run.run_id]
        unknown = f"step {doubt.step + 1} in {doubt.tool.split('.')[0]}" if doubt else ""
        rows.append((run.run_id, run.event.subject, f"{incident.at:%d %b %H:%M}", unknown, incident.reason))
    table(("run", "subject", "since", "in doubt", "why"), rows)


@app.command("retry")
def retry(
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="What you fixed; recorded in the audit log.")],
    step: Annotated[str, typer.Option(help="What you found in the system for the step in doubt: done or failed.")] = "",
    restart: Annotated[
        bool, typer.Option("--restart", help="Restart from the beginning, with today's pack and policies.")
    ] = False,
) -> None:
    """Let a run go on, as the person who is signed in."""
    if step not in _STEP or (step and restart):
        raise BadInput(f"--step {step!r} is not an outcome; give done or failed, without --restart")
    with open_ledger() as ledger:
        by = decider(ledger)
        after = ledger.run(run_id) if restart else settle(ledger, run_id, _STEP[step], by, reason, moment(""))
    if restart or after.status == "running":
        from graphs.runtime import open_runtime
        from settings import settings

        with open_runtime(settings()) as runtime:
            if restart:
                runtime.restart(after.run_id, by, reason)
            after = runtime.drive(after.run_id, lambda observation: say(f"  {observation['text']}"))
            stuck = [incident.reason for incident in runtime.ledger.incidents() if incident.run_id == after.run_id]
        if stuck:
            say(f"{after.event.subject} is stuck again: {stuck[-1]}")
            return
    say(f"{after.event.subject} {f'is closed: {ended(after)}' if after.status == 'closed' else 'waits for a decision'}.")


@app.command("close")
def close(run_id: RunId, reason: Reason) -> None:
    """Close a run for good, as the person who is signed in: what was done stays done, nothing more will be."""
    with open_ledger() as ledger:
        after = settle(ledger, run_id, "close", decider(ledger), reason, moment(""))
    say(f"{after.event.subject} is closed: {after.outcome!s}.")
