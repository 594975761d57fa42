"""Who has a proposal open is seen by the others: the first holds it until they let go, or do not come back."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ledger.queries import CLAIM_LASTS, QueueFilter
from tests.integration.desk_examples import Office
from tests.ledger_examples import NOW

pytest_plugins = ["tests.integration.desk_examples"]

P = "p of run-1"


@pytest.fixture
def waiting(office: Office) -> Office:
    """One proposal waits."""
    office.waits("run-1")
    return office


def test_the_first_holds_it_and_the_next_is_told_who_and_since_when(waiting: Office) -> None:
    mine = waiting.desk.claim(P, "Rita")
    assert (mine.proposal_id, mine.by, mine.since, mine.until) == (P, "Rita", NOW, NOW + CLAIM_LASTS)
    waiting.clock.passes(minutes=2)
    assert waiting.desk.claim(P, "Rolf") == mine
    assert waiting.desk.claims([P]) == {P: mine}


def test_ones_own_claim_is_prolonged(waiting: Office) -> None:
    waiting.desk.claim(P, "Rita")
    for _ in range(3):
        waiting.clock.passes(minutes=4)
        assert waiting.desk.claim(P, "Rita").until == waiting.clock.now + CLAIM_LASTS
    assert waiting.desk.claim(P, "Rolf").by == "Rita"


def test_a_claim_that_is_prolonged_began_when_it_began(waiting: Office) -> None:
    waiting.desk.claim(P, "Rita")
    waiting.clock.passes(minutes=4)
    assert waiting.desk.claim(P, "Rita").since == NOW


def test_a_claim_that_lapsed_begins_anew_for_whoever_comes(waiting: Office) -> None:
    waiting.desk.claim(P, "Rita")
    waiting.clock.passes(seconds=CLAIM_LASTS.total_seconds() - 1)
    assert waiting.desk.claim(P, "Rolf").by == "Rita"
    waiting.clock.passes(seconds=1)
    assert waiting.desk.claims([P]) == {}
    (row,) = waiting.desk.waiting(["run-1"])
    assert row.claim is None
    theirs = waiting.desk.claim(P, "Rolf")
    assert (theirs.by, theirs.since) == ("Rolf", waiting.clock.now)
    assert waiting.desk.claim(P, "Rita") == theirs


def test_ones_own_claim_that_lapsed_begins_anew_too(waiting: Office) -> None:
    waiting.desk.claim(P, "Rita")
    waiting.clock.passes(hours=2)
    assert waiting.desk.claim(P, "Rita").since == waiting.clock.now


def test_who_lets_go_makes_room_and_nobody_lets_go_for_another(waiting: Office) -> None:
    mine = waiting.desk.claim(P, "Rita")
    waiting.desk.release(P, "Rolf")
    assert waiting.desk.claims([P]) == {P: mine}
    waiting.desk.release(P, "Rita")
    assert waiting.desk.claims([P]) == {}
    waiting.desk.release(P, "Rita")
    assert waiting.desk.claim(P, "Rolf").by == "Rolf"


def test_proposals_are_claimed_one_by_one(waiting: Office) -> None:
    waiting.waits("run-2")
    waiting.desk.claim(P, "Rita")
    waiting.desk.claim("p of run-2", "Rolf")
    assert {about: held.by for about, held in waiting.desk.claims([P, "p of run-2", "p of run-9"]).items()} == {
        P: "Rita", "p of run-2": "Rolf",
    }  # fmt: skip
    assert waiting.desk.claims([]) == {}


def test_a_claim_keeps_nobody_from_deciding(waiting: Office) -> None:
    waiting.desk.claim(P, "Rita")
    waiting.decide("run-1", "Rolf")
    assert [one.by for one in waiting.ledger.decisions("run-1")] == ["Rolf"]
    page = waiting.desk.queue(waiting.person("Rita"), QueueFilter(scope="claimed"))
    assert page.total == 0


def test_of_two_at_the_same_moment_one_holds_it_and_both_are_told_the_same(waiting: Office) -> None:
    for number in range(2, 12):
        about, together = waiting.waits(f"run-{number}").proposal_id, Barrier(2)

        def claimed(by: str, about: str = about, together: Barrier = together) -> str:
            together.wait(timeout=5)
            return waiting.desk.claim(about, by).by

        with ThreadPoolExecutor(2) as both:
            told = list(both.map(claimed, ("Rita", "Rolf")))
        assert told[0] == told[1] == waiting.desk.claims([about])[about].by


def test_a_claim_is_no_decision_and_stands_in_no_audit_log(waiting: Office) -> None:
    before = waiting.ledger.audit_head()
    waiting.desk.claim(P, "Rita")
    waiting.desk.release(P, "Rita")
    assert waiting.ledger.audit_head() == before
