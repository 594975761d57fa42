"""A connection that breaks is forgotten, whatever became of the next."""

import asyncio
import sys
from typing import Any, cast

import pytest

from errors import TryAgain
from systems.config import SystemConfig
from systems.connection import Connection, Session


def test_a_connection_that_broke_is_forgotten_where_the_next_one_could_not_be_opened() -> None:
    """What was sent over it has an unknown outcome; that the next one failed must not look as if nothing was sent."""
    config = SystemConfig(name="shop", command=(sys.executable, "-S", "-c", "raise SystemExit('closed')"))
    connection = Connection(config, {}, "systems.yaml", only_reads=False)

    async def broken_after_a_failed_attempt() -> None:
        with pytest.raises(TryAgain, match="closed"):
            await connection.session()
        connection.drop(Session(cast(Any, None), {}))
        await connection.close()

    asyncio.run(broken_after_a_failed_attempt())
