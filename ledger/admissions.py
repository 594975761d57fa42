"""Changes of people that take two: who may decide about money, and who says who may, is not for one person to say.

Somebody who manages people asks, somebody else confirms, and neither is whom it is about. Otherwise one administrator
could make two people and be four eyes, or take a password that is not theirs. What one person may change is made at once.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, select, update

from errors import BadInput, Refused
from ledger import authorization, credentials, names
from ledger.authorization import person_key
from ledger.permissions import COMMAND_LINE
from ledger.records import Person
from ledger.sql import auth, chain, people
from ledger.sql.rows import AnyRow, fields
from ledger.tables import ADMISSIONS

AdmissionKind = Literal["role", "password", "second_factor"]
AdmissionStatus = Literal["asked", "confirmed", "refused", "lapsed"]

#: for which an admission can be confirmed
LASTS = timedelta(days=3)
#: who can confirm changes of people, in one company or another
CONFIRMING = frozenset({"supervisor", "finance", "administrator"})
#: who may decide, and who says who may
TRUSTED = frozenset({"reviewer", "supervisor", "finance", "administrator"})


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


_A = ADMISSIONS.c
_COLUMNS = [_A[name] for name in Admission.__dataclass_fields__]


def ask(tx: Connection, at: datetime, wanted: AdmissionRequest, by: str) -> AdmissionResult:
    """Change a person: at once where one may, and else when somebody confirms. `by` is an administrator, or the command line.

    BadInput for a change that cannot be; Refused to who may not.
    """
    manager, person = people.require_manager(tx, by), people.find(tx, wanted.name)
    if wanted.kind == "role" and manager is not None and manager == person:
        raise Refused(f"{manager.name} may not change the role of {manager.name}: another administrator must.")
    _check(tx, wanted, person)
    if not _takes_two(wanted, person) or (by == COMMAND_LINE and _nobody_confirms(tx, wanted)):
        return _made(tx, wanted, by, "", at)
    lapsed = _lapse(tx, at)
    if open_about := [one for one in waiting(tx, at) if (one.kind, one.name) == (wanted.kind, wanted.name.strip())]:
        raise Refused(f"{open_about[0].asked_by} already requested this; confirm it, refuse it, or wait until it expires.")
    half = credentials.half_password() if _gets_password(tx, wanted, person) else ""
    named = {**vars(wanted), "name": person.name if person else wanted.name.strip()}
    admission = Admission(**named, admission_id=f"a-{uuid.uuid4().hex[:12]}", asked_by=by, asked_at=at, lapses_at=at + LASTS)
    if person_key(by) == person_key(admission.name):
        raise Refused(f"{by} may not ask for this about {by}: another administrator must.")
    tx.execute(ADMISSIONS.insert().values(**vars(admission), half=half, status="asked"))
    for one in lapsed:
        chain.append(tx, at, "admission_lapsed", "", _log_body(one, one.asked_by))
    chain.append(tx, at, "admission_asked", "", _log_body(admission, by))
    return AdmissionResult(person, half, admission)


def confirm(tx: Connection, at: datetime, admission_id: str, by: str) -> AdmissionResult:
    """Confirm what somebody else asked for. Refused to who asked, whom it is about, and who may not, and after its time."""
    row = _open(tx, admission_id)
    admission = _admission(row)
    if at > admission.lapses_at:
        raise Refused(f"What was asked about {admission.name} has expired; make the request again.")
    if admission.asked_by != COMMAND_LINE:
        people.require(tx, admission.asked_by, "manage_people")
    may = _confirmers(tx, admission.asked_by, admission.name)
    if by == COMMAND_LINE:
        if may or admission.asked_by == COMMAND_LINE:
            raise _of_people(admission, may)
    elif people.require(tx, by, "confirm_people") not in may:
        raise Refused(
            f"{by} may not confirm what {admission.asked_by} asked about {admission.name}: "
            f"it takes a second person ({_names(may)})."
        )
    _settle(tx, admission, "confirmed", by, at)
    return _made(tx, admission, by, row.half, at)


def refuse(tx: Connection, at: datetime, admission_id: str, by: str) -> None:
    """Give up what was asked for about a person: whoever asked may, and everybody who could confirm it."""
    admission = _admission(_open(tx, admission_id))
    if by != COMMAND_LINE:
        people.require(tx, by, "confirm_people")
    elif (may := _confirmers(tx, admission.asked_by, admission.name)) and admission.asked_by != COMMAND_LINE:
        raise _of_people(admission, may)
    _settle(tx, admission, "refused", by, at)


def waiting(tx: Connection, at: datetime) -> list[Admission]:
    """What waits for a second person, the oldest first."""
    rows = tx.execute(select(*_COLUMNS).where(_A.status == "asked", _A.lapses_at >= at).order_by(_A.number))
    return [_admission(row) for row in rows]


def admit(
    tx: Connection, at: datetime, name: str, role: str, by: str = COMMAND_LINE, customer_id: str | None = None,
    account: bool = True,
) -> tuple[Person, str]:  # fmt: skip
    """Add a person or give them another role; `by` is an administrator, or the command line.

    With a one-time password for who has no local account yet (empty for who has, or is to have none). Refused to who is no
    administrator, for one's own role, and for what takes two people: see `ask`.
    """
    wanted = AdmissionRequest(kind="role", name=name, role=role, customer_id=customer_id, account=account)
    made = _at_once(ask(tx, at, wanted, by), by)
    assert made.person is not None
    return made.person, made.one_time


def give_one_time(tx: Connection, at: datetime, name: str, by: str = COMMAND_LINE) -> str:
    """A new one-time password for a local account, which is made if need be; sessions of it end."""
    if by == COMMAND_LINE:
        return auth.reset_password(tx, at, name, by)
    return _at_once(ask(tx, at, AdmissionRequest(kind="password", name=name), by), by).one_time


def _check(tx: Connection, wanted: AdmissionRequest, person: Person | None) -> None:
    """BadInput for a change that cannot be; Refused where it would leave so few who confirm that one could do it all alone."""
    if wanted.kind != "role":
        if person is None:
            raise BadInput(f"There is no person '{wanted.name}' in the ledger; add this person first.")
        return
    authorization.check_person(wanted.name, wanted.role, wanted.customer_id)
    if person is not None and person.role in CONFIRMING and wanted.role not in CONFIRMING:
        others = [one.name for one in people.listed(tx) if one.role in CONFIRMING and one.name != person.name]
        if len(others) < 2:
            raise Refused(
                f"{person.name} is one of the last two who can confirm changes of people: admit another supervisor, finance "
                "person or administrator first."
            )
    if person is None or not authorization.is_called(person, wanted.name):
        people.check_new(tx, wanted.name)
        alike = {names.skeleton(one): one for one in tx.execute(select(_A.name).where(_A.status == "asked")).scalars()}
        if (other := alike.get(names.skeleton(wanted.name))) and person_key(other) != person_key(wanted.name):
            raise BadInput(f"'{wanted.name.strip()}' looks like '{other}', who has already been requested; choose another name.")


def _takes_two(wanted: AdmissionRequest, person: Person | None) -> bool:
    """Whether one person alone may not make this change to `person`, as they are now."""
    if wanted.kind != "role":
        return person is not None and person.role in TRUSTED
    if person is not None and (person.role, person.customer_id) == (wanted.role, wanted.customer_id):
        return False
    return wanted.role in TRUSTED or (person is not None and person.role == "administrator")


def _comes_to_trust(wanted: AdmissionRequest, person: Person | None) -> bool:
    """Whether somebody who is there gets a say: whoever knows their password until then must not have it."""
    return wanted.kind == "role" and wanted.role in TRUSTED and person is not None and person.role not in TRUSTED


def _confirmers(tx: Connection, asked_by: str, name: str) -> list[Person]:
    """Who may confirm: the other administrators; where there is none, who decides about the most."""
    out = {person_key(asked_by), person_key(name)}
    others = [person for person in people.listed(tx) if person_key(person.name) not in out]
    administrators = [person for person in others if person.role == "administrator"]
    return administrators or [person for person in others if person.role in ("supervisor", "finance")]


def _nobody_confirms(tx: Connection, wanted: AdmissionRequest) -> bool:
    """Of what the command line asks for: the first people of a ledger, a lost last password."""
    return not people.has_administrator(tx) or not _confirmers(tx, COMMAND_LINE, wanted.name)


def _at_once(changed: AdmissionResult, by: str) -> AdmissionResult:
    """Refused where one person alone would do what takes two."""
    if changed.waits is not None:
        raise Refused(f"This requires two people: {by} requests it, and another person confirms it.")
    return changed


def _of_people(admission: Admission, may: Iterable[Person]) -> Refused:
    return Refused(f"What was asked about {admission.name} must be confirmed by {_names(may)}; sign in as one of them.")


def _names(people: Iterable[Person]) -> str:
    return " or ".join(sorted(person.name for person in people)) or "another person, whom the command line acts for"


def _gets_password(tx: Connection, wanted: AdmissionRequest, person: Person | None) -> bool:
    if wanted.kind == "password":
        return True
    needs = not auth.has_account(tx, wanted.name) or _comes_to_trust(wanted, person)
    return wanted.kind == "role" and wanted.account and needs


def _made(tx: Connection, wanted: AdmissionRequest, by: str, half: str, at: datetime) -> AdmissionResult:
    before = people.find(tx, wanted.name)
    gets_password = _gets_password(tx, wanted, before)
    after = people.add(tx, at, wanted.name, wanted.role, wanted.customer_id) if wanted.kind == "role" else before
    if auth.has_account(tx, wanted.name) and (wanted.kind == "second_factor" or _comes_to_trust(wanted, before)):
        auth.forget_factor(tx, at, wanted.name, by)
    return AdmissionResult(after, auth.reset_password(tx, at, wanted.name, by, half) if gets_password else "")


def _open(tx: Connection, admission_id: str) -> AnyRow:
    row = tx.execute(
        select(*_COLUMNS, _A.half).where(_A.admission_id == admission_id, _A.status == "asked").with_for_update()
    ).first()
    if row is None:
        raise Refused("The request is already settled or was never made; see what is waiting.")
    return row


def _admission(row: AnyRow) -> Admission:
    return Admission(**fields(row, "half"))


def _settle(tx: Connection, admission: Admission, status: AdmissionStatus, by: str, at: datetime) -> None:
    settled = {"status": status, "settled_by": by, "settled_at": at, "half": ""}
    tx.execute(update(ADMISSIONS).where(_A.admission_id == admission.admission_id).values(**settled))
    chain.append(tx, at, f"admission_{status}", "", {**_log_body(admission, by), "asked_by": admission.asked_by})


def _lapse(tx: Connection, at: datetime) -> list[Admission]:
    gone = update(ADMISSIONS).where(_A.status == "asked", _A.lapses_at < at)
    lapsed = gone.values(status="lapsed", settled_at=at, half="").returning(*_COLUMNS)
    return [_admission(row) for row in tx.execute(lapsed)]


def _log_body(admission: Admission, by: str) -> dict[str, str]:
    asked = {"kind": admission.kind, "name": admission.name, "role": admission.role, "by": by}
    return {**asked, "admission_id": admission.admission_id}
