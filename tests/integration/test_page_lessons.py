"""The page of lessons, as Streamlit's AppTest draws it."""

import shutil
from pathlib import Path

import pytest

from evals.recorded.cases import recorded
from evals.shadow.persistence import ShadowFile, ShadowOf, ShadowRun
from ledger.canonical import utc_now
from tests.integration.live_company import RECORDED, built_home
from tests.integration.open_pages import Front, html, seen

pytest_plugins = ["tests.integration.open_pages"]

CASE = RECORDED["dev-ord-0004"]
HOSTILE = "the courier found <img src=x onerror=alert(1)> nobody at this address"


def test_the_page_groups_reasons_and_tells_what_is_overruled(
    front: Front, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for part in ("knowledge", "language"):
        shutil.copytree(built_home() / part, tmp_path / part)
    monkeypatch.setattr(front.company, "settings", front.company.settings.model_copy(update={"home": tmp_path}))
    front.enrol("rita", "reviewer")
    front.enrol("fay", "finance")
    page = front.page("rita", "learning")
    assert not page.exception
    front.load(CASE)
    runtime = front.company.runtime
    for number, reason in enumerate((HOSTILE, "the courier says the address is a building site")):
        event = recorded({**CASE, "case_id": f"lesson-{number}"}, runtime.context.packs, "test").event
        run = runtime.drive(runtime.take_in(event).run_id)
        runtime.decide(run.run_id, "reject", "fay", reason)
        runtime.drive(run.run_id)

    page = front.page("rita", "learning")
    assert not page.exception and not page.error
    why = page.dataframe[0].value
    (row,) = why[why["because, such as"].str.contains("courier")].to_dict("records")
    assert row["overruled"] == 2 and "courier (2)" in row["missing"]
    assert any("2 lessons" in caption.value for caption in page.caption)
    assert "<img" not in html(page) and "No shadow was run" in seen(page)

    shadow = ShadowOf(name="laxer", since=utc_now(), changed=["FRD-2"], changed_packs=[], versions={"graph": "g"})
    beside = ShadowRun(
        run_id=run.run_id, mission="order_exception", event="order.payment_review", subject="O-1", at=utc_now(), evidence="now",
        moved=(), live_versions={}, answer=None, looks=1, proposals=0, outcome="stuck", steps=(), error="no order",
    )  # fmt: skip
    with ShadowFile(tmp_path, "laxer").writing(shadow) as writer:
        writer.add(beside)
    page = front.page("rita", "learning")
    assert not page.exception and not page.error
    assert "FRD-2 changed: 1 run since" in seen(page) and "Would get stuck, or fail in a step: 1 run." in seen(page)
