"""A line that is no recorded exception is refused with one clear sentence that names file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.jobs import count_jobs
from evals.recorded.cases import MAX_LINE_BYTES, read_cases
from tests.engine import CASES, an_exception


def text(**other: Any) -> bytes:
    return json.dumps({**an_exception(), **other}).encode()


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in an_exception().items() if name != field}).encode()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not valid JSON"),
        (b'{"a": 1} trailing', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b'{"score": NaN}', "NaN is not a JSON number"),
        (b'{"score": -Infinity}', "-Infinity is not a JSON number"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a": "' + b"x" * MAX_LINE_BYTES + b'"}', "longer than 4,000,000 bytes"),
        (without("case_id"), "«case_id» must be text"),
        (without("mission"), "«mission» must be text"),
        (without("systems"), "«systems» must be an object"),
        (without("trigger"), "«trigger» must be an object"),
        (text(case_id=7), "«case_id» must be text"),
        (text(systems=[]), "«systems» must be an object"),
        (text(expected="fulfil"), "«expected» must be an object"),
        (text(mission="moon_landing"), "there is no Mission 'moon_landing'; the Missions are account_save, "),
        (text(trigger={"event": "order.vanished", "order_id": "O-1"}), "order_exception has no event 'order.vanished'"),
        (text(trigger={"order_id": "O-1"}), "order_exception has no event None"),
        (text(trigger={"event": "order.stock_short"}), "does not name its subject; give it «order_id»"),
        (text(trigger={"event": "order.stock_short", "order_id": ""}), "does not name its subject"),
        (text(trigger={"event": "order.stock_short", "order_id": 7}), "does not name its subject"),
        (text(as_of="yesterday"), "as_of 'yesterday' is not a valid time"),
        (text(as_of="2026-03-14"), "is not a valid time"),
        (text(as_of="2026-03-14T09:30:00"), "is not a valid time"),
        (text(as_of=5), "«as_of» must be text"),
    ],
)
def test_a_bad_line_is_refused_with_one_sentence(lab: EvalEnvironment, tmp_path: Path, line: bytes, says: str) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_bytes(text() + b"\n\n" + line + b"\n")
    cases = read_cases(file, lab.packs)
    assert next(cases).case_id == "c-1"
    with pytest.raises(BadInput) as caught:
        next(cases)
    sentence = str(caught.value)
    assert sentence.startswith(f"{file}, line 3: ") and says in sentence
    assert "\n" not in sentence and len(sentence) < 400


def test_a_file_that_is_not_there_is_refused(lab: EvalEnvironment, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        next(read_cases(tmp_path / "nowhere.jsonl", lab.packs))


def test_every_line_of_the_cases_as_shipped_is_a_recorded_exception(lab: EvalEnvironment) -> None:
    cases = list(read_cases(CASES, lab.packs))
    assert len({case.case_id for case in cases}) == len(cases) > 100
    assert all(case.expected for case in cases)


def test_an_expectation_that_nothing_can_be_compared_with_is_refused(lab: EvalEnvironment, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({**an_exception(), "expected": {}}))
    with pytest.raises(BadInput, match="the case c-1: expected.verdict must be text"):
        count_jobs([file], lab.packs, lab.catalogue)
