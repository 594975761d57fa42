"""`missions knowledge …`."""

from typing import Annotated

import typer

knowledge = typer.Typer(no_args_is_help=True, help="Enterprise Knowledge: the index of policy clauses.")


@knowledge.command("build")
def knowledge_build() -> None:
    """Build the index from the policies; only what changed is embedded again."""
    from cli.knowing import build_index

    build_index()


@knowledge.command("learn")
def knowledge_learn() -> None:
    """Learn what messages ask for from the phrasings, and keep it beside them for everybody (a minute)."""
    from cli.knowing import ship_phrasings

    ship_phrasings()


@knowledge.command("search")
def knowledge_search(
    query: str,
    k: Annotated[int, typer.Option(min=1, help="How many clauses.")] = 5,
    as_of: Annotated[str, typer.Option(help="A moment such as 2026-03-14T09:30:00Z; now unless given.")] = "",
) -> None:
    """Search the clauses in force as the Missions do."""
    from cli.knowing import search_index

    search_index(query, k, as_of)
