"""Every test that takes `ledger` runs on both implementations: they behave alike, down to the sentences."""

from collections.abc import Iterator

import pytest

from ledger.base import Ledger
from ledger.memory import MemoryLedger
from ledger.postgres import PostgresLedger


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    with PostgresLedger.open(request.getfixturevalue("ledger_url")) as opened:
        yield opened
