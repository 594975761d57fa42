"""What shadows did, kept as files: `shadows/NAME.jsonl` in the data folder, first the shadow itself, then a line a run.

A line holds ids and plans and nothing that was read: of an action, the arguments that make it this action and no other,
which leaves texts and addresses out. Only the account that wrote a file can read it.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from fasteners import InterProcessLock  # type: ignore[import-untyped]

from errors import BadInput, Refused
from evals.atomic_write import writing
from evals.evaluation.answers import CaseAnswer
from evals.evaluation.store import read_lines, record_reader

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OWN = 0o600


@dataclass(frozen=True, kw_only=True)
class ShadowOf:
    """A shadow: what it runs beside the live version, and since when."""

    name: str
    since: datetime
    #: clauses that say something else than in the live version, and Missions with another pack
    changed: Sequence[str]
    changed_packs: Sequence[str]
    #: graph, reasoner, policies, catalogue, a "pack …" a mission
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SimulatedStep:
    """A step that was not done, but simulated."""

    #: of the run, from 1
    proposal: int
    action: str
    args: Mapping[str, Any]
    status: Literal["done", "failed", "not reached"]
    #: why it would have failed
    error: str = ""
    #: "oms O-17 status": system, record and field of what it would have changed
    changes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ShadowRun:
    """A live run, as the shadow would have handled it."""

    run_id: str
    mission: str
    event: str
    subject: str
    at: datetime
    #: read from the systems now; or, as the live run has had effects, what that had read then
    evidence: Literal["now", "then"]
    #: tools that answered the shadow otherwise than the live run in its look
    moved: Sequence[str]
    #: what the live run started with
    live_versions: Mapping[str, str]
    #: what it would propose first; None where it cannot
    answer: CaseAnswer | None
    #: in how many looks, and proposals whose approval was assumed or not needed
    looks: int
    proposals: int
    #: as of a run, or "stuck": a person would have had to look at it
    outcome: str
    steps: Sequence[SimulatedStep]
    #: why it got stuck
    error: str = ""
    seconds: float = 0.0
    #: of the live run, from 1: the last one when this was run, or the last one before it had effects
    look: int = 1


@dataclass(frozen=True)
class StoredShadow:
    """What a shadow's file holds."""

    shadow: ShadowOf
    runs: Sequence[ShadowRun]
    #: lines that cannot be read; they are left out
    broken: int = 0


class ShadowFile:
    """The file of one shadow."""

    def __init__(self, home: Path, name: str) -> None:
        """Raises BadInput for what is no name."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is not a valid shadow name; use letters, digits, - and _, at most 64 of them")
        self.name, self.path = name, home / "shadows" / f"{name}.jsonl"

    def read(self) -> StoredShadow:
        """Everything that was kept. Raises BadInput where there is none, or it is no file of a shadow."""
        try:
            first, *rest = self.path.read_bytes().splitlines()
            shadow: ShadowOf = record_reader(ShadowOf).validate_json(first)
        except FileNotFoundError:
            raise BadInput(f"There is no shadow {self.name}; start it with `missions shadow run {self.name} …`.") from None
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.path} is not a shadow file; move it, or give another name.") from error
        runs, broken = read_lines(rest, record_reader(ShadowRun))
        return StoredShadow(shadow, list({run.run_id: run for run in runs}.values()), broken)

    @contextmanager
    def writing(self, shadow: ShadowOf) -> Iterator["ShadowWriter"]:
        """Write it, from where it ended: one process at a time, and one candidate under a name.

        Raises Refused where another process does, and BadInput where the name is that of another candidate.
        """
        lock = InterProcessLock(self.path.with_suffix(".lock"))
        with writing(self.path.parent, "make the folder writable"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_held = lock.acquire(blocking=False)
        if not is_held:
            raise Refused(f"The shadow {self.name} runs already, in another process; stop that one, or give another name.")
        try:
            known = self._mended(shadow)
            if known.shadow.versions != shadow.versions:
                before, now = known.shadow.versions, shadow.versions
                other = ", ".join(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))
                raise BadInput(f"The shadow {self.name} was one of other versions ({other}); give this one another name.")
            yield ShadowWriter(self.path, known)
        finally:
            lock.release()

    def _mended(self, shadow: ShadowOf) -> StoredShadow:
        """What is there; a line that was torn when its process ended is dropped, and a file that has none begun."""
        made = os.O_RDWR | os.O_CREAT
        with writing(self.path, "make room, or make it writable"), os.fdopen(os.open(self.path, made, _OWN), "r+b") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
            if whole == 0:
                file.seek(0)
                file.write(orjson.dumps(shadow) + b"\n")
        return self.read()


def shadow_names(home: Path) -> list[str]:
    """The shadows that are kept, by name."""
    return sorted(file.stem for file in (home / "shadows").glob("*.jsonl") if _NAME.fullmatch(file.stem))


class ShadowWriter:
    """Adds runs to the file of a shadow."""

    def __init__(self, path: Path, kept: StoredShadow) -> None:
        self._path, self.shadow = path, kept.shadow
        self.known = {run.run_id for run in kept.runs}

    def add(self, run: ShadowRun) -> None:
        """Keep a run. Raises BadInput where the file cannot be written."""
        with (
            writing(self._path, "make room, then start the shadow again"),
            os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND), "ab") as file,
        ):
            file.write(orjson.dumps(run) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.known.add(run.run_id)
