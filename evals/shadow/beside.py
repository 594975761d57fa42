"""What the live run was told, and how a shadow beside it is told the same, or something else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evals.recording import looks_behind
from ledger.base import Ledger
from ledger.canonical import canonical, storable
from ledger.records import Fact
from nodes.listening import UNDERSTAND
from systems.calls import Call, Reader, ReadResult


@dataclass(frozen=True)
class Beside:
    """The look of a live run that a shadow is set beside: its last, or where it has had effects the last before them."""

    #: from 1
    look: int
    facts: Sequence[Fact]
    #: whether the run has had effects, which the systems show now
    late: bool

    @classmethod
    def of(cls, ledger: Ledger, run_id: str) -> "Beside":
        """Where a run stands at this moment."""
        begun = next((effect for effect in ledger.effects(run_id) if effect.status != "intended"), None)
        looks = looks_behind(ledger, run_id)
        look = looks.get(begun.proposal_id, 1) if begun else next(reversed(looks.values()), 1)
        return cls(look, ledger.facts(run_id, look), begun is not None)

    def reader(self, systems: Reader) -> Reader:
        """What a shadow reads with: of a run that has had effects, what that had read before stands for what they said."""
        return AsKept(AsThen(systems, self.facts) if self.late else systems)

    def moved(self, now: Sequence[Fact]) -> list[str]:
        """The tools that answered the same question otherwise now."""
        told = {_asked(fact.tool, fact.args): (fact.status, fact.value) for fact in self.facts}
        moved = []
        for fact in now:
            key = _asked(fact.tool, fact.args)
            if fact.tool != UNDERSTAND and key in told and told[key] != (fact.status, fact.value):
                moved.append(fact.tool)
        return list(dict.fromkeys(moved))


class AsThen:
    """A Reader that answers what a run had read before with what it was told then, and reads everything else."""

    def __init__(self, reader: Reader, facts: Sequence[Fact]) -> None:
        self._reader = reader
        self._then = {_asked(fact.tool, fact.args): fact for fact in facts if fact.args or fact.status == "ok"}

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        known = [self._then.get(_asked(call.tool, call.args)) for call in calls]
        fresh = iter(self._reader.read_all([call for call, fact in zip(calls, known, strict=True) if fact is None]))
        return [
            next(fresh) if fact is None else ReadResult(call, fact.status, fact.value, fact.read_at, fact.error)
            for call, fact in zip(calls, known, strict=True)
        ]


class AsKept:
    """A Reader that tells values as the live ledger keeps them, without what PostgreSQL cannot hold."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        return [replace(one, value=storable(one.value), error=storable(one.error)) for one in self._reader.read_all(calls)]


def _asked(tool: str, args: object) -> tuple[str, bytes]:
    return tool, canonical(args)
