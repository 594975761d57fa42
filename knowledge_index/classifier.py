"""Which class a sentence belongs to, learned from examples: kernel ridge regression in closed form.

A sentence is compared with all examples in two ways: by the model's vector, which sees meaning, and by the letters and
words that they share, which see what the model overlooks ("twice", "no longer") and bear slips.

Sentences of 2,624 examples in 8 classes that were told rightly, five-fold, by the methods that were tried: nearest 15
neighbours by meaning 81%, centroids 79%, logistic regression on vectors 86%, on letters 79%, on both 88%; kernel ridge
regression on vectors 88%, on both 90%.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: How fast likeness of meaning falls with distance, what shared letters weigh beside it, how smooth the fit is.
MEANING_DECAY, LETTERS_WEIGHT, RIDGE = 2.0, 0.5, 0.2
#: Columns that letter groups and words are hashed to.
COLUMNS = 1 << 13
#: One example of so many is held out to learn how sure scores are.
HELD_OUT = 5

_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True)
class Classifier:
    """What was learned of n examples, d dimensions, k classes. `arrays` and `Classifier(**arrays)` store and restore it."""

    #: (d,) mean of the examples' vectors
    centre: Floats
    #: (n, d) their vectors, centred and normalised
    examples: Floats
    #: (n, k) what each example says by its meaning
    by_meaning: Floats
    #: (COLUMNS,) how rare a letter group or word is, and (COLUMNS, k) what it says
    rarity: Floats
    by_letters: Floats
    #: (1,) turns scores into probabilities
    sharpness: Floats

    @classmethod
    def fit(cls, texts: Sequence[str], vectors: Floats, classes: Sequence[int]) -> "Classifier":
        """Learn from examples, their vectors (n, d), and their classes 0 to k - 1."""
        centre = vectors.mean(axis=0)
        examples = _centred(vectors, centre)
        columns = [_columns(text) for text in texts]
        counts = np.bincount(np.concatenate(columns), minlength=COLUMNS)
        rarity = np.sqrt(np.log1p(len(texts) / np.maximum(counts, 1))).astype(np.float32)
        letters = np.zeros((len(texts), COLUMNS), dtype=np.float32)
        for row, hit in zip(letters, columns, strict=True):
            row[hit] = _weights(hit, rarity)

        kernel = np.exp(MEANING_DECAY * (examples @ examples.T - 1)) + LETTERS_WEIGHT * (letters @ letters.T)
        labels = np.asarray(classes)
        targets = np.eye(labels.max() + 1)[labels] - 1 / (labels.max() + 1)
        weights = _weighed(kernel, targets)
        return cls(
            centre=centre,
            examples=examples,
            by_meaning=weights.astype(np.float32),
            rarity=rarity,
            by_letters=LETTERS_WEIGHT * (letters.T @ weights.astype(np.float32)),
            sharpness=np.array([_sharpness(kernel, targets, labels)], dtype=np.float32),
        )

    def compare(self, text: str, vector: Floats) -> tuple[Floats, Floats]:
        """(k,) how sure it is that the text is of each class, adding up to 1; (n,) its likeness to each example.

        Likeness is the cosine of the vectors, seen from the centre of the examples.
        """
        hit = _columns(text)
        likeness = self.examples @ _centred(vector, self.centre)
        scores = np.exp(MEANING_DECAY * (likeness - 1)) @ self.by_meaning
        scores += _weights(hit, self.rarity) @ self.by_letters[hit]
        return _softmax(scores * self.sharpness), likeness


def _weighed(kernel: Floats, targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, k): what each example says, so that together they say the targets."""
    return np.asarray(np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), targets), dtype=np.float64)


def _sharpness(kernel: Floats, targets: NDArray[np.float64], labels: NDArray[np.int_]) -> float:
    """The factor with which scores tell the truth about how sure they are: the least log loss on examples held out."""
    held = np.arange(len(labels)) % HELD_OUT == 0
    scores = kernel[np.ix_(held, ~held)] @ _weighed(kernel[np.ix_(~held, ~held)], targets[~held])
    rows = np.arange(len(scores))

    def loss(factor: float) -> float:
        return float(-np.log(_softmax(factor * scores)[rows, labels[held]] + 1e-9).mean())

    factors: list[float] = np.geomspace(1, 30, 60).tolist()
    return min(factors, key=loss)


def _centred(vectors: Floats, centre: Floats) -> Floats:
    moved = vectors - centre
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-9), dtype=np.float32)


def _softmax(scores: NDArray[np.floating]) -> Floats:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def _weights(columns: NDArray[np.int_], rarity: Floats) -> Floats:
    weights = rarity[columns]
    return weights / max(float(np.linalg.norm(weights)), 1e-9)


def _columns(text: str) -> NDArray[np.int_]:
    """Columns of a text's words, pairs of words, and groups of 3 and 4 letters within words; each once."""
    return np.array(sorted({zlib.crc32(part.encode("utf-8", "replace")) % COLUMNS for part in _parts(text)}), dtype=np.int_)


def _parts(text: str) -> Iterable[str]:
    words = _WORD.findall(text)
    yield from (f"{one} {other}" for one, other in pairwise(words))
    for word in words:
        edged = f"<{word}>"
        yield edged
        yield from (edged[i : i + size] for size in (3, 4) for i in range(len(edged) - size + 1))
