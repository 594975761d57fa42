"""Reasoners with a scripted model, and what a prompt shows, for tests."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from errors import NoAnswer
from evals.recorded.cases import recorded
from evals.walk import Walk
from graphs.reasoners import TextReading
from models.answers import ScriptedModel
from models.calls import Limits, Question
from models.prompts import Prompt
from nodes.reasoning.reasoners import Hybrid, Llm
from tests.engine import laboratory

Answer = dict[str, Any]
#: ample for every test: what budgets do is tested by itself
LIMITS = Limits(run_tokens=10**9, day_tokens=10**9)
_BLOCK = re.compile(r'<data from="([^"]*)" trust="none">(.*?)</data>', re.DOTALL)


def blocks(question: Question) -> dict[str, Any]:
    """The data of a prompt, by label."""
    return {label: json.loads(value) for label, value in _BLOCK.findall(question.user)}


def worded(question: Question, **other: Any) -> Answer:
    """The words of an answer that pass: one reason, with the last evidence and the first clause that the prompt shows."""
    seen = blocks(question)
    reason = {
        "says": "It follows from the findings.",
        "observations": [seen["evidence"][-1]["seq"]],
        "clauses": [seen["clauses"][0]["id"]],
    }
    words = {"reasons": [reason], "queue": None, "letters": [], "alternatives": [], "summary": "", "confidence": 0.8}
    return {**words, **({"read": None} if "read" in question.schema["properties"] else {}), **other}


def choosing(question: Question, **other: Any) -> Answer:
    """The answer of a hybrid that takes the planner's plan."""
    return worded(question, **{"choice": "plan-1", **other})


def hybrid(answer: Callable[[Question], Mapping[str, Any] | NoAnswer], limits: Limits = LIMITS) -> tuple[Hybrid, ScriptedModel]:
    model = ScriptedModel(answer)
    return Hybrid(model, {name: Prompt.load(name) for name in ("hybrid", "llm")}, limits, "brief"), model


def llm(answer: Callable[[Question], Mapping[str, Any] | NoAnswer], limits: Limits = LIMITS) -> tuple[Llm, ScriptedModel]:
    model = ScriptedModel(answer)
    return Llm(model, {"llm": Prompt.load("llm")}, limits, "brief"), model


def walk(raw: Mapping[str, Any], reasoner: Any = None, reads: TextReading | None = None, **view: Any) -> Walk:
    """A run over an exception that has not begun; `view` changes what its pack shows a model, `model=None` to nothing."""
    lab = replace(laboratory(), reads=reads)
    exception = recorded(raw, lab.packs, "test")
    pack = lab.packs[exception.event.mission]
    if view == {"model": None}:
        pack = pack.model_copy(update={"model": None})
    elif view:
        assert pack.model is not None
        pack = pack.model_copy(update={"model": pack.model.model_copy(update=view)})
    return Walk(replace(lab, packs={**lab.packs, pack.mission: pack}), exception, reasoner=reasoner)
