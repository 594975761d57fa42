"""A model that answers by a function: for notebooks, evaluations and tests without a network."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from errors import NoAnswer
from models.answers import parsed
from models.calls import Limits, Question, Reply
from models.sending import refuse_what_must_not_leave

_LIMITS = Limits()


class ScriptedModel:
    """Answers what `answer` gives for a question, under the same checks as a model behind an endpoint."""

    name = "scripted"

    def __init__(self, answer: Callable[[Question], Mapping[str, Any] | NoAnswer]) -> None:
        self._answer = answer
        #: what it was asked, in order
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Reply:
        """See Model. Tokens are told as a third of the characters."""
        refuse_what_must_not_leave(question, _LIMITS)
        self.asked.append(question)
        answer = self._answer(question)
        if isinstance(answer, NoAnswer):
            raise answer
        text = orjson.dumps(answer).decode()
        sent = len(question.system) + len(question.user)
        return Reply(
            answer=parsed(text, question.schema), structure="json_schema",
            input_tokens=sent // 3, output_tokens=len(text) // 3, latency_ms=0.0,
        )  # fmt: skip
