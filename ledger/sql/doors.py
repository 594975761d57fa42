"""Accounts and sessions in PostgreSQL: who comes in, and for how long."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from errors import BadInput
from ledger import passwords, rules
from ledger.canonical import clean
from ledger.records import Person
from ledger.sql import chain, people
from ledger.sql.rows import fields
from ledger.tables import ACCOUNTS, PEOPLE, SESSIONS

#: for which a one-time password signs in
ONE_TIME_DAYS = 7
#: wrong passwords in a row, after which an account waits; the wait doubles from then on
MOST_FAILURES = 5
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 30, 15 * 60


@dataclass(frozen=True)
class Knock:
    """What came of an attempt to sign in: a token, or why not."""

    token: str = ""
    refused: str = ""
    #: the password was right, is a one-time one, and another must be chosen with it
    choose: bool = False


#: "none": signs in nowhere; "one-time": a password of one's own is to be chosen yet; "lapsed": it was not, in time
AccountState = Literal["none", "one-time", "lapsed", "own"]


@dataclass(frozen=True)
class Account:
    """A person as those see them who manage people."""

    person: Person
    state: AccountState
    #: after wrong passwords; None when not
    locked_until: datetime | None
    #: that have not expired
    sessions: int
    #: when the latest of these sessions began
    signed_in_at: datetime | None


def accounts(tx: Connection, text: str, offset: int, limit: int, at: datetime) -> tuple[list[Account], int]:
    """A page of the people whose name has this text in it, by name, and how many there are in all."""
    live = (
        select(SESSIONS.c.key, func.count().label("sessions"), func.max(SESSIONS.c.started_at).label("signed_in_at"))
        .where(SESSIONS.c.expires_at > at)
        .group_by(SESSIONS.c.key)
        .subquery()
    )
    named = PEOPLE.c.name.icontains(clean(text).strip(), autoescape=True)
    rows = tx.execute(
        select(
            PEOPLE.c.name, PEOPLE.c.role, PEOPLE.c.customer_id,
            ACCOUNTS.c.key.is_not(None).label("known"), ACCOUNTS.c.one_time_until, ACCOUNTS.c.locked_until,
            live.c.sessions, live.c.signed_in_at,
        )
        .outerjoin_from(PEOPLE, ACCOUNTS, ACCOUNTS.c.key == PEOPLE.c.key)
        .outerjoin(live, live.c.key == PEOPLE.c.key)
        .where(named)
        .order_by(PEOPLE.c.key.collate("C"))
        .offset(offset)
        .limit(limit)
    )  # fmt: skip
    found = [_account(row, at) for row in rows]
    return found, tx.execute(select(func.count()).select_from(PEOPLE).where(named)).scalar_one()


def _account(row: Row[*tuple[Any, ...]], at: datetime) -> Account:
    state: AccountState = "own"
    if not row.known:
        state = "none"
    elif row.one_time_until is not None:
        state = "one-time" if at <= row.one_time_until else "lapsed"
    locked = row.locked_until if row.locked_until is not None and at < row.locked_until else None
    person = Person(name=row.name, role=row.role, customer_id=row.customer_id)
    return Account(person, state, locked, row.sessions or 0, row.signed_in_at)


def give_one_time(tx: Connection, name: str, by: str, at: datetime) -> str:
    """Make a local account, or reset its password; its sessions end. The one-time password is shown now and never again."""
    person = people.find(tx, name)
    if person is None:
        raise BadInput(f"There is no person '{name}' in the ledger: add this person first.")
    password, key = passwords.one_time(), rules.person_key(name)
    values = {
        "password_hash": passwords.hashed(password),
        "one_time_until": at + timedelta(days=ONE_TIME_DAYS),
        "failures": 0,
        "locked_until": None,
    }
    made = insert_or(ACCOUNTS).values(key=key, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["key"], set_=values))
    tx.execute(delete(SESSIONS).where(SESSIONS.c.key == key))
    chain.append(tx, at, "password_reset", "", {"name": person.name, "by": by})
    return password


def has_account(tx: Connection, name: str) -> bool:
    return tx.execute(select(ACCOUNTS.c.key).where(ACCOUNTS.c.key == rules.person_key(name))).first() is not None


def knock(tx: Connection, name: str, password: str, chosen: str | None, lasts: timedelta, at: datetime) -> Knock:
    """Sign in. Attempts on one account wait for each other; failures are counted, so this returns and does not raise."""
    key, account, refused = _opened(tx, name, password, at)
    if account is None:
        return Knock(refused=refused)
    if account.one_time_until is not None:
        if at > account.one_time_until:
            return Knock(refused="This one-time password has lapsed: ask an administrator for another.")
        if not chosen:
            return Knock(refused="This was a one-time password: choose one of your own.", choose=True)
        if chosen == password:
            return Knock(refused="Choose another password than the one-time one.", choose=True)
        try:
            passwords.check(chosen, name)
        except BadInput as error:
            return Knock(refused=str(error), choose=True)
        tx.execute(
            update(ACCOUNTS).where(ACCOUNTS.c.key == key).values(password_hash=passwords.hashed(chosen), one_time_until=None)
        )
    tx.execute(update(ACCOUNTS).where(ACCOUNTS.c.key == key).values(failures=0, locked_until=None))
    tx.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < at))
    token = secrets.token_urlsafe(32)
    tx.execute(SESSIONS.insert().values(digest=_digest(token), key=key, started_at=at, expires_at=at + lasts))
    chain.append(tx, at, "signed_in", "", {"name": name_of(tx, key)})
    return Knock(token=token)


def change(tx: Connection, name: str, password: str, chosen: str, at: datetime) -> str:
    """Put a password of one's own in place of another, and end every session of it. Why not, where it is refused."""
    key, account, refused = _opened(tx, name, password, at)
    if account is None:
        return refused
    try:
        passwords.check(chosen, name)
    except BadInput as error:
        return str(error)
    values = {"password_hash": passwords.hashed(chosen), "one_time_until": None, "failures": 0, "locked_until": None}
    tx.execute(update(ACCOUNTS).where(ACCOUNTS.c.key == key).values(**values))
    tx.execute(delete(SESSIONS).where(SESSIONS.c.key == key))
    chain.append(tx, at, "password_changed", "", {"name": name_of(tx, key)})
    return ""


def _opened(tx: Connection, name: str, password: str, at: datetime) -> tuple[str, Row[*tuple[Any, ...]] | None, str]:
    """The account that this password opens, locked for the transaction; or why it does not, with the failure counted."""
    key = rules.person_key(name) if clean(name).strip() else ""
    account = tx.execute(select(ACCOUNTS).where(ACCOUNTS.c.key == key).with_for_update()).first()
    if account is not None and account.locked_until is not None and at < account.locked_until:
        wait = int((account.locked_until - at).total_seconds()) + 1
        return key, None, f"Too many wrong passwords: wait {wait} seconds and try again."
    if passwords.matches(password, account.password_hash if account else None) and account is not None:
        return key, account, ""
    if account is not None:
        _count_failure(tx, key, account.failures + 1, at)
    return key, None, "The name or the password is not right."


def name_of(tx: Connection, key: str) -> str:
    found: str = tx.execute(select(PEOPLE.c.name).where(PEOPLE.c.key == key)).scalar_one()
    return found


def who(tx: Connection, token: str, at: datetime) -> Person | None:
    """Whose session this token is, with the role that they have now."""
    row = tx.execute(
        select(PEOPLE.c.name, PEOPLE.c.role, PEOPLE.c.customer_id)
        .join(SESSIONS, SESSIONS.c.key == PEOPLE.c.key)
        .where(SESSIONS.c.digest == _digest(token), SESSIONS.c.expires_at > at)
    ).first()
    return Person(**fields(row)) if row else None


def leave(tx: Connection, token: str, at: datetime) -> None:
    gone = tx.execute(delete(SESSIONS).where(SESSIONS.c.digest == _digest(token)).returning(SESSIONS.c.key)).first()
    if gone:
        chain.append(tx, at, "signed_out", "", {"name": name_of(tx, gone.key)})


def end_sessions(tx: Connection, name: str, by: str, at: datetime) -> int:
    """End every session of a person; how many there were."""
    ended = tx.execute(delete(SESSIONS).where(SESSIONS.c.key == rules.person_key(name)).returning(SESSIONS.c.expires_at)).all()
    if ended:
        chain.append(tx, at, "sessions_ended", "", {"name": name_of(tx, rules.person_key(name)), "by": by})
    return sum(row.expires_at > at for row in ended)


def _count_failure(tx: Connection, key: str, failures: int, at: datetime) -> None:
    locked_until = None
    if failures >= MOST_FAILURES:
        wait = min(FIRST_WAIT_SECONDS * 2 ** (failures - MOST_FAILURES), LONGEST_WAIT_SECONDS)
        locked_until = at + timedelta(seconds=wait)
    tx.execute(update(ACCOUNTS).where(ACCOUNTS.c.key == key).values(failures=failures, locked_until=locked_until))
    if locked_until is not None:
        chain.append(tx, at, "account_locked", "", {"name": name_of(tx, key), "failures": failures})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
