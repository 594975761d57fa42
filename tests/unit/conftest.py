"""What the tests of the engine share; see `tests/engine.py`."""

import pytest

from evals.run import Laboratory
from nodes.pack import Pack
from systems.catalogue import Catalogue
from tests.engine import laboratory


@pytest.fixture(scope="session")
def lab() -> Laboratory:
    """Packs, catalogue, policies and knowledge as shipped."""
    return laboratory()


@pytest.fixture(scope="session")
def catalogue(lab: Laboratory) -> Catalogue:
    """The action catalogue as shipped."""
    return lab.catalogue


@pytest.fixture(scope="session")
def pack(lab: Laboratory) -> Pack:
    """The pack of order exceptions."""
    return lab.packs["order_exception"]
