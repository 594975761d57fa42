"""`missions user`: who there is, what they may, and a first password for them."""

from typing import Annotated

import typer

from cli.screen import in_column, say, table
from cli.session import manager, open_ledger, signed_in
from errors import BadInput
from ledger.admissions import Admission, AdmissionRequest, AdmissionResult
from ledger.authorization import person_key
from ledger.permissions import COMMAND_LINE
from ledger.services import AdminService
from rendering import clock
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
    account = not settings().oidc_metadata_url
    changed = _ask(AdmissionRequest(kind="role", name=name, role=role, customer_id=customer_id or None, account=account))
    if person := changed.person:
        say(f"{person.name} is {person.role}{f' of {person.customer_id}' if person.customer_id else ''} now.")
        _show(person.name, changed.one_time)


@app.command("password")
def give_password(name: str) -> None:
    """Print a new one-time password for a person, whose sessions end. Takes an administrator, or a lost password of one.

    Of somebody who may decide, and of an administrator, it takes two people.
    """
    changed = _ask(AdmissionRequest(kind="password", name=name), lost=name)
    if not changed.waits:
        _show(name, changed.one_time)


@app.command("second-factor")
def forget_factor(name: str) -> None:
    """Forget the second factor of a person who has lost it; they add another when they sign in. Takes an administrator.

    Of somebody who may decide, and of an administrator, it takes two people.
    """
    if not _ask(AdmissionRequest(kind="second_factor", name=name), lost=name).waits:
        say(f"The second factor of {name} was removed.")


@app.command("confirm")
def confirm_change(name: str) -> None:
    """Confirm what somebody else asked for about a person. Takes a second administrator, or supervisor or finance without one."""
    _settle(name, confirm=True)


@app.command("refuse")
def refuse_change(name: str) -> None:
    """Give up what was asked for about a person."""
    _settle(name, confirm=False)


@app.command("waiting")
def list_waiting() -> None:
    """What was asked for about people, and waits for a second person."""
    with open_ledger() as ledger:
        found = AdminService(ledger).admissions()
    table(("change", "asked by", "until"), [(described(one), one.asked_by, in_column(one.lapses_at)) for one in found])


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


def described(admission: Admission) -> str:
    """What is asked for."""
    if admission.kind == "role":
        return f"{admission.name} is to be {admission.role}"
    kind = "a new one-time password" if admission.kind == "password" else "no second factor any more"
    return f"{admission.name} is to have {kind}"


def _settle(name: str, *, confirm: bool) -> None:
    """As who is signed in; as the command line where nobody is, which may stand in only for people that there are not."""
    with open_ledger() as ledger:
        desk = AdminService(ledger)
        person = None if settings().oidc_metadata_url else signed_in(desk)
        by = person.name if person else COMMAND_LINE
        found = [one for one in desk.admissions() if person_key(one.name) == person_key(name)]
        if not found:
            raise BadInput(f"no request about {name} is waiting; see `missions user waiting`")
        for one in found:
            if not confirm:
                desk.refuse(one.admission_id, by)
                say(f"Refused: {described(one)}.")
                continue
            changed = desk.confirm(one.admission_id, by)
            say(f"Confirmed: {described(one)}.")
            if changed.one_time:
                say(f"Second half of the one-time password of {one.name}, shown now and never again: {changed.one_time}")


def _ask(wanted: AdmissionRequest, lost: str = "") -> AdmissionResult:
    """What becomes of a request; who has to confirm it, if it waits, is printed. See `manager`."""
    with open_ledger() as ledger:
        changed = AdminService(ledger).ask(wanted, manager(ledger, lost))
    if waiting := changed.waits:
        say(f"{described(waiting)}: this needs a second person, who confirms it on the dashboard under People, or with")
        say(f"`missions user confirm {waiting.name}`, until {clock(waiting.lapses_at)}.")
        if changed.one_time:
            say(f"First half of the one-time password of {waiting.name}, shown now and never again: {changed.one_time}")
            say("The person who confirms sees the second half. Each of you gives your half to the new user.", style="dim")
    return changed


def _show(name: str, one_time: str) -> None:
    if one_time:
        say(f"One-time password of {name}, shown now and never again: {one_time}")
        say(f"It is valid for 7 days: use `missions sign-in {name}` or the dashboard.", style="dim")
