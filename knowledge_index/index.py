"""The knowledge index: one vector per version of a clause, in Chroma (HNSW, arXiv:1603.09320). Building it is incremental.

Chroma finds ids by vectors. What is in force, and what a clause says, is asked of the PolicyBook, so that what is cited
is always what the policy documents say. Only the embedded client is used: Chroma's server has an open remote-code
advisory.

>>> build(book, folder, MiniLM())
BuildReport(added=78, updated=0, removed=0, unchanged=0)
>>> with KnowledgeIndex.open(folder, book, MiniLM()) as index:
...     index.search("Who may approve a large refund?", as_of=as_of)[0].clause.id
'GOV-3'
"""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Self, cast
from uuid import uuid4

import chromadb
from chromadb import Collection
from chromadb.api.client import Client
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError

from errors import BadInput, TryAgain
from knowledge_index.embeddings import Embedder
from knowledge_index.policies import Clause, Period, PolicyBook

COLLECTION = "missions-clauses"

#: The file that Chroma makes in every folder of its own.
DATABASE = "chroma.sqlite3"


@dataclass(frozen=True, kw_only=True)
class IndexEntry:
    """What the collection holds of one version of a clause: its id (`FRD-2@1`), what is embedded, digest of text and model."""

    id: str
    text: str
    digest: str


def entry_id(clause: Clause) -> str:
    """The id of a clause's version in the collection: `FRD-2@1`."""
    return f"{clause.id}@{clause.version}"


def index_entries(book: PolicyBook, embedder_name: str) -> dict[str, IndexEntry]:
    """What the collection must hold, by id: every version of every clause of `book`."""
    wanted: dict[str, IndexEntry] = {}
    for clause in (clause for period in book.periods for clause in period.clauses.values()):
        # "High" says little by itself: with the policy's title before it, 27 instead of 23 of 50 questions found their
        # clause first
        text = f"{clause.policy_title}: {clause.title}. {clause.text}"
        digest = hashlib.sha256(f"{embedder_name}\n{text}".encode()).hexdigest()
        # a number of another policy may change the text within one version: the first text stands for the version
        wanted.setdefault(entry_id(clause), IndexEntry(id=entry_id(clause), text=text, digest=digest))
    return wanted


def _held(collection: Collection) -> dict[str, str]:
    """Digests of what the collection holds, by id."""
    found = collection.get(include=["metadatas"])
    digests = [str((metadata or {}).get("digest")) for metadata in found["metadatas"] or []]
    return dict(zip(found["ids"], digests, strict=True))


def _require_writable(folder: Path) -> None:
    """Raises BadInput unless Chroma may write in `folder`, which it does even where it only reads."""
    for path in (folder, folder / DATABASE):
        if path.exists() and not os.access(path, os.W_OK):
            raise BadInput(f"{path} may not be written, and Chroma must; make it writable, or name another folder.")


def _open(folder: Path) -> Client:
    """Chroma at `folder`, to be closed by the caller. Raises BadInput."""
    _require_writable(folder)
    # Chroma keeps a client that failed, and answers for it with the two others
    with _one_sentence(folder, ValueError, AttributeError):
        # chromadb declares an interface without `close`
        return cast(Client, chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False)))


def _get(client: Client) -> Collection | None:
    """The collection of clauses, or None if this Chroma has none."""
    if COLLECTION not in {collection.name for collection in client.list_collections()}:
        return None
    return client.get_collection(COLLECTION, embedding_function=None)


def _create(client: Client, embedder_name: str, name: str = COLLECTION) -> Collection:
    """A new collection for vectors of `embedder_name`, compared by cosine."""
    return client.create_collection(
        name, configuration={"hnsw": {"space": "cosine"}}, metadata={"embedder": embedder_name}, embedding_function=None
    )


@contextmanager
def _one_sentence(folder: Path, *also: type[Exception]) -> Iterator[None]:
    """Turns Chroma's own errors, and those of `also`, into one sentence about `folder`."""
    kinds: tuple[type[Exception], ...] = (ChromaError, *also)
    try:
        yield
    except kinds as error:
        remedy = "delete that folder and build it with `missions knowledge build`"
        raise BadInput(f"The knowledge index in {folder} cannot be used ({error}); {remedy}.") from error


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
    """Brings the index in `folder` up to `book`, also after an interrupted build; only what is new or changed is embedded.

    Raises BadInput if `folder` cannot hold an index, TryAgain if another build does not end.
    """
    wanted = index_entries(book, embedder.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        what = f"The knowledge index cannot be built in {folder} ({error.strerror})"
        raise BadInput(f"{what}; name a folder that you may write.") from error
    if names and not names & {_LOCK, DATABASE}:
        raise BadInput(f"{folder} holds other files than a knowledge index; name an empty or a new folder.")
    _require_writable(folder)
    with _alone(folder), _one_sentence(folder), closing(_open(folder)) as client:
        collection, before = _get(client), dict[str, str]()
        if collection is not None:
            before = _held(collection)
        elif client.list_collections():
            raise BadInput(f"{folder} holds another Chroma database; name an empty or a new folder.")
        if collection is not None and (collection.metadata or {}).get("embedder") != embedder.name:
            # a collection takes vectors of one length only, and those of two models do not compare
            client.delete_collection(collection.name)
            collection = None
        if collection is None:
            collection = _create(client, embedder.name)
        stale = [entry for entry in wanted.values() if before.get(entry.id) != entry.digest]
        gone = sorted(before.keys() - wanted.keys())
        embed_into(collection, stale, embedder, on_progress)
        if gone:
            collection.delete(ids=gone)
    updated = sum(entry.id in before for entry in stale)
    return BuildReport(added=len(stale) - updated, updated=updated, removed=len(gone), unchanged=len(wanted) - len(stale))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One build at a time (Chroma fails when two create its tables), by SQLite's lock, which ends with its process."""
    with closing(sqlite3.connect(folder / _LOCK, timeout=_PATIENCE_SECONDS, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise TryAgain(f"The disk of {folder} is full: make room, then build it once more.") from error
            raise TryAgain(f"Another build of {folder} does not end ({error}); try again when it has.") from error
        yield


def embed_into(collection: Collection, stale: Sequence[IndexEntry], embedder: Embedder, on_progress: OnProgress | None) -> None:
    """Adds or replaces the `stale` entries of `collection`."""
    for start in range(0, len(stale), _BATCH):
        batch = stale[start : start + _BATCH]
        texts = [entry.text for entry in batch]
        collection.upsert(
            ids=[entry.id for entry in batch], embeddings=embedder.embed(texts), documents=texts,
            metadatas=[{"digest": entry.digest} for entry in batch],
        )  # fmt: skip
        if on_progress:
            on_progress(start + len(batch), len(stale))


#: Longer queries are cut; what is behind would not change the vector.
MAX_QUERY_CHARACTERS = 2_000


@dataclass(frozen=True)
class Hit:
    """A clause that bears on a query."""

    clause: Clause
    #: cosine of the two vectors, from 0 to 1
    score: float


#: (query, k, digest of the period) -> what was found
Answers = Mapping[tuple[str, int, str], tuple[Hit, ...]]


class KnowledgeIndex:
    """Finds clauses by meaning. What it searches does not change while it is open, so answers are remembered."""

    def __init__(
        self, book: PolicyBook, embedder: Embedder, collection: Callable[[], Collection], close: Callable[[], None]
    ) -> None:
        """Use `open` or `in_memory`. `collection` is called at the first search, `close` at the end."""
        self._book, self._embedder, self._collection, self._close = book, embedder, collection, close
        self._given: Answers = {}
        self._remembered = lru_cache(maxsize=4_096)(self._ranked)

    @classmethod
    def open(cls, folder: Path, book: PolicyBook, embedder: Embedder) -> Self:
        """The index in `folder`. Raises BadInput unless it holds exactly the clauses of `book`, by this `embedder`."""
        remedy = "build it with `missions knowledge build`"
        if not (folder / DATABASE).is_file():
            raise BadInput(f"There is no knowledge index in {folder}; {remedy}.")
        client = _open(folder)
        try:
            with _one_sentence(folder):
                collection = _get(client)
                digests = None if collection is None else _held(collection)
            if collection is None or digests is None:
                raise BadInput(f"{folder} holds a Chroma database that is not a knowledge index; name another folder.")
            if digests != {entry.id: entry.digest for entry in index_entries(book, embedder.name).values()}:
                raise BadInput(f"The knowledge index in {folder} is not that of the present policies; {remedy}.")
        except BaseException:
            client.close()
            raise
        return cls(book, embedder, lambda: collection, client.close)

    @classmethod
    def in_memory(cls, book: PolicyBook, embedder: Embedder) -> Self:
        """An index without a folder, for tests and notebooks; embeds all clauses at the first search (seconds)."""
        # clients in memory share their collections, so that each index needs a name of its own
        client = cast(Client, chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False)))
        name, one_at_a_time = f"clauses-{uuid4().hex}", Lock()

        @cache
        def made() -> Collection:
            empty = _create(client, embedder.name, name)
            embed_into(empty, list(index_entries(book, embedder.name).values()), embedder, None)
            return empty

        def collection() -> Collection:
            with one_at_a_time:  # several runs may search at first
                return made()

        def close() -> None:
            with suppress(NotFoundError):
                client.delete_collection(name)
            client.close()

        return cls(book, embedder, collection, close)

    def search(self, query: str, k: int = 5, *, as_of: datetime) -> list[Hit]:
        """At most `k` clauses in force at `as_of`, the nearest first. Raises BadInput for an empty query or k < 1."""
        if not query.strip():
            raise BadInput("The query is empty; say in a few words what the clause should be about.")
        if k < 1:
            raise BadInput(f"{k} clauses cannot be found; ask for at least 1.")
        return list(self._remembered(query[:MAX_QUERY_CHARACTERS], k, self._book.period(as_of)))

    def answers(self, queries: Sequence[str], k: int, *, as_of: datetime) -> Answers:
        """What `search` finds for each of the queries, to be given to another process."""
        digest = self._book.period(as_of).digest
        return {(query[:MAX_QUERY_CHARACTERS], k, digest): tuple(self.search(query, k, as_of=as_of)) for query in queries}

    def take_over(self, answers: Answers) -> None:
        """Give these answers of another index, of the same clauses and by the same embedder, without searching again."""
        self._given = answers

    def _ranked(self, query: str, k: int, period: Period) -> tuple[Hit, ...]:
        given = self._given.get((query, k, period.digest))
        if given is not None:
            return given
        clauses = {entry_id(clause): clause for clause in period.clauses.values()}
        if not clauses:
            return ()
        found = self._collection().query(
            query_embeddings=self._embedder.embed([query]), ids=list(clauses), n_results=min(k, len(clauses)),
            include=["distances"],
        )  # fmt: skip
        distances = zip(found["ids"][0], (found["distances"] or [[]])[0], strict=True)
        # rounding takes a distance a hair below 0, and opposite vectors have one of 2
        return tuple(Hit(clauses[id_], min(1.0, max(0.0, 1.0 - distance))) for id_, distance in distances)

    def close(self) -> None:
        """Gives Chroma's files free. The index cannot be searched any more."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
