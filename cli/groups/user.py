"""`missions user …`."""

from typing import Annotated

import typer

user = typer.Typer(no_args_is_help=True, help="The people: who may decide, look, manage, write in.")


@user.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help="customer, analyst, reviewer, supervisor, finance, administrator or auditor")],
    customer_id: Annotated[str, typer.Option(help="customer: whose orders and messages they see, such as C-45130")] = "",
) -> None:
    """Add a person and print a one-time password, or change a person's role. Takes an administrator."""
    from cli.people import add_person

    add_person(name, role, customer_id)


@user.command("password")
def user_password(name: str) -> None:
    """Print a new one-time password for a person, whose sessions end. Takes an administrator, or a lost password of one."""
    from cli.people import give_password

    give_password(name)


@user.command("list")
def user_list() -> None:
    """The people and their roles."""
    from cli.people import list_people

    list_people()
