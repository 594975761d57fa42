"""Policies and packs as they would be: what is replayed on recorded exceptions, and what runs as a shadow.

Whatever a folder holds, it is taken as of one moment, and as if that had always been in force.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from errors import BadInput
from graphs.pack_files import load_packs
from graphs.policy_versions import check_roles
from knowledge_index.changing import with_tiers, with_values
from knowledge_index.policies import PolicyBook
from nodes.pack import Pack
from settings import Settings
from systems.catalogue import Catalogue

#: of a change that names an action in place of a clause: "tier.cancel_order"
_TIER = "tier."


@dataclass(frozen=True)
class Change:
    """What would be otherwise; nothing of it is written anywhere.

    Args:
        policies: all policies, or their folder; the present ones unless given.
        packs: a folder of packs, which take the place of those of their Missions; the others stay.
        values: path -> value, such as {"FRD-2.elevated": 0.8, "tier.cancel_order": "automate"}; see docs/what-if.md.
    """

    policies: PolicyBook | Path | None = None
    packs: Path | None = None
    values: Mapping[str, Any] | None = None

    def require(self) -> None:
        """Raise BadInput where nothing is said that could be otherwise."""
        if self.policies is None and self.packs is None and not self.values:
            raise BadInput("Nothing is changed; give --set CLAUSE.VALUE=…, a folder of policies, or a folder of packs.")


@dataclass(frozen=True)
class Candidate:
    """What a Mission would work with."""

    policies: PolicyBook
    packs: Mapping[str, Pack]

    @classmethod
    def present(
        cls, chosen: Settings, catalogue: Catalogue, as_of: datetime, policies: PolicyBook | Path | None = None
    ) -> "Candidate":
        """What there is: of the settings, unless other policies are given. Raises BadInput for what does not load."""
        book = _book(policies, chosen).standing(as_of)
        return cls(book, load_packs(chosen.packs, catalogue, book))

    def with_change(self, change: Change, chosen: Settings, catalogue: Catalogue, as_of: datetime) -> "Candidate":
        """What it would be with a change. Raises BadInput for what does not load, or is not there to be changed."""
        book = self.policies if change.policies is None else _book(change.policies, chosen).standing(as_of)
        values = dict(change.values or {})
        tiers = {path.removeprefix(_TIER): values.pop(path) for path in list(values) if path.startswith(_TIER)}
        if values:
            book = with_values(book, values)
        if tiers:
            clauses = {part.approval.automate for pack in self.packs.values() for part in pack.and_parts}
            book = with_tiers(book, tiers, sorted(clauses), catalogue)
        if change.values:
            for document in book.documents:
                check_roles(document)
        return Candidate(book, self._packs(change.packs, chosen, catalogue, book))

    def _packs(self, folder: Path | None, chosen: Settings, catalogue: Catalogue, book: PolicyBook) -> dict[str, Pack]:
        changed = load_packs(folder, catalogue, book) if folder else {}
        if self.packs.keys() <= changed.keys():
            return changed
        return {**load_packs(chosen.packs, catalogue, book), **changed}


def differing_clauses(before: PolicyBook, after: PolicyBook) -> list[str]:
    """Clauses that are written otherwise: one that only shows a number of another does not change itself."""
    old, new = _written(before), _written(after)
    return [clause for clause in dict.fromkeys([*old, *new]) if old.get(clause) != new.get(clause)]


def differing_packs(before: Mapping[str, Pack], after: Mapping[str, Pack]) -> list[str]:
    """Missions whose pack is another one."""
    return [name for name, pack in after.items() if name not in before or before[name].digest != pack.digest]


def named_changes(clauses: Sequence[str], packs: Sequence[str]) -> str:
    """What was changed, in words: FRD-2 and the pack of order_exception."""
    return " and ".join([*clauses, *(f"the pack of {mission}" for mission in packs)]) or "nothing"


def _book(policies: PolicyBook | Path | None, chosen: Settings) -> PolicyBook:
    if isinstance(policies, PolicyBook):
        return policies
    return PolicyBook.load(*((policies,) if policies else chosen.policy_folders))


def _written(book: PolicyBook) -> dict[str, Any]:
    return {clause.id: (clause.values, clause.prose) for document in book.documents for clause in document.clauses}
