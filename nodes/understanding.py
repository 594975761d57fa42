"""Understanding what people wrote: `language.understand` for packs, by phrasings; and by a model where those alone are not sure.

A model says which request of the nearest ones a text makes, with the words of the text that make it. It is heard where the
phrasebook's nearest is the same and the words stand there; whatever follows from that waits for a person (`nodes.governance`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from errors import BadInput, NoAnswer
from knowledge_index.embeddings import Embedder
from knowledge_index.intents import CHATTER, OTHER, Intents
from ledger.base import Ledger
from models.answers import object_schema
from models.calls import Limits, Model, Question
from models.masking import Masks
from models.prompts import Prompt, block
from nodes.pack import UNDERSTAND, Pack
from nodes.reasoning.model_client import Asker
from systems.calls import Call, Reader, ReadResult

#: of a text, for a model; and of what it quotes
MOST_CHARACTERS = 4_000
LEAST_QUOTE, LONGEST_QUOTE = 8, 200


class Understands(Protocol):
    """Tells what texts ask for."""

    def understand(self, examples: str, text: str) -> Mapping[str, Any]:
        """See `Phrasebook.understand`."""
        ...


class Phrasebook:
    """Understands texts by the phrasings of a folder; each of its folders is learned when it is first needed.

    Args:
        folder: holds a folder of phrasings for each name that packs give as `examples`.
        embedder: makes vectors of texts.
        cache: keeps what was learned, and vectors.
    """

    def __init__(self, folder: Path, embedder: Embedder, cache: Path) -> None:
        self._folder, self._embedder, self._cache = folder, embedder, cache
        self._opened: dict[str, Intents] = {}

    def close(self) -> None:
        """Let go of the files of the cache."""
        for intents in self._opened.values():
            intents.close()
        self._opened.clear()

    def learn(self, packs: Iterable[Pack]) -> None:
        """Have at hand every folder that the packs understand texts by, before the first text comes."""
        for pack in packs:
            for read in pack.reads.values():
                if read.tool == UNDERSTAND and isinstance(read.args.get("examples"), str):
                    self._open(read.args["examples"])

    def understand(self, examples: str, text: str) -> Mapping[str, Any]:
        """What a text asks for; see `Intents.understand`. Raises BadInput where there are no such examples."""
        return self._open(examples).understand(text)

    def _open(self, examples: str) -> Intents:
        if examples not in self._opened:
            known = sorted(one.name for one in self._folder.iterdir() if one.is_dir()) if self._folder.is_dir() else []
            if examples not in known:
                raise BadInput(f"{self._folder} has no phrasings {examples!r}; it has {', '.join(known) or 'none'}")
            self._opened[examples] = Intents.open(self._folder / examples, self._embedder, self._cache)
        return self._opened[examples]


class Listening:
    """A Reader over the systems that answers `language.understand` from a phrasebook."""

    def __init__(self, systems: Reader, phrasebook: Understands, clock: Callable[[], datetime]) -> None:
        self._systems, self._phrasebook, self._clock = systems, phrasebook, clock

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """Answers in the order of the calls."""
        others = iter(self._systems.read_all([call for call in calls if call.tool != UNDERSTAND]))
        return [self._understood(call) if call.tool == UNDERSTAND else next(others) for call in calls]

    def _understood(self, call: Call) -> ReadResult:
        text, examples = call.args.get("text"), call.args.get("examples")
        if not isinstance(text, str) or not isinstance(examples, str):
            says = f"{UNDERSTAND} takes a text and the examples to understand it by"
            return ReadResult(call, "failed", None, self._clock(), says)
        try:
            return ReadResult(call, "ok", dict(self._phrasebook.understand(examples, text)), self._clock())
        except BadInput as error:
            return ReadResult(call, "failed", None, self._clock(), str(error))


#: on whose behalf a text is read: the ledger, the run and its attempt
_reader: ContextVar[tuple[Ledger, str, int] | None] = ContextVar("reader", default=None)


@contextmanager
def reading_for(ledger: Ledger, run_id: str, look: int, *, may_ask: bool) -> Iterator[None]:
    """While it is open, texts are read for this run; a model is asked only here, and only where the pack shows it the text."""
    token = _reader.set((ledger, run_id, look) if may_ask else None)
    try:
        yield
    finally:
        _reader.reset(token)


class ModelReads:
    """Understands texts as a phrasebook does, and asks a model where that one does not understand.

    Args:
        phrasebook: what understands first.
        model: what is asked.
        prompt: "understand", or a company's own of that name.
        limits: what questions may take.
        ledger: has the answers of before, so that a text is read the same whenever it is read again.
    """

    def __init__(self, phrasebook: Understands, model: Model, prompt: Prompt, limits: Limits, ledger: Ledger) -> None:
        self._phrasebook, self._prompt, self._ledger = phrasebook, prompt, ledger
        self._asker, self._name = Asker(model, limits), model.name

    def understand(self, examples: str, text: str) -> Mapping[str, Any]:
        """What a text asks for, as `Phrasebook.understand` has it; `read_by` names the model where it was heard."""
        found = self._phrasebook.understand(examples, text)
        near = [one["intent"] for one in found["nearest"]]
        if found["intent"] is not None or not near or near[0] in (OTHER, CHATTER):
            return found
        answer = self._answer(near, text)
        quote = str(answer.get("quote", ""))
        stands = LEAST_QUOTE <= len(quote) <= LONGEST_QUOTE and quote in text
        if answer.get("intent") != near[0] or not stands:
            return found
        return {**found, "intent": near[0], "said": quote, "read_by": self._name}

    def _answer(self, near: list[str], text: str) -> Mapping[str, Any]:
        """Of before, if it was asked before; {} where it may not be asked now, or does not answer."""
        intents = [intent for intent in near if intent not in (OTHER, CHATTER)]
        message = Masks().mask(text[:MOST_CHARACTERS])
        system, user = self._prompt.filled(intents=block("intents", intents), message=block("message", message))
        schema = object_schema({"intent": {"type": ["string", "null"], "enum": [*intents, None]}, "quote": {"type": "string"}})
        question = Question(purpose="understand", prompt=self._prompt.label, system=system, user=user, schema=schema)
        reader = _reader.get()
        ledger, run_id, look = reader or (self._ledger, "", 0)
        answered = ledger.model_answer(question.digest)
        if answered is not None or reader is None:
            return answered or {}
        try:
            return self._asker.ask(question, ledger, run_id, look)
        except NoAnswer:
            return {}  # the phrasebook's answer stands; the question is in the ledger, with why
