"""Which policies are in force, and how that changes.

Those decide that the ledger has kept, and not whatever their folder holds by now. What differs in the folder and takes no
approval away is taken up at the next start, and stands in the log. What would let plans run with less approval is held back,
and the policies from before apply, until another person than its author puts a draft of it in force:

    draft → (what if) → put in force: the file of the new version, the ledger, the index, and what this process works with
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import BadInput, MissionsError, Refused
from graphs.pack_files import load_packs
from knowledge_index.documents import Document, parse_document
from knowledge_index.drafting import Edit, content_digest, install, leaves, newest, parse_draft, redrafted, with_draft
from knowledge_index.policies import PolicyBook
from ledger.policies import Documents, NewDraft, PolicyDraft, PolicySnapshot
from ledger.records import NOBODY, ROLES, Approval
from ledger.services import AdminService
from nodes.governance import GIVEN_AWAY, Values, of
from nodes.pack import Pack
from settings import Settings
from systems.catalogue import load_catalogue

if TYPE_CHECKING:
    from graphs.runtime import Runtime

#: what stands behind the name of a file that was put aside
ASIDE = ".held-back"
#: where a clause is gone that says who approves, nothing would be left to hold its place; also of what does not fit at all
HIGHEST = Approval(role=ROLES[-1], four_eyes=True)
#: cents above every band
_MOST = 10**15


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
            packs = load_packs(chosen.packs, load_catalogue(chosen.systems), folder).values()
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
    load_packs(chosen.packs, load_catalogue(chosen.systems), book.standing(first_moment(draft.in_force_from)))
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
    packs = load_packs(chosen.packs, load_catalogue(chosen.systems), before)
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


def taken_away(packs: Iterable[Pack], before: PolicyBook, after: PolicyBook, since: date) -> Approval:
    """The approval that some plan takes under `before` and not under `after`, from the day `since` on; the most of all.

    Both books are compared where they differ: each action that runs without a person, each band at its limits, each clause
    that raises a role or bounds what adds up, on every day on which either changes.
    """
    parts = [part for pack in packs for part in pack.parts.values() or (pack,)]
    moments = _moments(before, after, since)
    values = [(before.period(moment).values, after.period(moment).values) for moment in moments]
    found = [one for was, now in values for part in parts for one in _lost(part, was, now)]
    return Approval(
        role=max((one.role for one in found), key=ROLES.index, default="none"), four_eyes=any(one.four_eyes for one in found)
    )


def _moments(before: PolicyBook, after: PolicyBook, since: date) -> list[datetime]:
    first = first_moment(since)
    return sorted({first, *(moment for book in (before, after) for moment in book.starts if moment > first)})


def _lost(part: Pack, old: Values, new: Values) -> Iterator[Approval]:
    rule = part.approval
    known = [clause for clause in part.rules if clause.replace("-", "_") in old]
    if any(clause.replace("-", "_") not in new for clause in known):
        yield HIGHEST
        return
    if len(known) < len(part.rules) or all(of(clause, old) == of(clause, new) for clause in _ruling(part, known)):
        return
    yield from _automated(part, old, new)
    yield from _lower_bands(part, old, new)
    yield from _cheaper(of(rule.costs, old), of(rule.costs, new))
    for clause in rule.limits:
        yield from _looser(of(clause, old)["limits"], of(clause, new)["limits"])
    for one in rule.raises:
        named = {one.clause, *_clauses(part.expressions[one.that].names)}
        if any(_otherwise(clause, old, new) for clause in named):
            yield Approval(role=of(one.clause, old)["role"], four_eyes=False)
    compared = {rule.automate, rule.base, rule.bands, rule.costs, *rule.limits, *(one.clause for one in rule.raises)}
    if any(of(clause, old) != of(clause, new) for clause in part.rules - compared):
        yield HIGHEST


def _ruling(part: Pack, known: Collection[str]) -> list[str]:
    named = {clause for one in part.approval.raises for clause in _clauses(part.expressions[one.that].names)}
    return sorted({*known, *named})


def _clauses(names: Iterable[str]) -> set[str]:
    return {name.replace("_", "-") for name in names if name.partition("_")[2].isdecimal() and name.isupper()}


def _otherwise(clause: str, old: Values, new: Values) -> bool:
    """Whether a clause says anything else than a higher role."""
    name = clause.replace("-", "_")
    was, now = dict(old.get(name, {})), dict(new.get(name, {}))
    risen = "role" in was and "role" in now and ROLES.index(now["role"]) >= ROLES.index(was["role"])
    if risen:
        del was["role"], now["role"]
    return was != now


def _automated(part: Pack, old: Values, new: Values) -> Iterator[Approval]:
    """What every action took that runs without a person from then on."""
    rule = part.approval
    then, now = _alone(of(rule.automate, old)), _alone(of(rule.automate, new))
    for action in sorted({action for action, _ in now - then}):
        if (action, "") in then or action not in part.actions:
            continue
        raised = [of(one.clause, old)["role"] for one in rule.raises if one.for_ == action]
        role = max([of(rule.base, old)["role"], *raised], key=ROLES.index)
        least = _route(part, old, 0)
        yield Approval(role=max(role, least.role, key=ROLES.index), four_eyes=least.four_eyes)


def _alone(values: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(action, template) of all that runs without a person; any template where it is empty."""
    templates = {(action, template) for action, those in values["automate_templates"].items() for template in those}
    return templates | {(action, "") for action in values["automate"]}


def _lower_bands(part: Pack, old: Values, new: Values) -> Iterator[Approval]:
    rule = part.approval
    bands = [band for values in (old, new) for clause in (rule.bands, rule.costs) for band in of(clause, values)["bands"]]
    limits = {band["up_to_cents"] for band in bands if "up_to_cents" in band}
    for cents in sorted({0, _MOST, *limits, *(limit + 1 for limit in limits)}):
        for clause in (rule.bands, rule.costs):
            then, now = _route(part, old, cents, clause), _route(part, new, cents, clause)
            if ROLES.index(now.role) < ROLES.index(then.role) or now.four_eyes < then.four_eyes:
                yield then


def _route(part: Pack, values: Values, cents: int, clause: str = "") -> Approval:
    """What a plan of so many cents takes by the bands of a clause, or by those of both."""
    rule = part.approval
    base, role, four_eyes = of(rule.base, values)["role"], "none", False
    for one in [clause] if clause else [rule.bands, rule.costs]:
        bands = of(one, values)["bands"]
        band = next((band for band in bands if cents <= band.get("up_to_cents", cents)), bands[-1])
        role, four_eyes = max(role, band["role"], key=ROLES.index), four_eyes or bool(band.get("four_eyes"))
    return Approval(role=max(base, role, key=ROLES.index), four_eyes=four_eyes)


def _cheaper(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Approval]:
    """What counts less than before can be in a lower band: so it takes what the highest takes."""
    costs = {one["action"]: one["each_cents"] for one in new["flat"]}
    less = any(costs.get(one["action"], 0) < one["each_cents"] for one in old["flat"])
    if less or set(old["counts"]) - set(new["counts"]):
        highest = old["bands"][-1]
        yield Approval(role=highest["role"], four_eyes=bool(highest.get("four_eyes")))


def _looser(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Approval]:
    """What a limit over runs asked for above it, where none is left that holds as much."""
    for one in old:
        if not any(_holds(other, one) for other in new):
            yield Approval(role=one["role"], four_eyes=bool(one.get("four_eyes")))


def _holds(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a limit lets nothing pass that the other one would not."""
    about = [(limit["per"], limit.get("counts", GIVEN_AWAY)) for limit in (one, other)]
    as_much = one["days"] >= other["days"] and one["most_cents"] <= other["most_cents"]
    roles = ROLES.index(one["role"]) >= ROLES.index(other["role"])
    return about[0] == about[1] and as_much and roles and one.get("four_eyes", False) >= other.get("four_eyes", False)
