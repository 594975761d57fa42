"""What every test of parts working together may use."""

import sys
from collections.abc import Iterator

import pytest

from tests.integration.forking import forked_systems


@pytest.fixture(scope="session", autouse=True)
def _forked_systems() -> Iterator[None]:
    """The sandbox company starts quickly, wherever no other systems are named."""
    if sys.platform == "win32":
        yield
        return
    with forked_systems() as file, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISSIONS_SYSTEMS", str(file))
        yield
