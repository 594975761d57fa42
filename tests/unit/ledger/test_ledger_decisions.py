"""The choke point: one person decides once, with authority, about what they saw."""

from datetime import datetime, timedelta

import pytest

from errors import BadInput, Refused
from ledger.base import Ledger
from ledger.records import DecisionKind, ProposalStatus
from tests.ledger_examples import LATER, NOW, a_proposal, decided, staffed, started


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """With people and one run."""
    staffed(ledger)
    started(ledger)
    return ledger


def test_a_proposal_waits_in_the_queue_and_comes_back_as_it_was_made(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    assert ledger.proposal("run-1") == a_proposal()
    assert ledger.run("run-1").status == "waiting"
    assert ledger.queue() == [(ledger.run("run-1"), a_proposal(), ())]


def test_a_plan_that_waits_for_nobody_is_automatic_and_the_run_goes_on(ledger: Ledger) -> None:
    ledger.propose(a_proposal(role="none"))
    made = ledger.proposal("run-1")
    assert made is not None and made.status == "automatic"
    assert (ledger.run("run-1").status, ledger.queue()) == ("running", [])
    with pytest.raises(Refused, match="p-1 is 'automatic' and is not waiting for a decision"):
        decided(ledger)


def test_the_same_proposal_again_changes_nothing(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    rows = len(ledger.audit())
    ledger.propose(a_proposal(created_at=LATER))
    assert (ledger.proposals("run-1"), len(ledger.audit())) == ([a_proposal()], rows)
    with pytest.raises(Refused, match="p-1 exists with another digest"):
        ledger.propose(a_proposal(digest="another"))


def test_a_newer_proposal_supersedes_the_one_that_waits(ledger: Ledger) -> None:
    ledger.propose(a_proposal("p-1"))
    ledger.propose(a_proposal("p-2", revision=2))
    assert [made.status for made in ledger.proposals("run-1")] == ["superseded", "pending"]
    assert [made.proposal_id for _, made, _ in ledger.queue()] == ["p-2"]
    with pytest.raises(Refused, match="p-1 was superseded by a newer one"):
        decided(ledger)


def test_an_automatic_proposal_supersedes_what_waits_and_lets_the_run_go_on(ledger: Ledger) -> None:
    ledger.propose(a_proposal("p-1"))
    ledger.propose(a_proposal("p-2", role="none"))
    assert [made.status for made in ledger.proposals("run-1")] == ["superseded", "automatic"]
    assert ledger.run("run-1").status == "running"


@pytest.mark.parametrize("wrong", [{"role": "boss"}, {"role": "none", "four_eyes": True}, {"digest": ""}])
def test_a_proposal_that_nobody_could_decide_is_bad_input(ledger: Ledger, wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        ledger.propose(a_proposal(**wrong))  # type: ignore[arg-type]
    assert ledger.proposals("run-1") == []


def test_nothing_is_proposed_in_a_run_that_is_over_or_stuck(ledger: Ledger) -> None:
    ledger.incident("run-1", "stuck", LATER)
    with pytest.raises(Refused, match="run-1 is 'incident'"):
        ledger.propose(a_proposal())
    ledger.finish("run-1", "escalate", "escalated", LATER)
    with pytest.raises(Refused, match="run-1 is 'closed'"):
        ledger.propose(a_proposal())


def test_the_queue_has_what_is_due_first_and_then_the_lower_id(ledger: Ledger) -> None:
    for n, minutes in enumerate([20, 5, 5, 1], start=2):
        started(ledger, f"run-{n}")
        made = {"run_id": f"run-{n}", "due_at": NOW + timedelta(minutes=minutes)}
        ledger.propose(a_proposal(f"p-{n}", **made))  # type: ignore[arg-type]
    assert [made.proposal_id for _, made, _ in ledger.queue()] == ["p-5", "p-3", "p-4", "p-2"]
    assert [run.run_id for run, _, _ in ledger.queue(limit=2)] == ["run-5", "run-3"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("approve", "approved"),
        ("reject", "rejected"),
        ("edit", "sent_back"),
        ("respond", "sent_back"),
        ("escalate", "escalated"),
    ],
)
def test_a_decision_ends_the_waiting(ledger: Ledger, kind: DecisionKind, status: ProposalStatus) -> None:
    ledger.propose(a_proposal())
    decision, after = decided(ledger, kind, by="Rita", reason=" Seen. ", details={"remark": "look again"})
    assert after == status
    assert (decision.kind, decision.by, decision.role, decision.reason) == (kind, "Rita", "reviewer", "Seen.")
    assert (decision.run_id, decision.digest, decision.at) == ("run-1", "digest of p-1", LATER)
    assert decision.details == {"remark": "look again"}
    assert ledger.decisions("run-1") == [decision]
    made = ledger.proposal("run-1")
    assert made is not None and made.status == status
    assert (ledger.run("run-1").status, ledger.queue()) == ("running", [])


def test_a_second_approval_of_the_same_proposal_is_refused(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    decided(ledger, by="Rita")
    with pytest.raises(Refused, match=r"p-1 was already approved by Rita at Mar 1, 2026, 10:00:00 AM UTC\."):
        decided(ledger, "reject", by="Sara")
    assert len(ledger.decisions("run-1")) == 1


def test_somebody_unknown_decides_nothing(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    for nobody in ("Mallory", "", " "):
        with pytest.raises(Refused, match=f"'{nobody}' is not known to the ledger"):
            decided(ledger, by=nobody)


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_a_decision_needs_a_reason(ledger: Ledger, reason: str) -> None:
    ledger.propose(a_proposal())
    with pytest.raises(Refused, match="A decision needs a reason: say why you reject proposal p-1"):
        decided(ledger, "reject", reason=reason)


def test_what_was_not_seen_is_not_decided(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    with pytest.raises(Refused, match=r"has changed since you opened it \(its digest differs\)"):
        decided(ledger, digest="digest of an older one")


@pytest.mark.parametrize("kind", ["approve", "edit"])
def test_an_expired_proposal_is_neither_approved_nor_edited(ledger: Ledger, kind: DecisionKind) -> None:
    ledger.propose(a_proposal())
    expiry = a_proposal().expires_at
    with pytest.raises(Refused, match="p-1 expired at Mar 3, 2026, 9:00:00 AM UTC"):
        decided(ledger, kind, at=expiry + timedelta(microseconds=1))
    assert decided(ledger, kind, at=expiry)[1] != "pending"


def test_an_expired_proposal_can_still_be_sent_back(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    assert decided(ledger, "respond", at=a_proposal().expires_at + timedelta(days=9))[1] == "sent_back"


@pytest.mark.parametrize("kind", ["approve", "edit"])
def test_approving_and_editing_take_the_role_of_the_proposal(ledger: Ledger, kind: DecisionKind) -> None:
    ledger.propose(a_proposal(role="supervisor"))
    with pytest.raises(Refused, match=f"To {kind} proposal p-1 requires the role supervisor, and Rita is reviewer"):
        decided(ledger, kind, by="Rita")
    assert decided(ledger, kind, by="Sara")[0].role == "supervisor"


def test_a_reviewer_may_reject_what_only_finance_may_approve(ledger: Ledger) -> None:
    ledger.propose(a_proposal(role="finance"))
    with pytest.raises(Refused, match="requires the role reviewer, and Nick is analyst"):
        decided(ledger, "reject", by="Nick")
    assert decided(ledger, "reject", by="Rita")[1] == "rejected"


def test_nobody_approves_what_they_edited(ledger: Ledger) -> None:
    ledger.propose(a_proposal(author="Rita"))
    with pytest.raises(Refused, match="Rita edited proposal p-1 and may not approve it"):
        decided(ledger, by=" rita ")
    assert decided(ledger, by="Rolf")[1] == "approved"


def test_four_eyes_are_two_different_people(ledger: Ledger) -> None:
    ledger.propose(a_proposal(role="finance", four_eyes=True))
    first, status = decided(ledger, by="Fred")
    assert (status, ledger.run("run-1").status) == ("pending", "waiting")
    assert [decisions for _, _, decisions in ledger.queue()] == [(first,)]
    with pytest.raises(Refused, match="Fred approved proposal p-1 already: the second approval takes another person"):
        decided(ledger, by="FRED")
    assert decided(ledger, by="Fay")[1] == "approved"
    assert [decision.by for decision in ledger.decisions("run-1")] == ["Fred", "Fay"]
    assert ledger.run("run-1").status == "running"


def test_the_second_of_four_eyes_may_reject(ledger: Ledger) -> None:
    ledger.propose(a_proposal(role="finance", four_eyes=True))
    decided(ledger, by="Fred")
    assert decided(ledger, "reject", by="Fred")[1] == "rejected"


def test_an_approval_of_an_earlier_proposal_does_not_count_for_the_next(ledger: Ledger) -> None:
    ledger.propose(a_proposal("p-1", role="finance", four_eyes=True))
    decided(ledger, by="Fred")
    ledger.propose(a_proposal("p-2", role="finance", four_eyes=True, revision=2))
    assert decided(ledger, by="Fay", proposal_id="p-2")[1] == "pending"


def test_nothing_is_decided_while_the_run_is_an_incident(ledger: Ledger) -> None:
    ledger.propose(a_proposal())
    ledger.incident("run-1", "the graph has changed", LATER)
    with pytest.raises(Refused, match="run-1 is 'incident' and waits for no decision about p-1"):
        decided(ledger)


def test_a_proposal_or_a_kind_that_does_not_exist_is_bad_input(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="There is no proposal 'p-9' in the ledger"):
        decided(ledger, proposal_id="p-9")
    ledger.propose(a_proposal())
    with pytest.raises(BadInput, match="'nod' is not a decision"):
        decided(ledger, "nod")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="has no time zone"):
        decided(ledger, at=datetime(2026, 3, 1))


def test_a_refused_decision_changes_nothing(ledger: Ledger) -> None:
    ledger.propose(a_proposal(role="finance"))
    before = (ledger.run("run-1"), ledger.proposal("run-1"), ledger.audit_head())
    with pytest.raises(Refused):
        decided(ledger, by="Rita")
    assert (ledger.run("run-1"), ledger.proposal("run-1"), ledger.audit_head()) == before
    assert ledger.decisions("run-1") == []


def test_a_person_is_one_whatever_the_case_and_gets_another_role(ledger: Ledger) -> None:
    assert ledger.add_person(" RITA ", "supervisor").name == "Rita"
    rita = ledger.person("rita")
    assert rita is not None and rita.role == "supervisor"
    assert [person.name for person in ledger.people()] == ["Fay", "Fred", "Nick", "Rita", "Rolf", "Sara"]
    rows = len(ledger.audit())
    ledger.add_person("Rita", "supervisor")
    assert len(ledger.audit()) == rows
    with pytest.raises(BadInput, match="'boss' is not a role"):
        ledger.add_person("Bob", "boss")
    with pytest.raises(BadInput, match="A person needs a name"):
        ledger.add_person(" ", "reviewer")
    with pytest.raises(BadInput, match="'Hybrid' is the name of a reasoner"):
        ledger.add_person(" Hybrid ", "reviewer")
