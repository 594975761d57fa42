"""The Decision Queue drawn by AppTest: people, something that waits, and what a test asks of the page."""

import json
from itertools import count
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from evals.recorded.cases import recorded
from ledger.records import Proposal, Run
from tests.integration.live_company import RECORDED
from tests.integration.open_pages import Front

#: a reviewer may approve it
CASE = RECORDED["dev-ord-0003"]
#: like it: of the same mission, with the same verdict
LIKE = RECORDED["dev-ord-0031"]
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(1))"
PEOPLE = {"rita": "reviewer", "ron": "reviewer", "ana": "analyst", "olga": "auditor", "admin": "administrator"}
_NUMBERS = count(1)
#: the queue leads to the page of a run
SCRIPT = """
import streamlit as st
from dashboard.pages import queue, run
drawn = {"queue": queue, "run": run}
pages = {name: st.Page(module.draw, title=name, url_path=name, default=name == "queue") for name, module in drawn.items()}
st.session_state["pages"] = pages
st.navigation(list(pages.values())).run()
"""


@pytest.fixture
def office(front: Front) -> None:
    """People, the sandbox company as it was, and nothing that waits from before."""
    for name, role in PEOPLE.items():
        front.enrol(name, role)
    front.enrol("casey", "customer", "C-1")
    front.empty()
    with psycopg.connect(front.company.url, autocommit=True) as session:
        session.execute(
            "UPDATE ledger.runs SET status = 'closed', outcome = 'abandoned', ended_at = now() WHERE status = 'waiting'"
        )


def taken_in(front: Front, case: Any) -> Run:
    """The Mission of a case, as far as it goes by itself."""
    front.load(case)
    source = f"{case['case_id']}/queue/{next(_NUMBERS)}"
    runtime = front.company.runtime
    run = runtime.drive(runtime.take_in(recorded({**case, "case_id": source}, runtime.context.packs, source).event).run_id)
    assert run.status == "waiting"
    return run


@pytest.fixture
def run(front: Front, office: None) -> Run:
    """What waits."""
    return taken_in(front, CASE)


def opened(front: Front, name: str = "rita", run: str = "", **state: Any) -> AppTest:
    """The queue, as this person sees it by its address."""
    front.visitor = name
    page = AppTest.from_string(SCRIPT, default_timeout=30)
    for key, value in state.items():
        page.session_state[key] = value
    if run:
        page.query_params["run"] = run
    return drawn(page.run())


def drawn(page: AppTest) -> AppTest:
    """The page, which has no error that nobody expected."""
    assert not page.exception
    return page


def proposal_of(front: Front, run: Run) -> Proposal:
    found = front.ledger.proposal(run.run_id)
    assert found is not None
    return found


def rows(page: AppTest) -> list[str]:
    """The subjects of the list."""
    found = [element for element in page.main if element.type == "bidi_component"]
    return [row["subject"] for element in found for row in json.loads(element.proto.json)["rows"]]


def press(page: AppTest, kind: str, proposal: Proposal | None = None, reason: str = "") -> AppTest:
    """Give a reason and press a button, before the page is drawn once more."""
    about = proposal.proposal_id if proposal else "together"
    if reason:
        page.text_input(key=f"why-{about}").set_value(reason)
    return drawn(page.button(key=f"{kind}-{about}").click().run())


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def popovers(page: AppTest) -> list[str]:
    """What stands on the buttons that open a popover."""
    return [block.proto.popover.label for block in page.get("popover")]
