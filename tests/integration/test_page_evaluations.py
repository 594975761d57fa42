"""The page of evaluations, as Streamlit's AppTest draws it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.company import Tools
from dashboard.pages import evaluations as evaluating
from errors import BadInput
from evals.evaluation.notes import ResultNotes
from evals.evaluation.store import EvaluationStore
from graphs.transcripts import Exchange
from tests.evaluation_examples import HOSTILE, a_case, a_run, answer
from tests.integration.commands import missions
from tests.integration.live_company import SAMPLE, built_home
from tests.integration.open_pages import Front, html, seen

pytest_plugins = ["tests.integration.open_pages"]


@pytest.fixture
def shelf(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EvaluationStore:
    """The shelf of a home of its own; rita looks."""
    monkeypatch.setattr(front.company, "settings", front.company.settings.model_copy(update={"home": tmp_path}))
    for name, role in (("rita", "reviewer"), ("casey", "customer")):
        front.enrol(name, role, "C-1" if role == "customer" else None)
    return EvaluationStore.of(tmp_path)


@pytest.fixture
def two(shelf: EvaluationStore) -> tuple[str, str]:
    """An older run with a wrong case and a newer one without."""
    old, new = a_run(1, 0.5, cases=2), a_run(2, cases=2, versions={"code": "fff", "policies": "p1"})
    shelf.write(old, [a_case("c-1", exact=False), a_case("c-2")])
    shelf.write(new, [a_case("c-1"), a_case("c-2")])
    return old.run_id, new.run_id


def opened(front: Front, **query: str) -> AppTest:
    page = front.page("rita", "evaluations", **query)
    assert not page.exception
    return page


def test_without_a_run_the_page_says_how_to_make_one(front: Front, shelf: EvaluationStore) -> None:
    page = opened(front)
    assert "make eval" in page.text[0].value and not page.dataframe


def test_the_runs_are_listed_with_the_newest_first(front: Front, two: tuple[str, str]) -> None:
    rows = opened(front).dataframe[0].value
    assert list(rows["exact"]) == [100.0, 50.0]


def test_a_broken_file_is_told_and_the_rest_is_shown(front: Front, shelf: EvaluationStore, two: tuple[str, str]) -> None:
    shelf.file(two[0]).write_bytes(b"{")
    page = opened(front)
    assert len(page.warning) == 1 and len(page.dataframe[0].value) == 1


def test_a_run_opens_by_its_address_with_the_cases_that_are_wrong(front: Front, two: tuple[str, str]) -> None:
    page = opened(front, run=two[0])
    assert list(page.dataframe[0].value["case"]) == ["c-1"]
    assert "c-1" in html(page) and "replace" in html(page)


def test_a_case_opens_by_its_address(front: Front, two: tuple[str, str]) -> None:
    page = opened(front, run=two[1], show="all", case="c-2")
    assert "c-2" in html(page) and "as expected" in html(page)
    assert "no such case" in opened(front, run=two[1], case="c-9").text[-1].value


def test_two_runs_are_compared_by_their_address(front: Front, two: tuple[str, str]) -> None:
    page = opened(front, run=two[1], **{"with": two[0]})
    shown = html(page)
    assert "No difference that is more than noise: 1 became right and 0 wrong of the 2 cases" in shown
    assert "abc1234" in shown and "fff" in shown
    assert list(page.dataframe[0].value["what happened"]) == ["wrong → right"]


def test_the_cases_are_those_of_the_mission_that_is_chosen(front: Front, shelf: EvaluationStore) -> None:
    run = a_run(cases=2)
    shelf.write(run, [a_case("s", exact=False), a_case("o", exact=False, mission="order_exception")])
    page = opened(front, run=run.run_id, mission="order_exception")
    assert list(page.dataframe[0].value["case"]) == ["o"]


@pytest.mark.parametrize("run_id", ["nothing", "../../etc/passwd", "20200101T000000-0000", HOSTILE])
def test_an_address_that_leads_nowhere_is_one_sentence(front: Front, two: tuple[str, str], run_id: str) -> None:
    page = opened(front, run=run_id)
    assert len(page.error) == 1 and not page.dataframe
    page = opened(front, run=two[0], **{"with": run_id})
    assert len(page.error) == 1 and not page.dataframe


def test_text_from_outside_is_text(front: Front, shelf: EvaluationStore) -> None:
    run = a_run(cases=1, by=HOSTILE, versions={HOSTILE: HOSTILE})
    shelf.write(run, [a_case(HOSTILE, exact=False, mission=HOSTILE, result=answer(HOSTILE))])
    for query in ({}, {"run": run.run_id}):
        page = opened(front, **query)
        assert "<img" not in html(page)
        told = [*page.markdown, *page.caption, *page.warning, *page.error, *page.button]
        assert not any("javascript:" in str(getattr(one, "value", "")) or "**bold**" in str(one) for one in told)


def test_a_customer_and_a_stranger_see_nothing(front: Front, two: tuple[str, str]) -> None:
    for name in ("casey", "nobody"):
        page = front.page(name, "evaluations", run=two[0])
        assert "c-1" not in seen(page) and two[0] not in seen(page) and not page.dataframe


def test_the_command_keeps_what_it_ran(tmp_path: Path) -> None:
    home, cases = tmp_path / "home", tmp_path / "cases.jsonl"
    home.mkdir()
    for part in ("knowledge", "language"):
        (home / part).symlink_to(built_home() / part)
    cases.write_bytes(b"".join(SAMPLE.read_bytes().splitlines(keepends=True)[:3]))
    done = missions("eval", cases, "--out", tmp_path / "results.jsonl", MISSIONS_HOME=home)
    assert done.returncode == 0, done.stderr
    (run,) = EvaluationStore.of(home).runs().runs
    assert run.run_id in done.stdout
    found = EvaluationStore.of(home).open(run.run_id)
    assert (len(found.cases), found.run.figures["all"]["exact"], found.faults) == (3, 1.0, [])


def test_an_evaluation_is_started_once_and_its_end_is_seen(
    front: Front, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    asked_again = threading.Event()

    def evaluate(by: str, told: Callable[[int, int], None]) -> str:
        started.append(by)
        told(1, 2)
        asked_again.wait(60)
        raise BadInput("the cases are gone")

    monkeypatch.setattr(front.company, "tools", Tools(evaluate=evaluate))
    evaluating._progress.clear()
    page = opened(front)
    page.button[0].click().run()
    assert not evaluating.start(evaluate, "sam", evaluating._progress())
    asked_again.set()
    until = time.monotonic() + 10
    while evaluating._progress().running and time.monotonic() < until:
        time.sleep(0.05)
    assert started == ["rita"]
    assert "the cases are gone" in page.run().error[0].value


def test_who_looks_at_a_result_notes_what_she_saw_and_reads_what_a_model_was_asked(front: Front, shelf: EvaluationStore) -> None:
    asked = Exchange(
        purpose="choice", model="small", prompt="hybrid@1", system="Choose.", user=HOSTILE, answer={"choice": "plan-1"}
    )
    run = a_run(1, cases=1)
    shelf.write(run, [a_case("c-1", transcript=[asked])])
    page = opened(front, run=run.run_id, show="all")
    shown = html(page)
    assert "Question 1: choice" in shown and "&lt;img src=x" in shown and "<img" not in shown
    page.text_area[0].set_value("The plan is right.")
    page.button(key=next(one.key for one in page.button if one.label == "Add note")).click().run()
    assert not page.exception and "The plan is right." in html(page) and "rita" in html(page)
    assert [one.by for one in ResultNotes.of(shelf, run.run_id).by_case()["c-1"]] == ["rita"]
