"""The portal in a real browser, on a phone: written, followed without a click, and nothing but one's own."""

import re
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from ledger.records import Run
from tests.browser.conftest import PageAs, quiet
from tests.browser.serving import Dashboard

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> [link](javascript:alert(1)) **bold**"


def portal(page_as: PageAs, dashboard: Dashboard, name: str) -> Page:
    page = page_as(name, **PHONE)
    page.goto(dashboard.url)
    page.get_by_label("Your message").wait_for()
    quiet(page)
    return page


def customer(dashboard: Dashboard, name: str) -> str:
    """Somebody who has not written yet."""
    dashboard.desk.admit(name, "customer", customer_id=f"C-{name}", account=False)
    return name


def written(dashboard: Dashboard, name: str) -> list[Run]:
    return list(dashboard.desk.messages(f"C-{name}", "support.message"))


def test_a_customer_writes_and_follows_the_answer_without_a_click(dashboard: Dashboard, page_as: PageAs) -> None:
    page = portal(page_as, dashboard, customer(dashboard, "Wanda"))
    page.get_by_label("Your message").fill("I was charged twice for order #4471")
    page.get_by_role("button", name="Send").dblclick()
    talk = page.locator(".m-talk")
    expect(talk).to_contain_text("I was charged twice for order #4471")
    expect(talk).to_contain_text(re.compile("A colleague is reviewing|A colleague will write to you"))
    (run,) = written(dashboard, "Wanda")
    expect(page.get_by_label("Your message")).to_have_value("")
    if run.status != "closed":
        dashboard.company.runtime.ledger.finish(run.run_id, "escalate", "escalated", datetime.now(UTC))
        expect(talk).to_contain_text("A colleague will write to you.")
    for internal in (run.run_id, run.event.mission, "SUP-"):
        assert internal not in page.content()


def test_what_was_written_stays_after_a_reload_and_is_one_message(dashboard: Dashboard, page_as: PageAs) -> None:
    page = portal(page_as, dashboard, customer(dashboard, "Rolf"))
    page.get_by_label("Your message").fill("Where is my parcel?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".m-talk")).to_contain_text("Where is my parcel?")
    page.reload()
    expect(page.locator(".m-talk")).to_contain_text("Where is my parcel?")
    assert len(written(dashboard, "Rolf")) == 1


def test_hostile_text_is_shown_as_text(dashboard: Dashboard, page_as: PageAs) -> None:
    page = portal(page_as, dashboard, customer(dashboard, "Mal"))
    page.get_by_label("Your message").fill(HOSTILE)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".m-talk")).to_contain_text(HOSTILE)
    assert page.locator(".m-talk img, .m-talk a, .m-talk strong").count() == 0
    assert page.title() != "owned"


def test_a_message_of_twenty_kilobytes_is_refused_and_not_lost(dashboard: Dashboard, page_as: PageAs) -> None:
    page = portal(page_as, dashboard, customer(dashboard, "Lena"))
    page.get_by_label("Your message").fill("x" * 20_000)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Your message has 20,000 characters")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("x" * 20_000)
    assert written(dashboard, "Lena") == []


def test_one_customer_sees_nothing_of_another_by_any_address(dashboard: Dashboard, page_as: PageAs) -> None:
    page = portal(page_as, dashboard, customer(dashboard, "Anna"))
    page.get_by_label("Your message").fill("Please keep the pearl necklace a secret")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".m-talk")).to_contain_text("pearl necklace")
    (run,) = written(dashboard, "Anna")
    other = portal(page_as, dashboard, customer(dashboard, "Bert"))
    for address in (
        "/",
        f"/?run={run.run_id}",
        f"/run?run={run.run_id}",
        "/incidents?tab=Audit+log",
        "/queue",
        "/portal?customer=C-Anna",
    ):
        other.goto(f"{dashboard.url}{address}")
        other.get_by_label("Your message").wait_for()
        quiet(other)
        content = other.content()
        for told in ("pearl necklace", run.event.subject, "C-Anna", ">" + run.run_id):
            assert told not in content, address


def test_the_page_fits_on_a_phone(dashboard: Dashboard, page_as: PageAs) -> None:
    page = portal(page_as, dashboard, "casey")
    width = page.evaluate("Math.max(...[...document.querySelectorAll('.stMain *')].map(e => e.getBoundingClientRect().right))")
    assert width <= 390
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
