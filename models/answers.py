"""What a model wrote, read strictly: one JSON object of the schema that was asked for, and nothing else."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from errors import BadInput, NoAnswer
from strict_json import strict_json

#: models like to put JSON in a fenced block; the whole answer may be one
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff\x00]")


def parsed(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The object of a text. Raises NoAnswer for what is no JSON, is not of the schema, or holds what the ledger cannot."""
    fenced = _FENCED.fullmatch(text)
    try:
        value = strict_json(fenced[1] if fenced else text)
    except BadInput as error:
        # what is wrong with it quotes the answer
        raise NoAnswer("What the model answered is no JSON.", "malformed") from error
    wrong = best_match(_validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).iter_errors(value))
    if wrong is not None:
        # the path is of names of the schema; anything else of the error could quote the answer
        where = ".".join(map(str, wrong.absolute_path)) or "its whole"
        raise NoAnswer(f"What the model answered is not of the form asked for ({wrong.validator} of {where}).", "malformed")
    if not isinstance(value, dict) or _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise NoAnswer("What the model answered holds characters that no text has.", "malformed")
    return value


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))
