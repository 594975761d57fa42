"""Who makes proposals is said by the settings; what a model needs is loaded where one is asked, and only there."""

import sys

import pytest
from pydantic import SecretStr

from errors import BadInput
from graphs.reasoners import limits_of, open_model, open_reasoning
from models.prompts import Prompt
from settings import Settings


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "planner"),
        ({"model": "small"}, "hybrid"),
        ({"model": "small", "reasoner": "planner"}, "planner"),
        ({"reasoner": "llm"}, "llm"),
    ],
)
def test_the_reasoner_is_the_planner_until_a_model_is_named(values: dict[str, str], name: str) -> None:
    assert Settings.model_validate(values).reasoner_name == name


def test_without_a_model_nothing_of_one_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "models.client", raising=False)
    with open_reasoning(Settings()) as opened, open_model(Settings()) as model:
        assert (opened.reasoner.name, opened.reasoner.version, opened.reads, model) == ("planner", "planner", None, None)
    with open_reasoning(Settings(model="small", model_url="http://127.0.0.1:9/v1"), "planner") as opened:
        assert (opened.reasoner.name, opened.reads) == ("planner", None)
    assert "models.client" not in sys.modules


def test_a_reasoner_that_asks_a_model_needs_one() -> None:
    needed = pytest.raises(BadInput, match="The reasoner llm asks a model, and none is set: name one in MISSIONS_MODEL")
    with needed, open_reasoning(Settings(), "llm"):
        pass


@pytest.mark.parametrize(("name", "prompts"), [("llm", ["llm"]), ("hybrid", ["hybrid", "llm"])])
def test_a_reasoner_says_which_model_and_prompts_it_stands_on_and_not_its_key(name: str, prompts: list[str]) -> None:
    chosen = Settings(model="small", model_url="http://127.0.0.1:9/v1", model_key=SecretStr("sk-secret"))
    with open_reasoning(chosen, name) as opened:
        assert opened.reasoner.name == name and opened.reads is not None
        labels = " ".join(Prompt.load(one).label for one in prompts)
        assert opened.reasoner.version == f"{name} small {labels}"
        assert opened.reads.version == f"small {Prompt.load('understand').label}"
    assert "sk-secret" not in repr(chosen)


def test_limits_are_those_of_the_settings() -> None:
    limits = limits_of(Settings(model_seconds=5, model_max_tokens=300, model_day_cents=50, model_price_output=600))
    assert (limits.seconds, limits.output_tokens, limits.day_cents, limits.price_output) == (5, 300, 50, 600)
