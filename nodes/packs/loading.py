"""Reading a pack: a pack that does not validate does not load.

What it names is checked, and its conditions compiled, in `nodes.packs.compiling`.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from errors import BadInput
from knowledge_index.policies import Clause
from nodes.pack import Pack
from nodes.packs.compiling import Compiler
from nodes.packs.source import line_of
from strict_yaml import read_yaml
from systems.catalogue import Catalogue


def load_pack(file: Path, *, catalogue: Catalogue, tools: Collection[str], clauses: Mapping[str, Clause]) -> Pack:
    """Read, validate and compile a pack. Raises BadInput that names the file, the place and the remedy."""
    written = read_yaml(file, "pack")
    pack = written.as_model(Pack, "docs/packs.md", _with_parts(written.data), partial(line_of, written))
    if pack.parts and pack.book:
        raise BadInput(f"{file}: a book belongs to the part whose events it lists; move it there")
    for event in pack.trigger.events:
        handled_by = [name for name, part in pack.parts.items() if event in part.trigger.events]
        if len(handled_by) > 1:
            raise BadInput(f"{file}: {event} is an event of the parts {' and '.join(handled_by)}; leave it to one of them")
    if not pack.parts:
        Compiler(pack, (), written, file.name, catalogue, tools, clauses).run()
    for name, part in pack.parts.items():
        Compiler(part, ("parts", name), written, file.name, catalogue, tools, clauses).run()
    return pack


def _with_parts(raw: Any) -> Any:
    """The raw pack, where every part has what the pack says for all, and its trigger the events of its parts."""
    if not (isinstance(raw, dict) and isinstance(raw.get("parts"), dict)):
        return raw
    shared = {name: value for name, value in raw.items() if name not in ("parts", "book")}
    parts = {name: _joined(shared, part) for name, part in raw["parts"].items() if isinstance(part, dict)}
    events = [part.get("trigger", {}).get("events") for part in parts.values() if isinstance(part.get("trigger", {}), dict)]
    together = {event: subject for one in events if isinstance(one, dict) for event, subject in one.items()}
    return {**raw, "trigger": {"events": together}, "parts": {**raw["parts"], **parts}}


def _joined(shared: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(shared)
    for name, own in part.items():
        common = shared.get(name)
        if isinstance(common, dict) and isinstance(own, dict):
            own = {**common, **own}
        elif isinstance(common, list) and isinstance(own, list):
            own = [*own, *common]
        joined[name] = own
    return joined


def pack_files(folder: Path) -> Iterator[Path]:
    """The pack files of a folder, by name."""
    yield from sorted(folder.glob("*.yaml"))
