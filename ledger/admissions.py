"""Changes of people that take two: who may decide about money, and who says who may, is not for one person to say.

Somebody who manages people asks, somebody else confirms, and neither is whom it is about. Otherwise one administrator
could make two people and be four eyes, or take a password that is not theirs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from errors import Refused
from ledger import permissions
from ledger.authorization import person_key
from ledger.records import Person

AdmissionKind = Literal["role", "password", "second_factor"]
AdmissionStatus = Literal["asked", "confirmed", "refused", "lapsed"]

#: who works at the command line has the account of the machine, and no other
COMMAND_LINE = "the command line"
#: for which an admission can be confirmed
LASTS = timedelta(days=3)
#: who can confirm changes of people, in one company or another
CONFIRMING = frozenset({"supervisor", "finance", "administrator"})
#: who may decide, and who says who may
TRUSTED = frozenset({"reviewer", "supervisor", "finance", "administrator"})
#: who confirms where there is no other administrator
_OTHERWISE = ("supervisor", "finance")


@dataclass(frozen=True, kw_only=True)
class AdmissionRequest:
    """A change of a person: another role, a one-time password, no second factor any more."""

    kind: AdmissionKind
    name: str
    #: of the kind "role"
    role: str = ""
    customer_id: str | None = None
    #: whether the person is to have a local account, as nobody has who signs in at a provider
    account: bool = True


@dataclass(frozen=True, kw_only=True)
class Admission(AdmissionRequest):
    """A change that somebody asked for and nobody has confirmed yet."""

    admission_id: str
    asked_by: str
    asked_at: datetime
    lapses_at: datetime


@dataclass(frozen=True)
class AdmissionResult:
    """What came of a change."""

    person: Person | None
    #: what is shown now and never again: a one-time password, or half of one; empty where there is none
    one_time: str = ""
    #: that waits for a second person; None where the change is made
    waits: Admission | None = None


def takes_two(wanted: AdmissionRequest, person: Person | None) -> bool:
    """Whether one person alone may not make this change to `person`, as they are now."""
    if wanted.kind != "role":
        return person is not None and person.role in TRUSTED
    if person is not None and (person.role, person.customer_id) == (wanted.role, wanted.customer_id):
        return False
    return wanted.role in TRUSTED or (person is not None and person.role == "administrator")


def comes_to_trust(wanted: AdmissionRequest, person: Person | None) -> bool:
    """Whether somebody who is there gets a say: whoever knows their password until then must not have it."""
    return wanted.kind == "role" and wanted.role in TRUSTED and person is not None and person.role not in TRUSTED


def confirmers(people: Iterable[Person], asked_by: str, name: str) -> list[Person]:
    """Who may confirm: the other administrators; where there is none, who decides about the most."""
    out = {person_key(asked_by), person_key(name)}
    others = [person for person in people if person_key(person.name) not in out]
    administrators = [person for person in others if person.role == "administrator"]
    return administrators or [person for person in others if person.role in _OTHERWISE]


def check_confirmation(
    admission: Admission, by: str, person: Person | None, asker: Person | None, people: Iterable[Person], at: datetime
) -> None:
    """Raise Refused unless `by`, who is `person` in the ledger, may confirm now."""
    if at > admission.lapses_at:
        raise Refused(f"What was asked about {admission.name} has expired; make the request again.")
    if admission.asked_by != COMMAND_LINE:
        permissions.require(asker, "manage_people")
    may = confirmers(people, admission.asked_by, admission.name)
    if by == COMMAND_LINE:
        if may or admission.asked_by == COMMAND_LINE:
            raise _of_people(admission, may)
        return
    permissions.require(person, "confirm_people")
    if person not in may:
        raise Refused(
            f"{by} may not confirm what {admission.asked_by} asked about {admission.name}: "
            f"it takes a second person ({_names(may)})."
        )


def check_refusal(admission: Admission, by: str, person: Person | None, people: Iterable[Person]) -> None:
    """Raise Refused unless `by`, who is `person` in the ledger, may give it up: who asked, and everybody who could confirm."""
    if by != COMMAND_LINE:
        permissions.require(person, "confirm_people")
        return
    may = confirmers(people, admission.asked_by, admission.name)
    if may and admission.asked_by != COMMAND_LINE:
        raise _of_people(admission, may)


def _of_people(admission: Admission, may: Iterable[Person]) -> Refused:
    return Refused(f"What was asked about {admission.name} must be confirmed by {_names(may)}; sign in as one of them.")


def _names(people: Iterable[Person]) -> str:
    return " or ".join(sorted(person.name for person in people)) or "another person, whom the command line acts for"
