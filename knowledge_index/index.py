"""Search of the knowledge index.

>>> with KnowledgeIndex.open(folder, book, MiniLM()) as index:
...     index.search("Who may approve a large refund?", as_of=as_of)[0].clause_id
'GOV-3'
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self
from uuid import uuid4

from chromadb import Collection
from chromadb.errors import NotFoundError

from errors import BadInput
from knowledge_index.building import embed_into
from knowledge_index.embeddings import Embedder
from knowledge_index.policies import Period, PolicyBook
from knowledge_index.store import (
    create_collection,
    entries,
    entry_id,
    get_collection,
    held,
    is_chroma,
    new_in_memory,
    open_client,
    told,
)

#: Longer queries are cut; what is behind would not change the vector.
MAX_QUERY_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A clause that bears on a query."""

    clause_id: str
    policy_id: str
    version: int
    title: str
    text: str
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
        self._book = book
        self._embedder = embedder
        self._collection = collection
        self._close = close
        self._given: Answers = {}
        self._remembered = lru_cache(maxsize=4_096)(self._ranked)

    @classmethod
    def open(cls, folder: Path, book: PolicyBook, embedder: Embedder) -> Self:
        """The index in `folder`. Raises BadInput unless it holds exactly the clauses of `book`, by this `embedder`."""
        remedy = "build it with `missions knowledge build`"
        if not is_chroma(folder):
            raise BadInput(f"There is no knowledge index in {folder}; {remedy}.")
        client = open_client(folder)
        try:
            with told(folder):
                collection = get_collection(client)
                digests = None if collection is None else held(collection)
            if collection is None or digests is None:
                raise BadInput(f"{folder} holds a Chroma database that is no knowledge index; name another folder.")
            if digests != {entry.id: entry.digest for entry in entries(book, embedder.name).values()}:
                raise BadInput(f"The knowledge index in {folder} is not that of the present policies; {remedy}.")
        except BaseException:
            client.close()
            raise
        return cls(book, embedder, lambda: collection, client.close)

    @classmethod
    def in_memory(cls, book: PolicyBook, embedder: Embedder) -> Self:
        """An index without a folder, for tests and notebooks; embeds all clauses at the first search (seconds)."""
        # clients in memory share their collections, so that each index needs a name of its own
        client, name, one_at_a_time = new_in_memory(), f"clauses-{uuid4().hex}", Lock()

        @cache
        def made() -> Collection:
            empty = create_collection(client, embedder.name, name)
            embed_into(empty, list(entries(book, embedder.name).values()), embedder, None)
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
            query_embeddings=self._embedder.embed([query]),
            ids=list(clauses),
            n_results=min(k, len(clauses)),
            include=["distances"],
        )
        distances = found["distances"] or [[]]
        return tuple(
            Hit(
                clause_id=clauses[id_].id,
                policy_id=clauses[id_].policy_id,
                version=clauses[id_].version,
                title=clauses[id_].title,
                text=clauses[id_].text,
                # rounding takes a distance a hair below 0, and opposite vectors have one of 2
                score=min(1.0, max(0.0, 1.0 - distance)),
            )
            for id_, distance in zip(found["ids"][0], distances[0], strict=True)
        )

    def close(self) -> None:
        """Gives Chroma's files free. The index cannot be searched any more."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
