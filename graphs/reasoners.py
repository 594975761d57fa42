"""Who makes proposals and who reads texts, by the settings: the planner and the phrasebook, or a language model with them.

With packs, policies and their index that is what all runs of a process share, live, evaluated or as a shadow.

What a model needs is loaded when one is asked, and not before: it takes seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from errors import BadInput
from knowledge_index.index import KnowledgeIndex
from knowledge_index.policies import PolicyBook
from ledger.base import Ledger
from models.answers import object_schema
from models.calls import Endpoint, Limits, Model, Question, Reply
from models.invoices import SCHEMA, checked, values
from models.masking import Masks
from models.prompts import Prompt, block
from nodes.pack import Pack
from nodes.planner import Planner
from nodes.reasoning.model_client import Asker
from nodes.reasoning.reasoners import Hybrid, Llm
from nodes.state import MissionContext, Reasoner
from nodes.understanding import Listening, ModelReads, Phrasebook, Understands
from settings import Settings
from systems.calls import Reader, Writer
from systems.catalogue import Catalogue


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
        return ModelReads(phrasebook, self.model, self.prompt, self.limits, ledger)


@dataclass(frozen=True)
class Reasoning:
    """Who makes proposals, and who reads texts besides the phrasebook, if anybody does."""

    reasoner: Reasoner = field(default_factory=Planner)
    reads: TextReading | None = None


@dataclass(frozen=True)
class MissionResources:
    """What all runs of a process share."""

    packs: Mapping[str, Pack]
    catalogue: Catalogue
    policies: PolicyBook
    knowledge: KnowledgeIndex
    phrasebook: Phrasebook
    reasoner: Reasoner = field(default_factory=Planner)
    #: reads texts where the phrasebook is not sure
    reads: TextReading | None = None

    def context(
        self, ledger: Ledger, reader: Reader, writer: Writer, clock: Callable[[], datetime], answers: Ledger | None = None
    ) -> MissionContext:
        """What the nodes of a run work with; a model's `answers` of before stand in the ledger, unless another is given."""
        kept = ledger if answers is None else answers
        understands = self.reads.over(self.phrasebook, kept) if self.reads else self.phrasebook
        return MissionContext(
            ledger=ledger, reader=Listening(reader, understands, clock), writer=writer, clock=clock, packs=self.packs,
            catalogue=self.catalogue, policies=self.policies, knowledge=self.knowledge, reasoner=self.reasoner,
        )  # fmt: skip


@contextmanager
def open_reasoning(
    chosen: Settings, name: str = "", heard: Callable[[Model], Model] = lambda model: model
) -> Iterator[Reasoning]:
    """The reasoner of this name, or that of the settings, with the model that it asks; the planner asks none, for texts neither.

    `heard` gives what is asked in place of the model, to hear what it is asked.

    Raises BadInput where it asks one and none is set, and for a prompt that does not load.
    """
    reasoner = name or chosen.reasoner_name
    if reasoner == Planner.name:
        yield Reasoning()
        return
    with open_model(chosen) as model:
        if model is None:
            raise BadInput(f"The reasoner {reasoner} asks a model, and none is set: name one in MISSIONS_MODEL (docs/models.md).")
        yield reasoning_with(heard(model), chosen, reasoner)


def reasoning_with(model: Model, chosen: Settings, name: str) -> Reasoning:
    """The reasoner "llm" or "hybrid" that asks this model. Raises BadInput for a prompt that does not load."""
    prompts, limits = {one: Prompt.load(one, chosen.prompts) for one in ("hybrid", "llm", "understand")}, limits_of(chosen)
    kind = Llm if name == Llm.name else Hybrid
    return Reasoning(kind(model, prompts, limits, chosen.tone), TextReading(model, prompts["understand"], limits))


@contextmanager
def open_model(chosen: Settings) -> Iterator[Model | None]:
    """The model of the settings, whoever asks it; None where none is set."""
    if not chosen.model:
        yield None
        return
    key = chosen.model_key.get_secret_value()
    endpoint = Endpoint(model=chosen.model, url=chosen.model_url, key=key, structure=chosen.model_structure)
    from models.client import open_chat_model  # loads for seconds

    with open_chat_model(endpoint, limits_of(chosen)) as model:
        yield model


def read_invoice_text(chosen: Settings, ledger: Ledger, text: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """(name of the model, what it read in the text of an invoice with the words of each value, the invoice as a JSON object).

    Raises BadInput where no model is set or it read what the text does not say, and NoAnswer.
    """
    shown, prompt = Masks().mask(text), Prompt.load("invoice", chosen.prompts)
    with open_model(chosen) as model:
        if model is None:
            raise BadInput(
                "only a model reads free text, and none is set: name one in MISSIONS_MODEL, or enter the invoice by hand"
            )
        system, user = prompt.filled(text=block("invoice text", shown))
        question = Question(purpose="invoice", prompt=prompt.label, system=system, user=user, schema=SCHEMA)
        read = checked(shown, Asker(model, limits_of(chosen)).ask(question, ledger))
        return model.name, read, values(read)


def try_model(model: Model) -> Reply:
    """Ask a model a question without any case: which is more, 2 or 3. Its answer is {"more"}. Raises NoAnswer."""
    system, user = "You answer with one JSON object, and nothing else.", 'Which is more, 2 or 3? Answer {"more": …}.'
    schema = object_schema({"more": {"type": "integer", "enum": [2, 3]}})
    return model.ask(Question(purpose="choice", prompt="check", system=system, user=user, schema=schema))


def limits_of(chosen: Settings) -> Limits:
    """What questions to a model may take, by the settings."""
    return Limits(
        seconds=chosen.model_seconds, output_tokens=chosen.model_max_tokens, run_tokens=chosen.model_run_tokens,
        day_tokens=chosen.model_day_tokens, day_cents=chosen.model_day_cents,
        price_input=chosen.model_price_input, price_output=chosen.model_price_output,
    )  # fmt: skip
