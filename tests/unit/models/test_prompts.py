"""Prompts are files with holes, which a company may change within what fills them."""

from pathlib import Path

import pytest

from errors import BadInput, NoAnswer
from models import prompts
from models.answers import ScriptedModel
from models.calls import Question
from models.prompts import Prompt

TEXT = '---\nversion: 3\n---\n# System\nBe {tone}. Answer as {"a": 1}.\n\n# User\n{data}\n# Why\n{data}\n'
NONE = {
    "nothing": "",
    "no version": "# System\na\n# User\nb",
    "no number": TEXT.replace("version: 3", "version: three"),
    "no question": TEXT.replace("# User", "# Data"),
    "no text": b"\xff",
    "too long": TEXT + "x" * 30_000,
}


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "choice.md").write_text(TEXT)
    monkeypatch.setattr(prompts, "SHIPPED", folder)
    return folder


def own(tmp_path: Path, text: str | bytes) -> Path:
    (tmp_path / "choice.md").write_bytes(text.encode() if isinstance(text, str) else text)
    return tmp_path


def test_holes_are_filled_once_and_what_fills_them_is_not_looked_through(tmp_path: Path) -> None:
    system, user = Prompt.load("choice", tmp_path).filled(tone="brief", data="{tone} \\1 {data}")
    assert system == 'Be brief. Answer as {"a": 1}.'
    assert user == "{tone} \\1 {data}\n# Why\n{tone} \\1 {data}"


def test_a_companys_own_prompt_stands_before_the_shipped_one_and_has_another_label(tmp_path: Path, shipped: Path) -> None:
    before = Prompt.load("choice", shipped)
    after = Prompt.load("choice", own(tmp_path, TEXT.replace("Be", "Please be")))
    assert after.filled(tone="x", data="")[0].startswith("Please")
    assert before.label.startswith("choice@3:") and after.label != before.label


@pytest.mark.parametrize("wrong", NONE)
def test_what_is_no_prompt_is_refused_with_its_file(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(BadInput, match="choice.md: "):
        Prompt.load("choice", own(tmp_path, NONE[wrong]))


def test_a_hole_that_nothing_fills_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing fills \{customer\}; the prompt choice may have \{data\}, \{tone\}"):
        Prompt.load("choice", own(tmp_path, TEXT.replace("{data}", "{customer}")))


def test_a_scripted_model_is_held_to_the_schema_and_to_what_may_leave() -> None:
    model = ScriptedModel(lambda question: {"choice": question.user})
    schema = {"type": "object", "properties": {"choice": {"enum": ["plan-1"]}}}

    def asked(user: str) -> Question:
        return Question(purpose="choice", prompt="choice@3:0", system="", user=user, schema=schema)

    assert model.ask(asked("plan-1")).answer == {"choice": "plan-1"}
    for user, kind in {"plan-2": "malformed", "ann@example.com": "blocked", "x" * 70_000: "limit"}.items():
        with pytest.raises(NoAnswer) as refused:
            model.ask(asked(user))
        assert refused.value.kind == kind
    assert [one.user for one in model.asked] == ["plan-1", "plan-2"]
