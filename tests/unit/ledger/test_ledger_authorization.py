"""Whatever people try, in whatever order: nobody decides beyond their role, alone where two must, or twice."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from errors import BadInput, Refused
from ledger import authorization
from ledger.canonical import canonical, storable
from ledger.memory import MemoryLedger
from ledger.records import PERSON_ROLES, ROLES, DecisionKind, Person
from tests.ledger_examples import LATER, a_proposal, an_event, started

NAMES = ("Ann", "Ben", "Cid", "Dan")
STAFF = [role for role in PERSON_ROLES if role != "customer"]
KINDS: list[DecisionKind] = ["approve", "approve", "approve", "edit", "reject", "respond", "escalate"]
#: who tries what: (name, kind, whether they saw the right proposal, hours after it was made)
TRIES = st.lists(
    st.tuples(
        st.sampled_from((*NAMES, "ANN", " ben ", "Mallory")),
        st.sampled_from(KINDS),
        st.integers(0, 9).map(lambda n: n > 0),
        st.integers(0, 60),
    ),
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(
    roles=st.tuples(*(st.sampled_from(STAFF) for _ in NAMES)),
    role=st.sampled_from(ROLES[1:]),
    four_eyes=st.booleans(),
    author=st.sampled_from(("planner", "Ann", "ben")),
    requested_by=st.sampled_from(("", "Cid", "ben ")),
    tries=TRIES,
)
def test_no_sequence_of_decisions_gets_around_the_rules(
    roles: tuple[str, ...],
    role: str,
    four_eyes: bool,
    author: str,
    requested_by: str,
    tries: list[tuple[str, DecisionKind, bool, int]],
) -> None:
    ledger = MemoryLedger()
    for name, theirs in zip(NAMES, roles, strict=True):
        ledger.add_person(name, theirs)
    ledger.take_in(an_event(requested_by=requested_by), "run-1", {"graph": "1"})
    proposal = a_proposal(role=role, four_eyes=four_eyes, author=author)
    ledger.propose(proposal)
    for by, kind, saw_it, hours in tries:
        digest = proposal.digest if saw_it else "another"
        at = proposal.created_at + (LATER - proposal.created_at) * hours
        try:
            ledger.decide("p-1", kind=kind, by=by, reason="so", digest=digest, at=at)
        except Refused:
            continue

    decisions = ledger.decisions("run-1")
    approvals = [decision for decision in decisions if decision.kind == "approve"]
    approvers = {authorization.person_key(decision.by) for decision in approvals}
    settled = ledger.proposal("run-1")
    assert settled is not None
    assert len(approvers) == len(approvals)
    assert authorization.person_key(author) not in approvers
    assert requested_by.strip().casefold() not in approvers
    assert all(decision.role in ROLES[1:] for decision in decisions)
    for decision in decisions:
        person = ledger.person(decision.by)
        assert person is not None and person.role == decision.role
        assert decision.digest == proposal.digest
        if decision.kind in ("approve", "edit"):
            assert authorization.authority(decision.role) >= authorization.authority(role)
            assert decision.at <= proposal.expires_at
    assert (settled.status == "approved") == (len(approvers) == (2 if four_eyes else 1))
    assert len([one for one in decisions if one.kind != "approve"]) <= 1
    assert (settled.status == "pending") == (ledger.run("run-1").status == "waiting")


@given(needed=st.sampled_from(ROLES[1:]), role=st.sampled_from(PERSON_ROLES))
def test_whoever_may_approve_has_at_least_the_role(needed: str, role: str) -> None:
    ledger = MemoryLedger()
    started(ledger)
    run = replace(ledger.run("run-1"), status="waiting")
    proposal = a_proposal(role=needed)
    ask = authorization.DecisionRequest(
        proposal_id="p-1", kind="approve", by="Ann", reason="so", digest=proposal.digest, at=LATER
    )
    try:
        _, status = authorization.judge(ask, Person(name="Ann", role=role), proposal, run, [])
    except Refused:
        assert role not in ROLES or ROLES.index(role) < ROLES.index(needed)
    else:
        assert status == "approved" and ROLES.index(role) >= ROLES.index(needed)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(plain)
def test_what_is_stored_has_one_form_whatever_was_handed_in(value: Any) -> None:
    once = storable(value)
    assert storable(once) == once
    assert canonical(once) == canonical(value)
    assert b"\\u0000" not in canonical(value).replace(b"\\\\", b"")


def test_nul_and_lone_surrogates_become_a_visible_mark() -> None:
    assert storable({"a\x00": ["x\x00y", "\ud800", "😀", "\\u0000"]}) == {"a\ufffd": ["x\ufffdy", "\ufffd", "😀", "\\u0000"]}
    assert storable([float("nan"), float("inf")]) == ["nan", "inf"]


def test_a_client_in_a_record_is_bad_input() -> None:
    try:
        storable({"client": object()})
    except BadInput as bad:
        assert str(bad) == "The ledger stores plain data only, but was given a object; pass its fields."
