"""Which policies are in force, and how that changes.

Those decide that the ledger has kept, and not whatever their folder holds by now. What differs in the folder and takes no
approval away is taken up at the next start, and stands in the log. What would let plans run with less approval is held back,
and the policies from before apply, until another person than its author puts a draft of it in force:

    draft → (what if) → put in force: the file of the new version, the ledger, the index, and what this process works with
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from errors import BadInput, MissionsError, Refused
from graphs.pack_files import load_packs
from graphs.policy_approval import HIGHEST, taken_away
from knowledge_index.documents import Document, parse_document
from knowledge_index.drafting import Edit, content_digest, install, leaves, newest, parse_draft, redrafted, with_draft
from knowledge_index.policies import PolicyBook
from ledger.policies import Documents, NewDraft, PolicyDraft, PolicySnapshot
from ledger.records import NOBODY, ROLES, Approval
from ledger.services import AdminService
from settings import Settings
from systems.catalogue import default_catalogue

if TYPE_CHECKING:
    from graphs.runtime import Runtime

#: what stands behind the name of a file that was put aside
ASIDE = ".held-back"


@dataclass(frozen=True)
class PoliciesInForce:
    """The policies that decide."""

    book: PolicyBook
    #: policies that say something else in the folder -> what it takes to put that in force
    held_back: Mapping[str, Approval] = field(default_factory=dict)

    def messages(self) -> list[str]:
        """One for each policy whose file is not in force."""
        return [
            f"{policy_id} in the folder is not the one in force: it would let plans run with less approval than now. "
            f"The version that was put in force applies; `missions knowledge restore` restores the file, and a draft of the "
            f"change requires {'two people' if one.four_eyes else 'a person'} with the role {one.role} or above."
            for policy_id, one in self.held_back.items()
        ]


def load_policies_in_force(chosen: Settings, desk: AdminService) -> PoliciesInForce:
    """What decides now. At the first start of a ledger that is what the folder holds.

    Raises BadInput for a folder that does not load.
    """
    kept = desk.policies_kept()
    found = read_policies_in_force(chosen, kept)
    documents = documents_of(found.book)
    if not kept or _texts(documents) != _texts(kept[0].documents):
        desk.keep_policies(documents)
    return found


def read_policies_in_force(chosen: Settings, kept: list[PolicySnapshot]) -> PoliciesInForce:
    """The same, and nothing is written: the newest book that the ledger has kept, beside the folder."""
    folder = PolicyBook.load(*chosen.policy_folders)
    if not kept:
        return PoliciesInForce(folder)
    book, held_back = book_of(kept[0]), dict[str, Approval]()
    before, after = _texts(kept[0].documents), _texts(documents_of(folder))
    for policy_id in sorted(one for one in {*before, *after} if before.get(one) != after.get(one)):
        try:
            packs = load_packs(chosen.packs, default_catalogue(), folder).values()
            others = [one for one in book.documents if one.id != policy_id]
            changed = PolicyBook([*others, *(one for one in folder.documents if one.id == policy_id)])
            needed = taken_away(packs, book, changed, date.min)
        except BadInput:
            changed, needed = book, HIGHEST
        if needed == NOBODY:
            book = changed
        else:
            held_back[policy_id] = needed
    return PoliciesInForce(book, held_back)


def restore(chosen: Settings, kept: PolicySnapshot, found: PoliciesInForce) -> list[str]:
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


def _texts(documents: Documents) -> dict[str, list[str]]:
    """The versions of each policy, whatever their files are called."""
    found: dict[str, list[str]] = {}
    for name, text in documents:
        found.setdefault(_id(name, text), []).append(text)
    return {policy_id: sorted(texts) for policy_id, texts in found.items()}


def _id(name: str, text: str) -> str:
    return parse_document(text, Path(name)).id


@dataclass(frozen=True)
class InstalledDraft:
    """A draft that was put in force."""

    draft: PolicyDraft
    #: who has to agree besides, or what did not follow from it, as a sentence; empty where all did
    left_undone: str = ""


def new_draft(chosen: Settings, base: Document, edits: Mapping[str, Edit], in_force_from: date, reason: str) -> NewDraft:
    """A draft of the next version of `base`, checked. Raises BadInput for what does not fit or would not load."""
    version = base.version + 1
    text = redrafted(base.text, base.file, edits, version=version, in_force_from=in_force_from)
    check(chosen, text)
    return NewDraft(
        policy_id=base.id, base_version=base.version, base_digest=content_digest(base), version=version,
        in_force_from=in_force_from, text=text, reason=reason,
    )  # fmt: skip


def check(chosen: Settings, drafted: str) -> PolicyBook:
    """The policies with the draft, which Missions can work with. Raises BadInput where they could not."""
    book = with_draft(PolicyBook.load(*chosen.policy_folders), drafted)
    draft = parse_draft(drafted)
    check_roles(draft)
    load_packs(chosen.packs, default_catalogue(), book.standing(first_moment(draft.in_force_from)))
    return book


def first_moment(day: date) -> datetime:
    """The moment at which a day begins, UTC."""
    return datetime.combine(day, time(), UTC)


def is_stale(draft: PolicyDraft, book: PolicyBook) -> bool:
    """Whether the version that a draft was made from is the newest no more, or says something else by now."""
    base = newest(book, draft.policy_id)
    return base.version != draft.base_version or content_digest(base) != draft.base_digest


def put_in_force(runtime: "Runtime", desk: AdminService, chosen: Settings, draft_id: str, by: str, reason: str) -> InstalledDraft:
    """Write the new version into the last folder of policies, record it, build the index, and work with it from now on.

    One that takes approvals away is put in force by whom those plans take now, and by two of them where they
    take four eyes: the first agrees, and the second puts it in force.

    Raises Refused to its author, to who may not, and for a draft that is settled, stale or too late; BadInput for
    one that does not fit, or a folder that cannot be written. Nothing is changed then.
    """
    drafted = desk.policy_draft(draft_id)
    needed: Approval = NOBODY
    documents: Documents = ()
    if drafted.status == "draft":  # the ledger says what became of a settled one
        current = load_policies_in_force(chosen, desk)
        _check_current(current, drafted)
        needed = approval_of(chosen, current.book, drafted)
        documents = documents_of(with_draft(current.book, drafted.text))
    take_back = None
    try:
        with desk.putting_in_force(draft_id, by, reason, needed, documents) as draft:
            if draft.status == "in_force":
                take_back = install(chosen.policy_folders, draft.text)
    except BaseException:
        if take_back is not None:
            take_back()
        raise
    if draft.status != "in_force":
        return InstalledDraft(
            draft, f"{by} agrees. It takes two people who are {needed.role} or above: another one puts it in force."
        )
    try:
        runtime.reload_policies(chosen, desk)
    except MissionsError as error:
        return InstalledDraft(draft, f"The version is in force, but this process does not work with it yet: {error}")
    return InstalledDraft(draft)


def approval_of(chosen: Settings, before: PolicyBook, draft: PolicyDraft) -> Approval:
    """What it takes to put a draft in force besides the permission: the approval that it would make unnecessary.

    `before` are the policies that decide, whatever their folder holds.
    """
    check(chosen, draft.text)
    packs = load_packs(chosen.packs, default_catalogue(), before)
    return taken_away(packs.values(), before, with_draft(before, draft.text), draft.in_force_from)


def _check_current(current: PoliciesInForce, draft: PolicyDraft) -> None:
    if draft.policy_id in current.held_back:
        raise Refused(
            f"The file of {draft.policy_id} is not the policy that is in force: put that back with "
            "`missions knowledge restore`, then put the draft in force."
        )
    if is_stale(draft, current.book):
        raise Refused(
            f"The draft was made from version {draft.base_version} of {draft.policy_id}, which is not what the newest version "
            "says; create a new draft."
        )


def check_roles(draft: Document) -> None:
    """Raise BadInput for a role that nobody can have: it would hold up every plan."""
    for clause in draft.clauses:
        for path, value in leaves(clause.values):
            name = path.rsplit(".", 1)[-1]
            if (name == "role" or name.endswith("_role")) and value not in ROLES[1:]:
                raise BadInput(f"{clause.id}: {path} is {value!r}; make it one of {', '.join(ROLES[1:])}.")
