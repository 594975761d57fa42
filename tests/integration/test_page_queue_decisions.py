"""What the buttons of the Decision Queue do, one proposal at a time and several together."""

import psycopg
import pytest

from ledger.records import Run
from tests.integration.open_pages import Front, html
from tests.integration.open_queue import LIKE, drawn, labels, opened, press, proposal_of, taken_in

pytest_plugins = ["tests.integration.open_pages", "tests.integration.open_queue"]
pytestmark = pytest.mark.usefixtures("office")

# The decisions


def test_without_a_reason_nothing_is_decided(front: Front, run: Run) -> None:
    proposal = proposal_of(front, run)
    for kind in ("approve", "reject", "respond", "escalate"):
        page = opened(front)
        page.selectbox(key=f"queue-{proposal.proposal_id}").select("fraud").run()
        page = press(page, kind, proposal)
        assert "A decision needs a reason" in page.warning[0].value
        assert f"<h2>{run.event.subject} " in html(page)
    assert front.ledger.decisions(run.run_id) == []


def test_an_approval_is_carried_out_and_shown_step_by_step(front: Front, run: Run) -> None:
    proposal = proposal_of(front, run)
    page = press(opened(front), "approve", proposal, "the delivery is on its way")
    assert front.settled(run.run_id).outcome == "executed"
    shown = html(drawn(page.run()))
    assert shown.count(">done</span>") == len(proposal.plan)
    assert "the delivery is on its way" in shown and "executed." in shown
    assert [(one.kind, one.by, one.reason) for one in front.ledger.decisions(run.run_id)] == [
        ("approve", "rita", "the delivery is on its way")
    ]


def test_a_quick_reason_is_one_and_what_is_typed_comes_before_it(front: Front, run: Run) -> None:
    about = proposal_of(front, run).proposal_id
    for typed, kept in (("", "As the policy says"), ("my own words", "my own words")):
        again = proposal_of(front, run)
        page = opened(front, **{f"quick-{again.proposal_id}": "As the policy says", f"why-{again.proposal_id}": typed})
        press(page, "respond", again)
        front.settled(run.run_id)
        assert front.ledger.decisions(run.run_id)[-1].reason == kept
    assert proposal_of(front, run).revision == 3 and proposal_of(front, run).proposal_id != about


def test_asked_again_the_mission_looks_anew_with_the_remark(front: Front, run: Run) -> None:
    press(opened(front), "respond", proposal_of(front, run), "is the stock still there?")
    assert front.settled(run.run_id).status == "waiting"
    assert proposal_of(front, run).revision == 2
    assert front.ledger.decisions(run.run_id)[0].details["remark"] == "is the stock still there?"
    assert "Approve" in labels(opened(front, run=run.run_id))


def test_what_is_handed_over_goes_to_the_chosen_queue(front: Front, run: Run) -> None:
    proposal, page = proposal_of(front, run), opened(front)
    whom, button = f"queue-{proposal.proposal_id}", f"escalate-{proposal.proposal_id}"
    assert page.selectbox(key=whom).value is None and "account team" in page.selectbox(key=whom).options
    assert page.button(key=button).disabled
    page.selectbox(key=whom).select("fraud").run()
    assert not page.button(key=button).disabled
    press(page, "escalate", proposal, "this smells")
    front.settled(run.run_id)
    (decision,) = front.ledger.decisions(run.run_id)
    assert (decision.kind, decision.details["queue"]) == ("escalate", "fraud")


def test_a_reason_that_is_written_is_there_again_after_another_proposal_was_open(front: Front, run: Run) -> None:
    other, proposal = taken_in(front, LIKE), proposal_of(front, run)
    typed, quick = f"why-{proposal.proposal_id}", f"quick-{proposal.proposal_id}"
    page = opened(front, run=run.run_id)
    page.text_input(key=typed).set_value("I have called them").run()
    page.button_group(key=quick).set_value("As the policy says").run()
    for run_id in (other.run_id, run.run_id):
        page.query_params["run"] = run_id
        drawn(page.run())
    assert page.text_input(key=typed).value == "I have called them"
    assert page.button_group(key=quick).value == "As the policy says"
    press(page, "respond", proposal)
    front.settled(run.run_id)
    assert front.ledger.decisions(run.run_id)[0].reason == "I have called them"
    assert "reasons" not in page.session_state or page.session_state["reasons"] == {}


def test_the_first_of_two_is_told_that_it_is_recorded_and_not_that_the_second_was_faster(front: Front, run: Run) -> None:
    proposal = proposal_of(front, run)
    with psycopg.connect(front.company.url, autocommit=True) as session:
        session.execute("UPDATE ledger.proposals SET four_eyes = true WHERE run_id = %s", (run.run_id,))
    page = press(opened(front, run=run.run_id), "approve", proposal, "seen")
    assert [box.value for box in page.success] == ["Your approval is recorded; a second person must approve it too\\."]
    assert len(page.warning) == 0 and page.text_input(key=f"why-{proposal.proposal_id}").value == ""
    front.company.runtime.decide(run.run_id, "approve", "ron", "seen too", digest=proposal.digest)
    front.company.runtime.drive(run.run_id)
    page = drawn(page.run())
    assert len(page.warning) == len(page.success) == 0 and "seen too" in html(page)


def test_who_comes_second_is_told_who_was_faster_and_sees_what_became_of_it(front: Front, run: Run) -> None:
    proposal, page = proposal_of(front, run), opened(front)
    front.company.runtime.decide(run.run_id, "reject", "ron", "a duplicate", digest=proposal.digest)
    page = press(page, "approve", proposal, "it is fine")
    assert "was already rejected by ron" in page.warning[0].value.replace("\\", "")
    assert [one.by for one in front.ledger.decisions(run.run_id)] == ["ron"]
    assert front.ledger.effects(run.run_id) == []
    assert "a duplicate" in html(page)


def test_who_is_no_reviewer_any_more_decides_nothing_with_an_open_page(front: Front, run: Run) -> None:
    page = opened(front)
    front.desk.admit("rita", "analyst", account=False)
    page = press(page, "approve", proposal_of(front, run), "quickly")
    assert front.ledger.decisions(run.run_id) == []
    assert "Approve" not in labels(page)


def test_whose_session_has_ended_decides_nothing_with_an_open_page(front: Front, run: Run) -> None:
    page = opened(front)
    front.sign_out("rita")
    page = press(page, "approve", proposal_of(front, run), "quickly")
    assert front.ledger.decisions(run.run_id) == []
    assert run.event.subject not in html(page) and "Approve" not in labels(page)


# Several together


@pytest.fixture
def alike(front: Front, run: Run) -> list[Run]:
    """Two like proposals."""
    both = [run, taken_in(front, LIKE)]
    assert len({proposal_of(front, one).verdict for one in both}) == 1
    return both


def test_like_proposals_are_decided_together_each_by_itself(front: Front, alike: list[Run]) -> None:
    page = opened(front, ticked=[run.run_id for run in alike])
    assert "2 together" in html(page) and labels(page)[1].startswith("Approve 2")
    assert "A decision needs a reason" in press(page, "approve").warning[0].value
    page = press(page, "reject", None, "both are tests")
    assert [box.value.replace("\\", "") for box in page.success] == ["2 of 2 decided:\u2060 reject."] and len(page.warning) == 0
    for run in alike:
        assert front.settled(run.run_id).outcome == "rejected"
        assert [one.reason for one in front.ledger.decisions(run.run_id)] == ["both are tests"]


def test_of_several_those_that_are_refused_stay_with_the_reason(front: Front, alike: list[Run]) -> None:
    page = opened(front, ticked=[run.run_id for run in alike])
    proposal = proposal_of(front, alike[0])
    front.company.runtime.decide(alike[0].run_id, "reject", "ron", "a duplicate", digest=proposal.digest)
    page = press(page, "reject", None, "both are tests")
    front.settled(alike[1].run_id)
    assert "was already rejected by ron" in page.warning[0].value.replace("\\", "")
    assert [one.by for run in alike for one in front.ledger.decisions(run.run_id)] == ["ron", "rita"]


def test_who_decides_nothing_sees_the_sum_and_no_buttons(front: Front, alike: list[Run]) -> None:
    page = opened(front, "ana", ticked=[run.run_id for run in alike])
    assert "2 together" in html(page) and labels(page) == ["Untick all"]
    assert labels(drawn(page.button[0].click().run())) == []
