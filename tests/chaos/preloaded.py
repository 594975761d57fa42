"""Imported once by the process that all others of the harness are forked from; it opens no connection.

What every process would read for itself at its start is read here: a worker is there in a third of the time.
"""

import gc

import chromadb.api.rust
import chromadb.telemetry.product.posthog  # noqa: F401

import graphs.runtime
import tests.chaos.company
import tests.chaos.processes  # noqa: F401
from knowledge_index.embeddings import MiniLM
from knowledge_index.policies import PolicyBook
from settings import CHECKOUT
from systems.catalogue import load_catalogue

_CATALOGUE, _EMBEDDER = load_catalogue(), MiniLM()
_PACKS = graphs.runtime.load_packs(
    CHECKOUT / "graphs" / "packs", _CATALOGUE, PolicyBook.load(CHECKOUT / "knowledge_index" / "policies")
)
_EMBEDDER.embed(["the model is loaded"])
gc.freeze()


def use() -> None:
    """Have `open_runtime` take what was read already."""
    for name, given in (("load_catalogue", _CATALOGUE), ("MiniLM", _EMBEDDER), ("load_packs", _PACKS)):
        setattr(graphs.runtime, name, lambda *_, given=given: given)
