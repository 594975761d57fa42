"""Changing a policy: a draft is checked as Missions would meet it, and put in force by another person.

draft → (what if) → put in force: the file of the new version, the ledger, the index, and what this process works with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from errors import BadInput, MissionsError, Refused
from graphs.pack_files import load_packs
from graphs.policies_in_force import Deciding, documents_of, policies_in_force
from graphs.policy_authority import taken_away
from graphs.runtime import Runtime
from knowledge_index.documents import Document
from knowledge_index.drafting import Edit, content_digest, install, leaves, newest, parse_draft, redrafted, with_draft
from knowledge_index.policies import PolicyBook
from ledger.policies import Documents, NewDraft, PolicyDraft
from ledger.records import NOBODY, ROLES, Approval
from ledger.services import AdminService
from settings import Settings
from systems.catalogue import default_catalogue


@dataclass(frozen=True)
class InForce:
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
        policy_id=base.id,
        base_version=base.version,
        base_digest=content_digest(base),
        version=version,
        in_force_from=in_force_from,
        text=text,
        reason=reason,
    )


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


def put_in_force(runtime: Runtime, desk: AdminService, chosen: Settings, draft_id: str, by: str, reason: str) -> InForce:
    """Write the new version into the last folder of policies, record it, build the index, and work with it from now on.

    One that takes approvals away is put in force by whom those plans take now, and by two of them where they
    take four eyes: the first agrees, and the second puts it in force.

    Raises Refused to its author, to who may not, and for a draft that is settled, stale or too late; BadInput for
    one that does not fit, or a folder that cannot be written. Nothing is changed then.
    """
    drafted = desk.policy_draft(draft_id)
    needed: Approval = NOBODY
    documents: Documents = ()
    if drafted.status == "draft":  # a settled one is told of by the ledger
        deciding = policies_in_force(chosen, desk)
        _check_current(deciding, drafted)
        needed = approval_of(chosen, deciding.book, drafted)
        documents = documents_of(with_draft(deciding.book, drafted.text))
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
        return InForce(draft, f"{by} agrees. It takes two people who are {needed.role} or above: another one puts it in force.")
    try:
        runtime.reload_policies(chosen, desk)
    except MissionsError as error:
        return InForce(draft, f"The version is in force, but this process does not work with it yet: {error}")
    return InForce(draft)


def approval_of(chosen: Settings, before: PolicyBook, draft: PolicyDraft) -> Approval:
    """What it takes to put a draft in force besides the permission: the approval that it would make unnecessary.

    `before` are the policies that decide, whatever their folder holds.
    """
    check(chosen, draft.text)
    packs = load_packs(chosen.packs, default_catalogue(), before)
    return taken_away(packs.values(), before, with_draft(before, draft.text), draft.in_force_from)


def _check_current(deciding: Deciding, draft: PolicyDraft) -> None:
    if draft.policy_id in deciding.held_back:
        raise Refused(
            f"The file of {draft.policy_id} is not the policy that is in force: put that back with "
            "`missions knowledge restore`, then put the draft in force."
        )
    if is_stale(draft, deciding.book):
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
