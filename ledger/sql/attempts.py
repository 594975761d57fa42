"""How often somebody may try to sign in: by name and place, and by place. Nobody is locked out from elsewhere.

A name that nobody has is counted like one that somebody has: what is answered, and what is done for it, is the same.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger.tables import ATTEMPTS, DEVICES

#: for which a browser is known from which somebody signed in
DEVICE_DAYS = 180
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 30, 15 * 60


@dataclass(frozen=True)
class SignInOrigin:
    """From where somebody tries."""

    #: the address of the network, or what stands for one: "the command line"
    place: str = "this machine"
    #: token of a browser in which somebody signed in before; empty where none is
    device: str = ""


#: who has the account of the machine
HERE = SignInOrigin()


class _AttemptLimit(NamedTuple):
    #: failures before there is a wait, which doubles from then on
    most: int
    #: after which failures are forgotten
    lasts: timedelta


_BY_NAME = _AttemptLimit(5, timedelta(days=1))
_BY_PLACE = _AttemptLimit(100, timedelta(minutes=10))


@dataclass(frozen=True)
class _Bucket:
    digest: str
    limit: _AttemptLimit
    failures: int
    until: datetime | None


@dataclass(frozen=True)
class Attempt:
    """One try, which waits for others of the same name and place; to be ended with `failed` or `succeeded`."""

    buckets: Sequence[_Bucket]
    #: whether there were too many before: then even a right password does not count
    waits: bool


def begin(tx: Connection, key: str, origin: SignInOrigin, at: datetime) -> Attempt:
    """Begin to try. A browser that is known has a limit of its own, so that others at its place cost it nothing."""
    known = tx.execute(select(DEVICES.c.digest).where(DEVICES.c.digest == digest(origin.device), DEVICES.c.key == key)).first()
    place = _place(origin.place)
    wanted = [(f"device {origin.device}", _BY_NAME)] if known else [(f"place {place}", _BY_NAME), (place, _BY_PLACE)]
    buckets = [_bucket(tx, digest(f"{key}\n{what}" if limit is _BY_NAME else what), limit, at) for what, limit in wanted]
    return Attempt(buckets, any(one.until is not None and at < one.until for one in buckets))


def failed(tx: Connection, attempt: Attempt, at: datetime) -> int:
    """Count it. How many there were in a row where this one begins a wait for this name; 0 otherwise."""
    begins_wait = 0
    for bucket in attempt.buckets:
        failures, until = bucket.failures, bucket.until
        if not attempt.waits:
            failures += 1
            if failures >= bucket.limit.most:
                doubled = _FIRST_WAIT_SECONDS * 2 ** min(failures - bucket.limit.most, 10)
                until = at + timedelta(seconds=min(doubled, _LONGEST_WAIT_SECONDS))
                begins_wait = failures if bucket.limit is _BY_NAME else begins_wait
        values = {"failures": failures, "until": until, "at": at}
        tx.execute(update(ATTEMPTS).where(ATTEMPTS.c.bucket == bucket.digest).values(**values))
    return begins_wait


def succeeded(tx: Connection, attempt: Attempt, at: datetime) -> None:
    """Forget the failures of this name here, and those that are old."""
    tx.execute(delete(ATTEMPTS).where(ATTEMPTS.c.bucket == attempt.buckets[0].digest))
    tx.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at < at - _BY_NAME.lasts))


def remember(tx: Connection, key: str, device: str, at: datetime) -> str:
    """The token by which this browser is known from now on."""
    tx.execute(delete(DEVICES).where(DEVICES.c.at < at - timedelta(days=DEVICE_DAYS)))
    known = device and tx.execute(select(DEVICES.c.digest).where(DEVICES.c.digest == digest(device))).first()
    token = device if known else secrets.token_urlsafe(32)
    row = insert_or(DEVICES).values(digest=digest(token), key=key, at=at)
    tx.execute(row.on_conflict_do_update(index_elements=["digest", "key"], set_={"at": at}))
    return token


def digest(text: str) -> str:
    """Under which a token or a bucket is kept: who reads the table has neither."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _bucket(tx: Connection, bucket: str, limit: _AttemptLimit, at: datetime) -> _Bucket:
    made = insert_or(ATTEMPTS).values(bucket=bucket, failures=0, at=at)
    # an update that changes nothing: it waits until another attempt of this bucket is over
    locked = made.on_conflict_do_update(index_elements=["bucket"], set_={"bucket": bucket})
    row = tx.execute(locked.returning(ATTEMPTS.c.failures, ATTEMPTS.c.until, ATTEMPTS.c.at)).one()
    if at - row.at > limit.lasts:
        return _Bucket(bucket, limit, 0, None)
    return _Bucket(bucket, limit, row.failures, row.until)


def _place(address: str) -> str:
    """An address; of IPv6 the network, for one household has 2^64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address) or found.ipv4_mapped:
        return str(getattr(found, "ipv4_mapped", None) or found)
    return str(IPv6Network((int(found), 64), strict=False))
