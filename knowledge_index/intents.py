"""What a customer asks for in a message in his own words, understood by its likeness to example phrasings.

>>> intents = Intents.open(folder_of_phrasings, MiniLM(), cache_folder)
>>> intents.understand("Hiya, my lamp came in two pieces. Cheers, Jo")
{'intent': 'damaged', 'confidence': 0.99, 'said': 'my lamp came in two pieces', 'language': 'en', 'nearest': [...]}
"""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from errors import BadInput
from knowledge_index import classifier, sentences, spelling
from knowledge_index.classifier import Classifier, Floats
from knowledge_index.embeddings import Embedder, RememberedVectors
from knowledge_index.sentences import ORDER
from knowledge_index.spelling import mended, words_of

#: Classes that ask for nothing that a Mission does: questions of all kinds, and what stands around a request.
OTHER, CHATTER = "other", "chatter"
ORDER_PLACEHOLDER = "{order}"

#: How sure a message's intent must be, and that there is none, to say so.
SURE, SURE_OF_NONE = 0.5, 0.7
#: How much rarer messages with two different requests are than what their sentences say apart.
TWO_REQUESTS = 0.03
#: What is read otherwise than sentence by sentence must be surer.
SURE_OTHERWISE = 0.7
#: Two neighbours may be read as one if neither is chatter, nor says enough alone.
CHATS, SAYS_ENOUGH = 0.7, 0.5
#: The share of words that the examples have in an English sentence.
ENGLISH = 0.5

SAID_CHARACTERS, NEAREST, REMEMBERED_SENTENCES = 200, 3, 20_000
_BATCH = 64

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Example:
    """A phrasing: its intent, the line of the file, and the line as it is compared."""

    intent: str
    line: str
    text: str


class Intents:
    """Understands messages. Opened once, used by many threads."""

    def __init__(self, examples: Sequence[Example], model: Classifier, vectors: RememberedVectors) -> None:
        """Use `open`. `examples`: those that the model was fitted on, in their order, which is that of the intents."""
        self._examples, self._model, self._vectors = examples, model, vectors
        self._names = sorted({example.intent for example in examples})
        self._asked = [i for i, name in enumerate(self._names) if name not in (OTHER, CHATTER)]
        ends = list(accumulate(sum(example.intent == name for example in examples) for name in self._names))
        self._spans = list(zip([0, *ends], ends, strict=False))
        self._chatter = self._names.index(CHATTER)
        self._known = frozenset(word for example in examples for word in words_of(example.text))
        self._judged = lru_cache(maxsize=REMEMBERED_SENTENCES)(self._judge)

    @classmethod
    def open(cls, folder: Path, embedder: Embedder, cache: Path, on_progress: OnProgress | None = None) -> Self:
        """Take what was learned from `folder`/<intent>.txt: shipped beside the folder, or kept in `cache`; or learn it.

        To learn takes a minute (`on_progress` is called with examples embedded, of how many). What is broken, or of other
        phrasings, model or code, is learned again; without a cache that can be written all works, slower.
        Raises BadInput for a folder without phrasings.
        """
        examples = _read_examples(folder)
        vectors = RememberedVectors(embedder, cache)
        digest, file = _digest(examples, embedder.name), cache / f"intents-{folder.name}.npz"
        model = _stored(shipped(folder), digest) or _stored(file, digest)
        if model is None:
            texts, names = [example.text for example in examples], sorted({example.intent for example in examples})
            rows = []
            for start in range(0, len(texts), _BATCH):
                rows.append(vectors.embed(texts[start : start + _BATCH]))
                if on_progress:
                    on_progress(min(start + _BATCH, len(texts)), len(texts))
            model = Classifier.fit(texts, np.concatenate(rows), [names.index(example.intent) for example in examples])
            _store(file, digest, model)
        return cls(examples, model, vectors)

    @classmethod
    def ship(cls, folder: Path, embedder: Embedder, cache: Path, on_progress: OnProgress | None = None) -> bool:
        """Keep what is learned from a folder beside it, for everybody; False if it stood there already."""
        digest = _digest(_read_examples(folder), embedder.name)
        if _stored(shipped(folder), digest) is not None:
            return False
        with cls.open(folder, embedder, cache, on_progress) as opened:
            _store(shipped(folder), digest, opened._model)
        return True

    def understand(self, text: str) -> dict[str, Any]:
        """What the message asks for, as plain data.

        `intent` is None where the message is not understood: nothing is said, not in English, too uncertain, or two
        requests at once. `other` is understood: none of the requests. `confidence` is of the intent, or of the one that
        came nearest. `said` is the sentence that decided, in the words that were compared; `nearest` the nearest
        example of each of the three nearest intents. `language` is en, other or none.
        """
        every = [mended(sentence, self._known) for sentence in sentences.sentences(text)]
        english = [sentence for sentence in every if self._is_english(sentence)]
        words, of_english = (sum(len(sentence.split()) for sentence in texts) for texts in (every, english))
        language = "none" if not words else "en" if of_english > words / 2 else "other"
        intent, confidence, decisive = self._decide(english) if english else (None, 0.0, "".join(every[:1]))
        if intent == OTHER and language != "en":
            intent = None
        nearest = [
            {"intent": self._examples[at].intent, "likeness": round(likeness, 3), "example": self._examples[at].line}
            for likeness, at in (self._judged(decisive)[1] if english else ())
        ]
        return {
            "intent": intent, "confidence": round(confidence, 3), "said": decisive[:SAID_CHARACTERS], "language": language,
            "nearest": nearest,
        }  # fmt: skip

    def _decide(self, message: list[str]) -> tuple[str | None, float, str]:
        """(intent, how sure, the sentence that decided), sentence by sentence, or else in the other ways to read it."""
        plainly = self._read(message, SURE)
        if plainly[0] not in (None, OTHER):
            return plainly
        for other_way in (self._joined, sentences.stretches):
            texts = other_way(message)
            if texts != message and (found := self._read(texts, SURE_OTHERWISE))[0] not in (None, OTHER):
                return found
        return plainly

    def _read(self, texts: list[str], sure: float) -> tuple[str | None, float, str]:
        rows = self._probabilities(texts)
        each, none = self._of_message(rows)
        at, surest = self._asked[int(each.argmax())], float(each.max())
        sentence = texts[int(rows[:, at].argmax())]
        if surest >= sure:
            return self._names[at], surest, sentence
        return (OTHER, none, sentence) if none >= SURE_OF_NONE else (None, surest, sentence)

    def _of_message(self, rows: Floats) -> tuple[NDArray[np.float64], float]:
        """How sure it is that the message makes each of the requests and no other, and that it makes none.

        Every sentence makes a request or none, independently of the others. What is left over are messages with two
        different requests, which are rare.
        """
        requests = rows[:, self._asked].astype(np.float64)
        quiet = 1 - requests.sum(axis=1, keepdims=True)
        none = float(quiet.prod())
        each = (quiet + requests).prod(axis=0) - none
        whole = none + each.sum() + TWO_REQUESTS * max(0.0, 1 - none - each.sum())
        return each / whole, float(none / whole)

    def _joined(self, message: list[str]) -> list[str]:
        """With the two neighbours made one that say most together: "It was due on Monday. Still nothing."."""
        rows = self._probabilities(message)
        weak = (rows[:, self._chatter] < CHATS) & (rows[:, self._asked].max(axis=1) < SAYS_ENOUGH)
        pairs = {i: f"{message[i]} {message[i + 1]}" for i in range(len(message) - 1) if weak[i] and weak[i + 1]}
        if not pairs:
            return message
        at = max(pairs, key=lambda i: self._judged(pairs[i])[0][self._asked].max())
        return [*message[:at], pairs[at], *message[at + 2 :]]

    def close(self) -> None:
        """Gives the files of the cache free."""
        self._vectors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _probabilities(self, texts: Sequence[str]) -> Floats:
        return np.array([self._judged(text)[0] for text in texts])

    def _judge(self, sentence: str) -> tuple[Floats, list[tuple[float, int]]]:
        """Probabilities, and the nearest example of each of the nearest intents: (likeness, which), the nearest first."""
        probabilities, likeness = self._model.compare(sentence, self._vectors.embed([sentence])[0])
        nearest = [(float(likeness[at]), at) for at in (first + int(likeness[first:end].argmax()) for first, end in self._spans)]
        return probabilities, sorted(nearest, reverse=True)[:NEAREST]

    def _is_english(self, sentence: str) -> bool:
        words = words_of(sentence)
        return sum(word in self._known for word in words) >= ENGLISH * len(words)


def shipped(folder: Path) -> Path:
    """Where what was learned from a folder of phrasings lies for everybody."""
    return folder.with_suffix(".npz")


def _read_examples(folder: Path) -> list[Example]:
    """All files of the folder, each phrasing once."""
    try:
        texts = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.txt"), key=lambda path: path.stem)}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The phrasings in {folder} cannot be read ({error}); give UTF-8 files, one phrasing a line.") from error
    examples: dict[str, Example] = {}
    for intent, line in ((intent, line.strip()) for intent, lines in texts.items() for line in lines.splitlines()):
        if text := " ".join(sentences.sentences(line.replace(ORDER_PLACEHOLDER, ORDER))):
            examples.setdefault(text, Example(intent, line, text))
    intents = {example.intent for example in examples.values()}
    if len(intents) < 4 or not {OTHER, CHATTER} <= intents:
        raise BadInput(f"{folder} holds too few phrasings; it needs {OTHER}.txt, {CHATTER}.txt and files of two intents or more.")
    return list(examples.values())


def _digest(examples: Sequence[Example], model: str) -> str:
    """Of all that a learned model depends on: the examples, the embedding model, the code."""
    code = [Path(str(module.__file__)).read_text("utf-8") for module in (classifier, sentences, spelling)]
    return hashlib.sha256(repr((examples, model, code)).encode()).hexdigest()


def _stored(file: Path, digest: str) -> Classifier | None:
    """The model in `file`; None if there is none, or not the right one, or not whole."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        seal = str(arrays.pop("seal"))
        if seal != _seal(digest, arrays):
            return None
        return Classifier(**{name: array.astype(np.float32) for name, array in arrays.items()})
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _store(file: Path, digest: str, model: Classifier) -> None:
    """Write beside, then rename: another process reads the old file or the new one. A folder of others is left alone."""
    arrays = asdict(model)
    arrays["examples"] = arrays["examples"].astype(np.float16)  # most of it, and vectors are remembered no better
    with suppress(OSError):
        handle, beside = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as target:
                np.savez(target, seal=np.array(_seal(digest, arrays)), **arrays)
            Path(beside).chmod(0o644)
            Path(beside).replace(file)
        finally:
            Path(beside).unlink(missing_ok=True)


def _seal(digest: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    seal = hashlib.sha256(digest.encode())
    for name in sorted(arrays):
        seal.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        seal.update(np.ascontiguousarray(arrays[name]).tobytes())
    return seal.hexdigest()
