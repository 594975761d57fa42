"""A model that reads what people wrote where the phrasebook alone is not sure, and may only tip what that one leans to.

It says which request of the nearest ones a text makes, with the words of the text that make it. It is heard where the
phrasebook's nearest is the same and the words stand there; whatever follows from that waits for a person (`nodes.governance`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from errors import NoAnswer
from knowledge_index.intents import CHATTER, OTHER
from ledger.base import Ledger
from models.calls import Limits, Model, Question
from models.masking import Masks
from models.prompts import Prompt, block
from nodes.listening import Understands
from nodes.reasoning.asking import Asker

MOST_CHARACTERS = 4_000
LEAST_QUOTE, LONGEST_QUOTE = 8, 200


@dataclass(frozen=True)
class _OnBehalf:
    """On behalf of whom a text is read."""

    ledger: Ledger
    run_id: str
    look: int


_reader: ContextVar[_OnBehalf | None] = ContextVar("reader", default=None)


@contextmanager
def reading_for(ledger: Ledger, run_id: str, look: int, *, may_ask: bool) -> Iterator[None]:
    """While it is open, texts are read for this run; a model is asked only here, and only where the pack shows it the text."""
    token = _reader.set(_OnBehalf(ledger, run_id, look) if may_ask else None)
    try:
        yield
    finally:
        _reader.reset(token)


class ModelReads:
    """Understands texts as a phrasebook does, and asks a model where that one does not understand.

    Args:
        phrasebook: what understands first.
        model: what is asked.
        prompts: by name; "understand" is used.
        limits: what questions may take.
        ledger: has the answers of before, so that a text is read the same whenever it is read again.
    """

    def __init__(
        self, phrasebook: Understands, model: Model, prompts: Mapping[str, Prompt], limits: Limits, ledger: Ledger
    ) -> None:
        self._phrasebook, self._prompt, self._ledger = phrasebook, prompts["understand"], ledger
        self._asker, self._name = Asker(model, limits), model.name

    def understand(self, examples: str, text: str) -> Mapping[str, Any]:
        """What a text asks for, as `Phrasebook.understand` tells it; `read_by` names the model where it was heard."""
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
        question = Question(purpose="understand", prompt=self._prompt.label, system=system, user=user, schema=_schema(intents))
        reader = _reader.get()
        ledger = reader.ledger if reader else self._ledger
        answered = ledger.model_answer(question.digest)
        if answered is not None or reader is None:
            return answered or {}
        try:
            return self._asker.ask(question, ledger, reader.run_id, reader.look)
        except NoAnswer:
            return {}  # the phrasebook's answer stands; the question is in the ledger, with why


def _schema(intents: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"intent": {"type": ["string", "null"], "enum": [*intents, None]}, "quote": {"type": "string"}},
        "required": ["intent", "quote"],
        "additionalProperties": False,
    }
