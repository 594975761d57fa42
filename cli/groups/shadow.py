"""`missions shadow …`."""

from pathlib import Path
from typing import Annotated

import typer

shadow = typer.Typer(no_args_is_help=True, help="Another version beside the live one: it reads, and never writes.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@shadow.command("run")
def shadow_run(
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
    from cli.shadowing import require_one, run

    require_one(follow, last)
    run(name, set_ or [], policies, packs, as_of, last)


@shadow.command("report")
def shadow_report(name: str, as_json: Json = False) -> None:
    """How a shadow agrees with the live version, and with what people decided."""
    from cli.shadowing import show

    show(name, as_json)
