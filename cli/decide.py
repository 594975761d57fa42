"""`missions decide` and `missions incident`: what people decide about proposals and about runs that are stuck.

LangGraph, Chroma and MCP are loaded where a run is driven on, and not before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli.screen import Json, Reason, RunId, in_column, moment, print_json, say, say_after, table
from cli.session import decider, open_ledger
from cli.show import ended
from errors import BadInput, Refused
from ledger.decision_requests import edited_step
from ledger.incident_resolution import Resolution, in_doubt, settle
from ledger.records import DecisionKind, Run
from ledger.services import AdminService
from rendering import words
from settings import settings
from systems.arguments import refusal, typed

if TYPE_CHECKING:
    from graphs.runtime import Runtime
    from systems.catalogue import Catalogue

app = typer.Typer(no_args_is_help=True)
KINDS: tuple[DecisionKind, ...] = get_args(DecisionKind)
#: what --step says of the step in doubt
_STEP: dict[str, Resolution] = {"": "retry", "done": "done", "failed": "failed"}


def decide_run(
    run_id: RunId,
    kind: Annotated[str, typer.Argument(metavar="approve|edit|reject|respond|escalate")],
    reason: Reason,
    set_: Annotated[list[str] | None, typer.Option("--set", help="edit: STEP.ARGUMENT=VALUE, such as 1.to_location=DC-2")] = None,
    drop: Annotated[list[int] | None, typer.Option(help="edit: remove this step.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="approve: reject this part of the plan, such as an order.")] = None,
    queue_name: Annotated[str, typer.Option("--queue", help="escalate: to which queue, where there are several.")] = "",
    digest: Annotated[str | None, typer.Option(help="Refuse if the waiting proposal does not have this digest.")] = None,
) -> None:
    """Decide as the person who is signed in, then drive the run on until it waits again or ends."""
    if kind not in KINDS:
        raise BadInput(f"{kind!r} is not a decision; choose one of {', '.join(KINDS)}")
    with open_ledger() as ledger:
        by = decider(ledger)
    from graphs.runtime import open_runtime
    from nodes.check import what_follows

    with open_runtime(settings()) as runtime:
        run = runtime.ledger.run(run_id)
        proposal = runtime.ledger.proposal(run.run_id)
        if proposal is None:
            raise Refused(f"run {run.run_id} has no proposal to decide; see `missions show {run.run_id}`")
        if kind != "edit" and (set_ or drop):
            raise BadInput(f"--set and --drop belong to an edit, not to {kind}")
        details: dict[str, Any] = {"remark": reason} if kind == "respond" else {}
        if kind == "escalate":
            queues = runtime.context.pack(run.event).queues_in(runtime.context.catalogue)
            if not queue_name and len(queues) != 1:
                raise BadInput(f"to which queue? Give --queue NAME; the queues are {', '.join(queues)}")
            details["queue"] = queue_name or queues[0]
        if kind == "edit":
            details["plan"] = edited(proposal.plan, set_ or [], drop or [], runtime.context.catalogue)
            judgement = runtime.preview(run.run_id, details["plan"], by)
            if judgement.objections:
                raise BadInput(f"the plan does not pass the checks, so nothing was decided: {'; '.join(judgement.objections)}")
            say(what_follows(judgement))
        if without:
            details["without"] = without
        _, status = runtime.decide(run.run_id, kind, by, reason, digest, details)
        if status == "pending":
            say(f"{by} approved {run.event.subject}; a second person must approve it too.")
            return
        say(f"{by}: {kind} {run.event.subject} ({words(proposal.verdict)}).")
        if stuck := _drive(runtime, run.run_id):
            raise Refused(f"the decision is recorded, but the run is now an incident: {stuck}")


def _drive(runtime: "Runtime", run_id: str) -> str:
    """Drive a run on, print what it comes to, and say why it is stuck; nothing where it waits or is closed."""
    run = runtime.drive(run_id, _print_observation)
    if run.status != "incident":
        _print_standing(run)
    return "; ".join(one.reason for one in runtime.ledger.incidents() if one.run_id == run_id)


def _print_standing(run: Run) -> None:
    say(f"{run.event.subject} {f'is closed: {ended(run)}' if run.status == 'closed' else 'waits for a decision'}.")


def _print_observation(observation: Mapping[str, Any]) -> None:
    if observation["kind"] != "verdict":  # it is the last line, with what became of it
        say_after("  ", observation["text"])


def edited(
    plan: Sequence[Mapping[str, Any]], edits: Sequence[str], drops: Sequence[int], catalogue: "Catalogue"
) -> list[dict[str, Any]]:
    """The plan with arguments set (STEP.ARGUMENT=VALUE) and steps left out; steps count from 1. Raises BadInput."""
    if not edits and not drops:
        raise BadInput("an edit must change something; give --set STEP.ARGUMENT=VALUE or --drop STEP")
    steps = [edited_step(action, action["args"]) for action in plan]
    for edit in edits:
        place, equals, value = edit.partition("=")
        number, dot, argument = place.partition(".")
        if not (equals and dot and number.isdecimal() and 1 <= int(number) <= len(steps)):
            raise BadInput(f"--set {edit}: write STEP.ARGUMENT=VALUE, with a step from 1 to {len(steps)}")
        args = steps[int(number) - 1]["args"]
        if argument not in args:
            raise BadInput(f"--set {edit}: step {number} has no argument {argument!r}; it has {', '.join(args)}")
        action = catalogue.get(steps[int(number) - 1]["name"])
        kind = action.args.get(argument, "text") if action else "text"
        args[argument] = typed(kind, value, args[argument])
        if refused := refusal(kind, args[argument], argument):
            raise BadInput(f"--set {edit}: {refused}")
    for step in drops:
        if not 1 <= step <= len(steps):
            raise BadInput(f"--drop {step}: the plan has steps 1 to {len(steps)}")
    return [step for number, step in enumerate(steps, start=1) if number not in drops]


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
        rows.append((run.run_id, run.event.subject, in_column(incident.at), unknown, incident.reason))
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
    if not restart and after.status != "running":
        _print_standing(after)
        return
    from graphs.runtime import open_runtime

    with open_runtime(settings()) as runtime:
        if restart:
            runtime.restart(after.run_id, by, reason)
        if stuck := _drive(runtime, after.run_id):
            say(f"{after.event.subject} is stuck again: {stuck}")


@app.command("close")
def close(run_id: RunId, reason: Reason) -> None:
    """Close a run for good, as the person who is signed in: what was done stays done, nothing more will be."""
    with open_ledger() as ledger:
        after = settle(ledger, run_id, "close", decider(ledger), reason, moment(""))
    say(f"{after.event.subject} is closed: {after.outcome!s}.")
