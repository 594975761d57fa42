"""Pins: the digests of the tools that a person has looked at.

A tool whose name, description or schema changed after that is another tool, and is not called before somebody has
looked at it again. What a description says is data; it is never given to anybody as an instruction.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from errors import BadInput
from strict_json import strict_json

if TYPE_CHECKING:
    from systems.guard import ListedTool

#: system -> tool -> digest
Pins = Mapping[str, Mapping[str, str]]
#: What a server says about a tool and a pin covers.
_PINNED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


class HasTools(Protocol):
    """Something that can list the tools of its systems."""

    def tools(self) -> Iterable["ListedTool"]: ...


def digest(definition: Mapping[str, Any]) -> str:
    """The digest of a tool's definition as its server lists it."""
    pinned = {field: definition.get(field) for field in _PINNED}
    return hashlib.sha256(json.dumps(pinned, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def pin(systems: HasTools) -> Pins:
    """The pins of all tools as the systems list them now."""
    pins: dict[str, dict[str, str]] = {}
    for tool in systems.tools():
        pins.setdefault(tool.system, {})[tool.name] = tool.digest
    return pins


def read_pins(path: Path) -> Pins:
    """The pins in a file; none when there is no file. Raises BadInput when it is not what `write_pins` writes."""
    try:
        pins = strict_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, BadInput) as error:
        raise BadInput(f"{path} cannot be read ({error}); make it anew with `missions systems pin`.") from error
    if not isinstance(pins, dict) or not all(_is_pinned(tools) for tools in pins.values()):
        raise BadInput(f"{path} holds no pins of tools; make it anew with `missions systems pin`.")
    return pins


def write_pins(path: Path, pins: Pins) -> None:
    """Write the pins, sorted, so that a change of one tool is a change of one line."""
    path.write_text(json.dumps(pins, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _is_pinned(tools: Any) -> bool:
    return isinstance(tools, dict) and all(isinstance(value, str) for value in tools.values())
