"""What Missions work with, opened once a process, and other versions of it."""

import atexit
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from graphs.candidate import Candidate, Change
from graphs.pack_files import load_packs
from graphs.reasoners import open_reasoning, reasoning_with
from graphs.transcripts import Transcript
from knowledge_index.embeddings import MiniLM
from knowledge_index.policies import PolicyBook
from ledger.canonical import utc_now
from models.calls import Model
from settings import settings
from strict_yaml import read_yaml

#: a folder of packs, or packs as `pack` gives them, by mission
Packs = Path | Mapping[str, Mapping[str, Any]]

#: closed at the end of the process
opened = ExitStack()
atexit.register(opened.close)


@cache
def present() -> EvalEnvironment:
    """What there is: packs, policies, the knowledge index; of the company of MISSIONS_COMPANY. Raises BadInput."""
    return EvalEnvironment.open(settings())


def version(
    changes: Mapping[str, Any] | None = None,
    *,
    policies: PolicyBook | Path | None = None,
    packs: Packs | None = None,
    reasoner: str = "",
    model: Model | None = None,
) -> EvalEnvironment:
    """What Missions work with, as it is or as it would be; nothing of it is written anywhere.

    >>> lenient = ms.version({"FRD-2.elevated": 0.6})
    >>> ms.compare(ms.run("order_exception"), ms.run("order_exception", lenient))

    Args:
        changes: path -> value of a clause, or tier of an action, as for `what_if`.
        policies: all policies, or their folder. Like `changes` they hold for a case of any day, as if always in force.
        packs: a folder of packs, or packs as `pack` gives them, in the place of those of their Missions.
        reasoner: "planner", "llm" or "hybrid"; the last two ask the model of MISSIONS_MODEL. The planner unless given.
        model: asked by them in its place, such as a `ScriptedModel`, which answers by a function.

    Raises BadInput for what does not load, or is not there to be changed.
    """
    made = present()
    if changes or policies:
        with in_folder(packs) as folder:
            made = _changed(made, Change(policies, folder, changes))
    elif packs is not None:
        with in_folder(packs) as folder:
            made = replace(made, packs={**made.packs, **load_packs(folder, made.catalogue, made.policies)})
    transcript = Transcript()
    if model is not None:
        asked = reasoning_with(transcript.before(model), settings(), reasoner or "hybrid")
        return replace(made, reasoner=asked.reasoner, transcript=transcript)
    if reasoner:
        asked = opened.enter_context(open_reasoning(settings(), reasoner, transcript.before))
        return replace(made, reasoner=asked.reasoner, reads=asked.reads, transcript=transcript)
    return made


def as_day(day: date | str) -> date:
    """A day, or its text such as 2027-01-01. Raises BadInput for another text."""
    try:
        return date.fromisoformat(day) if isinstance(day, str) else day
    except ValueError as error:
        raise BadInput(f"{day!r} is no day; write it as 2027-01-01") from error


def pack(mission: str) -> dict[str, Any]:
    """The pack of a Mission as plain data, to be changed and given to `version`. Raises BadInput where there is none."""
    if mission not in present().packs:
        raise BadInput(f"there is no Mission {mission}; there are {', '.join(present().packs)}")
    raw: dict[str, Any] = read_yaml(settings().packs / f"{mission}.yaml", "pack").data
    return raw


def _changed(made: EvalEnvironment, change: Change) -> EvalEnvironment:
    now, chosen = utc_now(), settings()
    there = Candidate.present(chosen, made.catalogue, now)
    candidate = there.with_change(change, chosen, made.catalogue, now)
    return opened.enter_context(EvalEnvironment.of_candidate(candidate, made.catalogue, chosen, MiniLM()))


@contextmanager
def in_folder(packs: Packs | None) -> Iterator[Any]:
    """Packs in a folder; None of none."""
    if packs is None or isinstance(packs, Path):
        yield packs
        return
    with TemporaryDirectory() as name:
        for mission, raw in packs.items():
            (Path(name) / f"{mission}.yaml").write_text(yaml.safe_dump(dict(raw), sort_keys=False, allow_unicode=True), "utf-8")
        yield Path(name)
