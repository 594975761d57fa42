"""Heads of the audit log, kept where whoever writes to the database does not: in a folder, by a command, or both.

A head says where the log ended at a moment, signed like that of an export. Against those in the folder a log is found
that was cut, or rewritten from some row on.
"""

import logging
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from errors import BadInput, MissionsError
from ledger import audit_chain
from ledger.audit_export import Head, head_now, one_moment, own_key, read_head
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.signatures import fingerprint, is_signed, signing_key
from ledger.sql import chain

_log = logging.getLogger(__name__)
#: of several processes that keep heads in one folder, each sees that another has just done so
_RECENT = timedelta(seconds=50)
#: heads that one verification reads, the newest
MOST_READ = 5_000
#: seconds that the command may take
PATIENCE_S = 10.0
#: row, beginning of its digest, moment
_NAME = re.compile(r"(?P<seq>[0-9]{12,18})-[0-9a-f]{16}-(?P<at>[0-9]{8}T[0-9]{6}Z)\.json")
_MOMENT = "%Y%m%dT%H%M%SZ"


@dataclass
class Heads:
    """Where heads are kept, and the file of the key that signs them. Nothing is kept where nothing is named."""

    folder: Path | None
    command: str = field(repr=False)
    key: Path
    #: what the command took last, and what was logged last
    _handed: tuple[int, str] = field(default=(0, audit_chain.START), init=False)
    _warned: str = field(default="", init=False)

    def look(self, ledger: PostgresLedger) -> None:
        """Keep the head of now, unless one was kept a moment ago. What goes wrong is a warning, once until it changes."""
        try:
            if not self._kept_just_now():
                self.keep(ledger)
            warning = ""
        except MissionsError as error:
            warning = str(error)
        if warning and warning != self._warned:
            _log.warning("%s", warning)
        self._warned = warning

    def keep(self, ledger: PostgresLedger) -> None:
        """Keep where the log ends now, where that is not kept already. Raises BadInput where it cannot be kept."""
        if self.folder is None and not self.command:
            return
        head = head_now(ledger, signing_key(self.key), utc_now())
        if head is None:
            return
        failed: list[str] = []
        for hand_over in (self._to_folder, self._to_command):
            try:
                hand_over(head)
            except BadInput as error:
                failed.append(str(error))
        if failed:
            raise BadInput(" ".join(failed))

    def compare(self, ledger: PostgresLedger, key: Ed25519PublicKey | None = None) -> tuple[list[str], str]:
        """A sentence for each thing that is wrong, and one that says what was compared; nothing without a folder.

        `key` has signed the heads; the one of this installation unless another is given.
        """
        if self.folder is None:
            return [], ""
        try:
            # before the log is read: what is kept from now on may be of rows that this look does not see
            names = self._names()[:MOST_READ]
            trusted = key or (own_key(self.key) if names else None)
        except BadInput as error:
            return [str(error)], f"Heads in {self.folder}: none was compared."
        with one_moment(ledger) as tx:
            end, _ = chain.head(tx)
            rows = chain.digests(tx, [_seq(name) for name in names])
        heads = {name: _read(self.folder / name, trusted) for name in names} if trusted else {}
        sound = {name: head for name, head in heads.items() if head is not None}
        cut = [name for name, head in sound.items() if head.seq > end]
        rewritten = [name for name, head in sound.items() if head.seq <= end and rows.get(head.seq) != head.digest]
        damaged = [name for name in names if name not in sound]
        problems = [
            *_problems(cut, f"The audit log was cut: it ends at row {end}, but it reached row {{seq}} when {{name}} was saved"),
            *_problems(rewritten, "The audit log was rewritten: row {seq} does not match {name}, which was saved outside"),
            *_problems(
                damaged, f"The head {{name}} is damaged or edited, or not signed by the key {trusted and fingerprint(trusted)}"
            ),
        ]
        return problems, f"Heads in {self.folder}: the log was compared with {len(sound)}."

    def _names(self) -> list[str]:
        """The files of heads, those of the last rows first."""
        if self.folder is None:
            return []
        try:
            return sorted((name for name in os.listdir(self.folder) if _NAME.fullmatch(name)), reverse=True)
        except OSError as failed:
            raise self._unusable(failed) from failed

    def _kept_just_now(self) -> bool:
        now = utc_now()
        since, until = f"{now - _RECENT:{_MOMENT}}", f"{now:{_MOMENT}}"
        with suppress(BadInput):  # which is reported when it is written to
            return any(since < _NAME.sub(r"\g<at>", name) <= until for name in self._names())
        return False

    def _to_folder(self, head: Head) -> None:
        begins = f"{head.seq:012}-{head.digest[:16]}-"
        if self.folder is None or any(name.startswith(begins) for name in self._names()):
            return
        file = self.folder / f"{begins}{head.exported_at:{_MOMENT}}.json"
        try:
            _write(file, head.model_dump_json().encode() + b"\n")
        except FileExistsError:  # by another process, in this second
            return
        except OSError as failed:
            raise self._unusable(failed) from failed

    def _unusable(self, failed: OSError) -> BadInput:
        return BadInput(
            f"The heads of the audit log in {self.folder} cannot be read or written ({failed.strerror}): "
            "fix the folder, or name another one in MISSIONS_AUDIT_HEADS."
        )

    def _to_command(self, head: Head) -> None:
        end = (head.seq, head.digest)
        if self.command and end != self._handed:
            _run(self.command, head.model_dump_json().encode() + b"\n")
            self._handed = end


def _write(file: Path, content: bytes) -> None:
    """A new file for this account alone, whole or not at all; one that is there is never replaced."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
        try:
            new.write(content)
            new.flush()
            os.fsync(new)
        except OSError:
            file.unlink(missing_ok=True)
            raise


def _run(command: str, content: bytes) -> None:
    """Without a shell; whatever the command began is ended with it where it takes too long."""
    name = "The command of MISSIONS_AUDIT_HEADS_COMMAND"
    nowhere = subprocess.DEVNULL
    try:
        words = shlex.split(command)
        begun = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True)
    except (OSError, ValueError, IndexError) as failed:
        why = failed.strerror if isinstance(failed, OSError) else "it is not a valid command line"
        raise BadInput(f"{name} cannot be started ({why}): name a program and its words.") from failed
    with begun as running:
        try:
            running.communicate(content, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired as late:
            if sys.platform == "win32":
                running.kill()
            else:
                os.killpg(running.pid, signal.SIGKILL)
            raise BadInput(f"{name} did not end within {PATIENCE_S:g} seconds and was ended; the head was not saved.") from late
    if running.returncode:
        raise BadInput(f"{name} ended with status {running.returncode}; the head was not saved.")


def _seq(name: str) -> int:
    return int(_NAME.sub(r"\g<seq>", name))


def _read(file: Path, key: Ed25519PublicKey) -> Head | None:
    """The head, where it is as this key signed it and of the row that its name says."""
    try:
        head = read_head(file) if file.is_file() and not file.is_symlink() else None
    except BadInput:
        head = None
    sound = head is not None and head.seq == _seq(file.name) and is_signed(key, head.message(), head.signature)
    return head if sound else None


def _problems(names: Iterable[str], sentence: str) -> Iterable[str]:
    """One sentence, about the first row, however many say so."""
    if found := sorted(names):
        others = f"; {len(found) - 1} more say so" if len(found) > 1 else ""
        yield f"{sentence.format(seq=_seq(found[0]), name=found[0])}{others}."
