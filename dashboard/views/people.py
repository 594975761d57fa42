"""The people as rows of a table, and what is said about an account."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboard.text import plain, span, words
from ledger.admissions import Admission
from ledger.permissions import permissions
from ledger.records import Person
from ledger.sql.doors import Account

#: what each permission lets a person do, in the order in which it is told
_MAY = {
    "read": "see runs and their evidence",
    "decide": "decide about proposals",
    "settle_incident": "settle incidents",
    "search_audit": "read the audit log",
    "draft_policy": "draft policies",
    "put_policy_in_force": "put policies in force",
    "manage_people": "manage people",
    "confirm_people": "confirm who may decide",
    "write_in": "write in and follow the answer",
}


def row(account: Account, now: datetime) -> dict[str, Any]:
    """A row of the table."""
    signed_in = f"{span(now - account.signed_in_at)} ago" if account.signed_in_at else ""
    return {
        "Name": plain(account.person.name, 80),
        "Role": words(account.person.role),
        "Customer": plain(account.person.customer_id or "", 40),
        "Signs in with": state(account),
        "Signed in": signed_in,
    }


def state(account: Account) -> str:
    """How somebody signs in, and what stands in their way."""
    told = {
        "none": "nothing yet",
        "one-time": "one-time, unused",
        "lapsed": "one-time, lapsed",
        "own": "own password",
    }[account.state]
    return f"{told} and codes" if account.second_factor else told


def change(admission: Admission) -> str:
    """What somebody asked for, in a sentence."""
    if admission.kind == "role":
        of = f" of {admission.customer_id}" if admission.customer_id else ""
        return f"{plain(admission.name, 80)} is to be {words(admission.role)}{of}"
    if admission.kind == "password":
        return f"{plain(admission.name, 80)} is to have a new one-time password"
    return f"{plain(admission.name, 80)} is to have no second factor any more"


def allowed(role: str) -> str:
    """What a role may, in a sentence."""
    customer = "C" if role == "customer" else None
    may = permissions(Person(name="somebody", role=role, customer_id=customer))
    return f"May {listed([told for permission, told in _MAY.items() if permission in may])}."


def listed(things: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, (", ".join(things[:-1]), things[-1])))
