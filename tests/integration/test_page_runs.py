"""The pages about runs, as Streamlit's AppTest draws them on a live company."""

import json
from itertools import count

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from dashboard.pages import run as run_page
from evals.recorded.cases import recorded
from ledger.records import NewObservation, Run
from tests.integration.live_company import RECORDED
from tests.integration.open_pages import Front, html, seen

pytest_plugins = ["tests.integration.open_pages"]

CASE = RECORDED["dev-ord-0003"]
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(1)) "
_NUMBERS = count(1)
#: the pages need one another: they link
SCRIPT = """
import streamlit as st
from dashboard.pages import queue, run, runs
drawn = {"queue": queue, "run": run, "runs": runs}
pages = {name: st.Page(module.draw, title=name, url_path=name, default=name == "%s") for name, module in drawn.items()}
st.session_state["pages"] = pages
st.navigation(list(pages.values())).run()
"""


@pytest.fixture(autouse=True)
def staff(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks, and where."""
    for name, role, customer_id in (("rita", "reviewer", None), ("olga", "auditor", None), ("casey", "customer", "C-1")):
        front.enrol(name, role, customer_id)
    monkeypatch.setattr(ContextProxy, "timezone", property(lambda _: "Europe/Berlin"))


@pytest.fixture
def waiting(front: Front) -> Run:
    """A run that waits for a person."""
    return a_run(front)


def a_run(front: Front) -> Run:
    """The Mission of the case, once more."""
    front.load(CASE)
    source = f"{CASE['case_id']}/runs/{next(_NUMBERS)}"
    runtime = front.company.runtime
    run = runtime.take_in(recorded({**CASE, "case_id": source}, runtime.context.packs, source).event)
    front.company.drive(run.run_id)
    return front.settled(run.run_id)


def opened(front: Front, page: str, name: str = "rita", **query: str) -> AppTest:
    """The page by its address, as this person sees it."""
    front.visitor = name
    app = AppTest.from_string(SCRIPT % page, default_timeout=30)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def test_a_run_is_shown_with_its_rail_its_graph_and_its_proposal(front: Front, waiting: Run) -> None:
    page = opened(front, "run", run=waiting.run_id)
    assert not page.exception and not page.error
    shown = html(page)
    assert waiting.event.subject in shown and "waits for" in shown
    assert "reads from" in shown and "Revision 1" in shown
    assert "review" in seen(page) and ":::waits" in seen(page)


@pytest.mark.parametrize(
    ("tab", "says"),
    [
        ("Effects", "Nothing was executed"),
        ("Timing", "the Mission itself"),
        ("Incidents", "Nothing stopped"),
        ("Versions", "catalogue"),
    ],
)
def test_the_address_opens_a_tab(front: Front, waiting: Run, tab: str, says: str) -> None:
    page = opened(front, "run", run=waiting.run_id, tab=tab)
    assert not page.exception
    assert says in html(page) and "Revision 1" not in html(page)


def test_each_fact_opens_to_its_raw_record(front: Front, waiting: Run) -> None:
    page = opened(front, "run", run=waiting.run_id, tab="Facts")
    facts = front.ledger.facts(waiting.run_id)
    assert len(page.expander) == len(facts)
    assert len(page.json) == sum(fact.value is not None for fact in facts)


def test_new_observations_are_shown_without_reading_the_old_ones_again(
    front: Front, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(front, "run", run=waiting.run_id)
    last = front.ledger.observations(waiting.run_id)[-1].seq
    front.ledger.observe(waiting.run_id, [NewObservation("execute", "effect", f"{HOSTILE} happened")])
    asked: list[int] = []
    known = front.ledger.observations

    def counted(run_id: str, after: int = 0) -> object:
        asked.append(after)
        return known(run_id, after)

    monkeypatch.setattr(front.ledger, "observations", counted)
    page.run()
    assert "happened" in html(page) and "<img" not in html(page)
    assert asked and min(asked) >= last


def test_the_trace_holds_everything_and_the_audit_log_only_for_who_may_read_it(front: Front, waiting: Run) -> None:
    rita, olga = (front.ledger.person(name) for name in ("rita", "olga"))
    assert rita is not None and olga is not None
    read = json.loads(run_page._trace(rita, waiting.run_id))
    assert read["observations"] and read["facts"] and read["proposals"] and read["audit"] == []
    kinds = [entry["kind"] for entry in json.loads(run_page._trace(olga, waiting.run_id))["audit"]]
    assert kinds


@pytest.mark.parametrize("asked", ["r-nowhere", HOSTILE])
def test_an_unknown_run_is_said_in_a_sentence(front: Front, asked: str) -> None:
    page = opened(front, "run", run=asked)
    assert not page.exception
    assert len(page.error) == 1 and "**bold**" not in page.error[0].value


def test_the_runs_are_found_by_subject_mission_state_and_person(front: Front, waiting: Run) -> None:
    subject = waiting.event.subject
    assert waiting.run_id in html(opened(front, "runs", find=subject))
    assert waiting.run_id in html(opened(front, "runs", mission="order_exception", state="waiting"))
    assert waiting.run_id not in html(opened(front, "runs", state="executed"))
    nobody = opened(front, "runs", by="olga")
    assert not nobody.exception
    assert waiting.run_id not in html(nobody)


def test_what_was_chosen_stands_in_the_address(front: Front, waiting: Run) -> None:
    page = opened(front, "runs")
    page.selectbox(key="mission").select("order_exception").run()
    assert page.query_params["mission"] == "order_exception"
    assert waiting.run_id in html(page)


def test_an_address_that_names_nothing_known_shows_all(front: Front, waiting: Run) -> None:
    page = opened(front, "runs", **{"mission": HOSTILE, "state": "dreaming", "period": "never", "from": "9999-01-01"})
    assert not page.exception
    assert waiting.run_id in html(page) and "<img" not in html(page)


def test_a_search_without_a_run_says_so(front: Front) -> None:
    page = opened(front, "runs", find="no such subject")
    assert not page.exception
    assert any("No run is like that" in text.value for text in page.text)


@pytest.mark.parametrize("page", ["run", "runs"])
@pytest.mark.parametrize("name", ["", "casey"])
def test_who_is_signed_out_or_a_customer_sees_nothing(front: Front, waiting: Run, page: str, name: str) -> None:
    shown = opened(front, page, name, run=waiting.run_id)
    assert waiting.run_id not in seen(shown) and waiting.event.subject not in seen(shown)
