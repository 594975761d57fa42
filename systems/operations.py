"""The operations of an OpenAPI document as tools, each with the digest of all that the document says of it.

`servers` and `security` of the document are not followed: a system is where its entry says. An operation that cannot be a tool
(its body is a file, say) is none; where the entry names it, the document is refused with the reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from errors import BadInput
from systems.config import SystemConfig, listed_tool
from systems.openapi import NoTool, OpenApi, hashed
from systems.pins import ListedTool

_NAME = re.compile(r"[A-Za-z_][\w./-]{0,99}", re.ASCII)
_PATH = re.compile(r"/[^\s?#\\]{0,1000}")
_JSON = re.compile(r"application/([\w.-]+\+)?json\s*(;.*)?")
_FORM = "application/x-www-form-urlencoded"
#: headers that are no argument: the connection's own, those that say who calls, and those that make of a request another one
_RESERVED = re.compile(
    r"accept|authorization|cookie|host|expect|te|trailer|upgrade|forwarded|(content|transfer|proxy|x-forwarded)-.*|.*connection"
    r"|x-(http-)?method.*",
    re.IGNORECASE,
)

#: the header by which a WRITE is of the record as it was read
IF_MATCH = "If-Match"
Place = Literal["path", "query", "header", "cookie", "body"]
#: in this order an argument keeps its name
_PLACES: tuple[Place, ...] = ("path", "query", "header")


@dataclass(frozen=True)
class Argument:
    """Where an argument of an operation goes. `name` is empty for one that is the whole body."""

    place: Place
    name: str
    required: bool
    #: of a query or a form: "form", "deepObject", …; None where the document does not say
    style: str | None = None
    explode: bool | None = None
    #: it is sent as a JSON text
    as_json: bool = False


@dataclass(frozen=True)
class Operation(ListedTool):
    """An operation as a tool, and how it is sent."""

    method: str
    path: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    #: the media type of its body; None where it takes none
    body: str | None = None
    #: the READ whose ETag it is sent with
    if_match: str | None = None

    @property
    def required(self) -> set[str]:
        """The names of the arguments that it cannot do without."""
        return {name for name, one in self.arguments.items() if one.required}

    @property
    def has_form(self) -> bool:
        """Whether its body is a form, and not JSON."""
        return self.body == _FORM


def read_operations(text: bytes, config: SystemConfig) -> list[Operation]:
    """The operations of a document, by the names that `config` gives them, or else their operationId or method and path.

    Raises BadInput, with the reason, for a document that cannot be used.
    """
    document = OpenApi.parse(text, config.openapi or "")
    called = {one.operation: name for name, one in config.operations.items()}
    found: list[Operation] = []
    for method, path, raw, shared in document.operations():
        own = raw.get("operationId") if isinstance(raw, Mapping) else None
        ids = [one for one in (own, f"{method.upper()} {path}") if isinstance(one, str)]
        name = next((called.pop(one) for one in ids if one in called), None) or _name(own, method, path)
        try:
            found.append(_operation(config, document, name, method, path, raw, shared))
        except (NoTool, ValidationError) as error:
            if name in config.operations or name in config.reads:
                raise BadInput(f"{name} cannot be a tool: {_reason(error)}") from error
    if called:
        raise BadInput(f"its document has no operation {next(iter(called))!r}")
    for one in found:
        if one.if_match and not (read := next((read for read in found if read.name == one.if_match), None)):
            raise BadInput(f"if_match of {one.name} names {one.if_match!r}, which its document has not")
        if one.if_match and read and (lacking := sorted(read.required - one.arguments.keys())):
            raise BadInput(f"if_match of {one.name} names {read.name}, which takes {lacking[0]!r}, and {one.name} does not")
    return found


def _name(operation_id: Any, method: str, path: str) -> str:
    if isinstance(operation_id, str) and _NAME.fullmatch(operation_id):
        return operation_id
    return re.sub(r"\W+", "_", f"{method}{path}", flags=re.ASCII).strip("_")[:100]


def _reason(error: NoTool | ValidationError) -> str:
    if isinstance(error, NoTool):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


# What is read of an operation; the document may say more


class _Media(BaseModel):
    shape: Any = Field(default={}, alias="schema")
    encoding: dict[str, dict[str, Any]] = {}


class _Parameter(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    place: Literal["path", "query", "header", "cookie"] = Field(alias="in")
    required: bool = False
    shape: Any = Field(default={}, alias="schema")
    content: dict[str, _Media] = {}
    style: str | None = None
    explode: bool | None = None

    def is_header(self, name: str) -> bool:
        """Whether it is the header of that name."""
        return self.place == "header" and self.name.casefold() == name.casefold()


class _Body(BaseModel):
    content: dict[str, _Media]
    required: bool = False


class _Success(BaseModel):
    content: dict[str, _Media] = {}


class _Declared(BaseModel):
    summary: str = ""
    description: str = ""
    parameters: list[Any] = []
    body: Any = Field(default=None, alias="requestBody")
    responses: dict[str, Any] = {}


class _OperationArguments:
    """The arguments of an operation as they are found."""

    def __init__(self) -> None:
        self.arguments: dict[str, Argument] = {}
        self.shapes: dict[str, Any] = {}

    def add(self, name: str, argument: Argument, shape: Any) -> None:
        """Add one; where its name is taken, its place follows it: "id_query". Raises NoTool."""
        name = f"{name}_{argument.place}" if name in self.arguments else name
        if name in self.arguments:
            raise NoTool(f"two of its arguments are called {name!r}")
        self.arguments[name], self.shapes[name] = argument, shape


def _operation(config: SystemConfig, api: OpenApi, name: str, method: str, path: str, raw: Any, shared: Any) -> Operation:
    declared, takes = _Declared.model_validate(raw), _OperationArguments()
    given = config.operations.get(name)
    parameters = _parameters(api, declared, shared)
    if given and given.if_match:
        parameters = [one for one in parameters if not one.is_header(IF_MATCH)]
        parameters.append(_Parameter.model_validate({"name": IF_MATCH, "in": "header", "schema": {"type": "string"}}))
    _add_parameters(takes, parameters, None if name in config.reads else config.idempotency_header)
    named = {one.name for one in takes.arguments.values() if one.place == "path"}
    if not _PATH.fullmatch(path) or set(re.findall(r"\{([^{}]*)\}", path)) != named:
        raise NoTool("its path and the parameters of its path do not fit")
    body = api.resolved(declared.body)
    media_type = _add_body(takes, api, _Body.model_validate(body)) if body is not None else None
    gives = _gives(api, declared.responses)
    required = sorted(name for name, one in takes.arguments.items() if one.required)
    definition = {
        "name": name,
        "title": declared.summary,
        "description": declared.description,
        # of all methods only GET is one that reads, unless somebody says so
        "annotations": {} if method == "get" or (given and given.only_reads) else {"readOnlyHint": False},
        "http": [method, path, media_type, {name: vars(one) for name, one in takes.arguments.items()}],
    }
    pinned = hashed([definition, required, api.digests(takes.shapes), api.digests({"": gives})])
    definition["inputSchema"] = api.with_schemas(
        {"type": "object", "properties": takes.shapes, "required": required, "additionalProperties": False}
    )
    definition["outputSchema"] = api.with_schemas(gives)
    tool = listed_tool(config, definition, pinned)
    return Operation(
        **vars(tool), method=method.upper(), path=path, arguments=takes.arguments, body=media_type,
        if_match=given.if_match if given else None,
    )  # fmt: skip


def _parameters(api: OpenApi, declared: _Declared, shared: Any) -> list[_Parameter]:
    """The parameters of an operation that can be arguments; its own take the place of those of its path."""
    given = [*(shared if isinstance(shared, list) else []), *declared.parameters]
    read = [_Parameter.model_validate(api.resolved(one)) for one in given]
    every = {(one.place, one.name): one for one in read}.values()
    if cookie := next((one.name for one in every if one.place == "cookie" and one.required), None):
        raise NoTool(f"it takes the cookie {cookie!r}")
    return [one for one in every if one.place in _PLACES and not (one.place == "header" and _RESERVED.fullmatch(one.name))]


def _add_parameters(takes: _OperationArguments, parameters: list[_Parameter], key_header: str | None) -> None:
    if key_header and not any(one.is_header(key_header) for one in parameters):
        parameters.append(_Parameter.model_validate({"name": key_header, "in": "header", "schema": {"type": "string"}}))
    for place in _PLACES:
        for one in parameters:
            if one.place == place:
                name = "idempotency_key" if one.is_header(key_header or "Idempotency-Key") else one.name
                argument = Argument(place, one.name, one.required, one.style, one.explode, as_json=bool(one.content))
                takes.add(name, argument, next((media.shape for media in one.content.values()), one.shape))


def _add_body(takes: _OperationArguments, api: OpenApi, body: _Body) -> str:
    """Add what its body takes, and say its media type: each field of an object is an argument; any other body is one, "body"."""
    media_type = next((one for one in body.content if _JSON.fullmatch(one)), _FORM if _FORM in body.content else None)
    if media_type is None:
        raise NoTool(f"its body is neither JSON nor a form, but {', '.join(body.content)[:100] or 'nothing'}")
    media = body.content[media_type]
    fields = api.fields(media.shape)
    if fields is None and media_type == _FORM:
        raise NoTool("its form has no fields")
    if fields is None:
        takes.add("body", Argument("body", "", body.required), media.shape)
        return media_type
    shapes, required = fields
    for name, shape in shapes.items():
        if isinstance(shape, Mapping) and shape.get("readOnly") is True:
            continue  # of answers alone, whether required or not
        how = media.encoding.get(name, {})
        takes.add(name, Argument("body", name, body.required and name in required, how.get("style"), how.get("explode")), shape)
    return media_type


def _gives(api: OpenApi, responses: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the answer of an operation that went well; empty where the document does not say."""
    for status in sorted(status for status in responses if status.startswith("2")):
        for media_type, media in _Success.model_validate(api.resolved(responses[status])).content.items():
            if _JSON.fullmatch(media_type) and isinstance(media.shape, dict):
                return media.shape
    return {}
