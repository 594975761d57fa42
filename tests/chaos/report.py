"""What a scenario found, and how it is printed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.chaos.checker import Acknowledged, Found, check
from tests.chaos.world import World

#: of the sentences of one figure, so many are printed
_SHOWN = 8


@dataclass
class Report:
    """The figures of all scenarios so far."""

    found: Found = field(default_factory=Found)
    #: what was not what the scenario is about: a fault that was not met, a place that was not reached
    vacuous: list[str] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)

    def check(self, world: World) -> Found:
        """Check a world, and add what is wrong in it."""
        found = check(world.url, Acknowledged(world.taken_in, world.decided, world.heads))
        self.found |= found
        return found

    def scenario(self, name: str, world: World, **counts: object) -> None:
        """Check, and print one line of a scenario with its counts."""
        begun = time.monotonic()
        found = self.check(world)
        told: list[tuple[str, object]] = [*counts.items(), *sorted(world.statuses().items())]
        wrong = [f"{figure} {len(sentences)}" for figure, sentences in found.by_figure().items() if sentences]
        verdict = ", ".join(wrong) or "all figures 0"
        line = ", ".join(f"{what.replace('_', ' ')} {number}" for what, number in told)
        print(f"{name:34} {line}: {verdict}  ({begun - self._begun:.0f} s since the start)", flush=True)
        for figure, sentences in found.by_figure().items():
            for sentence in sentences[:_SHOWN]:
                print(f"    {figure}: {sentence}", flush=True)
        for (reason,) in world.sql("SELECT reason FROM ledger.incidents WHERE closed_at IS NULL ORDER BY at LIMIT 2"):
            print(f"    stopped as an incident: {' '.join(reason.split())[:140]}", flush=True)

    def note(self, name: str, said: str) -> None:
        """Print a figure that is measured and not judged."""
        print(f"{name:34} {said}", flush=True)

    def require(self, holds: bool, otherwise: str) -> None:
        """A scenario that did not do what it is for has shown nothing."""
        if not holds:
            self.vacuous.append(otherwise)

    def finish(self) -> int:
        """Print one line a figure; 1 where one is not 0, or a scenario was empty."""
        print()
        for figure, sentences in self.found.by_figure().items():
            print(f"{figure} {len(sentences)}")
        for sentence in self.vacuous:
            print(f"not shown: {sentence}")
        return 1 if self.vacuous or any(self.found.by_figure().values()) else 0


@contextmanager
def seconds() -> Iterator[list[float]]:
    """How long something takes: the list holds it afterwards."""
    took, begun = [0.0], time.monotonic()
    yield took
    took[0] = time.monotonic() - begun
