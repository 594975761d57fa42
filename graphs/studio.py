"""The graph as LangGraph's own server and Studio open it (`langgraph.json`): input {"run_id": …} of a run in the ledger.

The server brings its own checkpointer. The context is opened with the first use and closed with the server, and a
decision counts only if the ledger holds it: resuming the interrupt by hand approves nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from langgraph.pregel import Pregel

from graphs.mission import mission_graph
from graphs.runtime import open_runtime
from graphs.settings import settings


@asynccontextmanager
async def mission(config: dict[str, Any]) -> AsyncIterator[Pregel[Any, Any, Any, Any]]:
    """The mission graph with everything that its nodes work with."""
    opened = open_runtime(settings())
    runtime = await to_thread.run_sync(opened.__enter__)
    try:
        yield mission_graph(context=runtime.context)
    finally:
        await to_thread.run_sync(opened.__exit__, None, None, None)
