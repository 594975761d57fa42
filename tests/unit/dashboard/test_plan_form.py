"""The form that edits a plan, as Streamlit's AppTest draws it: every kind of argument by people who know no JSON."""

from collections.abc import Mapping
from typing import Any

from streamlit.testing.v1 import AppTest

from systems.arguments import Kind

KINDS: Mapping[str, Kind] = {
    "order_id": "id",
    "item_ids": {"list": "id"},
    "amount": {"money": "EUR"},
    "fee_cents": "cents",
    "reason": ["broken", "lost"],
    "boxes": "whole",
    "weight": "number",
    "express": "flag",
    "insured": "flag?",
    "note": "text?",
    "contact": {"object": {"name": "id", "phone": "id?"}},
    "sender": {"object?": {"name": "id"}},
    "ship_to": "address",
    "lines": {"list": {"object": {"sku": "id", "qty": "whole", "price": {"money": "EUR"}}}},
    "tags": {"list?": "text"},
    "paths": {"list": {"list": "id"}},
    "due": "moment",
    "channel": {"words?": ["mail", "phone"]},
}
VALUES: Mapping[str, Any] = {
    "order_id": "#W1", "item_ids": ["A-1", "A,2", "A-1"], "amount": "40", "fee_cents": 250, "reason": "lost", "boxes": 2,
    "weight": 1.5, "express": True, "insured": None, "note": None, "contact": {"name": "Jo"}, "sender": None,
    "ship_to": {"name": "Jo", "line1": "Elm 1", "city": "Bern", "region": None, "postal_code": "1", "country": "CH", "floor": 2},
    "lines": [{"sku": "S-1", "qty": 2, "price": 12.5}], "tags": ["red\nhot"], "paths": [["a", "b"]], "due": "2026-12-01",
    "channel": None,
}  # fmt: skip


def _page(kinds, values):  # type: ignore[no-untyped-def]  # runs by itself, without this module's names
    import streamlit as st

    from dashboard.plan_form import fields

    st.session_state["given"] = fields("0", kinds, values)


def drawn() -> AppTest:
    page = AppTest.from_function(_page, default_timeout=30, kwargs={"kinds": dict(KINDS), "values": dict(VALUES)}).run()
    assert not page.exception
    return page


def test_what_nobody_touches_stays_as_it_was_proposed() -> None:
    assert drawn().session_state["given"] == VALUES


def test_each_kind_is_entered_as_a_person_writes_it() -> None:
    page = drawn()
    assert (page.number_input(key="0-amount").label, page.text_area(key="0-item_ids").value) == ("amount (EUR)", "A-1\nA,2\nA-1")
    page.text_area(key="0-item_ids").set_value("A-1\n A-3 \n\n")
    page.number_input(key="0-amount").set_value(35.5)
    page.number_input(key="0-fee_cents").set_value(1.99)
    page.number_input(key="0-boxes").set_value(3)
    page.selectbox(key="0-channel").select("phone")
    page.selectbox(key="0-insured").select(False)
    page.text_area(key="0-note").set_value("By noon.")
    page.text_input(key="0-contact-phone").set_value("555-0100")
    page.checkbox(key="0-sender").check()
    page.text_input(key="0-sender-name").set_value("Al")
    page.run()
    assert page.session_state["given"] == {
        **VALUES, "item_ids": ["A-1", "A-3"], "amount": "35.50", "fee_cents": 199, "boxes": 3, "channel": "phone",
        "insured": False, "note": "By noon.", "contact": {"name": "Jo", "phone": "555-0100"}, "sender": {"name": "Al"},
    }  # fmt: skip
    assert "m-bad" not in "".join(str(one.proto.body) for one in page.get("html"))


def test_what_does_not_fit_is_told_at_its_field() -> None:
    page = drawn()
    page.text_area(key="0-item_ids").set_value("")
    page.text_input(key="0-weight").set_value("heavy")
    page.text_input(key="0-contact-name").set_value("")
    page.text_area(key="0-paths").set_value("[[1]]")
    page.run()
    told = [str(one.proto.body) for one in page.get("html")]
    for sentence in (
        "Item ids must be a list of 1 to 100",
        "Weight must be a number.",
        "Name must be text",
        "Paths 1 1 must be text",
    ):
        assert any("m-bad" in one and sentence in one for one in told), (sentence, told)
