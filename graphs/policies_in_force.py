"""Which policies decide: those that the ledger has kept, and not whatever their folder holds by now.

What differs in the folder and takes no approval away is taken up at the next start, and stands in the log. What would
let plans run with less approval is held back until it was drafted and agreed to, and the policies from before decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from errors import BadInput
from graphs.pack_files import load_packs
from graphs.policy_authority import taken_away
from knowledge_index.documents import parse_document
from knowledge_index.policies import PolicyBook
from ledger.policies import Documents, PolicySnapshot
from ledger.records import NOBODY, ROLES, Approval
from ledger.services import AdminService
from settings import Settings
from systems.catalogue import default_catalogue

#: of a change that does not even fit the policies that decide
_ALL = Approval(role=ROLES[-1], four_eyes=True)
#: what stands behind the name of a file that was put aside
ASIDE = ".held-back"


@dataclass(frozen=True)
class Deciding:
    """The policies that decide."""

    book: PolicyBook
    #: policies that say something else in the folder -> what it takes to put that in force
    held_back: Mapping[str, Approval] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """One for each policy whose file is not in force."""
        return [
            f"{policy_id} in the folder is not the one in force: it would let plans run with less approval than now. "
            f"The version that was put in force applies; `missions knowledge restore` restores the file, and a draft of the "
            f"change requires {'two people' if one.four_eyes else 'a person'} with the role {one.role} or above."
            for policy_id, one in self.held_back.items()
        ]


def policies_in_force(chosen: Settings, desk: AdminService) -> Deciding:
    """What decides now. At the first start of a ledger that is what the folder holds.

    Raises BadInput for a folder that does not load.
    """
    kept = desk.policies_kept()
    found = compared(chosen, kept)
    documents = documents_of(found.book)
    if not kept or _texts(documents) != _texts(kept[0].documents):
        desk.keep_policies(documents)
    return found


def compared(chosen: Settings, kept: list[PolicySnapshot]) -> Deciding:
    """The same, and nothing is written: the newest book that the ledger has kept, beside the folder."""
    folder = PolicyBook.load(*chosen.policy_folders)
    if not kept:
        return Deciding(folder)
    book, held_back = book_of(kept[0]), dict[str, Approval]()
    before, after = _texts(kept[0].documents), _texts(documents_of(folder))
    for policy_id in sorted(one for one in {*before, *after} if before.get(one) != after.get(one)):
        try:
            packs = load_packs(chosen.packs, default_catalogue(), folder).values()
            changed = _with(book, folder, policy_id)
            needed = taken_away(packs, book, changed, date.min)
        except BadInput:
            changed, needed = book, _ALL
        if needed == NOBODY:
            book = changed
        else:
            held_back[policy_id] = needed
    return Deciding(book, held_back)


def restore(chosen: Settings, kept: PolicySnapshot, found: Deciding) -> list[str]:
    """Put the files of what is held back aside, and those in force in their place: the names of what was put back."""
    ids, put_back = set(found.held_back), list[str]()
    stood = {one.file.name: one.file for one in PolicyBook.load(*chosen.policy_folders).documents if one.id in ids}
    for file in stood.values():
        file.rename(file.with_name(f"{file.name}{ASIDE}"))
    for name, text in kept.documents:
        if _id(name, text) in ids:
            own = stood.get(Path(name).name, chosen.policy_folders[-1] / Path(name).name)
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(text, "utf-8", newline="")
            put_back.append(name)
    return put_back


def documents_of(book: PolicyBook) -> Documents:
    """A book as the ledger keeps it."""
    return [[one.file.name, one.text] for one in book.documents]


def book_of(kept: PolicySnapshot) -> PolicyBook:
    """A book that the ledger has kept."""
    return PolicyBook([parse_document(text, Path(name)) for name, text in kept.documents])


def _with(book: PolicyBook, folder: PolicyBook, policy_id: str) -> PolicyBook:
    """A book with one policy as the folder has it."""
    others = [one for one in book.documents if one.id != policy_id]
    return PolicyBook([*others, *(one for one in folder.documents if one.id == policy_id)])


def _texts(documents: Documents) -> dict[str, list[str]]:
    """The versions of each policy, whatever their files are called."""
    found: dict[str, list[str]] = {}
    for name, text in documents:
        found.setdefault(_id(name, text), []).append(text)
    return {policy_id: sorted(texts) for policy_id, texts in found.items()}


def _id(name: str, text: str) -> str:
    return parse_document(text, Path(name)).id
