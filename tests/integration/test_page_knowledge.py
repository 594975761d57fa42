"""The page Knowledge: reading, searching, drafting, what a draft would do, and putting it in force by somebody else."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from dashboard import company as kept
from dashboard.company import Company, Tools
from evals.what_if import what_if
from graphs.policy_versions import first_moment
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from settings import Settings
from systems.sandbox.database import create_schema
from tests.conftest import _database
from tests.integration.live_company import RECORDED, built_home
from tests.integration.open_pages import Front, html, seen

HOSTILE = "<img src=x onerror=alert(1)> **bold** [x](http://y)"
PEOPLE = {"ana": "analyst", "rita": "reviewer", "sam": "supervisor", "fay": "finance"}


@pytest.fixture(scope="module")
def _office(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("knowledge")
    shutil.copytree(REFERENCE_POLICIES, folder / "policies")
    shutil.copytree(built_home() / "knowledge", folder / "home" / "knowledge")
    cases = folder / "some.jsonl"
    cases.write_bytes(b"\n".join(orjson.dumps(RECORDED[case]) for case in ("dev-ord-0014", "dev-ord-0007")))
    with _database(server_url) as url:
        create_schema(url)
        chosen = Settings(home=folder / "home", policies=folder / "policies", DATABASE_URL=url)
        company = Company(chosen, Tools(what_if=partial(what_if, cases=[cases], chosen=chosen)))
        try:
            front = Front(company)
            for name, role in PEOPLE.items():
                front.enrol(name, role)
            front.enrol("casey", "customer", "C-1")
            yield front
        finally:
            company.close()


@pytest.fixture
def office(_office: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """A company with policies of its own; whatever is drafted in one test is there in the next."""
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: _office.cookies))
    kept.use(_office.company)
    yield _office
    kept.use(None)


def page(office: Front, who: str, **query: str) -> AppTest:
    drawn = office.page(who, "knowledge", **query)
    assert not drawn.exception
    return drawn


def labelled(elements: Any, label: str) -> Any:
    return next(one for one in elements if one.label == label)


def button(drawn: AppTest, label: str) -> Any:
    return labelled(drawn.button, label)


def drafted(office: Front, who: str, policy: str, clause: str, field: str, value: float, why: str = "try it") -> AppTest:
    """Draft one number of a clause on the page, and see what it does."""
    form = page(office, who, policy=policy, clause=clause, edit="1")
    labelled(form.number_input, field).set_value(value)
    labelled(form.text_input, "Why").set_value(why)
    return button(form.run(), "Save the draft and see what it does").click().run()


def versions(office: Front, policy: str) -> set[int]:
    return {p.version for p in PolicyBook.load(office.company.settings.policies).documents if p.id == policy}


def test_who_is_not_of_the_staff_sees_nothing(office: Front) -> None:
    for who in ("casey", "nobody"):
        drawn = page(office, who, tab="Drafts", draft="d-1")
        assert "Fraud" not in seen(drawn) and not drawn.dataframe


def test_a_link_opens_a_clause_with_its_numbers_and_where_it_is_used(office: Front) -> None:
    drawn = page(office, "rita", policy="FRD", version="1", clause="FRD-2")
    told = html(drawn)
    assert "FRD-2" in told and "elevated <b>0.4</b>" in told and "its conditions take numbers from it" in told
    assert "Its numbers are shown in FRD-1" in told and "No proposal has cited it yet" in told
    assert drawn.query_params["clause"] in ("FRD-2", ["FRD-2"])


def test_a_reviewer_reads_and_does_not_draft(office: Front) -> None:
    drawn = page(office, "rita", policy="FRD", clause="FRD-2", edit="1")
    assert "Draft a change" not in [one.label for one in drawn.button]
    assert not drawn.number_input


def test_the_search_is_that_of_the_missions(office: Front) -> None:
    drawn = page(office, "rita", tab="Search", question="Who may approve a large refund?")
    hits = office.company.runtime.context.knowledge.search("Who may approve a large refund?", k=5, as_of=datetime.now(UTC))
    assert all(hit.clause.id in html(drawn) and f"{hit.score:.2f}" in html(drawn) for hit in hits)
    drawn = button(drawn, "Open").click().run()
    assert not drawn.exception and hits[0].clause.title in html(drawn) and "Where it is used" in html(drawn)


@pytest.mark.slow
def test_a_draft_says_at_once_what_it_would_do(office: Front) -> None:
    drawn = drafted(office, "ana", "FRD", "FRD-2", "elevated", 0.6, why=HOSTILE)
    assert not drawn.exception
    told = html(drawn)
    assert "<b>1</b> of 2 recorded exceptions would get a different answer" in told and "1 no longer escalated" in told
    assert "<del>0.4</del>" in told and "<ins>0.6</ins>" in told
    assert "&lt;img src=x" in told and "<img" not in told
    assert drawn.dataframe[0].value.iloc[0]["Verdict"] == "escalate → fulfill with changes"
    # the author reads that somebody else must, and is offered no button for it
    assert "Put in force" not in [one.label for one in drawn.button]


def test_a_draft_that_does_not_fit_is_told_in_a_sentence_and_not_kept(office: Front) -> None:
    form = page(office, "sam", policy="ADR", clause="ADR-1", edit="1")
    labelled(form.text_area, "Text; numbers stand in it as {name}").set_value("Below {nothing}.\n\n## ADR-9 New\n\nx")
    form.run()
    assert "The edit of ADR-1 changes more than these clauses" in html(form)
    labelled(form.text_area, "Text; numbers stand in it as {name}").set_value("Below {nothing}.")
    labelled(form.text_input, "Why").set_value("why not")
    button(form.run(), "Save the draft and see what it does").click().run()
    assert "the placeholder {nothing} leads to no value" in html(form)
    assert "ADR" not in office.desk.open_drafts()


@pytest.mark.slow
def test_somebody_else_puts_a_draft_in_force_and_missions_work_with_it(office: Front) -> None:
    drafted(office, "sam", "STK", "STK-2", "counted within (days)", 60)
    draft = office.desk.policy_drafts()[0]
    stale = page(office, "fay", tab="Drafts", draft=draft.draft_id)
    drawn = page(office, "fay", tab="Drafts", draft=draft.draft_id)
    labelled(drawn.text_input, "Reason").set_value("counted twice a month by now")
    drawn = button(drawn.run(), "Put in force").click().run()
    assert not drawn.exception and "STK version 2 is in force from" in html(drawn) and "Put in force by fay" in html(drawn)
    assert versions(office, "STK") == {1, 2}
    at = first_moment(draft.in_force_from)
    assert office.company.runtime.context.policies.clause("STK-2", at).values["counted_within_days"] == 60
    # who has it open still is told, and has nothing to press any more
    stale.run()
    assert "Put in force by fay" in html(stale) and [one.label for one in stale.button] == ["All drafts"]
    listed = page(office, "rita", tab="Policies", versions="to come").dataframe[0].value
    assert "STK" in set(listed["Policy"])


@pytest.mark.slow
def test_a_draft_of_a_version_that_is_not_the_newest_any_more_is_stale(office: Front) -> None:
    drafted(office, "ana", "ADR", "ADR-2", "confidence", 0.8)
    drafted(office, "sam", "ADR", "ADR-2", "confidence", 0.7)
    second, first = office.desk.policy_drafts("draft")[:2]
    drawn = page(office, "fay", tab="Drafts", draft=first.draft_id)
    labelled(drawn.text_input, "Reason").set_value("agreed")
    button(drawn.run(), "Put in force").click().run()
    drawn = page(office, "fay", tab="Drafts", draft=second.draft_id)
    assert "stale" in html(drawn) and button(drawn, "Put in force").disabled
    labelled(drawn.text_input, "Reason").set_value("overtaken")
    drawn = button(drawn.run(), "Withdraw").click().run()
    assert "is withdrawn" in html(drawn) and office.desk.policy_draft(second.draft_id).status == "withdrawn"


def test_the_list_shows_every_draft_with_who_and_why(office: Front) -> None:
    drafted(office, "ana", "ACC", "ACC-3", "signals at least", 3, why=HOSTILE)
    drawn = page(office, "rita", tab="Drafts")
    rows = drawn.dataframe[0].value
    assert (rows.iloc[0]["Policy"], rows.iloc[0]["Version"], rows.iloc[0]["Drafted by"]) == ("ACC", "1 → 2", "ana")
    assert rows.iloc[0]["Why"] == HOSTILE


def test_an_unknown_draft_is_told_so(office: Front) -> None:
    assert "There is no draft" in html(page(office, "rita", tab="Drafts", draft="d-<b>"))


def test_a_folder_that_cannot_be_written_is_told_and_changes_nothing(office: Front) -> None:
    drafted(office, "sam", "SUP", "SUP-2", "created within (days)", 90)
    draft = office.desk.policy_drafts()[0]
    in_the_way: Path = office.company.settings.policies / ".SUP.v2.md.partial"
    in_the_way.mkdir()
    drawn = page(office, "fay", tab="Drafts", draft=draft.draft_id)
    labelled(drawn.text_input, "Reason").set_value("agreed")
    drawn = button(drawn.run(), "Put in force").click().run()
    assert "no policy was changed" in html(drawn)
    assert office.desk.policy_draft(draft.draft_id).status == "draft" and versions(office, "SUP") == {1}
    in_the_way.rmdir()


def test_a_session_that_ended_puts_nothing_in_force(office: Front) -> None:
    drafted(office, "ana", "VIP", "VIP-2", "percent", 10)
    draft = office.desk.policy_drafts()[0]
    drawn = page(office, "sam", tab="Drafts", draft=draft.draft_id)
    labelled(drawn.text_input, "Reason").set_value("agreed")
    drawn.run()
    office.visitor = "rita"
    drawn = button(drawn, "Put in force").click().run()
    assert office.desk.policy_draft(draft.draft_id).status == "draft"


def test_the_day_must_not_be_past(office: Front) -> None:
    form = page(office, "ana", policy="VIP", clause="VIP-2", edit="1")
    assert form.date_input[0].min == datetime.now(UTC).date()
    assert form.date_input[0].value == datetime.now(UTC).date() + timedelta(days=1)


def test_a_change_is_asked_about_without_a_draft(office: Front) -> None:
    at = page(office, "ana", tab="What if")
    at.text_area(key="what-if.values").input("FRD-2.elevatd=0.6")
    button(at, "Replay recorded exceptions").click().run()
    assert "did you mean elevated?" in seen(at)
    at.text_area(key="what-if.values").input("FRD-2.elevated=0.6")
    button(at, "Replay recorded exceptions").click().run()
    assert "1 no longer escalated" in html(at) and not at.exception
    assert not page(office, "rita", tab="What if").text_area
