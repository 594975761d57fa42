"""`missions database …`."""

from pathlib import Path

import typer

database = typer.Typer(no_args_is_help=True, help="The database: roles, backup, restore.")


@database.command("roles")
def database_roles() -> None:
    """Make the database roles of reasoner, executor and dashboard, and grant them what they may write."""
    from cli.caring import make_roles

    make_roles()


@database.command("backup")
def database_backup(file: Path) -> None:
    """Write the whole database into a new file, while everybody goes on working."""
    from cli.caring import back_up

    back_up(file)


@database.command("restore")
def database_restore(file: Path) -> None:
    """Put a backup into the database, which must be empty."""
    from cli.caring import restore

    restore(file)
