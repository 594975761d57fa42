"""`missions decide`: record a person's decision and do what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

import typer

from cli.screen import Reason, RunId, say, say_after
from cli.session import decider, open_ledger
from cli.show import ended
from errors import BadInput, Refused
from graphs.runtime import open_runtime
from ledger.records import DecisionKind
from nodes.check import what_follows
from settings import settings

KINDS: tuple[DecisionKind, ...] = get_args(DecisionKind)


def decide_run(
    run_id: RunId,
    kind: Annotated[str, typer.Argument(metavar="approve|edit|reject|respond|escalate")],
    reason: Reason,
    set_: Annotated[list[str] | None, typer.Option("--set", help="edit: STEP.ARGUMENT=VALUE, such as 1.to_location=DC-2")] = None,
    drop: Annotated[list[int] | None, typer.Option(help="edit: remove this step.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="approve: reject this part of the plan, such as an order.")] = None,
    queue_name: Annotated[str, typer.Option("--queue", help="escalate: to which queue.")] = "operations",
    digest: Annotated[str | None, typer.Option(help="Refuse if the waiting proposal does not have this digest.")] = None,
) -> None:
    """Decide as the person who is signed in, then drive the run on until it waits again or ends."""
    if kind not in KINDS:
        raise BadInput(f"{kind!r} is not a decision; choose one of {', '.join(KINDS)}")
    with open_ledger() as ledger:  # before the runtime, which takes its time
        by = decider(ledger)
    with open_runtime(settings()) as runtime:
        run = runtime.ledger.run(run_id)
        proposal = runtime.ledger.proposal(run.run_id)
        if proposal is None:
            raise Refused(f"run {run.run_id} has no proposal to decide; see `missions show {run.run_id}`")
        if kind != "edit" and (set_ or drop):
            raise BadInput(f"--set and --drop belong to an edit, not to {kind}")
        details: dict[str, Any] = {"remark": reason} if kind == "respond" else {"queue": queue_name} if kind == "escalate" else {}
        if kind == "edit":
            details["plan"] = edited(proposal.plan, set_ or [], drop or [])
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
        say(f"{by}: {kind} {run.event.subject} ({proposal.verdict}).")
        after = runtime.drive(run.run_id, _print_observation)
        if after.status == "closed":
            say(f"{run.event.subject}: {ended(after)}.")
        elif after.status == "waiting":
            say(f"{run.event.subject} is waiting for a decision again; see `missions show {run.run_id}`.")
        else:
            reasons = [incident.reason for incident in runtime.ledger.incidents() if incident.run_id == run.run_id]
            raise Refused(f"the decision is recorded, but the run is now an incident: {'; '.join(reasons)}")


def _print_observation(observation: Mapping[str, Any]) -> None:
    if observation["kind"] != "verdict":  # it is the last line, with what became of it
        say_after("  ", observation["text"])


def edited(plan: Sequence[Mapping[str, Any]], edits: Sequence[str], drops: Sequence[int]) -> list[dict[str, Any]]:
    """The plan with arguments set (STEP.ARGUMENT=VALUE) and steps left out; steps count from 1. Raises BadInput."""
    if not edits and not drops:
        raise BadInput("an edit must change something; give --set STEP.ARGUMENT=VALUE or --drop STEP")
    steps = [{**{key: action[key] for key in ("name", "for", "part", "cites")}, "args": dict(action["args"])} for action in plan]
    for edit in edits:
        place, equals, value = edit.partition("=")
        number, dot, argument = place.partition(".")
        if not (equals and dot and number.isdecimal() and 1 <= int(number) <= len(steps)):
            raise BadInput(f"--set {edit}: write STEP.ARGUMENT=VALUE, with a step from 1 to {len(steps)}")
        args = steps[int(number) - 1]["args"]
        if argument not in args:
            raise BadInput(f"--set {edit}: step {number} has no argument {argument!r}; it has {', '.join(args)}")
        args[argument] = int(value) if isinstance(args[argument], int) and value.lstrip("-").isdecimal() else value
    for step in drops:
        if not 1 <= step <= len(steps):
            raise BadInput(f"--drop {step}: the plan has steps 1 to {len(steps)}")
    return [step for number, step in enumerate(steps, start=1) if number not in drops]
