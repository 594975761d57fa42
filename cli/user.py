"""`missions user`: who there is, what they may, and a first password for them."""

from typing import Annotated

import typer

from cli.opening import open_ledger
from cli.screen import say, table
from cli.signing import signed_in
from errors import Refused
from graphs.settings import settings
from ledger.desk import COMMAND_LINE, Desk
from ledger.permissions import Permission, require
from ledger.postgres import PostgresLedger

app = typer.Typer(no_args_is_help=True)

#: people that are listed
_AT_ONCE = 500
_STATES = {"none": "no password", "one-time": "one-time password", "lapsed": "one-time password lapsed", "own": "password"}


@app.command("add")
def add_person(
    name: str,
    role: Annotated[str, typer.Option(help="customer, analyst, reviewer, supervisor, finance, administrator or auditor")],
    customer_id: Annotated[str, typer.Option(help="customer: whose orders and messages they see, such as C-45130")] = "",
) -> None:
    """Add a person and print a one-time password, or change a person's role. Takes an administrator."""
    with open_ledger() as ledger:
        desk = Desk(ledger)
        by = manager(ledger, desk)
        person, one_time = desk.admit(name, role, by, customer_id or None, account=not settings().oidc_metadata_url)
    say(f"{person.name} is {person.role}{f' of {person.customer_id}' if person.customer_id else ''} now.")
    if one_time:
        _show(person.name, one_time)


@app.command("password")
def give_password(name: str) -> None:
    """Print a new one-time password for a person, whose sessions end. Takes an administrator, or a lost password of one."""
    with open_ledger() as ledger:
        desk = Desk(ledger)
        one_time = desk.give_one_time(name, manager(ledger, desk, name))
    _show(name, one_time)


@app.command("list")
def list_people() -> None:
    """The people and their roles."""
    with open_ledger() as ledger:
        found, total = Desk(ledger).accounts(COMMAND_LINE, limit=_AT_ONCE)
    elsewhere = "the provider" if settings().oidc_metadata_url else ""
    rows = [(one.person.name, one.person.role, one.person.customer_id or "", elsewhere or _STATES[one.state]) for one in found]
    table(("name", "role", "customer", "signs in with"), rows)
    if total > len(found):
        say(f"{total - len(found)} more: search for them on the dashboard, under People.")


def _show(name: str, one_time: str) -> None:
    say(f"One-time password of {name}, shown now and never again: {one_time}")
    say(f"It is good for 7 days: `missions sign-in {name}`, or on the dashboard.", style="dim")


def manager(ledger: PostgresLedger, desk: Desk, lost: str = "", what: Permission = "manage_people") -> str:
    """Who does this: the person who is signed in. The command line itself only where no administrator can be asked.

    That is in a ledger without one, where people sign in at a provider, and for an administrator whose password is
    `lost`: who has the account of the machine has the database too, and the audit log says that it was the command line.
    """
    if settings().oidc_metadata_url:
        return COMMAND_LINE
    person = signed_in(desk)
    if person is not None:
        return require(person, what).name
    owner = ledger.person(lost) if lost else None
    if not desk.has_administrator() or (owner is not None and owner.role == "administrator"):
        return COMMAND_LINE
    raise Refused(
        "people and event sources are managed by an administrator: sign in as one with `missions sign-in NAME` "
        "(a lost password of an administrator: `missions user password NAME`)"
    )
