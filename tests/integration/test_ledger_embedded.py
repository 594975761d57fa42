"""The embedded PostgreSQL starts from several processes at once, and says clearly where it cannot."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest

from errors import BadInput
from ledger.embedded import embedded_url, is_there, stop_embedded
from settings import default_home

ROOM = Path(__file__).parents[2]
CHILD = """
import sys
from pathlib import Path
import psycopg
from ledger.embedded import embedded_url
url = embedded_url(Path(sys.argv[1]))
with psycopg.connect(url) as session:
    session.execute("CREATE TABLE IF NOT EXISTS seen (n int)") if sys.argv[2] == "1" else None
print(url, flush=True)
sys.stdin.readline()
with psycopg.connect(url) as session:
    session.execute("SELECT 1")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder with a short path that every account may reach."""
    made = Path(tempfile.mkdtemp(prefix="pg-", dir=tempfile.gettempdir()))
    made.chmod(0o755)
    yield made / "pg"
    shutil.rmtree(made, ignore_errors=True)


def _start(folder: Path, first: bool) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, str(folder), "1" if first else "2"]
    return subprocess.Popen(command, cwd=ROOM, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_processes_that_start_at_once_share_one_server_until_the_last_one_ends(folder: Path) -> None:
    processes = [_start(folder, n == 0) for n in range(3)]
    urls = [process.stdout.readline().strip() for process in processes if process.stdout]
    assert len(set(urls)) == 1 and urls[0].startswith("postgresql://")
    for process in processes[:2]:
        process.communicate("\n", timeout=60)
    with psycopg.connect(urls[0]) as session:
        assert session.execute("SELECT count(*) FROM seen").fetchone() == (0,)
    processes[2].communicate("\n", timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls[0])


def test_asking_again_in_one_process_gives_the_same_server(server_url: str) -> None:
    folder = Path(server_url.split("host=")[1]).parent
    assert embedded_url(folder) == embedded_url(folder) == server_url


def test_a_folder_with_a_space_is_bad_input_and_is_not_made(folder: Path) -> None:
    for name in ("my data", "a;b", "$HOME", 'a"b', "100%"):
        with pytest.raises(BadInput, match=r"cannot use the folder .* name another in MISSIONS_HOME"):
            embedded_url(folder.parent / name)
    assert list(folder.parent.iterdir()) == []


def test_a_folder_that_is_too_deep_for_a_socket_is_bad_input(folder: Path) -> None:
    with pytest.raises(BadInput, match="too deep for the embedded PostgreSQL"):
        embedded_url(folder / ("x" * 100))
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_bad_input(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(BadInput, match=r"cannot be written .*: make it writable or name another folder"):
        embedded_url(folder / "below")


def test_a_disk_without_room_for_a_database_is_bad_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda where: SimpleNamespace(free=20_000_000))
    with pytest.raises(BadInput, match=r"has 20 MB free, and the embedded PostgreSQL takes 100 MB: make room"):
        embedded_url(folder)
    assert not is_there(folder)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_bad_input(folder: Path) -> None:
    folder.mkdir(mode=0o500)
    with pytest.raises(BadInput, match="cannot be written"):
        embedded_url(folder)


def test_data_that_is_none_of_postgresql_is_bad_input_and_stays_as_it_is(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "letter.txt").write_text("mine")
    with pytest.raises(BadInput, match="did not start"):
        embedded_url(folder)
    assert (folder / "data" / "letter.txt").read_text() == "mine"


def test_a_user_who_was_killed_does_not_keep_the_server_running(folder: Path) -> None:
    killed, left = _start(folder, True), _start(folder, False)
    urls = [process.stdout.readline().strip() for process in (killed, left) if process.stdout]
    killed.kill()
    killed.communicate(timeout=60)
    late = _start(folder, False)
    left.communicate("\n", timeout=60)
    late.communicate("\n", timeout=60)
    assert (left.returncode, late.returncode) == (0, 0)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls[0])


def test_the_default_folder_has_no_space_and_lies_outside_the_home_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data/me")
    folder = default_home()
    assert " " not in str(folder)
    if sys.platform == "linux":
        assert folder.parent == Path("/var/lib/missions" if os.geteuid() == 0 else "/data/me/missions")


def _in_use(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_the_server_goes_on_for_whoever_is_left_when_another_was_killed_and_a_third_ends(folder: Path) -> None:
    left, killed, ending = _start(folder, True), _start(folder, False), _start(folder, False)
    urls = [user.stdout.readline().strip() for user in (left, killed, ending) if user.stdout]
    # what the library keeps of its users is lost with a process that is killed while it writes
    (folder / "data" / ".handle_pids.json").write_text("")
    killed.kill()
    killed.communicate(timeout=60)
    ending.communicate("\n", timeout=60)
    assert ending.returncode == 0 and _in_use(urls[0])
    left.communicate("\n", timeout=60)
    assert left.returncode == 0 and not _in_use(urls[0])


FORKING = """
import os, sys, time
from pathlib import Path
import psycopg
from ledger.embedded import embedded_url
url = embedded_url(Path(sys.argv[1]))
if os.fork() == 0:
    print(url, flush=True)
    sys.stdin.readline()
    psycopg.connect(url).close()
    print("asked", flush=True)
    sys.exit()
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing forks there")
def test_a_forked_child_is_a_user_after_its_parent_has_gone(folder: Path) -> None:
    pipe = subprocess.PIPE
    forked = subprocess.Popen([sys.executable, "-c", FORKING, str(folder)], cwd=ROOM, text=True, stdin=pipe, stdout=pipe)
    assert forked.stdout
    url = forked.stdout.readline().strip()
    other = _start(folder, False)
    assert other.stdout and other.stdout.readline().strip() == url
    other.communicate("\n", timeout=60)
    assert _in_use(url)
    said, _ = forked.communicate("\n", timeout=60)
    assert said == "asked\n" and not _in_use(url)


def test_a_server_that_was_killed_comes_up_again_with_its_data(folder: Path) -> None:
    with psycopg.connect(embedded_url(folder)) as session:
        session.execute("CREATE TABLE kept (n int)")
    postmaster = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
    postmaster.kill()
    while postmaster.is_running() and postmaster.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    try:
        with psycopg.connect(embedded_url(folder)) as session:
            assert session.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    finally:
        stop_embedded(folder)


def test_a_start_that_was_killed_halfway_leaves_no_half_of_a_database(folder: Path) -> None:
    killed = _start(folder, True)
    while not list(folder.glob("making-*/PG_VERSION")):
        time.sleep(0.01)
    killed.kill()
    killed.communicate(timeout=60)
    assert not is_there(folder)
    assert _in_use(embedded_url(folder))
    stop_embedded(folder)
    assert not list(folder.glob("making-*"))


@pytest.mark.parametrize(
    "left", ["", "{me}\n", "{me}\n/x\n1\n5432\n\n\n1 1\nready\n", "999999999\n/x\n1\n5432\n/x\n\n1 1\nready\n"]
)
def test_what_a_dead_server_left_keeps_none_from_starting(stopped: Path, left: str) -> None:
    (stopped / "data" / "postmaster.pid").write_text(left.format(me=os.getpid()))
    os.utime(stopped / "data" / "postmaster.pid", (0, 0))
    assert _in_use(embedded_url(stopped))


def _spoil_permissions(data: Path) -> None:
    data.chmod(0o777)


def _spoil_configuration(data: Path) -> None:
    with (data / "postgresql.conf").open("a") as file:
        file.write("port = many\n")


def _spoil_version(data: Path) -> None:
    (data / "PG_VERSION").write_text("17\n")


def _spoil_control(data: Path) -> None:
    (data / "global" / "pg_control").unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_spoil_permissions, r"data directory .* has invalid permissions; Permissions should be"),
        (_spoil_configuration, r"invalid value for parameter .port.: .many."),
        (_spoil_version, r"expecting version 18 but found version 17"),
        (_spoil_control, r"could not (open|find) .*pg_control"),
    ],
)
def test_where_it_does_not_start_the_sentence_carries_the_reason_of_its_log(
    stopped: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    with (stopped / "data" / "log").open("a") as log:
        log.write("2026-03-14 UTC [1] FATAL:  of an earlier start\n")
    spoil(stopped / "data")
    with pytest.raises(BadInput, match=reason) as told:
        embedded_url(stopped)
    assert "earlier start" not in str(told.value) and "returned non-zero" not in str(told.value)


@pytest.fixture
def stopped(folder: Path) -> Iterator[Path]:
    """The folder of a server that ran and was stopped."""
    embedded_url(folder)
    stop_embedded(folder)
    yield folder
    (folder / "data").chmod(0o700)
    (folder / "data" / "PG_VERSION").write_text("18\n")
    stop_embedded(folder)
