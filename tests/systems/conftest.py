"""Systems of others: what is made once for several files of tests."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from fasteners import InterProcessLock

from tests.systems.tryton import erp as tryton

_NUMBERS = count(1)
_PASSWORD = "of-the-tests-alone"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/systems --pictures-to docs/images` keeps pictures of what a person sees in the systems' own pages."""
    parser.addoption("--pictures-to", metavar="FOLDER", help="keep pictures of the systems' own pages in this folder")


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """The folder for pictures, where one is asked for."""
    folder = request.config.getoption("--pictures-to")
    return Path(folder) if folder else None


@pytest.fixture(scope="session")
def _company(server_url: str) -> str:
    """A database with the company of the ERP, which is kept as long as what makes it does not change."""
    if reason := tryton.why_not_installed():
        pytest.skip(reason)
    made_of = [(tryton.FOLDER / name).read_bytes() for name in ("__main__.py", "company.py", "requirements.lock")]
    digest = hashlib.sha256(b"".join(made_of)).hexdigest()[:12]
    with InterProcessLock(Path(tempfile.gettempdir()) / "missions-tests-erp"):
        tryton.make_company(server_url, f"erp_{digest}", _PASSWORD)
    return f"erp_{digest}"


@pytest.fixture(scope="module")
def erp(server_url: str, _company: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tryton.Erp]:
    """An ERP that answers, with a company of its own for this file."""
    name = f"test_{os.getpid()}_erp_{next(_NUMBERS)}"
    tryton.copy(server_url, _company, name)
    try:
        with tryton.running(server_url, name, _free_ports(), _PASSWORD, tmp_path_factory.mktemp("erp") / "log") as running:
            yield running
    finally:
        tryton.drop(server_url, name)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
