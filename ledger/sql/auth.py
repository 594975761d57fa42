"""Accounts and sessions in PostgreSQL: who comes in, and for how long."""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from errors import BadInput
from ledger import credentials
from ledger.authorization import person_key
from ledger.canonical import clean, moment
from ledger.records import Person
from ledger.sql import attempts, chain, people
from ledger.sql.attempts import HERE, Attempt, SignInOrigin, digest
from ledger.sql.rows import AnyRow, fields, statements
from ledger.tables import ACCOUNTS, PEOPLE, SESSIONS, Moment

_ACCOUNTS = statements("queries")["accounts"].columns(one_time_until=Moment, signed_in_at=Moment)
#: for which a one-time password signs in
ONE_TIME_DAYS = 7
#: whatever was wrong: an unknown name, a wrong password, too many tries
WRONG = "The name or the password is not right."


@dataclass(frozen=True)
class SignInResult:
    """What came of an attempt to sign in: a token, or why not."""

    token: str = ""
    refused: str = ""
    #: the password was right, is a one-time one, and another must be chosen with it
    choose: bool = False
    #: the password was right, and a code must come with it: of an app that has the secret, or is to get it (`secret`)
    code: bool = False
    secret: str = ""
    #: by which this browser is known from now on
    device: str = ""


#: "none": signs in nowhere; "one-time": a password of one's own is to be chosen yet; "lapsed": it was not, in time
AccountState = Literal["none", "one-time", "lapsed", "own"]


@dataclass(frozen=True)
class Account:
    """A person as those see them who manage people."""

    person: Person
    state: AccountState
    #: whether codes of an app are asked for
    second_factor: bool
    #: that have not expired
    sessions: int
    #: when the latest of these sessions began
    signed_in_at: datetime | None


def accounts(
    tx: Connection, at: datetime, by: str, text: str = "", offset: int = 0, limit: int = 50
) -> tuple[list[Account], int]:
    """A page of the people whose name has this text in it, by name, and how many there are in all.

    Refused to who does not manage people.
    """
    people.require_manager(tx, by)
    named = clean(text).strip()
    rows = tx.execute(_ACCOUNTS, {"text": named, "offset": offset, "limit": limit, "at": at})
    found = [_account(row, at) for row in rows]
    return found, tx.scalar(select(func.count()).where(func.strpos(func.lower(PEOPLE.c.name), func.lower(named)) > 0)) or 0


def _account(row: AnyRow, at: datetime) -> Account:
    state: AccountState = "own"
    if not row.known:
        state = "none"
    elif row.one_time_until is not None:
        state = "one-time" if at <= row.one_time_until else "lapsed"
    person = Person(name=row.name, role=row.role, customer_id=row.customer_id)
    return Account(person, state, row.factor_step is not None, row.sessions, row.signed_in_at)


def reset_password(tx: Connection, at: datetime, name: str, by: str, half: str = "") -> str:
    """Make a local account, or reset its password; its sessions end. What is shown now and never again.

    That is the one-time password; where somebody has its first `half`, the other, so that nobody knows it alone.
    Raises BadInput for nobody of the ledger.
    """
    person = people.find(tx, name)
    if person is None:
        raise BadInput(f"There is no person '{name}' in the ledger; add this person first.")
    secret, key = credentials.half_password() if half else credentials.one_time_password(), person_key(name)
    values = {
        "password_hash": credentials.hash_password(f"{half}-{secret}" if half else secret),
        "one_time_until": at + timedelta(days=ONE_TIME_DAYS),
    }
    made = insert_or(ACCOUNTS).values(key=key, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["key"], set_=values))
    tx.execute(delete(SESSIONS).where(SESSIONS.c.key == key))
    chain.append(tx, at, "password_reset", "", {"name": person.name, "by": by})
    return secret


def has_account(tx: Connection, name: str) -> bool:
    """Whether there is a local account of this name."""
    return tx.execute(select(ACCOUNTS.c.key).where(ACCOUNTS.c.key == person_key(name))).first() is not None


def sign_in(
    tx: Connection, at: datetime, name: str, password: str, lasts: timedelta, chosen: str | None = None, *,
    code: str = "", origin: SignInOrigin = HERE, second_factor: Collection[str] = (),
) -> SignInResult:  # fmt: skip
    """Try to sign in for a while. `chosen` is one's own password in place of a one-time one.

    `second_factor`: the roles that take one, for which a `code` comes too. Failures are counted, so this returns and does
    not raise.
    """
    key, attempt = _key(name), attempts.begin(tx, _key(name), origin, at)
    account = _opened(tx, key, password, attempt, at)
    if account is None:
        return SignInResult(refused=WRONG)
    changes: list[str] = []
    refused = None
    if account.one_time_until is not None:
        refused = _chosen(tx, account, password, chosen or "", at)
        changes += ["password_changed"] if refused is None else []
    if refused is None and (account.factor_step is not None or account.role in second_factor):
        refused = _coded(tx, account, code, attempt, changes, at)
    if refused is not None:
        _tell(tx, account.name, changes, at)
        return refused
    attempts.succeeded(tx, attempt, at)
    tx.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < at))
    token, device = secrets.token_urlsafe(32), attempts.remember(tx, key, origin.device, at)
    session = {"digest": digest(token), "key": key, "started_at": at, "expires_at": at + lasts}
    tx.execute(SESSIONS.insert().values(**session))
    _tell(tx, account.name, changes, at)
    details = {"session": session["digest"], "device": f"{digest(device)} {key}", "until": moment(at + lasts).isoformat()}
    chain.append(tx, at, "signed_in", "", {"name": account.name, **details})
    return SignInResult(token=token, device=device)


def _tell(tx: Connection, name: str, changes: Iterable[str], at: datetime) -> None:
    """The log of changes to an account: last, for whoever has its turn waits for nobody."""
    for kind in changes:
        chain.append(tx, at, kind, "", {"name": name})


def _chosen(tx: Connection, account: AnyRow, one_time: str, chosen: str, at: datetime) -> SignInResult | None:
    """Put one's own password in place of a one-time one; what is in the way of it."""
    if at > account.one_time_until:
        return SignInResult(refused="This one-time password has lapsed: ask an administrator for another.")
    if not chosen:
        return SignInResult(refused="This was a one-time password: choose one of your own.", choose=True)
    if chosen == one_time:
        return SignInResult(refused="Choose another password than the one-time one.", choose=True)
    refused = _set_password(tx, account, chosen)
    return SignInResult(refused=refused, choose=True) if refused else None


def _set_password(tx: Connection, account: AnyRow, chosen: str) -> str:
    """Give an account a password of one's own. A sentence where it is refused, else nothing."""
    try:
        credentials.check_password(chosen, account.name)
    except BadInput as error:
        return str(error)
    values = {"password_hash": credentials.hash_password(chosen), "one_time_until": None}
    tx.execute(update(ACCOUNTS).where(ACCOUNTS.c.key == account.key).values(**values))
    return ""


def _coded(tx: Connection, account: AnyRow, code: str, attempt: Attempt, changes: list[str], at: datetime) -> SignInResult | None:
    """Use up the code of the second factor; what is in the way of it. The first code that is right proves the app."""
    of_this = update(ACCOUNTS).where(ACCOUNTS.c.key == account.key)
    secret, proven = account.factor_secret, account.factor_step is not None
    if secret is None:
        secret = credentials.new_totp_secret()
        tx.execute(of_this.values(factor_secret=secret))
        changes.append("second_factor_shown")
    shown = "" if proven else secret
    if not code:
        wanted = (
            "Type the code of your app." if proven else "You sign in with a second factor: add it to an app, and type its code."
        )
        return SignInResult(refused=wanted, code=True, secret=shown)
    step = credentials.totp_step(secret, code, account.factor_step or 0, at)
    if step is None:
        _count(tx, attempt, account.name, at)
        return SignInResult(refused="This code is not right, or was used: type the next one.", code=True, secret=shown)
    tx.execute(of_this.values(factor_step=step))
    if not proven:
        changes.append("second_factor_added")
    return None


def forget_factor(tx: Connection, at: datetime, name: str, by: str) -> None:
    """The second factor of a person is asked for no more, or another is taken at the next sign-in."""
    key = person_key(name)
    tx.execute(update(ACCOUNTS).where(ACCOUNTS.c.key == key).values(factor_secret=None, factor_step=None))
    tx.execute(delete(SESSIONS).where(SESSIONS.c.key == key))
    chain.append(tx, at, "second_factor_removed", "", {"name": name_of(tx, key), "by": by})


def change_password(tx: Connection, at: datetime, name: str, password: str, chosen: str) -> str:
    """Choose another password; every session of the account ends. A sentence where it is refused, else nothing."""
    key = _key(name)
    attempt = attempts.begin(tx, key, SignInOrigin("a session"), at)
    account = _opened(tx, key, password, attempt, at)
    if account is None:
        return WRONG
    if refused := _set_password(tx, account, chosen):
        return refused
    attempts.succeeded(tx, attempt, at)
    tx.execute(delete(SESSIONS).where(SESSIONS.c.key == key))
    chain.append(tx, at, "password_changed", "", {"name": account.name})
    return ""


def _key(name: str) -> str:
    return person_key(name) if clean(name).strip() else ""


def _opened(tx: Connection, key: str, password: str, attempt: Attempt, at: datetime) -> AnyRow | None:
    """The account that this password opens, locked for the transaction; None where it does not, with the failure counted.

    The same is done for a name that nobody has, a wrong password, and one that comes after too many.
    """
    wanted = select(ACCOUNTS, PEOPLE.c.name, PEOPLE.c.role).join(PEOPLE, PEOPLE.c.key == ACCOUNTS.c.key)
    found = tx.execute(wanted.where(ACCOUNTS.c.key == key)).first()
    if credentials.is_password(password, found.password_hash if found else None) and found is not None and not attempt.waits:
        same = ACCOUNTS.c.password_hash == found.password_hash
        return tx.execute(wanted.where(ACCOUNTS.c.key == key, same).with_for_update(of=ACCOUNTS)).first()
    _count(tx, attempt, found.name if found else "", at)
    return None


def _count(tx: Connection, attempt: Attempt, name: str, at: datetime) -> None:
    if failures := attempts.failed(tx, attempt, at):
        chain.append(tx, at, "account_locked", "", {"name": name, "failures": failures})


def name_of(tx: Connection, key: str) -> str:
    """The name of the person of a key, who is there."""
    found: str = tx.execute(select(PEOPLE.c.name).where(PEOPLE.c.key == key)).scalar_one()
    return found


def who(tx: Connection, at: datetime, token: str, second_factor: Collection[str] = ()) -> Person | None:
    """Whose session this is, with the role that they have now; None when it has expired or was ended.

    None too for whoever has a role that takes a second factor, and has none yet: they sign in once more.
    """
    row = tx.execute(
        select(PEOPLE.c.name, PEOPLE.c.role, PEOPLE.c.customer_id, ACCOUNTS.c.factor_step)
        .join(SESSIONS, SESSIONS.c.key == PEOPLE.c.key)
        .outerjoin(ACCOUNTS, ACCOUNTS.c.key == PEOPLE.c.key)
        .where(SESSIONS.c.digest == digest(token), SESSIONS.c.expires_at > at)
    ).first()
    if row is None or (row.role in second_factor and row.factor_step is None):
        return None
    return Person(**fields(row, "factor_step"))


def sign_out(tx: Connection, at: datetime, token: str) -> None:
    """End a session."""
    session = digest(token)
    gone = tx.execute(delete(SESSIONS).where(SESSIONS.c.digest == session).returning(SESSIONS.c.key)).first()
    if gone:
        chain.append(tx, at, "signed_out", "", {"name": name_of(tx, gone.key), "session": session})


def end_sessions(tx: Connection, at: datetime, name: str, by: str) -> int:
    """End every session of a person; how many there were. Refused to who does not manage people."""
    people.require_manager(tx, by)
    ended = tx.execute(delete(SESSIONS).where(SESSIONS.c.key == person_key(name)).returning(SESSIONS.c.expires_at)).all()
    if ended:
        chain.append(tx, at, "sessions_ended", "", {"name": name_of(tx, person_key(name)), "by": by})
    return sum(row.expires_at > at for row in ended)
