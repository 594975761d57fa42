"""What a model was asked and answered, heard by who evaluates it, to be kept with a result.

A question stands as it was sent: of what a pack does not show a model there is nothing in it, and what was masked is masked.
The JSON schema of the answer follows from prompt and pack, and is not kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from errors import NoAnswer
from models.calls import Model, Question, Reply


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One question to a model with its answer, or with why there is none."""

    #: "plan", "choice" or "understand"
    purpose: str
    model: str
    #: name, version and digest of the prompt
    prompt: str
    system: str
    user: str
    answer: Mapping[str, Any] | None = None
    error: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0


@dataclass
class Transcript:
    """Hears what is asked of the models that it was put before; for one case at a time."""

    _heard: list[Exchange] = field(default_factory=list)

    def before(self, model: Model) -> Model:
        """The model, heard from now on."""
        return _HeardModel(model, self._heard)

    def take(self) -> list[Exchange]:
        """What was heard since the last time, in its order."""
        heard = [*self._heard]
        self._heard.clear()
        return heard


class _HeardModel:
    """See Model."""

    def __init__(self, model: Model, heard: list[Exchange]) -> None:
        self.name, self._model, self._heard = model.name, model, heard

    def ask(self, question: Question) -> Reply:
        """See Model."""
        asked = {"model": self.name, **{name: getattr(question, name) for name in ("purpose", "prompt", "system", "user")}}
        try:
            reply = self._model.ask(question)
        except NoAnswer as failed:
            self._heard.append(Exchange(**asked, error=str(failed)))
            raise
        exchange = Exchange(
            **asked, answer=reply.answer, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens,
            latency_ms=reply.latency_ms,
        )  # fmt: skip
        self._heard.append(exchange)
        return reply
