"""What every test may use: databases of its own on one embedded PostgreSQL."""

import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from ledger.embedded import embedded_url
from ledger.migrate import migrate
from ledger.tables import METADATA, TURNS

# what these assert is told as what tests assert
pytest.register_assert_rewrite("tests.engine", "tests.integration", "tests.attacks", "tests.minds")

_MAIN = sys.modules["__main__"]
_NUMBERS = count(1)
#: begun first, so that no worker is alone with one of them at the end
_LONGEST = ("test_tutorial.py", "test_engines.py", "test_commands_batch.py", "test_understanding.py", "test_adversary.py")

# before numpy is imported: workers that each calculate on all cores wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# how long an example takes says more about what else the machine does
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the longest files come first, the others as they stand."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def pytest_runtest_setup() -> None:
    """A page drawn by AppTest leaves its script as the main module, and a process begun afterwards would draw it again."""
    sys.modules["__main__"] = _MAIN


@pytest.fixture(scope="session", autouse=True)
def _without_a_model() -> None:
    """No test asks a real model or sends a trace away, whatever the environment of who runs it names."""
    for name in list(os.environ):
        if name.startswith(("MISSIONS_MODEL", "MISSIONS_REASONER", "OPENAI_", "LANGSMITH_", "LANGCHAIN_")):
            del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _components_are_looked_for_once() -> None:
    """Streamlit reads the metadata of all packages for every page that a test draws, which takes as long as the page."""
    from streamlit.components.v2 import manifest_scanner

    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(scope="session")
def server_url() -> str:
    """The embedded PostgreSQL of all test runs of this account, shared by the workers of a run.

    It stands in a fixed folder, so that only the first run waits until it is made; it stops with its last user.
    """
    url = embedded_url(_server_folder())
    with psycopg.connect(url, autocommit=True) as session:
        _drop_leftovers(session)
        _spare_the_disk(session)
    return url


def _spare_the_disk(session: psycopg.Connection) -> None:
    """To drop a database, the server writes out all there is. What it wrote outlives it without this, not the machine."""
    session.execute("ALTER SYSTEM SET fsync = off")
    session.execute("SELECT pg_reload_conf()")


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """The address of an empty database that nobody else uses; it is dropped after the test."""
    with _database(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def _ledger_database(server_url: str) -> Iterator[str]:
    with _database(server_url) as url:
        migrate(url)
        yield url


@pytest.fixture
def ledger_url(_ledger_database: str) -> str:
    """The address of a database with the ledger's tables, empty.

    Rows are deleted: to make a database for every test, or to truncate ten tables, takes 0.2 s.
    """
    with psycopg.connect(_ledger_database) as session:
        empty(session)
    return _ledger_database


def empty(session: psycopg.Connection) -> None:
    """Delete all that the ledger holds, which takes the owner of the server: rows of the audit log stay otherwise."""
    session.execute("SET LOCAL session_replication_role = replica")
    for table in METADATA.sorted_tables:
        if table is not TURNS:
            session.execute(f"DELETE FROM {table.fullname}".encode())


class _database:
    """Made on entry and dropped on exit; named by process and number, so that leftovers are known."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._name = f"test_{os.getpid()}_{next(_NUMBERS)}"

    def __enter__(self) -> str:
        with psycopg.connect(self._server_url, autocommit=True) as session:
            session.execute(f'CREATE DATABASE "{self._name}" TEMPLATE template0'.encode())
        return urlsplit(self._server_url)._replace(path=f"/{self._name}").geturl()

    def __exit__(self, *_: object) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as session:
            session.execute(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)'.encode())


def _server_folder() -> Path:
    if sys.platform != "win32" and os.geteuid() == 0:
        # the server runs as another account, and opens the folders above its data to it
        return Path("/var/lib/missions-tests")
    account = os.getuid() if sys.platform != "win32" else "user"
    return Path(tempfile.gettempdir()) / f"missions-tests-{account}" / "postgres"


def _drop_leftovers(session: psycopg.Connection) -> None:
    """Databases of test runs that were killed."""
    found = session.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'").fetchall()
    for (name,) in found:
        owner = int(name.split("_")[1])
        if owner == os.getpid() or not _alive(owner):
            session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
