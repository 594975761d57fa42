"""The HTTP request of a call of an operation (OpenAPI 3, "Style Values").

What a request cannot say is refused, for a filter that is left out asks for everything.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from errors import Refused
from systems.operations import Argument, Operation

_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_HEADER = re.compile(r"[\x20-\x7e]{0,4000}")
_DOTS = re.compile(r"(^|[/\\])\.{1,2}($|[/\\])")
#: fields and values of a query or a form
Pairs = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class RestRequest:
    """What is sent: `url` is the whole address."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def rest_request(operation: Operation, base: str, args: Mapping[str, Any]) -> RestRequest:
    """The request of an operation with arguments, at a base address.

    Raises Refused for arguments that it does not take, that are missing, or that cannot be said in their place.
    """
    name = f"{operation.system}.{operation.name}"
    if wrong := sorted(args.keys() - operation.arguments.keys()) or sorted(operation.required - args.keys()):
        what = "takes no" if wrong[0] in args else "needs"
        raise Refused(f"{name} was not sent: it {what} {wrong[0]!r}; it takes {', '.join(operation.arguments) or 'nothing'}.")
    path, headers = operation.path, {"accept": "application/json"}
    query: list[tuple[str, str]] = []
    form: list[tuple[str, str]] = []
    body: dict[str, Any] = {}
    for key, value in args.items():
        argument = operation.arguments[key]
        try:
            match argument.place:
                case "path":
                    path = path.replace(f"{{{argument.name}}}", _segment(value))
                case "query":
                    query += _pairs(argument, value)
                case "header":
                    headers[argument.name] = _header(value)
                case _ if operation.has_form:
                    form += _pairs(argument, value)
                case _:
                    body[argument.name] = value
        except ValueError as error:
            raise Refused(f"{name} was not sent: {key!r} {error}.") from error
    url = f"{base.rstrip('/')}{path}{_asked(query)}"
    has_fields = any(one.place == "body" and one.name for one in operation.arguments.values())
    is_empty = not (form or body) and (operation.method in ("GET", "DELETE") or not has_fields)
    if operation.body is None or is_empty:
        return RestRequest(operation.method, url, headers, None)
    content = urlencode(form).encode() if operation.has_form else json.dumps(body.get("", body), ensure_ascii=False).encode()
    return RestRequest(operation.method, url, {**headers, "content-type": operation.body}, content)


def _asked(query: list[tuple[str, str]]) -> str:
    return f"?{urlencode(query, quote_via=quote)}" if query else ""


def _segment(value: Any) -> str:
    """A value as one part of a path, which leads nowhere else."""
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if not text or _DOTS.search(text) or _DOTS.search(unquote(text)):
        raise ValueError("is empty or leads elsewhere, so it cannot stand in a path")
    return quote(text, safe="")


def _header(value: Any) -> str:
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if not _HEADER.fullmatch(text):
        raise ValueError("has characters that cannot stand in a header, or too many")
    return text


def _pairs(argument: Argument, value: Any) -> Pairs:
    """What an argument is in a query or in a form."""
    name, style = argument.name, argument.style or ("deepObject" if isinstance(value, dict) else "form")
    explode = style in ("form", "deepObject") if argument.explode is None else argument.explode
    if argument.as_json:
        yield name, json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict | list) and not value:
        raise ValueError("is empty, which would ask for everything")
    elif style == "deepObject" and isinstance(value, dict | list):
        yield from _deep(name, value)
    elif isinstance(value, dict):
        fields = [(str(key), _text(inner)) for key, inner in value.items()]
        yield from fields if explode else [(name, ",".join(part for field in fields for part in field))]
    elif isinstance(value, list):
        texts = [_text(one) for one in value]
        yield from [(name, one) for one in texts] if explode else [(name, _SEPARATORS.get(style, ",").join(texts))]
    else:
        yield name, _text(value)


def _deep(name: str, value: Any) -> Pairs:
    """Brackets, as most servers read them: a[b]=1, a[]=1, a[0][b]=1."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _deep(f"{name}[{key}]", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _deep(f"{name}[{place if isinstance(inner, dict | list) else ''}]", inner)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    """A single value as text."""
    match value:
        case str():
            return value
        case bool() | int() | float():
            return json.dumps(value, ensure_ascii=False)
    raise ValueError("is null, a list or an object where only a single value can be said")
