"""`missions user`: who there is, what they may, and a first password for them."""

from typing import Annotated

import typer

from cli.screen import say, table
from cli.session import open_ledger, signed_in
from errors import BadInput, Refused
from ledger.admissions import COMMAND_LINE, Admission, AdmissionRequest, AdmissionResult
from ledger.authorization import person_key
from ledger.permissions import Permission, require
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from settings import settings

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
    """Add a person and print a one-time password, or change a person's role. Takes an administrator.

    Whoever may decide, and an administrator, is admitted by two people: one asks, another confirms.
    """
    with open_ledger() as ledger:
        desk = AdminService(ledger)
        wanted = AdmissionRequest(kind="role", name=name, role=role, customer_id=customer_id or None, account=_local())
        changed = desk.ask(wanted, manager(ledger, desk))
    if changed.waits:
        _show_waiting(changed)
        return
    assert changed.person is not None
    person = changed.person
    say(f"{person.name} is {person.role}{f' of {person.customer_id}' if person.customer_id else ''} now.")
    if changed.one_time:
        _show(person.name, changed.one_time)


@app.command("password")
def give_password(name: str) -> None:
    """Print a new one-time password for a person, whose sessions end. Takes an administrator, or a lost password of one.

    Of somebody who may decide, and of an administrator, it takes two people.
    """
    with open_ledger() as ledger:
        desk = AdminService(ledger)
        changed = desk.ask(AdmissionRequest(kind="password", name=name), manager(ledger, desk, name))
    _show_waiting(changed) if changed.waits else _show(name, changed.one_time)


@app.command("second-factor")
def forget_factor(name: str) -> None:
    """Forget the second factor of a person who has lost it; they add another when they sign in. Takes an administrator.

    Of somebody who may decide, and of an administrator, it takes two people.
    """
    with open_ledger() as ledger:
        desk = AdminService(ledger)
        changed = desk.ask(AdmissionRequest(kind="second_factor", name=name), manager(ledger, desk, name))
    _show_waiting(changed) if changed.waits else say(f"The second factor of {name} was removed.")


@app.command("confirm")
def confirm_change(name: str) -> None:
    """Confirm what somebody else asked for about a person. Takes a second administrator, or supervisor or finance without one."""
    with open_ledger() as ledger:
        desk = AdminService(ledger)
        by = _confirmer(desk)
        for admission in _about(desk, name):
            changed = desk.confirm(admission.admission_id, by)
            say(f"Confirmed: {told(admission)}.")
            if changed.one_time:
                say(f"Second half of the one-time password of {admission.name}, shown now and never again: {changed.one_time}")


@app.command("refuse")
def refuse_change(name: str) -> None:
    """Give up what was asked for about a person."""
    with open_ledger() as ledger:
        desk = AdminService(ledger)
        by = _confirmer(desk)
        for admission in _about(desk, name):
            desk.refuse(admission.admission_id, by)
            say(f"Refused: {told(admission)}.")


@app.command("waiting")
def list_waiting() -> None:
    """What was asked for about people, and waits for a second person."""
    with open_ledger() as ledger:
        found = AdminService(ledger).admissions()
    table(("change", "asked by", "until"), [(told(one), one.asked_by, f"{one.lapses_at:%d %b %H:%M} UTC") for one in found])


@app.command("list")
def list_people() -> None:
    """The people and their roles."""
    with open_ledger() as ledger:
        found, total = AdminService(ledger).accounts(COMMAND_LINE, limit=_AT_ONCE)
    elsewhere = "the provider" if settings().oidc_metadata_url else ""
    rows = [(one.person.name, one.person.role, one.person.customer_id or "", elsewhere or _STATES[one.state]) for one in found]
    table(("name", "role", "customer", "signs in with"), rows)
    if total > len(found):
        say(f"{total - len(found)} more: search for them on the dashboard, under People.")


def told(admission: Admission) -> str:
    """What is asked for."""
    if admission.kind == "role":
        return f"{admission.name} is to be {admission.role}"
    kind = "a new one-time password" if admission.kind == "password" else "no second factor any more"
    return f"{admission.name} is to have {kind}"


def _about(desk: AdminService, name: str) -> list[Admission]:
    found = [one for one in desk.admissions() if person_key(one.name) == person_key(name)]
    if not found:
        raise BadInput(f"no request about {name} is waiting; see `missions user waiting`")
    return found


def _confirmer(desk: AdminService) -> str:
    """Who is signed in; the command line where nobody is, which may stand in only for people that there are not."""
    person = None if settings().oidc_metadata_url else signed_in(desk)
    return person.name if person else COMMAND_LINE


def _local() -> bool:
    return not settings().oidc_metadata_url


def _show_waiting(changed: AdmissionResult) -> None:
    assert changed.waits is not None
    name = changed.waits.name
    say(f"{told(changed.waits)}: this needs a second person, who confirms it on the dashboard under People, or with")
    say(f"`missions user confirm {name}`, until {changed.waits.lapses_at:%d %b %H:%M} UTC.")
    if changed.one_time:
        say(f"First half of the one-time password of {name}, shown now and never again: {changed.one_time}")
        say("The person who confirms sees the second half. Each of you gives your half to the new user.", style="dim")


def _show(name: str, one_time: str) -> None:
    say(f"One-time password of {name}, shown now and never again: {one_time}")
    say(f"It is valid for 7 days: use `missions sign-in {name}` or the dashboard.", style="dim")


def manager(ledger: PostgresLedger, desk: AdminService, lost: str = "", what: Permission = "manage_people") -> str:
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
