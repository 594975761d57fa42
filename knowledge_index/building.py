"""Building the knowledge index: incremental, so that a second build embeds nothing.

>>> build(book, folder, MiniLM())
BuildReport(added=78, updated=0, removed=0, unchanged=0)
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chromadb import Collection
from chromadb.api.client import Client

from errors import BadInput, TryAgain
from knowledge_index.embeddings import Embedder
from knowledge_index.policies import PolicyBook
from knowledge_index.store import (
    DATABASE,
    Entry,
    create_collection,
    entries,
    get_collection,
    has_other_collections,
    held,
    open_client,
    require_writable,
    told,
)

#: Called with how many clauses are embedded, and of how many.
OnProgress = Callable[[int, int], None]

_BATCH = 8
_LOCK = "build.lock"
_PATIENCE_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """How many versions of clauses a build added, replaced, took out and left."""

    added: int
    updated: int
    removed: int
    unchanged: int


def build(book: PolicyBook, folder: Path, embedder: Embedder, on_progress: OnProgress | None = None) -> BuildReport:
    """Brings the index in `folder` up to `book`; only what is new or changed is embedded.

    A build that was interrupted is completed by the next one. Raises BadInput if `folder` cannot hold an
    index, TryAgain if another build does not end.
    """
    wanted = entries(book, embedder.name)
    _make_folder(folder)
    with _alone(folder), told(folder), closing(open_client(folder)) as client:
        collection, before = _collection_for(client, folder, embedder.name)
        stale = [entry for entry in wanted.values() if before.get(entry.id) != entry.digest]
        gone = sorted(before.keys() - wanted.keys())
        embed_into(collection, stale, embedder, on_progress)
        if gone:
            collection.delete(ids=gone)
    updated = sum(entry.id in before for entry in stale)
    return BuildReport(added=len(stale) - updated, updated=updated, removed=len(gone), unchanged=len(wanted) - len(stale))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        remedy = "name a folder that you may write"
        raise BadInput(f"The knowledge index cannot be built in {folder} ({error.strerror}); {remedy}.") from error
    if names and not names & {_LOCK, DATABASE}:
        raise BadInput(f"{folder} holds other files than a knowledge index; name an empty or a new folder.")
    require_writable(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One build at a time: Chroma fails when two processes lay its tables out at once. Raises TryAgain.

    The lock is SQLite's, because that works on every platform and ends with the process that holds it.
    """
    with closing(sqlite3.connect(folder / _LOCK, timeout=_PATIENCE_SECONDS, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise TryAgain(f"The disk of {folder} is full: make room, then build it once more.") from error
            raise TryAgain(f"Another build of {folder} does not end ({error}); try again when it has.") from error
        yield


def _collection_for(client: Client, folder: Path, embedder_name: str) -> tuple[Collection, dict[str, str]]:
    """The collection to write to, and the digests by id that the index had before."""
    collection = get_collection(client)
    if collection is None:
        if has_other_collections(client):
            raise BadInput(f"{folder} holds another Chroma database; name an empty or a new folder.")
        return create_collection(client, embedder_name), {}
    before = held(collection)
    if (collection.metadata or {}).get("embedder") == embedder_name:
        return collection, before
    # a collection takes vectors of one length only, and those of two models do not compare
    client.delete_collection(collection.name)
    return create_collection(client, embedder_name), before


def embed_into(collection: Collection, stale: Sequence[Entry], embedder: Embedder, on_progress: OnProgress | None) -> None:
    """Adds or replaces the `stale` entries of `collection`."""
    for start in range(0, len(stale), _BATCH):
        batch = stale[start : start + _BATCH]
        collection.upsert(
            ids=[entry.id for entry in batch],
            embeddings=embedder.embed([entry.text for entry in batch]),
            documents=[entry.text for entry in batch],
            metadatas=[{"digest": entry.digest} for entry in batch],
        )
        if on_progress:
            on_progress(start + len(batch), len(stale))
