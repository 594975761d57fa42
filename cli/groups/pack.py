"""`missions pack …`."""

from typing import Annotated

import typer

pack = typer.Typer(no_args_is_help=True, help="Mission packs: what Missions read, find, may do and end in, as data.")


@pack.command("validate")
def pack_validate(target: Annotated[str, typer.Argument(metavar="FILE", help="The file of a pack.")]) -> None:
    """Load a pack as the Missions do: what it is, and hints; or the first mistake, with its place and remedy."""
    from cli.packing import validate_pack

    validate_pack(target)


@pack.command("show")
def pack_show(
    target: Annotated[str, typer.Argument(metavar="NAME", help="A mission, or the file of a pack.")],
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart instead.")] = False,
) -> None:
    """A picture of a Mission: how it flows, what it reads, finds, may do and ends in, and who approves."""
    from cli.packing import show_pack

    show_pack(target, mermaid)


@pack.command("diff")
def pack_diff(
    one: Annotated[str, typer.Argument(metavar="A", help="A mission, or the file of a pack.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one; without it, A is compared with the loaded pack.")] = "",
) -> None:
    """What changed from one pack to another, in findings, options, verdicts, guards and approval."""
    from cli.packing import diff_packs

    diff_packs(one, other)
