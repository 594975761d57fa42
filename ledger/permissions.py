"""What each role may see and do besides deciding about proposals, which `ledger.rules` judges.

Whoever shows a page or runs a command asks here, with the person as the ledger has them now.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from errors import Refused
from ledger.records import Person

Permission = Literal[
    "read",
    "decide",
    "search_audit",
    "settle_incident",
    "draft_policy",
    "put_policy_in_force",
    "settle_lesson",
    "manage_people",
    "confirm_people",
    "manage_sources",
    "write_in",
]

_STAFF = frozenset({"analyst", "reviewer", "supervisor", "finance", "administrator", "auditor"})
_MAY: Mapping[Permission, frozenset[str]] = {
    # runs, evidence, knowledge, evaluations
    "read": _STAFF,
    # about proposals, within their authority
    "decide": frozenset({"reviewer", "supervisor", "finance"}),
    "search_audit": frozenset({"supervisor", "finance", "administrator", "auditor"}),
    "settle_incident": frozenset({"reviewer", "supervisor", "finance", "administrator"}),
    "draft_policy": frozenset({"analyst", "supervisor", "finance", "administrator"}),
    "put_policy_in_force": frozenset({"supervisor", "finance", "administrator"}),
    # the lessons of decisions, which become cases of datasets
    "settle_lesson": frozenset({"analyst", "administrator"}),
    "manage_people": frozenset({"administrator"}),
    # what somebody else asked for about people, by the rules of `ledger.admissions`
    "confirm_people": frozenset({"administrator", "supervisor", "finance"}),
    # the systems that hand events in
    "manage_sources": frozenset({"administrator"}),
    # a message of one's own, and the answer to it
    "write_in": frozenset({"customer"}),
}
_DOING: Mapping[Permission, str] = {
    "read": "look at runs and their evidence",
    "decide": "decide about proposals",
    "search_audit": "read the audit log",
    "settle_incident": "settle an incident or a dead letter",
    "draft_policy": "draft a policy",
    "put_policy_in_force": "put a policy in force",
    "settle_lesson": "promote or drop a lesson",
    "manage_people": "manage people",
    "confirm_people": "confirm a change of people",
    "manage_sources": "manage event sources",
    "write_in": "write in as a customer",
}


def may(person: Person | None, permission: Permission) -> bool:
    """Whether this person may; nobody in particular may nothing."""
    return person is not None and person.role in _MAY[permission]


def require(person: Person | None, permission: Permission) -> Person:
    """The person, who may. Raises Refused with what it takes."""
    if person is None:
        raise Refused(f"Sign in to {_DOING[permission]}.")
    if not may(person, permission):
        roles = sorted(_MAY[permission])
        raise Refused(f"To {_DOING[permission]} takes the role {' or '.join(roles)}, and {person.name} is {person.role}.")
    return person


def permissions(person: Person) -> frozenset[Permission]:
    """Everything this person may."""
    return frozenset(one for one in get_args(Permission) if may(person, one))
