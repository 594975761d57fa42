"""Limits over runs: what plans give away adds up, whoever approves it and whichever Mission proposes it.

Pure functions, the same for every ledger. A total is of one kind of money and of one customer, vendor, approver, source
or day, within a window that ends now by the clock of the ledger. What was approved counts until it is sure that it will
not be done; a step that was done counts, and one that failed does not.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from errors import OverLimit
from ledger.authorization import authority, person_key, rank
from ledger.records import APPROVER, DAY, ROLES, SOURCE, Approval, Commitment, Decision, Limit, Person, Proposal
from rendering import dollars

#: (kind of money, whose total, which one)
Total = tuple[str, str, str]
_WINDOWS: Mapping[int, str] = {1: "today", 7: "this week"}


@dataclass(frozen=True)
class Standing:
    """A limit, and what there would be of it with the plan, in cents."""

    limit: Limit
    cents: int

    @property
    def is_over(self) -> bool:
        return self.cents > self.limit.most_cents

    @property
    def whose(self) -> str:
        """Whose total it is, as the beginning of a sentence."""
        named = {
            APPROVER: f"what {self.limit.key} approves",
            SOURCE: f"what {self.limit.key or 'files'} started",
            DAY: "everything",
        }
        return named.get(self.limit.per, self.limit.key or f"a {self.limit.per} that is not known")

    @property
    def of(self) -> str:
        """«$1,500 of $2,000 this week»; a day is the last 24 hours."""
        window = _WINDOWS.get(self.limit.days, f"in {self.limit.days} days")
        return f"{_short(self.cents)} of {_short(self.limit.most_cents)} {window}"

    @property
    def says(self) -> str:
        """As the end of a sentence, with who decides."""
        who = f"two people of the role {self.limit.role} decide" if self.limit.four_eyes else f"a {self.limit.role} decides"
        who = who.replace("a finance", "finance")
        return f"would bring {self.whose} to {self.of} ({self.limit.clause}); {who} it"


def _short(cents: int) -> str:
    return dollars(cents).replace(".00", "", 1)


def alike(key: str) -> str:
    """The form under which totals are kept: ids that differ by case, blanks or signs that nobody sees are one."""
    folded = unicodedata.normalize("NFKC", key).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "ZC")


def total(limit: Limit) -> Total:
    """(kind of money, whose total, which one), under which all that adds to it is kept."""
    return limit.kind, limit.per, alike(limit.key)


def asked(proposal: Proposal, limits: Iterable[Limit], approvals: Sequence[Decision], approver: str = "") -> list[Limit]:
    """The limits that a plan adds to, with those of everybody who approves it, without the parts that were left out.

    One with the total of an approver becomes one for each of them. `approver` is somebody who has not decided yet.
    """
    approvals = [one for one in approvals if (one.kind, one.proposal_id) == ("approve", proposal.proposal_id)]
    parts = {part for one in approvals for part in one.details.get("without", ())}
    out = {step for step, action in enumerate(proposal.plan) if action.get("part") in parts}
    names = {person_key(name): name for name in [*(one.by for one in approvals), approver] if name}
    found = []
    for limit in limits:
        adds = tuple(one for one in limit.adds if one[0] not in out)
        keys = names.values() if limit.per == APPROVER else [limit.key]
        found += [replace(limit, key=key, adds=adds) for key in keys if adds]
    return found


def standings(limits: Sequence[Limit], before: Sequence[int]) -> list[Standing]:
    """What each limit comes to with the plan. `before` are the cents that went out within the window of each, in their order."""
    return [Standing(limit, cents + sum(added for _, added in limit.adds)) for limit, cents in zip(limits, before, strict=True)]


def shown(found: Iterable[Standing]) -> list[Standing]:
    """What is shown to the person who decides: of who receives it, and of every other total that would be passed."""
    shown: dict[tuple[Total, int], Standing] = {}
    for one in found:
        if one.is_over or (one.limit.per not in (APPROVER, SOURCE, DAY) and (total(one.limit), one.limit.days) not in shown):
            shown[total(one.limit), one.limit.days] = one
    return list(shown.values())


def highest(found: Iterable[Standing]) -> Standing | None:
    """That of those over their limit which asks for the most."""
    over = [one for one in found if one.is_over]
    return max(over, key=lambda one: (authority(one.limit.role), one.limit.four_eyes), default=None)


def raised(approval: Approval, found: Sequence[Standing]) -> Approval:
    """What a plan takes with what went out before."""
    over = [one.limit for one in found if one.is_over]
    return replace(
        approval,
        role=max([approval.role, *(one.role for one in over)], key=ROLES.index),
        four_eyes=approval.four_eyes or any(one.four_eyes for one in over),
        clauses=tuple(dict.fromkeys([*approval.clauses, *(one.clause for one in over)])),
    )


def check_approver(proposal: Proposal, person: Person, found: Sequence[Standing]) -> Proposal:
    """The proposal with what it takes now. OverLimit where the person has not the role for it."""
    top = highest(found)
    if top and rank(person) < authority(top.limit.role):
        raise OverLimit(f"Proposal {proposal.proposal_id} {top.says}.")
    return replace(proposal, approval=raised(proposal.approval, found))


def check_begin(proposal: Proposal, approvals: Sequence[Decision], found: Sequence[Standing]) -> None:
    """OverLimit where those who approved may not decide what it comes to now; of a plan that takes nobody, always."""
    for one in sorted((one for one in found if one.is_over), key=lambda one: authority(one.limit.role), reverse=True):
        enough = {person_key(by.by) for by in approvals if by.role in ROLES and authority(by.role) >= authority(one.limit.role)}
        if len(enough) < 1 + one.limit.four_eyes:
            raise OverLimit(f"Proposal {proposal.proposal_id} {one.says}.")


def commitments(proposal: Proposal, limits: Iterable[Limit], at: datetime) -> list[Commitment]:
    """What is kept of a decision, or of the beginning of a plan: one for each step and each total that it adds to."""
    found = {}
    for limit in limits:
        kind, per, key = total(limit)
        for step, cents in limit.adds:
            found[step, kind, per, key] = Commitment(
                proposal_id=proposal.proposal_id, run_id=proposal.run_id, step=step,
                kind=kind, per=per, key=key, cents=cents, at=at,
            )  # fmt: skip
    return list(found.values())
