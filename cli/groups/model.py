"""`missions model`: the language model that the settings name."""

import typer

model = typer.Typer(no_args_is_help=True, help="The language model of MISSIONS_MODEL, which reasoners may ask.")


@model.callback()
def group() -> None:
    """The language model of MISSIONS_MODEL, which reasoners may ask."""


@model.command()
def check() -> None:
    """Ask the model one question without any case: whether it answers, in which way, how soon, and for how many tokens."""
    from cli.asking_model import check_model

    check_model()
