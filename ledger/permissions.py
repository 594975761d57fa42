"""What each role may see and do besides deciding about proposals, which `ledger.authorization` judges.

Whoever shows a page or runs a command asks here, with the person as the ledger has them now.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from errors import Refused
from ledger.records import Person

Permission = Literal[
    "read", "decide", "search_audit", "settle_incident", "draft_policy", "put_policy_in_force", "settle_lesson",
    "manage_people", "confirm_people", "manage_sources", "write_in", "hand_in",
]  # fmt: skip

#: who works at the command line has the account of the machine, and no other
COMMAND_LINE = "the command line"
_STAFF = frozenset({"analyst", "reviewer", "supervisor", "finance", "administrator", "auditor"})
#: who may, and what that is called in a sentence
_MAY: Mapping[Permission, tuple[Collection[str], str]] = {
    # runs, evidence, knowledge, evaluations
    "read": (_STAFF, "look at runs and their evidence"),
    # within their authority
    "decide": (_STAFF - {"analyst", "administrator", "auditor"}, "decide about proposals"),
    "search_audit": (_STAFF - {"analyst", "reviewer"}, "read the audit log"),
    "settle_incident": (_STAFF - {"analyst", "auditor"}, "settle an incident or a dead letter"),
    "draft_policy": (_STAFF - {"reviewer", "auditor"}, "draft a policy"),
    "put_policy_in_force": ({"supervisor", "finance", "administrator"}, "put a policy in force"),
    # an invoice or events, which somebody else decides about
    "hand_in": ({"reviewer", "supervisor", "finance"}, "hand in an invoice or events"),
    # the lessons of decisions, which become cases of datasets
    "settle_lesson": ({"analyst", "administrator"}, "promote or drop a lesson"),
    "manage_people": ({"administrator"}, "manage people"),
    # what somebody else asked for, by the rules of `ledger.admissions`
    "confirm_people": ({"administrator", "supervisor", "finance"}, "confirm a change of people"),
    # the systems that hand events in, and those that are told
    "manage_sources": ({"administrator"}, "manage event sources and destinations"),
    # a message of one's own, and the answer to it
    "write_in": ({"customer"}, "write in as a customer"),
}


def may(person: Person | None, permission: Permission) -> bool:
    """Whether this person may; nobody in particular may nothing."""
    return person is not None and person.role in _MAY[permission][0]


def require(person: Person | None, permission: Permission) -> Person:
    """The person, who may. Raises Refused with what it takes."""
    roles, doing = _MAY[permission]
    if person is None:
        raise Refused(f"Sign in to {doing}.")
    if person.role not in roles:
        raise Refused(f"To {doing} requires the role {' or '.join(sorted(roles))}, and {person.name} is {person.role}.")
    return person


def allowed(role: str) -> str:
    """What a role may, in a sentence."""
    *first, last = [doing for roles, doing in _MAY.values() if role in roles]
    return f"May {' and '.join(filter(None, (', '.join(first), last)))}."
