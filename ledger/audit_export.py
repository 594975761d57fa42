"""The ledger as an auditor sees it: the chain and the rows verified, and the log taken away with a signed head.

On PostgreSQL only. An export is a folder: `audit.jsonl` (a row of the log a line), `head.json` (where it ends, signed)
and `public.pem` (the key that the signature is checked with).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

from errors import BadInput, MissionsError
from ledger import audit_chain
from ledger.canonical import canonical, utc_now
from ledger.postgres import PostgresLedger
from ledger.records import AuditEntry
from ledger.signatures import fingerprint, is_signed, pem, signed, signing_key
from ledger.sql import chain, guards, reconciling

LOG, HEAD, KEY = "audit.jsonl", "head.json", "public.pem"
#: bytes of a head, and of one line of a log
_LONGEST_HEAD, _LONGEST_LINE = 10_000, 10_000_000

_Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_ROW = TypeAdapter(AuditEntry)


class Head(BaseModel):
    """Where a log ended when it was exported or its head was kept, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: the digest of the first row: no two databases have the same, and a restored one has that of its backup
    log: _Digest
    seq: int = Field(ge=1)
    digest: _Digest
    exported_at: AwareDatetime
    #: fingerprint of the public key
    key: _Digest
    signature: str = Field(max_length=200)

    def message(self) -> bytes:
        """What is signed: everything but the signature."""
        return canonical(self.model_dump(mode="json", exclude={"signature"}))


def keep_powers(url: str, again: bool = True) -> None:
    """Keep in the log who stands above the grants of this database now; not `again` where that was done before."""
    with PostgresLedger.open(url) as ledger, ledger.transaction() as tx:
        guards.keep_powers(tx, utc_now(), again)


@dataclass(frozen=True)
class Examined:
    """What came of a verification."""

    #: a sentence for each thing that is wrong
    problems: list[str]
    #: (seq, digest) of the last row that was read
    end: tuple[int, str]


def examine(ledger: PostgresLedger, head: tuple[int, str] | None = None, also: reconciling.AlsoLooks | None = None) -> Examined:
    """Verify the chain, up to an exported (seq, digest) too, and every row of the ledger that it tells of.

    As of one moment, while others go on writing. 100,000 runs take about three minutes. `also` is shown every run.
    """
    with one_moment(ledger) as tx:
        problems = [
            *guards.differences(tx),
            *guards.new_powers(tx),
            *_legible("The audit log", lambda: audit_chain.verify(chain.entries(tx), head)),
            *_legible("The ledger", lambda: reconciling.differences(tx, also)),
        ]
        return Examined(problems, chain.head(tx))


def _legible(name: str, look: Callable[[], Iterable[str]]) -> Iterator[str]:
    """What a look finds, and that it could not go on where a row holds what nobody can read."""
    try:
        yield from look()
    except (MissionsError, DataError, ValueError, OverflowError, RecursionError) as error:
        said = str(getattr(error, "orig", error)).splitlines()[0]
        yield f"{name} cannot be read to its end ({said}): something was changed behind the ledger's back."


def examine_head(
    ledger: PostgresLedger, head: Head, key: Ed25519PublicKey, also: reconciling.AlsoLooks | None = None
) -> Examined:
    """The same, with a head whose signature is checked first, and which must be of this log."""
    examined = examine(ledger, (head.seq, head.digest), also)
    with one_moment(ledger) as tx:
        first = chain.first(tx)
    return Examined([*_of_head(head, key, first), *examined.problems], examined.end)


def examine_export(folder: Path, key: Ed25519PublicKey) -> Examined:
    """Verify an export by itself: signature, chain and head. Raises BadInput for files that are none of an export."""
    head = read_head(folder / HEAD)
    end, first = (0, audit_chain.START), audit_chain.START

    def rows() -> Iterator[AuditEntry]:
        nonlocal end, first
        for row in _read(folder / LOG):
            first = row.digest if end[0] == 0 else first
            end = (row.seq, row.digest)
            yield row

    problems = audit_chain.verify(rows(), (head.seq, head.digest))
    if end[0] > head.seq:
        problems.append(f"The log continues after row {head.seq}, the last one named by its head: rows were added to the export.")
    return Examined([*_of_head(head, key, first), *problems], end)


def export(ledger: PostgresLedger, folder: Path, key: Ed25519PrivateKey, at: datetime) -> Head:
    """Write the whole log as it is now into a folder, and a signed head and the public key beside it.

    Raises BadInput where the folder cannot be written, and for a log without a row.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with one_moment(ledger) as tx:
            head = _signed_head(tx, key, at)
            if head is None:
                raise BadInput("The audit log is empty: there is nothing to export.")
            _put(folder / LOG, (canonical(vars(entry)) + b"\n" for entry in chain.entries(tx)))
        _put(folder / KEY, [pem(key.public_key())])
        _put(folder / HEAD, [head.model_dump_json(indent=2).encode(), b"\n"])
    except OSError as failed:
        raise BadInput(f"The export cannot be written to {folder}: {failed.strerror}.") from failed
    return head


def head_now(ledger: PostgresLedger, key: Ed25519PrivateKey, at: datetime) -> Head | None:
    """Where the log ends now; None where it is empty."""
    with one_moment(ledger) as tx:
        return _signed_head(tx, key, at)


def _signed_head(tx: Connection, key: Ed25519PrivateKey, at: datetime) -> Head | None:
    seq, last = chain.head(tx)
    if seq == 0:
        return None
    mark = fingerprint(key.public_key())
    head = Head(log=chain.first(tx), seq=seq, digest=last, exported_at=at, key=mark, signature="")
    return head.model_copy(update={"signature": signed(key, head.message())})


def own_key(file: Path) -> Ed25519PublicKey:
    """The public half of the key of this installation. Raises BadInput where it has none."""
    if not file.exists():
        raise BadInput(f"there is no key {file}; restore it from your backup, or name the public.pem of the export with --key")
    return signing_key(file).public_key()


def read_head(file: Path) -> Head:
    """The head of an export. Raises BadInput for a file that is none."""
    try:
        with file.open("rb") as opened:
            return Head.model_validate_json(opened.read(_LONGEST_HEAD))
    except OSError as failed:
        raise BadInput(f"The head {file} cannot be read: {failed.strerror}.") from failed
    except ValidationError as failed:
        raise BadInput(f"{file} is not the head of an exported audit log; name the head.json of an export.") from failed


def _of_head(head: Head, key: Ed25519PublicKey, first: str) -> Iterator[str]:
    if not is_signed(key, head.message(), head.signature):
        yield "The exported head is not signed by this key: the head was changed, or another key made it."
    if first != head.log:
        yield "The exported head is of another log: its first row is not the first row of this one."


@contextmanager
def one_moment(ledger: PostgresLedger) -> Iterator[Connection]:
    """A transaction that sees the ledger as it was when it began."""
    with ledger.transaction() as tx:
        tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield tx


def _put(file: Path, parts: Iterable[bytes]) -> None:
    """The whole file, or what was there before."""
    beside = file.with_name(f"{file.name}.part")
    with beside.open("wb") as opened:
        opened.writelines(parts)
    os.replace(beside, file)


def _read(file: Path) -> Iterator[AuditEntry]:
    try:
        with file.open("rb") as opened:
            for number, line in enumerate(iter(partial(opened.readline, _LONGEST_LINE), b""), start=1):
                yield _entry(line, f"{file}, line {number}")
    except OSError as failed:
        raise BadInput(f"The log {file} cannot be read: {failed.strerror}.") from failed


def _entry(line: bytes, where: str) -> AuditEntry:
    try:
        entry = _ROW.validate_json(line, strict=True, extra="forbid")
    except ValidationError:
        entry = None
    if entry is None or entry.at.tzinfo is None:
        raise BadInput(f"{where}: this is not a row of an audit log; export the log again.")
    return entry
