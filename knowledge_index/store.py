"""The Chroma collection that holds one vector per version of a clause.

Chroma finds ids by vectors. What is in force, and what a clause says, is asked of the PolicyBook, so that what is cited
is always what the policy documents say. Only the embedded client is used: Chroma's server has an open remote-code
advisory.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import chromadb
from chromadb.api.client import Client
from chromadb.config import Settings
from chromadb.errors import ChromaError

from errors import BadInput
from knowledge_index.policies import Clause, PolicyBook

COLLECTION = "missions-clauses"

#: The file that Chroma makes in every folder of its own.
DATABASE = "chroma.sqlite3"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the collection holds of one version of a clause."""

    #: `FRD-2@1`
    id: str
    #: what is embedded
    text: str
    #: of text and model: another digest means another vector
    digest: str


def entry_id(clause: Clause) -> str:
    """The id of a clause's version in the collection: `FRD-2@1`."""
    return f"{clause.id}@{clause.version}"


def entries(book: PolicyBook, embedder_name: str) -> dict[str, Entry]:
    """What the collection must hold, by id: every version of every clause of `book`."""
    wanted: dict[str, Entry] = {}
    for period in book.periods:
        for clause in period.clauses.values():
            # a number of another policy may change the text within one version: the first text stands for the version
            wanted.setdefault(entry_id(clause), _entry(clause, embedder_name))
    return wanted


def _entry(clause: Clause, embedder_name: str) -> Entry:
    # "High" says little by itself: with the policy's title before it, 27 instead of 23 of 50 questions found their
    # clause first
    text = f"{clause.policy_title}: {clause.title}. {clause.text}"
    digest = hashlib.sha256(f"{embedder_name}\n{text}".encode()).hexdigest()
    return Entry(id=entry_id(clause), text=text, digest=digest)


def held(collection: chromadb.Collection) -> dict[str, str]:
    """Digests of what the collection holds, by id."""
    found = collection.get(include=["metadatas"])
    digests = [str((metadata or {}).get("digest")) for metadata in found["metadatas"] or []]
    return dict(zip(found["ids"], digests, strict=True))


def is_chroma(folder: Path) -> bool:
    """Whether Chroma has been in `folder`."""
    return (folder / DATABASE).is_file()


def require_writable(folder: Path) -> None:
    """Raises BadInput unless Chroma may write in `folder`, which it does even where it only reads."""
    for path in (folder, folder / DATABASE):
        if path.exists() and not os.access(path, os.W_OK):
            raise BadInput(f"{path} may not be written, and Chroma must; make it writable, or name another folder.")


def open_client(folder: Path) -> Client:
    """Chroma at `folder`, to be closed by the caller. Raises BadInput."""
    require_writable(folder)
    # Chroma keeps a client that failed, and answers for it with the two others
    with told(folder, ValueError, AttributeError):
        return _client(chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False)))


def new_in_memory() -> Client:
    """Chroma without a folder. All such clients of a process share their collections."""
    return _client(chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False)))


def _client(client: object) -> Client:
    # chromadb declares an interface without `close`
    return cast(Client, client)


def get_collection(client: Client) -> chromadb.Collection | None:
    """The collection of clauses, or None if this Chroma has none."""
    if COLLECTION not in {collection.name for collection in client.list_collections()}:
        return None
    return client.get_collection(COLLECTION, embedding_function=None)


def has_other_collections(client: Client) -> bool:
    """Whether this Chroma keeps something that is not ours."""
    return any(collection.name != COLLECTION for collection in client.list_collections())


def create_collection(client: Client, embedder_name: str, name: str = COLLECTION) -> chromadb.Collection:
    """A new collection for vectors of `embedder_name`, compared by cosine."""
    return client.create_collection(
        name,
        configuration={"hnsw": {"space": "cosine"}},
        metadata={"embedder": embedder_name},
        embedding_function=None,
    )


@contextmanager
def told(folder: Path, *also: type[Exception]) -> Iterator[None]:
    """Tells Chroma's own errors, and those of `also`, as one sentence about `folder`."""
    kinds: tuple[type[Exception], ...] = (ChromaError, *also)
    try:
        yield
    except kinds as error:
        remedy = "delete that folder and build it with `missions knowledge build`"
        raise BadInput(f"The knowledge index in {folder} cannot be used ({error}); {remedy}.") from error
