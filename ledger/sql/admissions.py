"""Changes of people in PostgreSQL: made at once where one person may, kept until a second confirms where not."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from errors import BadInput, Refused
from ledger import authorization, credentials, names, permissions
from ledger.admissions import (
    COMMAND_LINE,
    CONFIRMING,
    LASTS,
    Admission,
    AdmissionRequest,
    AdmissionResult,
    AdmissionStatus,
    check_confirmation,
    check_refusal,
    comes_to_trust,
    confirmers,
    takes_two,
)
from ledger.authorization import person_key
from ledger.records import Person
from ledger.sql import auth, chain, people
from ledger.sql.auth import Account
from ledger.tables import ADMISSIONS

_A = ADMISSIONS.c
_COLUMNS = (
    _A.admission_id, _A.kind, _A.name, _A.role, _A.customer_id, _A.account, _A.asked_by, _A.asked_at, _A.lapses_at,
)  # fmt: skip


def ask(tx: Connection, at: datetime, wanted: AdmissionRequest, by: str) -> AdmissionResult:
    """Change a person: at once where one may, and else when somebody confirms. `by` is an administrator, or the command line.

    BadInput for a change that cannot be; Refused to who may not.
    """
    _may_ask(tx, wanted, by)
    person = people.find(tx, wanted.name)
    _check(tx, wanted, person)
    if not takes_two(wanted, person) or (by == COMMAND_LINE and _alone(tx, wanted)):
        return _made(tx, wanted, by, "", at)
    lapsed = _lapse(tx, at)
    if open_about := [one for one in waiting(tx, at) if (one.kind, one.name) == (wanted.kind, wanted.name.strip())]:
        raise Refused(f"{open_about[0].asked_by} already requested this; confirm it, refuse it, or wait until it expires.")
    half = credentials.half_password() if _gets_password(tx, wanted, person) else ""
    admission = Admission(
        kind=wanted.kind, name=person.name if person else wanted.name.strip(), role=wanted.role,
        customer_id=wanted.customer_id, account=wanted.account, admission_id=f"a-{uuid.uuid4().hex[:12]}",
        asked_by=by, asked_at=at, lapses_at=at + LASTS,
    )  # fmt: skip
    if person_key(by) == person_key(admission.name):
        raise Refused(f"{by} may not ask for this about {by}: another administrator must.")
    tx.execute(ADMISSIONS.insert().values(**vars(admission), half=half, status="asked"))
    for one in lapsed:
        chain.append(tx, at, "admission_lapsed", "", _log_body(one, one.asked_by))
    chain.append(tx, at, "admission_asked", "", _log_body(admission, by))
    return AdmissionResult(person, half, admission)


def confirm(tx: Connection, at: datetime, admission_id: str, by: str) -> AdmissionResult:
    """Confirm what somebody else asked for. Refused to who asked, whom it is about, and who may not."""
    row = _open(tx, admission_id)
    admission = _admission(row)
    asker = people.find(tx, admission.asked_by)
    check_confirmation(admission, by, people.find(tx, by), asker, people.listed(tx), at)
    _settle(tx, admission, "confirmed", by, at)
    return _made(tx, admission, by, row.half, at)


def refuse(tx: Connection, at: datetime, admission_id: str, by: str) -> None:
    """Give up what was asked for about a person: whoever asked may, and everybody who could confirm it."""
    admission = _admission(_open(tx, admission_id))
    check_refusal(admission, by, people.find(tx, by), people.listed(tx))
    _settle(tx, admission, "refused", by, at)


def waiting(tx: Connection, at: datetime) -> list[Admission]:
    """What waits for a second person, the oldest first."""
    rows = tx.execute(select(*_COLUMNS).where(_A.status == "asked", _A.lapses_at >= at).order_by(_A.number))
    return [_admission(row) for row in rows]


def _must_not_take_two(tx: Connection, wanted: AdmissionRequest, by: str) -> None:
    """Refused where one person alone would do what takes two; who works at the command line is one, too."""
    person = people.find(tx, wanted.name)
    _keep_who_confirms(tx, wanted, person)
    if takes_two(wanted, person) and not (by == COMMAND_LINE and _alone(tx, wanted)):
        raise Refused(f"This requires two people: {by} requests it, and another person confirms it.")


def may_manage(tx: Connection, by: str, name: str = "") -> None:
    """Refused to who is no administrator, and about one's own `name`."""
    if by == COMMAND_LINE:
        return
    manager = permissions.require(people.find(tx, by), "manage_people")
    if name and people.find(tx, name) == manager:
        raise Refused(f"{manager.name} may not change the role of {manager.name}: another administrator must.")


def admit(
    tx: Connection, at: datetime, name: str, role: str, by: str = COMMAND_LINE, customer_id: str | None = None,
    account: bool = True,
) -> tuple[Person, str]:  # fmt: skip
    """Add a person or give them another role; `by` is an administrator, or the command line.

    With a one-time password for who has no local account yet (empty for who has, or is to have none). Refused to who is no
    administrator, for one's own role, and for what takes two people: see `ask`.
    """
    may_manage(tx, by, name)
    authorization.check_person(name, role, customer_id)
    _must_not_take_two(tx, AdmissionRequest(kind="role", name=name, role=role, customer_id=customer_id), by)
    person = people.add(tx, at, name, role, customer_id)
    wanted = account and not auth.has_account(tx, name)
    return person, auth.reset_password(tx, at, name, by) if wanted else ""


def give_one_time(tx: Connection, at: datetime, name: str, by: str = COMMAND_LINE) -> str:
    """A new one-time password for a local account, which is made if need be; sessions of it end."""
    may_manage(tx, by)
    if by != COMMAND_LINE:
        _must_not_take_two(tx, AdmissionRequest(kind="password", name=name), by)
    return auth.reset_password(tx, at, name, by)


def end_sessions(tx: Connection, at: datetime, name: str, by: str) -> int:
    """End every session of a person; how many there were."""
    may_manage(tx, by)
    return auth.end_sessions(tx, at, name, by)


def accounts(
    tx: Connection, at: datetime, by: str, text: str = "", offset: int = 0, limit: int = 50
) -> tuple[list[Account], int]:
    """A page of the people whose name has this text in it, by name, and how many there are in all."""
    may_manage(tx, by)
    return auth.accounts(tx, text, offset, limit, at)


def has_administrator(tx: Connection) -> bool:
    """Whether there is somebody who manages people."""
    return people.has_role(tx, "administrator")


def _may_ask(tx: Connection, wanted: AdmissionRequest, by: str) -> None:
    may_manage(tx, by, wanted.name if wanted.kind == "role" else "")


def _check(tx: Connection, wanted: AdmissionRequest, person: Person | None) -> None:
    if wanted.kind != "role":
        if person is None:
            raise BadInput(f"There is no person '{wanted.name}' in the ledger; add this person first.")
        return
    authorization.check_person(wanted.name, wanted.role, wanted.customer_id)
    _keep_who_confirms(tx, wanted, person)
    if person is None or not authorization.is_called(person, wanted.name):
        people.check_new(tx, wanted.name)
        alike = {names.skeleton(one): one for one in tx.execute(select(_A.name).where(_A.status == "asked")).scalars()}
        if (other := alike.get(names.skeleton(wanted.name))) and person_key(other) != person_key(wanted.name):
            raise BadInput(f"'{wanted.name.strip()}' looks like '{other}', who has already been requested; choose another name.")


def _keep_who_confirms(tx: Connection, wanted: AdmissionRequest, person: Person | None) -> None:
    """Refused where so few would be left who confirm that one person could do alone what takes two."""
    if wanted.kind != "role" or person is None or person.role not in CONFIRMING or wanted.role in CONFIRMING:
        return
    others = [one.name for one in people.listed(tx) if one.role in CONFIRMING and one.name != person.name]
    if len(others) < 2:
        raise Refused(
            f"{person.name} is one of the last two who can confirm changes of people: admit another supervisor, finance person "
            "or administrator first."
        )


def _alone(tx: Connection, wanted: AdmissionRequest) -> bool:
    """Whether nobody could confirm what the command line asks for: the first people of a ledger, a lost last password."""
    everybody = people.listed(tx)
    return not has_administrator(tx) or not confirmers(everybody, COMMAND_LINE, wanted.name)


def _gets_password(tx: Connection, wanted: AdmissionRequest, person: Person | None) -> bool:
    if wanted.kind == "password":
        return True
    needs = not auth.has_account(tx, wanted.name) or comes_to_trust(wanted, person)
    return wanted.kind == "role" and wanted.account and needs


def _made(tx: Connection, wanted: AdmissionRequest, by: str, half: str, at: datetime) -> AdmissionResult:
    before = people.find(tx, wanted.name)
    gets_password = _gets_password(tx, wanted, before)
    after = people.add(tx, at, wanted.name, wanted.role, wanted.customer_id) if wanted.kind == "role" else before
    if auth.has_account(tx, wanted.name) and (wanted.kind == "second_factor" or comes_to_trust(wanted, before)):
        auth.forget_factor(tx, at, wanted.name, by)
    return AdmissionResult(after, auth.reset_password(tx, at, wanted.name, by, half) if gets_password else "")


def _open(tx: Connection, admission_id: str) -> Row[*tuple[Any, ...]]:
    row = tx.execute(
        select(*_COLUMNS, _A.half).where(_A.admission_id == admission_id, _A.status == "asked").with_for_update()
    ).first()
    if row is None:
        raise Refused("The request is already settled or was never made; see what is waiting.")
    return row


def _admission(row: Row[*tuple[Any, ...]]) -> Admission:
    return Admission(**{column.name: getattr(row, column.name) for column in _COLUMNS})


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
