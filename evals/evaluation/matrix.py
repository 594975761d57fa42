"""Models × prompts × reasoners over the same recorded exceptions, as a company writes them down:

    reasoners: [planner, hybrid]
    models:
      small: {model: local, url: http://127.0.0.1:8080/v1, structure: json_schema}
      large: {model: gpt-large, key: LARGE_KEY, price_input: 250, price_output: 1000}
    prompts: {shipped: "", brief: prompts/brief}

`key` names the environment variable that holds it. Each combination is an evaluation of its own, to be opened and compared.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from errors import BadInput
from evals.evaluation.measured import measure
from evals.evaluation.scorers import BY_NAME, Scorer
from evals.evaluation.store import EvaluationCase
from nodes.planner import Planner
from rendering import share
from settings import Settings
from strict_yaml import read_yaml

#: for each Mission; the others are over all
_OF_ALL = ("unsafe", "tries", "cost_cents", "latency_ms")


#: of a file
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]


class MatrixModel(BaseModel):
    """A model of a matrix: what MISSIONS_MODEL and its like say of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1)
    url: str = ""
    #: the name of the environment variable that holds the key
    key: str = ""
    structure: Literal["auto", "json_schema", "tools", "json"] = "auto"
    #: US cents for a million tokens
    price_input: float = Field(default=0.0, ge=0)
    price_output: float = Field(default=0.0, ge=0)


class Matrix(BaseModel):
    """What is tried against each other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reasoners: Sequence[Literal["planner", "hybrid", "llm"]] = Field(default=("hybrid",), min_length=1)
    models: Mapping[Name, MatrixModel] = {}
    #: folders of prompts, beside the file; empty: those that ship
    prompts: Mapping[Name, str] = {"shipped": ""}

    @classmethod
    def read(cls, file: Path) -> "Matrix":
        """The matrix of a file. Raises BadInput."""
        found = read_yaml(file, "matrix").as_model(cls, "docs/evaluation.md")
        if not found.models and any(one != Planner.name for one in found.reasoners):
            raise BadInput(f"{file}: {found.reasoners[0]} asks a model, and `models` names none; add one")
        return found


@dataclass(frozen=True)
class Combination:
    """One row of a matrix."""

    reasoner: str
    model: str = "–"
    prompts: str = "–"

    @property
    def name(self) -> str:
        """As its files are called: "hybrid-small-shipped"."""
        return "-".join(part for part in (self.reasoner, self.model, self.prompts) if part != "–")


def combinations(matrix: Matrix, beside: Path, chosen: Settings) -> Iterator[tuple[Combination, Settings]]:
    """Each row with its settings; the planner, which asks no model, is one row. Raises BadInput where a key is not set."""
    for reasoner in dict.fromkeys(matrix.reasoners):
        if reasoner == Planner.name:
            yield Combination(reasoner), chosen
            continue
        for model, given in matrix.models.items():
            for prompts, folder in matrix.prompts.items():
                changed = {
                    "model": given.model, "model_url": given.url, "model_key": _key(model, given),
                    "model_structure": given.structure,
                    "model_price_input": given.price_input, "model_price_output": given.price_output,
                    **({"prompts": beside / folder} if folder else {}),
                }  # fmt: skip
                yield Combination(reasoner, model, prompts), chosen.model_copy(update=changed)


def _key(name: str, given: MatrixModel) -> SecretStr:
    if given.key and not os.environ.get(given.key):
        raise BadInput(f"The key of the model {name} is to be in {given.key}, which is not set in the environment; set it")
    return SecretStr(os.environ[given.key] if given.key else "")


def matrix_row(cases: Sequence[EvaluationCase], missions: Sequence[str]) -> dict[str, str]:
    """{column: text}: exact with its interval over all and for each mission, then what it took."""
    exact = BY_NAME["exact"]
    row = {"all": _with_interval(exact, cases)}
    for mission in missions:
        row[mission] = _with_interval(exact, [case for case in cases if case.mission == mission])
    # where no answer of the model stands, the planner's plan does: what is exact then is no work of the model
    row["by the model"] = share(sum(case.usage.get("by_model", 0.0) for case in cases) / len(cases))
    for name in _OF_ALL:
        scorer = BY_NAME[name]
        row[scorer.title] = scorer.text(measure(scorer, cases).mean)
    return row


def _with_interval(scorer: Scorer, cases: Sequence[EvaluationCase]) -> str:
    found = measure(scorer, cases)
    return f"{scorer.text(found.mean)} ({scorer.between(found.interval)})" if found.interval else "–"
