"""Pins: what a person has reviewed of the tools of each system, kept in `pins.json` beside the list of systems.

A tool whose name, description or schema changed after that is not called before it is reviewed again. With the digest of a tool
stands what its server says that it takes and answers, by which packs, records and proposals are checked while nobody is connected
(systems/json_schema.py). A description is never an instruction, and is not kept.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError

from errors import BadInput
from strict_json import strict_json
from systems.json_schema import Schema, kept

#: What a server says about a tool and a pin covers.
_PINNED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


@dataclass(frozen=True)
class ListedTool:
    """A tool as its system lists it. `definition` is data for review, never an instruction."""

    system: str
    name: str
    reads: bool
    digest: str
    #: the names of its arguments
    takes: frozenset[str]
    definition: Mapping[str, Any]


class Pin(BaseModel, extra="forbid", frozen=True):
    """What is kept of a tool; without schemas where its server tells none, or it was pinned before they were kept."""

    digest: str
    #: the schema of its arguments
    takes: Schema | None = None
    #: of a READ, the schema of its answer
    answers: Schema | None = None


#: system -> tool -> its pin
Pins = Mapping[str, Mapping[str, Pin]]
_PINS = TypeAdapter(
    dict[str, dict[str, Annotated[Pin, BeforeValidator(lambda one: {"digest": one} if isinstance(one, str) else one)]]]
)


def digest(definition: Mapping[str, Any]) -> str:
    """The digest of a tool's definition as its server lists it."""
    pinned = {field: definition.get(field) for field in _PINNED}
    return hashlib.sha256(json.dumps(pinned, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def pin(tools: Iterable[ListedTool]) -> Pins:
    """The pins of tools as they are listed now."""
    pins: dict[str, dict[str, Pin]] = {}
    for tool in tools:
        answers = kept(tool.definition.get("outputSchema")) if tool.reads else None
        one = Pin(digest=tool.digest, takes=kept(tool.definition.get("inputSchema")), answers=answers)
        pins.setdefault(tool.system, {})[tool.name] = one
    return pins


def read_pins(path: Path) -> Pins:
    """The pins in a file; none when there is no file. Raises BadInput when it is not what `write_pins` writes."""
    try:
        return _PINS.validate_python(strict_json(path.read_bytes()), strict=True)
    except FileNotFoundError:
        return {}
    except (OSError, BadInput) as error:
        raise BadInput(f"{path} cannot be read ({error}); recreate it with `missions systems pin`.") from error
    except ValidationError as error:
        raise BadInput(f"{path} holds no pins of tools; recreate it with `missions systems pin`.") from error


def write_pins(path: Path, pins: Pins) -> None:
    """Write the pins, sorted, so that a change of one tool is a change of one line."""
    systems = [f" {json.dumps(name)}: {{\n{_lines(pins[name])}\n }}" for name in sorted(pins)]
    path.write_text("{\n" + ",\n".join(systems) + "\n}\n", encoding="utf-8")


def _lines(tools: Mapping[str, Pin]) -> str:
    plain = {name: one.model_dump(exclude_none=True) for name, one in sorted(tools.items())}
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(one, sort_keys=True)}" for name, one in plain.items())
