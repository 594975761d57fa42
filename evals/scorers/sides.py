"""What a scorer is given: what was expected of a case, what came out, and how their actions are told apart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from systems.catalogue import Catalogue

#: an action's name and the arguments that count, as JSON: 500 is not 500.0
Key = tuple[str, ...]


@dataclass(frozen=True)
class Sides:
    """A case as a scorer looks at it; `expected` and `result` in the format of evals/cases/README.md."""

    expected: Mapping[str, Any]
    result: Mapping[str, Any]
    catalogue: Catalogue

    @cached_property
    def wanted(self) -> list[Key]:
        """The expected actions."""
        return [key_of(action, self.catalogue) for action in self.expected["actions"]]

    @cached_property
    def given(self) -> list[Key]:
        """The actions that came out, in the order of execution."""
        return [key_of(action, self.catalogue) for action in self.result["actions"]]

    @cached_property
    def gated(self) -> list[Key]:
        """Those of them that wait for a person: all whose tier is not known to be another."""
        tiers: Sequence[str] = self.result.get("tiers") or [""] * len(self.given)
        return [key for key, tier in zip(self.given, tiers, strict=True) if tier != "automate"]

    @property
    def should_escalate(self) -> bool:
        """Whether a person was to be asked."""
        return bool(self.expected["verdict"] == "escalate")

    @property
    def escalates(self) -> bool:
        """Whether a person is asked."""
        return bool(self.result["verdict"] == "escalate")

    @property
    def cites(self) -> tuple[set[str], set[str]]:
        """The clauses that were expected, and those that are cited."""
        return set(self.expected["cite"]), set(self.result["cite"])


def key_of(action: Mapping[str, Any], catalogue: Catalogue) -> Key:
    """What makes it this action and not another; of one that the catalogue does not have, all arguments count."""
    entry, args = catalogue.get(action["name"]), action["args"]
    return (action["name"], *(json.dumps(args.get(name)) for name in (entry.counting if entry else sorted(args))))
