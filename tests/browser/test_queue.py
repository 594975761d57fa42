"""The Decision Queue as reviewers use it: a real Chromium, a serving process, the sandbox company behind it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from ledger.records import Run
from systems.sandbox.loader import load_cases
from tests.browser.conftest import PageAs, quiet
from tests.browser.serving import Dashboard
from tests.integration.live_company import RECORDED

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> **bold** [link](javascript:alert(1)) :material/bug_report: $x$ "


def open_run(page: Page, dashboard: Dashboard, run: Run) -> None:
    """Go to the queue with this run open."""
    page.goto(f"{dashboard.url}/?run={run.run_id}")
    expect(page.locator(".c-head h2")).to_contain_text(run.event.subject)
    quiet(page)


def say(page: Page, reason: str) -> None:
    """Type the reason."""
    page.locator(".st-key-reason input").fill(reason)
    page.locator(".st-key-reason input").press("Enter")
    quiet(page)


def press(page: Page, label: str) -> None:
    page.locator(".st-key-decide").get_by_role("button", name=label).click()


def press_if_there(page: Page, label: str) -> None:
    """Press now, or not at all: looking and pressing are one step in the browser."""
    page.locator(".st-key-decide").or_(page.locator(".c-decision")).first.evaluate(
        "(box, label) => [...box.querySelectorAll('button')].find(one => one.innerText.includes(label))?.click()", label
    )


def ends(dashboard: Dashboard, page: Page, run: Run, outcome: str) -> None:
    expect(page.locator(".c-ended")).to_contain_text(outcome)
    assert dashboard.company.ledger.run(run.run_id).status == "closed"


def refunded(dashboard: Dashboard, charge_id: str) -> int:
    """What the sandbox company has refunded of a charge, in cents."""
    charges = [charge for payment in dashboard.company.snapshot()["payments.payments"] for charge in payment["charges"]]
    return next(int(charge["refunded_cents"]) for charge in charges if charge["charge_id"] == charge_id)


def test_from_the_list_to_the_changed_record_with_an_edit_and_another_person(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-sup-0007"]
    rita = page_as("rita")
    rita.goto(dashboard.url)
    rita.get_by_role("option").filter(has_text=run.event.subject).click()
    expect(rita.locator(".c-head h2")).to_contain_text(run.event.subject)
    # the evidence: a fact opens to its raw record, a clause to its text
    rita.locator(".c-fact summary", has_text="payments payments").first.click()
    expect(rita.locator(".c-fact[open] pre")).to_contain_text("ch_87616")
    rita.locator(".c-clause summary", has_text="REF-6").click()
    expect(rita.locator(".c-clause[open]")).to_contain_text("in force since")
    # the amount of the second step
    press(rita, "Edit")
    rita.get_by_label("amount ($)").nth(1).fill("50")
    dialog = rita.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="Step 2", exact=True)).to_be_checked()
    dialog.get_by_label("Reason").fill("25 dollars were paid back by hand")
    dialog.get_by_role("button", name="Submit the edit").click()
    # the letter says what was to be paid before
    expect(dialog.get_by_text("the letter of step 3 still says $175.00")).to_be_visible()
    letter = dialog.locator("textarea").first
    letter.fill(letter.input_value().replace("$175.00", "$150.00"))
    dialog.get_by_role("button", name="Submit the edit").click()
    expect(rita.get_by_text("Refund $50.00 on charge ch_87616")).to_be_visible()
    expect(rita.get_by_text("it waits for another person")).to_be_visible()
    expect(rita.locator(".c-facts").last).to_contain_text("rita")
    quiet(rita)
    say(rita, "mine")
    press(rita, "Approve")
    expect(rita.get_by_text("may not approve it")).to_be_visible()
    # somebody else sees what was edited, and approves with the keyboard alone
    ron = page_as("ron")
    open_run(ron, dashboard, run)
    expect(ron.get_by_text("Edited by rita: another person approves.")).to_be_visible()
    expect(ron.locator(".c-steps")).to_contain_text("amount $75.00 → $50.00")
    ron.get_by_role("option", selected=True).wait_for()  # the list listens to the keys
    ron.keyboard.press("w")
    ron.keyboard.type("the receipt is there")
    ron.keyboard.press("Escape")
    quiet(ron)
    ron.keyboard.press("a")
    expect(ron.locator(".c-steps .m-chip", has_text="done")).to_have_count(3)
    ends(dashboard, ron, run, "refund, executed")
    assert refunded(dashboard, "ch_87616") == 500 + 5_000


def test_of_two_at_the_same_moment_the_second_is_told_and_nothing_runs_twice(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0007"]
    rita, ron = page_as("rita"), page_as("ron")
    open_run(rita, dashboard, run)
    open_run(ron, dashboard, run)
    expect(ron.get_by_text("rita has this open")).to_be_visible()
    say(rita, "the move explains it")
    say(ron, "it is a duplicate")
    press(rita, "Approve")
    while not dashboard.company.ledger.decisions(run.run_id):
        rita.wait_for_timeout(5)
    press_if_there(ron, "Reject")  # his page may have seen by now what she decided, and offers nothing to press
    expect(ron.get_by_text("was already approved by rita")).to_be_visible()
    ends(dashboard, rita, run, "executed")
    effects = dashboard.company.effects(run)
    assert [effect.status for effect in effects] == ["done"] * 9
    assert [one.by for one in dashboard.company.ledger.decisions(run.run_id)] == ["rita"]


def test_four_eyes_are_two_people(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0001"]
    fay = page_as("fay")
    open_run(fay, dashboard, run)
    say(fay, "a known customer")
    press(fay, "Approve")
    expect(fay.get_by_text("a second person must approve it too")).to_be_visible()
    quiet(fay)
    say(fay, "again")
    press(fay, "Approve")
    expect(fay.get_by_text("the second approval takes another person")).to_be_visible()
    rita = page_as("rita")
    open_run(rita, dashboard, run)
    say(rita, "let me")
    press(rita, "Approve")
    expect(rita.get_by_text("requires the role finance")).to_be_visible()
    finn = page_as("finn")
    open_run(finn, dashboard, run)
    say(finn, "seen too")
    press(finn, "Approve")
    ends(dashboard, finn, run, "executed")


def test_a_decision_without_a_reason_is_refused_in_a_sentence(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0084"]
    sam = page_as("sam")
    open_run(sam, dashboard, run)
    press(sam, "Reject")
    expect(sam.get_by_text("A decision needs a reason")).to_be_visible()
    assert dashboard.company.ledger.run(run.run_id).status == "waiting"


def test_after_a_decision_the_next_key_goes_on_from_where_the_row_was(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0112"]
    rita = page_as("rita")
    open_run(rita, dashboard, run)
    opened = rita.get_by_role("option", selected=True)
    expect(opened).to_contain_text(run.event.subject)
    after = opened.locator("xpath=following-sibling::li[1]").locator(".subject").inner_text()
    say(rita, "not what is needed")
    press(rita, "Reject")
    expect(rita.get_by_role("option").filter(has_text=run.event.subject)).to_have_count(0)
    quiet(rita)
    rita.keyboard.press("j")
    expect(rita.locator(".c-head h2")).to_contain_text(after)


def test_a_filter_that_nothing_matches_is_cleared_with_a_button(dashboard: Dashboard, page_as: PageAs) -> None:
    rita = page_as("rita")
    rita.goto(dashboard.url)
    rita.get_by_role("option").first.wait_for()
    rita.get_by_role("button", name="Filter").click()
    rita.get_by_label("Mission").click()
    rita.get_by_role("option", name="invoice approval").click()
    expect(rita.locator(".q-headline")).to_contain_text("the filter")
    rita.keyboard.press("Escape")
    rita.get_by_role("textbox", name="Find").fill("no such subject")
    rita.keyboard.press("Enter")
    expect(rita.get_by_role("button", name="Filter (2)")).to_be_visible()
    rita.get_by_role("button", name="Clear the filter").click()
    expect(rita.locator(".q-headline")).to_contain_text("for you")
    expect(rita.get_by_role("button", name="Filter", exact=True)).to_be_visible()


def test_on_a_phone_a_tap_brings_the_card_into_view(dashboard: Dashboard, page_as: PageAs) -> None:
    rita = page_as("rita", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    rita.goto(dashboard.url)
    rita.get_by_role("option").nth(1).tap()
    subject = rita.get_by_role("option", selected=True).locator(".subject")
    expect(rita.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    expect(rita.locator(".c-head h2")).to_contain_text(subject.inner_text())
    rita.wait_for_function("document.querySelector('.c-head').getBoundingClientRect().top < 100")


def test_a_reload_in_the_middle_shows_how_it_goes_on(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0044"]
    rita = page_as("rita")
    open_run(rita, dashboard, run)
    say(rita, "the evidence holds")
    press(rita, "Approve")
    rita.locator(".c-decision").wait_for()
    rita.reload()
    ends(dashboard, rita, run, "executed")
    keys = [effect.key for effect in dashboard.company.effects(run)]
    assert len(keys) == len(set(keys)) == len(dashboard.company.proposal(run).plan)


def test_single_parts_of_a_plan_are_rejected(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-omn-0002"]
    rita = page_as("rita")
    open_run(rita, dashboard, run)
    rita.locator(".stMultiSelect").click()
    rita.get_by_role("listbox").get_by_text("O-36547", exact=True).click()
    rita.keyboard.press("Escape")
    quiet(rita)
    say(rita, "that customer comes by today")
    press(rita, "Approve the rest")
    expect(rita.locator(".c-out")).to_contain_text("O-36547")
    ends(dashboard, rita, run, "executed")
    assert not any(effect.args.get("order_id") == "O-36547" for effect in dashboard.company.effects(run))


def test_like_proposals_are_decided_together_with_their_sum(dashboard: Dashboard, page_as: PageAs) -> None:
    alike = [dashboard.runs[case] for case in ("dev-ord-0152", "dev-ord-0031")]
    rita = page_as("rita")
    rita.goto(dashboard.url)
    for run in alike:
        rita.get_by_label(f"Decide together: {run.event.subject}").check()
        quiet(rita)
    expect(rita.locator(".m-table tfoot")).to_contain_text("$223.94")
    say(rita, "both go out")
    rita.get_by_role("button", name="Approve 2").click()
    expect(rita.get_by_text("2 of 2 decided")).to_be_visible()
    for run in alike:
        rita.goto(f"{dashboard.url}/?run={run.run_id}")
        ends(dashboard, rita, run, "executed")


def test_unlike_proposals_are_not_decided_together(dashboard: Dashboard, page_as: PageAs) -> None:
    rita = page_as("rita")
    rita.goto(dashboard.url)
    for case in ("dev-acc-0022", "dev-inv-0019"):
        rita.get_by_label(f"Decide together: {dashboard.runs[case].event.subject}").check()
        quiet(rita)
    expect(rita.get_by_text("Only like proposals are decided together")).to_be_visible()
    assert rita.get_by_role("button", name="Approve").count() == 0


def test_hostile_text_is_shown_as_text(dashboard: Dashboard, page_as: PageAs) -> None:
    assert load_cases(dashboard.database_url, [_hostile()]).refused == {}
    run = dashboard.company.take_in(_hostile())
    rita = page_as("rita")
    open_run(rita, dashboard, run)
    rita.locator(".c-fact summary", has_text="crm customer").first.click()
    expect(rita.locator(".c-fact[open] pre")).to_contain_text("onerror")
    rita.get_by_role("tab", name="Explain rail").click()
    quiet(rita)
    press(rita, "Edit")
    expect(rita.get_by_role("dialog").locator("textarea").first).to_be_visible()
    assert rita.title() != "owned"
    assert rita.locator("img[src=x]").count() == 0 and rita.locator("a[href^=javascript]").count() == 0
    assert rita.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_an_expired_proposal_is_looked_at_again_instead_of_approved(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0004"]
    past = datetime.now(UTC) - timedelta(hours=1)
    dashboard.company.sql("UPDATE ledger.proposals SET expires_at = %s WHERE run_id = %s", past, run.run_id)
    rita = page_as("rita")
    open_run(rita, dashboard, run)
    expect(rita.locator(".c-chips")).to_contain_text("expired")
    say(rita, "late")
    press(rita, "Approve")
    expect(rita.get_by_text("expired at")).to_be_visible()
    quiet(rita)
    say(rita, "look again, please")
    press(rita, "Ask again")
    expect(rita.locator(".c-chips").last).to_contain_text("due in")
    assert dashboard.company.proposal(run).revision == 2


def test_what_changed_in_the_world_is_told_before_anybody_decides(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0026"]
    sam = page_as("sam")
    customer_id = _customer_of(dashboard, run)
    dashboard.company.sql("update sandbox.crm_customers set chargebacks_24m = 7 where customer_id = %s", customer_id)
    open_run(sam, dashboard, run)
    expect(sam.locator(".c-note", has_text="Changed since")).to_contain_text("chargebacks")


def test_who_is_signed_out_or_a_customer_sees_nothing_of_the_queue(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0084"]
    for name in ("", "casey"):
        page = page_as(name)
        for path in (
            f"/?run={run.run_id}",
            f"/queue?run={run.run_id}",
            f"/run?run={run.run_id}",
            "/runs",
            "/incidents",
            "/people",
        ):
            page.goto(f"{dashboard.url}{path}")
            quiet(page) if page.locator("[data-testid=stApp]").count() else None
            assert run.event.subject not in page.content()


def test_an_analyst_reads_and_cannot_decide(dashboard: Dashboard, page_as: PageAs) -> None:
    run = dashboard.runs["dev-ord-0084"]
    ana = page_as("ana")
    open_run(ana, dashboard, run)
    expect(ana.get_by_text("You see this as analyst")).to_be_visible()
    assert ana.locator(".st-key-decide").count() == 0


def _hostile() -> dict[str, Any]:
    """A lost parcel of a customer with an unpleasant name, whose message is long; all ids are its own."""
    text = json.dumps(RECORDED["dev-sup-0007"])
    for old, new in (
        ("98950", "66950"), ("55861", "66861"), ("C-45130", "C-66666"), ("T-96349", "T-66666"), ("ch_18472", "ch_66472"),
        ("ch_50095", "ch_66095"), ("ch_87616", "ch_66616"), ("au_20458", "au_66458"), ("HP-", "HX-"),
    ):  # fmt: skip
        text = text.replace(old, new)
    raw: dict[str, Any] = json.loads(text)
    raw["case_id"] = "hostile"
    raw["systems"]["crm"]["customers"][0]["name"] = HOSTILE
    raw["trigger"]["text"] = f"My parcel is missing, order nr 66950 has not turned up. {HOSTILE}{'x' * 20_000}"
    return raw


def _customer_of(dashboard: Dashboard, run: Run) -> str:
    return str(next(fact.value["customer_id"] for fact in dashboard.company.ledger.facts(run.run_id) if fact.name == "customer"))
