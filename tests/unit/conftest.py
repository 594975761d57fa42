"""What the tests of the engine share; see `tests/engine.py`."""

import pytest

from evals.evaluation.environment import EvalEnvironment
from nodes.pack import Pack
from systems.catalogue import Catalogue
from tests.engine import laboratory


@pytest.fixture(scope="session")
def lab() -> EvalEnvironment:
    """Packs, catalogue, policies and knowledge as shipped."""
    return laboratory()


@pytest.fixture(scope="session")
def catalogue(lab: EvalEnvironment) -> Catalogue:
    """The action catalogue as shipped."""
    return lab.catalogue


@pytest.fixture(scope="session")
def pack(lab: EvalEnvironment) -> Pack:
    """The pack of order exceptions."""
    return lab.packs["order_exception"]
