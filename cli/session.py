"""The ledger alone, for commands that need no more, and who is at the command line (`missions sign-in`, `sign-out`).

A session is in a file that only this account can read.
"""

import getpass
import os
import sys
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import typer

from cli.screen import say
from errors import BadInput, Refused
from graphs.ledgers import open_front
from ledger import credentials
from ledger.permissions import COMMAND_LINE, Permission, require
from ledger.postgres import PostgresLedger
from ledger.records import Person
from ledger.services import AdminService
from ledger.sql.auth import SignInResult
from settings import Settings, settings


def open_ledger() -> AbstractContextManager[PostgresLedger]:
    """The ledger of the settings, migrated."""
    return open_front(settings())


def sign_in(name: str) -> None:
    """Ask for the password, without an echo, and keep the session. A one-time password asks for one of one's own."""
    chosen = settings()
    if chosen.oidc_metadata_url:
        raise Refused(
            "people sign in at the provider of MISSIONS_OIDC_METADATA_URL, which the command line cannot: use the dashboard"
        )
    with open_ledger() as ledger:
        desk, lasts = AdminService(ledger), timedelta(hours=chosen.session_hours)
        password = chosen.password.get_secret_value() or _ask(f"Password of {name}: ", "set MISSIONS_PASSWORD")
        roles = chosen.second_factor_roles
        knock = desk.sign_in(name, password, lasts, second_factor=roles)
        if knock.choose:
            say("This was a one-time password: choose one of your own, of at least 12 characters.")
            own = _ask("New password: ")
            if _ask("The same again: ") != own:
                raise BadInput("the two passwords differ: sign in again")
            knock = desk.sign_in(name, password, lasts, own, second_factor=roles)
            password = own if knock.code else password
        if knock.code:
            knock = desk.sign_in(name, password, lasts, code=_code(knock, name), second_factor=roles)
        if not knock.token:
            raise Refused(knock.refused[:1].lower() + knock.refused[1:].rstrip("."))
        _end(desk, chosen)
        keep(knock.token, chosen)
        person = desk.who(knock.token)
    assert person is not None
    say(f"{person.name} ({person.role}) is signed in for {chosen.session_hours:g} hours.")


def sign_out() -> None:
    """End the session and forget it."""
    chosen = settings()
    if not _file(chosen).exists():
        say("No one is signed in.")
        return
    with open_ledger() as ledger:
        _end(AdminService(ledger), chosen)
    say("Signed out.")


def signed_in(desk: AdminService) -> Person | None:
    """The person who is signed in here, as the ledger has them now; None where nobody is, or not any more."""
    chosen = settings()
    token = _kept(chosen)
    return desk.who(token, chosen.second_factor_roles) if token else None


def decider(ledger: PostgresLedger) -> str:
    """Who is signed in here. Raises Refused with the way in."""
    person = signed_in(AdminService(ledger))
    if person is None:
        raise Refused("no one is signed in, or the session has ended; run `missions sign-in NAME` first")
    return person.name


def manager(ledger: PostgresLedger, lost: str = "", what: Permission = "manage_people") -> str:
    """Who does this: the person who is signed in. The command line itself only where no administrator can be asked.

    That is in a ledger without one, where people sign in at a provider, and for an administrator whose password is
    `lost`: who has the account of the machine has the database too, and the audit log says that it was the command line.
    """
    if settings().oidc_metadata_url:
        return COMMAND_LINE
    desk = AdminService(ledger)
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


def keep(token: str, chosen: Settings) -> None:
    """Keep a session for this account of the machine, in a file of mode 600."""
    file = _file(chosen)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # another's file, or a link, would keep its owner and mode
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(token)


def _kept(chosen: Settings) -> str:
    file = _file(chosen)
    try:
        if sys.platform != "win32" and file.stat().st_mode & 0o077:
            raise Refused(f"others can read {file}: remove it, then `missions sign-in NAME`")
        return file.read_text().strip()
    except FileNotFoundError:
        return ""


def _end(desk: AdminService, chosen: Settings) -> None:
    if token := _kept(chosen):
        desk.sign_out(token)
        _file(chosen).unlink()


def _file(chosen: Settings) -> Path:
    return chosen.home / f"session-{getpass.getuser() if sys.platform == 'win32' else os.getuid()}"


def _ask(prompt: str, otherwise: str = "sign in at one") -> str:
    if not sys.stdin.isatty():
        raise BadInput(f"there is no terminal to ask for «{prompt.rstrip(': ')}»: {otherwise}")
    return getpass.getpass(prompt)


def _code(knock: SignInResult, name: str) -> str:
    """Ask for the code of the second factor, which an app gets here if need be."""
    if knock.secret:
        say("You sign in with a second factor from now on. Add this to an app for codes (TOTP):")
        typer.echo(credentials.totp_address(knock.secret, name, settings().brand_name))  # whole, however wide the terminal is
    return _ask("Code of your app: ")
