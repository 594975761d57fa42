"""What a worker is, wherever it runs: a process with an open laboratory of its own."""

import atexit
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from errors import BadInput
from evals.cases import RecordedException
from evals.engines.engine import Result
from evals.run import Evaluation, Laboratory
from evals.versions import code_digest, versions_of
from graphs.reasoners import open_reasoning
from graphs.settings import CHECKOUT, Settings, settings
from knowledge_index.index import Answers

_FOLDERS = ("home", "policies", "packs", "phrasings", "prompts")


@dataclass(frozen=True)
class Opening:
    """What a worker opens its laboratory with: plain data without secrets, to be sent to another machine."""

    #: by the name of the setting; those of the checkout relative to it, for it may lie elsewhere there
    folders: Mapping[str, Path]
    #: what the packs ask the index, already searched
    answers: Answers
    #: those that the worker must have too
    versions: Mapping[str, str]
    #: the name of the reasoner; its model, and the key to it, are those of the worker's environment
    reasoner: str = "planner"

    @classmethod
    def of(cls, laboratory: Laboratory, chosen: Settings) -> Self:
        """For workers that do as this laboratory does."""
        folders = {name: _portable(getattr(chosen, name)) for name in _FOLDERS}
        return cls(folders, laboratory.answers(), _versions(laboratory, chosen), laboratory.reasoner.name)

    def evaluation(self) -> Evaluation:
        """Open it here. Raises BadInput where policies, packs or anything else is another than where the jobs come from."""
        chosen = settings().model_copy(update={name: CHECKOUT / folder for name, folder in self.folders.items()})
        opened = ExitStack()
        atexit.register(opened.close)
        reasoning = opened.enter_context(open_reasoning(chosen, self.reasoner))
        laboratory = Laboratory.open(chosen, self.answers, reasoning)
        found = _versions(laboratory, chosen)
        if other := sorted(name for name in {**found, **self.versions} if found.get(name) != self.versions.get(name)):
            raise BadInput(
                f"a worker on {socket.gethostname()} has another {', '.join(other)}; "
                "give every worker the same checkout and the same model"
            )
        return Evaluation(laboratory)


class Worker:
    """Opens its laboratory with the first cases, so that whoever gave them hears where it cannot be opened."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    @cached_property
    def _evaluation(self) -> Evaluation:
        return self._opening.evaluation()

    def run(self, cases: Sequence[RecordedException]) -> list[Result]:
        """The results of cases, in their order."""
        return [self._evaluation.run(case) for case in cases]


def _portable(folder: Path) -> Path:
    folder = folder.absolute()
    return folder.relative_to(CHECKOUT) if folder.is_relative_to(CHECKOUT) else folder


def _versions(laboratory: Laboratory, chosen: Settings) -> dict[str, str]:
    return {"code": code_digest(), **versions_of(laboratory, chosen.phrasings)}
