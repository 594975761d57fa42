"""`missions pack`: what a pack is, a picture of it, and what changed from one to another."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.screen import console
from errors import BadInput
from graphs.pack_files import load_pack_file
from knowledge_index.policies import PolicyBook
from nodes.pack import UNDERSTAND, Pack
from nodes.packs.description import Branch, flowchart, outline
from nodes.packs.differences import PackDifference, differences
from nodes.packs.hints import hints
from nodes.packs.loading import pack_files
from rendering import plain
from settings import settings
from systems.catalogue import OWN_SYSTEM, load_catalogue
from systems.config import load_config

app = typer.Typer(no_args_is_help=True)

_MISSION = re.compile(r"^mission:[ \t]*['\"]?([\w.-]+)", re.MULTILINE)
_STYLES = {"heading": "bold", "finding": "cyan", "option": "green", "detail": ""}
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "renamed": ("~", "yellow")}
#: a line of a pack is shown up to this many characters
_LONGEST = 2_000


@app.command("validate")
def validate_pack(target: Annotated[str, typer.Argument(metavar="FILE", help="The file of a pack.")]) -> None:
    """Load a pack as the Missions do: what it is, and hints; or the first mistake, with its place and remedy."""
    file = _file(target)
    pack = _load(file)
    of_file = list(_file_hints(file, pack))
    _line(f"{pack.mission} is valid: {pack.title}, version {pack.version}, digest {pack.digest}; {_counts(pack)}.")
    for hint in (*of_file, *hints(pack, load_catalogue(settings().systems)), *_unpinned(pack)):
        _line(f"hint: {hint}", "yellow")


@app.command("show")
def show_pack(
    target: Annotated[str, typer.Argument(metavar="NAME", help="A mission, or the file of a pack.")],
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart instead.")] = False,
) -> None:
    """A picture of a Mission: how it flows, what it reads, finds, may do and ends in, and who approves."""
    pack, values = _load(_file(target)), PolicyBook.load(*settings().policy_folders).period(datetime.now(UTC)).values
    if mermaid:
        print(flowchart(pack, values))
        return
    from graphs.mission import Flow  # LangGraph takes its time to load, and no other command here needs it

    _branch(outline(pack, Flow.of_missions().lines(), load_catalogue(settings().systems), values))


@app.command("diff")
def diff_packs(
    one: Annotated[str, typer.Argument(metavar="A", help="A mission, or the file of a pack.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one; without it, A is compared with the loaded pack.")] = "",
) -> None:
    """What changed from one pack to another, in findings, options, verdicts, guards and approval."""
    before, after = (_file(one), _file(other)) if other else _with_loaded(_file(one))
    old, new = _load(before), _load(after)
    found = differences(old, new)
    if not found:
        _line(f"Nothing changed: {before} and {after} say the same.")
        return
    for difference in found:
        _difference(difference)
    counts = {kind: sum(one.kind == kind for one in found) for kind in _SIGNS}
    summary = ", ".join(f"{number} {kind}" for kind, number in counts.items() if number)
    _line(f"{new.mission}, from {old.digest} to {new.digest}: {summary}.")


def _load(file: Path) -> Pack:
    catalogue, systems = load_catalogue(settings().systems), load_config(settings().systems)
    pack = load_pack_file(file, catalogue, PolicyBook.load(*settings().policy_folders))
    for name in pack.actions:
        if (system := catalogue[name].system) not in (*systems.systems, OWN_SYSTEM):
            raise BadInput(
                f"{file}: {name} is an action of {system}, which is none of the systems of {systems.source}; correct it"
            )
    return pack


def _file(target: str) -> Path:
    """The file of a pack: TARGET itself, or where the pack of the mission TARGET stands."""
    if Path(target).suffix in (".yaml", ".yml") or Path(target).is_file():
        return Path(target)
    missions = dict(_missions())
    if target not in missions:
        raise BadInput(f"there is no Mission or file {target!r}; the Missions are {', '.join(missions) or 'none'}")
    return missions[target]


def _missions() -> Iterator[tuple[str, Path]]:
    """(mission, its file). A file that does not load has a name too, for it is the one that somebody wants to see."""
    for file in pack_files(settings().packs):
        if match := _MISSION.search(file.read_text(encoding="utf-8", errors="replace")):
            yield match[1], file


def _with_loaded(file: Path) -> tuple[Path, Path]:
    pack = _load(file)
    loaded = dict(_missions()).get(pack.mission)
    if loaded is None:
        raise BadInput(f"there is no loaded pack of {pack.mission} to compare {file} with; name another file")
    return loaded, file


def _file_hints(file: Path, pack: Pack) -> Iterator[str]:
    """What to know of the place of a pack. Raises BadInput where another file beside it is a pack of its Mission too."""
    folder = settings().packs.resolve()
    if file.suffix != ".yaml":
        yield f"only files whose names end in .yaml are loaded; rename {file.name}"
    if file.resolve().parent != folder:
        yield f"Missions load the packs of {folder}; move it there to run it"
        return
    for mission, other in _missions():
        if other.name != file.name and mission == pack.mission:
            raise BadInput(f"{file}: {other.name} is a pack of {pack.mission} too; rename the mission of one of them")


def _unpinned(pack: Pack) -> Iterator[str]:
    """Tools that the pack needs and that every run of it would be refused."""
    catalogue, config = load_catalogue(settings().systems), load_config(settings().systems)
    needed = {catalogue[name].tool for part in pack.and_parts for name in part.actions if name in catalogue}
    needed |= {catalogue.record_schema.served(read.tool) for part in pack.and_parts for read in part.reads.values()}
    for tool in config.unpinned(sorted(needed)):
        if tool in needed - {UNDERSTAND} and not tool.startswith(f"{OWN_SYSTEM}."):
            yield f"{tool} is not pinned, so every call of it is refused; review it and run `missions systems pin`"
    for tool in config.pinned_without_schemas(needed):
        what = f"{tool} was pinned when schemas were not kept, so no misspelt field or argument of it is found"
        yield f"{what}; run `missions systems pin` again"


def _counts(pack: Pack) -> str:
    parts = list(pack.parts.values()) or [pack]
    shared = len(pack.guards) * (len(pack.parts) - 1) if pack.parts else 0
    counts = {
        "part": len(pack.parts),
        "event": len(pack.trigger.events),
        "read": sum(len(part.reads) for part in parts),
        "finding": sum(len(findings) for part in parts for findings in part.findings.values()),
        "option": sum(len(options) for part in parts for options in part.options.values()),
        "conclusion": sum(len(part.conclusions) for part in parts),
        "verdict": len({name for part in parts for name in part.verdicts}),
        "guard": sum(len(part.guards) for part in parts) - shared,
    }
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in counts.items() if number)


def _branch(branch: Branch, depth: int = 0) -> None:
    """Print a line, and what belongs under it further in."""
    _line(f"{'  ' * depth}{branch.text}", _STYLES[branch.kind])
    for child in branch.children:
        _branch(child, depth + 1)


def _difference(one: PackDifference) -> None:
    sign, style = _SIGNS[one.kind]
    if one.kind == "renamed":
        _line(f"{sign} {one.fields[0][1]} is now {one.fields[0][2]}", style)
        return
    _line(f"{sign} {one.what}", style)
    for field, before, after in one.fields:
        if one.kind != "changed":
            value = before if after is None else after
            _line(f"    {field}: {value if isinstance(value, str) else ' / '.join(value or ())}")
            continue
        _line(f"    {field}")
        for when, value in (("before", before), ("after ", after)):
            for text in (value,) if isinstance(value, str) else value or ("(nothing)",):
                _line(f"      {when}  {text}")


def _line(text: str, style: str = "") -> None:
    """A line that stays one line where it is piped."""
    console.print(Text(plain(text, _LONGEST), style=style), soft_wrap=True)
