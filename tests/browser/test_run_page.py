"""The Run page in a real Chromium: the Explain rail grows by itself, and what is open stays open."""

import json

from playwright.sync_api import Page, expect

from ledger.records import NewObservation, Run
from tests.browser.conftest import PageAs, quiet
from tests.browser.serving import Dashboard

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> **bold** [link](javascript:alert(1)) "


def a_running(dashboard: Dashboard) -> Run:
    """A run that was taken in, and that nobody drives: the test says what it observes."""
    runtime = dashboard.company.runtime
    return runtime.take_in(dashboard.company.event("dev-sup-0007"))


def opened(page: Page, dashboard: Dashboard, run: Run) -> None:
    page.goto(f"{dashboard.url}/run?run={run.run_id}")
    expect(page.locator(".r-head h1")).to_contain_text(run.event.subject)
    quiet(page)


def test_an_observation_appears_without_a_click(dashboard: Dashboard, page_as: PageAs) -> None:
    run, page = a_running(dashboard), page_as("rita")
    opened(page, dashboard, run)
    for number in range(4):
        dashboard.company.ledger.observe(run.run_id, [NewObservation("gather", "finding", f"{HOSTILE} number {number}")])
        expect(page.locator(".m-rail-item", has_text=f"number {number}")).to_be_visible()
    assert page.title() != "owned" and page.locator(".m-rail img").count() == 0


def test_what_somebody_opened_stays_open_while_the_rail_grows(dashboard: Dashboard, page_as: PageAs) -> None:
    run, page = a_running(dashboard), page_as("rita")
    ledger = dashboard.company.ledger
    ledger.observe(run.run_id, [NewObservation("gather", "finding", "long " * 200)])
    opened(page, dashboard, run)
    page.locator(".m-rail-long summary").click()
    ledger.observe(run.run_id, [NewObservation("diagnose", "finding", "the next one")])
    expect(page.locator(".m-rail-item", has_text="the next one")).to_be_visible()
    assert page.locator(".m-rail-long[open]").count() == 1


def test_the_graph_the_tab_and_the_trace_of_a_waiting_run(dashboard: Dashboard, page_as: PageAs) -> None:
    run, page = dashboard.runs["dev-ord-0014"], page_as("rita")
    opened(page, dashboard, run)
    expect(page.get_by_test_id("stMermaidChart").locator("img")).to_be_visible()
    page.get_by_role("tab", name="Timing").click()
    expect(page.locator(".r-timing")).to_be_visible()
    page.reload()
    expect(page.locator(".r-timing")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Trace").click()
    trace = json.loads(download.value.path().read_text())
    assert trace["run"]["run_id"] == run.run_id and trace["observations"]


def test_a_run_opens_from_the_list_with_the_keyboard(dashboard: Dashboard, page_as: PageAs) -> None:
    run, page = dashboard.runs["dev-ord-0014"], page_as("rita")
    page.goto(f"{dashboard.url}/runs?find={run.event.subject}")
    quiet(page)
    link = page.get_by_role("link", name=run.event.subject).first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".r-head h1")).to_contain_text(run.event.subject)
    assert f"run={run.run_id}" in page.url
    page.go_back()
    expect(page.locator(".rs-table")).to_be_visible()
    expect(page.get_by_label("Subject or run")).to_have_value(run.event.subject)
