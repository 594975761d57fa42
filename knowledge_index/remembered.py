"""Vectors that are computed once: in this process, and in a file that all processes of this machine share.

The file holds digests and vectors, never a text. It is SQLite, because that lets many processes write at once.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from knowledge_index.embeddings import Embedder

FILE = "vectors.sqlite3"
#: In this process, and in the file (about 800 bytes each); when it is full, new vectors are not kept.
MAX_IN_PROCESS, MAX_IN_FILE = 20_000, 200_000
_DIGEST_BYTES = 8
_PATIENCE_SECONDS, _PATIENCE_TO_WRITE_MS = 5, 200


class RememberedVectors:
    """An Embedder in front of another. Without a folder that it may write, it remembers within the process only.

    Vectors are rounded to half precision, also fresh ones: what is remembered is what was first given.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        """`folder` is made if it is not there."""
        self.name = embedder.name
        self._embedder = embedder
        self._lock = Lock()
        self._file = _open(folder)
        #: what this process computed and the file does not have yet
        self._fresh: dict[bytes, bytes] = {}
        self._vector = lru_cache(maxsize=MAX_IN_PROCESS)(self._read_or_embed)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One normalised row per text."""
        with self._lock:
            rows = [self._vector(text) for text in texts]
            self._keep()
        return np.array(rows, dtype=np.float32) if rows else self._embedder.embed([])

    def close(self) -> None:
        """Gives the file free; what is computed later is remembered in the process only."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None

    def _read_or_embed(self, text: str) -> NDArray[np.float32]:
        key = hashlib.sha256(f"{self.name}\n{text}".encode("utf-8", "replace")).digest()
        kept = self._read(key)
        if kept is not None:
            return kept
        self._fresh[key] = self._embedder.embed([text])[0].astype(np.float16).tobytes()
        return _vector(self._fresh[key])

    def _read(self, key: bytes) -> NDArray[np.float32] | None:
        if self._file is None:
            return None
        try:
            row = self._file.execute("SELECT vector, digest FROM vectors WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error:  # a cache that cannot be read is none
            return None
        if row is None or not isinstance(row[0], bytes) or row[1] != _digest(key, row[0]):
            return None
        return _vector(row[0])

    def _keep(self) -> None:
        """Write what is fresh in one short transaction, so that other processes hardly wait."""
        fresh, self._fresh = self._fresh, {}
        if self._file is None or not fresh:
            return
        with suppress(sqlite3.Error), self._file:  # full, or locked too long: it is computed again next time
            if self._file.execute("SELECT coalesce(max(rowid), 0) FROM vectors").fetchone()[0] < MAX_IN_FILE:
                rows = [(key, raw, _digest(key, raw)) for key, raw in fresh.items()]
                self._file.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)


def _vector(raw: bytes) -> NDArray[np.float32]:
    vector = np.frombuffer(raw, dtype=np.float16).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _digest(key: bytes, raw: bytes) -> bytes:
    return hashlib.sha256(key + raw).digest()[:_DIGEST_BYTES]


def _open(folder: Path) -> sqlite3.Connection | None:
    """The file of `folder`; a broken one is made anew. None where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    for _ in range(2):
        try:
            return _connect(folder / FILE)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # not writable, locked
                return None
            with suppress(OSError):
                (folder / FILE).unlink()
    return None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")  # a lost vector is computed again, and each row has a digest
    connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB, digest BLOB)")
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_TO_WRITE_MS}")
    return connection
