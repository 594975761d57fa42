"""Who makes proposals and who reads texts, by the settings: the planner and the phrasebook, or a language model with them.

What a model needs is loaded when one is asked, and not before: it takes seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from errors import BadInput
from graphs.settings import Settings
from ledger.base import Ledger
from models.calls import Endpoint, Limits, Model
from models.prompts import Prompt
from nodes.listening import Understands
from nodes.planner import Planner
from nodes.reasoning.hybrid import Hybrid
from nodes.reasoning.llm import Llm
from nodes.reasoning.reading import ModelReads
from nodes.state import Reasoner


@dataclass(frozen=True)
class TextReading:
    """How a model reads texts where a phrasebook is not sure."""

    model: Model
    prompt: Prompt
    limits: Limits

    @property
    def version(self) -> str:
        """What it stands on: the model and its prompt."""
        return f"{self.model.name} {self.prompt.label}"

    def over(self, phrasebook: Understands, ledger: Ledger) -> Understands:
        """A phrasebook with the model; in the ledger stand the answers of before."""
        return ModelReads(phrasebook, self.model, {"understand": self.prompt}, self.limits, ledger)


@dataclass(frozen=True)
class Reasoning:
    """Who makes proposals, and who reads texts besides the phrasebook, if anybody does."""

    reasoner: Reasoner = field(default_factory=Planner)
    reads: TextReading | None = None


@contextmanager
def open_reasoning(chosen: Settings, name: str = "") -> Iterator[Reasoning]:
    """The reasoner of this name, or that of the settings, with the model that it asks; the planner asks none, for texts neither.

    Raises BadInput where it asks one and none is set, and for a prompt that does not load.
    """
    reasoner = name or chosen.reasoner_name
    if reasoner == Planner.name:
        yield Reasoning()
        return
    with open_model(chosen) as model:
        if model is None:
            raise BadInput(f"The reasoner {reasoner} asks a model, and none is set: name one in MISSIONS_MODEL (docs/models.md).")
        prompts, limits = {one: Prompt.load(one, chosen.prompts) for one in ("hybrid", "llm", "understand")}, limits_of(chosen)
        kind = Llm if reasoner == Llm.name else Hybrid
        yield Reasoning(kind(model, prompts, limits, chosen.tone), TextReading(model, prompts["understand"], limits))


@contextmanager
def open_model(chosen: Settings) -> Iterator[Model | None]:
    """The model of the settings, whoever asks it; None where none is set."""
    if not chosen.model:
        yield None
        return
    from models.client import open_chat_model

    endpoint = Endpoint(
        model=chosen.model,
        url=chosen.model_url,
        key=chosen.model_key.get_secret_value(),
        structure=chosen.model_structure,
    )
    with open_chat_model(endpoint, limits_of(chosen)) as model:
        yield model


def limits_of(chosen: Settings) -> Limits:
    """What questions to a model may take, by the settings."""
    return Limits(
        seconds=chosen.model_seconds,
        output_tokens=chosen.model_max_tokens,
        run_tokens=chosen.model_run_tokens,
        day_tokens=chosen.model_day_tokens,
        day_cents=chosen.model_day_cents,
        price_input=chosen.model_price_input,
        price_output=chosen.model_price_output,
    )
