"""What a model wrote, read strictly: one JSON object of the schema that was asked for; and a model that answers by a function."""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from errors import BadInput, NoAnswer
from models.calls import Limits, Question, Reply
from models.masking import refuse_what_must_not_leave
from strict_json import strict_json

#: models like to put JSON in a fenced block; the whole answer may be one
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff\x00]")


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object that has all of these properties, name -> schema, and none besides."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def parse_answer(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The object of a text. Raises NoAnswer for what is no JSON, is not of the schema, or holds what the ledger cannot."""
    fenced = _FENCED.fullmatch(text)
    try:
        value = strict_json(fenced[1] if fenced else text)
    except BadInput as error:
        # what is wrong with it quotes the answer
        raise NoAnswer("The model's answer is not JSON.", "malformed") from error
    wrong = best_match(_validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).iter_errors(value))
    if wrong is not None:
        # the path is of names of the schema; anything else of the error could quote the answer
        where = ".".join(map(str, wrong.absolute_path)) or "its whole"
        raise NoAnswer(f"The model's answer does not have the requested form ({wrong.validator} of {where}).", "malformed")
    if not isinstance(value, dict) or _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise NoAnswer("What the model answered holds characters that no text has.", "malformed")
    return value


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


class ScriptedModel:
    """Answers what `answer` gives for a question, under the same checks as a model behind an endpoint."""

    name = "scripted"

    def __init__(self, answer: Callable[[Question], Mapping[str, Any] | NoAnswer]) -> None:
        self._answer = answer
        #: what it was asked, in order
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Reply:
        """See Model. Tokens are counted as a third of the characters."""
        refuse_what_must_not_leave(question, Limits())
        self.asked.append(question)
        answer = self._answer(question)
        if isinstance(answer, NoAnswer):
            raise answer
        text, sent = orjson.dumps(answer).decode(), len(question.system) + len(question.user)
        read = parse_answer(text, question.schema)
        return Reply(answer=read, structure="json_schema", input_tokens=sent // 3, output_tokens=len(text) // 3, latency_ms=0.0)
