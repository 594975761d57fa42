"""The pictures of docs/architecture.md, made from the code: `python -m tests.pictures`, or `make pictures`.

`python -m tests.pictures --check`, which `make check` runs, exits with 1 where the code is not as the pictures show it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import grimp
from langgraph.graph import END, START

from graphs import mission
from tests.house import ROOMS

PAGE = Path("docs/architecture.md")
_ENDS = {START: "event([event])", END: "closed([closed run])"}


def arrows() -> Mapping[str, Sequence[str]]:
    """Room -> the rooms that it imports from. Modules of the checkout itself, and notebooks, are no rooms."""
    graph = grimp.build_graph(*ROOMS)
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module in graph.modules:
        found[module.partition(".")[0]] |= {one.partition(".")[0] for one in graph.find_modules_directly_imported_by(module)}
    return {room: sorted(known - {room}) for room, known in found.items()}


def rooms() -> Iterator[str]:
    """The rooms, and who imports from whom."""
    known = arrows()
    yield "flowchart TD"
    yield f"  %% {sum(map(len, known.values()))} arrows between {len(known)} rooms"
    yield from (f"  {room} --> {' & '.join(others)}" for room, others in known.items() if others)


def way() -> Iterator[str]:
    """The steps of the mission graph with their files, and the ways between them; dotted where the run decides."""
    graph = mission.mission_graph().get_graph()
    names = {step: _ENDS.get(step, step).partition("(")[0] for step in graph.nodes}
    yield "flowchart TD"
    yield from (f"  {end}" for end in _ENDS.values())
    for step in (step for step in graph.nodes if step not in _ENDS):
        file = getattr(mission, step).__module__.replace(".", "/")
        yield f'  {step}["<b>{step}</b><br/>{file}.py"]'
    for edge in graph.edges:
        yield f"  {names[edge.source]} {'-.->' if edge.conditional else '-->'} {names[edge.target]}"


def drawn(page: str) -> str:
    """The page with its pictures as the code is. Raises ValueError where it has no place for one."""
    for name, lines in (("way", way()), ("rooms", rooms())):
        begins, ends = f"<!-- {name}: made by `make pictures` -->", f"<!-- end of {name} -->"
        before, begun, rest = page.partition(begins)
        _, ended, after = rest.partition(ends)
        if not begun or not ended:
            raise ValueError(f"{PAGE} has no place for the picture of {name}; write {begins} and {ends} into it")
        page = "\n".join([before + begins, "```mermaid", *lines, "```", ends + after])
    return page


if __name__ == "__main__":
    present = PAGE.read_text("utf-8")
    if "--check" not in sys.argv:
        PAGE.write_text(drawn(present), "utf-8")
    elif present != drawn(present):
        sys.exit(f"The pictures of {PAGE} are not as the code is; `make pictures` draws them again.")
