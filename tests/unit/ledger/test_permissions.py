"""What each role may, besides deciding about proposals."""

from typing import get_args

import pytest

from errors import Refused
from ledger.permissions import Permission, allowed, may, require
from ledger.records import PERSON_ROLES, Person

MAY = {
    "customer": {"write_in"},
    "analyst": {"read", "draft_policy", "settle_lesson"},
    "reviewer": {"read", "decide", "hand_in", "settle_incident"},
    "supervisor": {
        "read", "decide", "hand_in", "settle_incident", "search_audit", "draft_policy", "put_policy_in_force", "confirm_people",
    },
    "finance": {
        "read", "decide", "hand_in", "settle_incident", "search_audit", "draft_policy", "put_policy_in_force", "confirm_people",
    },
    "administrator": {
        "read", "settle_incident", "search_audit", "draft_policy", "put_policy_in_force", "manage_people", "manage_sources",
        "settle_lesson", "confirm_people",
    },
    "auditor": {"read", "search_audit"},
}  # fmt: skip


def somebody(role: str) -> Person:
    return Person(name="kim", role=role, customer_id="C-1" if role == "customer" else None)


@pytest.mark.parametrize("role", PERSON_ROLES)
def test_each_role_may_what_is_written_here_and_nothing_else(role: str) -> None:
    assert {one for one in get_args(Permission) if may(somebody(role), one)} == MAY[role]


@pytest.mark.parametrize("permission", get_args(Permission))
def test_nobody_in_particular_may_nothing_and_is_told_to_sign_in(permission: Permission) -> None:
    assert not may(None, permission)
    with pytest.raises(Refused, match="Sign in to "):
        require(None, permission)


def test_who_may_not_is_told_which_role_it_takes_and_which_they_have() -> None:
    with pytest.raises(Refused, match=r"^To manage people requires the role administrator, and kim is reviewer\.$"):
        require(somebody("reviewer"), "manage_people")


def test_an_unknown_role_may_nothing() -> None:
    assert not any(may(somebody("king"), one) for one in get_args(Permission))


def test_what_a_role_may_is_said_in_a_sentence() -> None:
    assert allowed("customer") == "May write in as a customer."
    assert allowed("auditor") == "May look at runs and their evidence and read the audit log."
