"""`missions incident …`."""

from typing import Annotated

import typer

incident = typer.Typer(no_args_is_help=True, help="Runs that cannot go on by themselves, and the ways out.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@incident.command("list")
def incident_list(as_json: Json = False) -> None:
    """What is stuck and why, and which step is in doubt."""
    from cli.incidents import list_incidents

    list_incidents(as_json)


@incident.command("retry")
def incident_retry(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    reason: Annotated[str, typer.Option(help="What was mended; kept in the audit log.")],
    step: Annotated[str, typer.Option(help="Of the step in doubt, as you found it in its system: done or failed.")] = "",
    anew: Annotated[bool, typer.Option("--anew", help="From the beginning, with the pack and policies of today.")] = False,
) -> None:
    """Let a run go on, as the person who is signed in."""
    from cli.incidents import retry

    retry(run_id, reason, step, anew)


@incident.command("close")
def incident_close(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
) -> None:
    """Close a run for good, as the person who is signed in: what was done stays done, nothing more will be."""
    from cli.incidents import close

    close(run_id, reason)
