"""`import missions as ms`: what analysts get, over a few recorded exceptions."""

from pathlib import Path
from typing import Any

import pytest

import missions as ms

ORDERS = ["dev-ord-0007", "dev-ord-0014", "dev-ord-0005", "dev-ord-0003"]


@pytest.fixture(scope="module")
def cases() -> ms.Cases:
    return ms.cases("order_exception").only(ORDERS)


@pytest.fixture(scope="module")
def today(cases: ms.Cases) -> ms.Evaluated:
    return ms.run(cases)


@pytest.fixture(scope="module")
def made() -> ms.MadeHistory:
    return ms.made_history(10_000, seed=3)


def drawn(chart: Any) -> str:
    bundle = chart._repr_mimebundle_()
    return str((bundle[0] if isinstance(bundle, tuple) else bundle)["image/svg+xml"])


def test_cases_are_those_of_a_mission_a_file_a_frame_or_all_and_are_found_by_their_ids(cases: ms.Cases) -> None:
    assert [case.case_id for case in cases] == ORDERS and cases["dev-ord-0003"] is cases[3]
    assert isinstance(cases[1:3], ms.Cases) and len(cases[1:3]) == 2
    assert {"order_exception", "support_resolution"} <= set(ms.cases().frame()["mission"])
    assert list(cases.only(cases.frame().query("event == 'order.stock_short'")["case"]).frame()["event"].unique()) == [
        "order.stock_short"
    ]
    assert len(ms.cases([cases[0], cases[1:]])) == 4


@pytest.mark.parametrize(
    ("source", "says"),
    [("order_exceptions", "neither a Mission"), ("nowhere.jsonl", "nowhere.jsonl"), (["order_exception"] * 2, "appears twice")],
)
def test_what_is_no_case_is_refused_with_what_there_is(source: Any, says: str) -> None:
    with pytest.raises(ms.BadInput, match=says):
        ms.cases(source)


def test_a_run_has_frames_and_says_of_each_case_why(today: ms.Evaluated) -> None:
    assert today.figures.loc["exact", "mean"] == 1 and list(today.cases["case"]) == ORDERS
    why = today.explain("dev-ord-0007")
    assert why.proposal is not None and why.proposal.verdict == today.cases["given"].iloc[0]
    assert "FRD-2" in str(why) and set(why.frame()["step"]) >= {"gather", "diagnose", "propose"}
    with pytest.raises(ms.BadInput, match="dev-ord-0099"):
        today.explain("dev-ord-0099")


def test_another_version_answers_otherwise_and_both_what_if_and_a_comparison_say_so(cases: ms.Cases, today: ms.Evaluated) -> None:
    change = {"FRD-2.elevated": 0.6}
    asked = ms.what_if(change, cases)
    compared = ms.compare(today, ms.run(cases, ms.version(change))).frame()
    assert list(asked.frame()["case"]) == list(compared[compared["differs_in"] != ""]["case"]) == ["dev-ord-0014"]
    assert "escalate" in str(asked.explain("dev-ord-0014"))
    with pytest.raises(ms.BadInput, match="does not flip"):
        asked.explain("dev-ord-0007")


def test_a_pack_is_changed_as_plain_data(cases: ms.Cases) -> None:
    pack = ms.pack("order_exception")
    pack["options"]["stock.short"] = [one for one in pack["options"]["stock.short"] if one["id"] != "a store"]
    version = ms.version(packs={"order_exception": pack})
    before, after = (ms.explain("dev-ord-0007", one).proposal for one in (None, version))
    assert before is not None and after is not None and before.plan != after.plan
    assert ms.what_if(cases_of=cases, packs={"order_exception": pack}).changed_packs == ["order_exception"]


def test_a_model_that_answers_by_a_function_makes_the_proposals(cases: ms.Cases) -> None:
    model = ms.ScriptedModel(ms.FirstPlan(hands_over_every=1))
    made = ms.run(cases[:2], ms.version(model=model))
    assert set(made.cases["given"]) == {"escalate"}
    said = [one.user for case in made.kept.cases for one in case.transcript]
    assert said == [asked.user for asked in model.asked] and said


def test_what_people_overrule_is_told_from_the_ledger_of_walks() -> None:
    ledger = ms.MemoryLedger()
    ms.walk("dev-ord-0003", ledger=ledger).drive().reject(by="rita", reason="the parcel came back")
    found = ms.overruled(ledger)
    assert list(found.lessons["reason"]) == ["the parcel came back"]
    assert found.frame().loc["STK-4", "overruled"] == 1 and "STK-4" in str(found)


def test_a_history_is_scanned_run_and_backtested_as_a_frame(made: ms.MadeHistory) -> None:
    found = ms.scan(made.orders)
    assert (made.measure(found)["recall"] == 1).all()
    assert len(ms.cases(found.frame())) == sum(found.cases.values())
    back = ms.backtest(made.orders)
    assert set(back.frame()["kind"]) <= set(found.counts)
    for chart in (found.plot(), back.plot(), back.plot("kind")):
        assert drawn(chart).startswith("<svg")


def test_everything_draws_itself_without_a_script_or_the_web(cases: ms.Cases, today: ms.Evaluated) -> None:
    varied = ms.vary("dev-ord-0007", collection="payments.payments", record="O-99308", field="fraud/score", values=[0.1, 0.9])
    assert list(varied.frame()["verdict"])[1] == "escalate"
    swept = ms.sweep("FRD-2.elevated", [0.4, 0.6], cases)
    found = ms.knowledge().search("charged twice")
    for one in (cases, today, ms.compare(today, today), ms.what_if({"FRD-2.elevated": 0.6}, cases), swept, varied, found):
        svg = drawn(one.plot())
        assert svg.startswith("<svg") and "<script" not in svg
        assert getattr(one, "_repr_html_", None) or "<table" in one._repr_mimebundle_()["text/html"]


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(ms.__file__).parent / "py.typed").exists()
    assert all(getattr(ms, name) for name in ms.__all__)
