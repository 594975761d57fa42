"""The Decision Queue as Streamlit's AppTest draws it on a live company: who sees what, and who has what open."""

from itertools import count

import psycopg
import pytest

from ledger.records import Run
from tests.integration.open_pages import Front, html
from tests.integration.open_queue import HOSTILE, LIKE, PEOPLE, drawn, labels, opened, popovers, proposal_of, rows, taken_in
from tests.ledger_examples import a_proposal, an_event

pytest_plugins = ["tests.integration.open_pages", "tests.integration.open_queue"]
pytestmark = pytest.mark.usefixtures("office")

_NUMBERS = count(1)


# Who sees what


def test_what_is_due_first_is_open_and_stands_in_the_address(front: Front, run: Run) -> None:
    page = opened(front)
    assert page.query_params["run"] in (run.run_id, [run.run_id])
    assert rows(page) == [run.event.subject]
    shown, proposal = html(page), proposal_of(front, run)
    assert f"<h2>{run.event.subject} " in shown and "Nothing has changed since" in shown
    assert all(action["says"] in shown for action in proposal.plan)
    assert all(f"<b>{cite['clause']}</b>" in shown for cite in proposal.cites)
    assert shown.count('<details class="c-fact">') >= len(front.ledger.facts(run.run_id))
    assert labels(page) == ["Approve", "Edit", "Reject", "Ask again", "Hand it over"]


def test_who_decides_nothing_reads_everything_and_has_no_buttons(front: Front, run: Run) -> None:
    for name in ("ana", "olga", "admin"):
        page = opened(front, name)
        assert rows(page) == [run.event.subject] and "Findings" in html(page)
        assert labels(page) == []
        assert [text.value for text in page.text] == [f"You see this as {PEOPLE[name]}; it is decided by others."]
        assert len(page.text_input) == 1  # which finds
        assert front.desk.claims([proposal_of(front, run).proposal_id]) == {}


def test_a_customer_and_who_is_signed_out_see_nothing(front: Front, run: Run) -> None:
    for name in ("casey", "nobody"):
        page = opened(front, name, run.run_id)
        assert run.event.subject not in html(page)
        assert rows(page) == [] and [label for label in labels(page) if label != "Sign in"] == []


def test_nothing_that_waits_is_a_sentence(front: Front) -> None:
    page = opened(front)
    said = [text.value for text in page.text]
    assert said[0] == "Nothing waits here." and said[1].startswith("Nothing is open.")
    assert "0 wait for you" in html(page) and labels(page) == []
    assert "Nothing is found." in [text.value for text in opened(front, "ana").text]


def test_what_somebody_else_must_approve_is_not_mine_and_is_among_all(front: Front, run: Run) -> None:
    with psycopg.connect(front.company.url, autocommit=True) as session:
        session.execute("UPDATE ledger.proposals SET role = 'finance' WHERE run_id = %s", (run.run_id,))
    assert rows(opened(front)) == []
    assert rows(opened(front, scope="all")) == [run.event.subject]


@pytest.mark.parametrize("asked", ["r-nowhere", HOSTILE, "%", "\x00"], ids=ascii)
def test_a_run_that_there_is_not_is_said_to_be_none(front: Front, asked: str) -> None:
    page = opened(front, run=asked)
    (error,) = page.error
    assert "There is no run" in error.value
    assert "<img" not in error.value.replace("\\<", "") and "**" not in error.value
    assert labels(page) == []


def test_a_run_that_is_over_shows_how_it_came_out(front: Front, run: Run) -> None:
    proposal = proposal_of(front, run)
    front.company.runtime.decide(run.run_id, "reject", "ron", "a duplicate", digest=proposal.digest)
    front.company.runtime.drive(run.run_id)
    page = opened(front, run=run.run_id)
    assert "a duplicate" in html(page) and "rejected." in html(page)
    assert labels(page) == []


def test_the_list_is_narrowed_by_what_one_looks_for(front: Front, run: Run) -> None:
    assert rows(opened(front, filter_text=run.event.subject[-4:])) == [run.event.subject]
    nothing = opened(front, run=run.run_id, filter_text="no such subject")
    assert rows(nothing) == [] and "0 of 1 match the filter" in html(nothing)
    assert [text.value for text in nothing.text] == ["Nothing matches the filter."]
    assert f"<h2>{run.event.subject} " in html(nothing)
    everything = drawn(next(button for button in nothing.button if button.label == "Clear the filter").click().run())
    assert rows(everything) == [run.event.subject] and "1 waits for you" in html(everything)


def test_the_filter_says_that_it_is_set_and_offers_the_tiers_that_wait(front: Front, run: Run) -> None:
    with psycopg.connect(front.company.url, autocommit=True) as session:
        session.execute("UPDATE ledger.proposals SET tier = 'tier 3' WHERE run_id = %s", (run.run_id,))
    other = taken_in(front, LIKE)
    page = opened(front, run=run.run_id)
    assert "2 wait for you" in html(page) and "Filter" in popovers(page)
    assert "tier 3 (1)" in page.selectbox(key="filter_tier-0").options
    page.selectbox(key="filter_tier-0").select("tier 3").run()
    assert rows(drawn(page)) == [run.event.subject] and other.event.subject not in rows(page)
    assert "1 of 2 matches the filter" in html(page) and "Filter (1)" in popovers(page)


def test_a_list_that_is_narrowed_on_a_later_page_is_shown_from_its_first(front: Front, run: Run) -> None:
    for number in range(60):
        run_id = f"r-many-{next(_NUMBERS)}-{number}"
        front.ledger.take_in(an_event(f"event of {run_id}", subject=f"MANY-{number}"), run_id, {})
        front.company.runtime.context.ledger.propose(
            a_proposal(f"{run_id}.1", run_id=run_id, expires_at=proposal_of(front, run).expires_at)
        )
    page = opened(front, run=run.run_id, queue_pages=2, queue_number=2)
    assert 0 < len(rows(page)) < 50
    page.text_input(key="filter_text").set_value(run.event.subject).run()
    assert rows(drawn(page)) == [run.event.subject]


# Who has it open


def test_what_one_opens_is_ones_own_until_one_opens_another(front: Front, run: Run) -> None:
    other, first = taken_in(front, LIKE), proposal_of(front, run)
    page = opened(front, run=run.run_id)
    assert front.desk.claims([first.proposal_id])[first.proposal_id].by == "rita"
    assert "rita has this open" in html(opened(front, "ron", run.run_id))
    front.visitor = "rita"
    page.query_params["run"] = other.run_id
    drawn(page.run())
    assert {claim.by for claim in front.desk.claims([proposal_of(front, other).proposal_id]).values()} == {"rita"}
    assert front.desk.claims([first.proposal_id]) == {}
