"""How a run flows, in lines of text: read off the compiled mission graph, so that it is never out of date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langgraph.graph import END, START

from graphs.mission import mission_graph


@dataclass(frozen=True)
class Flow:
    """The mission graph as data."""

    #: from the first to the last, on the longest way
    steps: Sequence[str]
    #: (from, to) between steps
    edges: Sequence[tuple[str, str]]


def flow() -> Flow:
    """The steps in their order, and every way between two of them."""
    edges = _edges()
    steps = _longest(edges, START)[1:-1]
    return Flow(steps, [(step, to) for step in steps for to in edges[step] if to in steps])


def flow_lines() -> list[str]:
    """The way from the first step to the last, then every other way that a step may take."""
    found = flow()
    lines = [" → ".join(found.steps)]
    for place, step in enumerate(found.steps):
        others = [to for one, to in found.edges if one == step and [to] != found.steps[place + 1 : place + 2]]
        back = [to for to in others if found.steps.index(to) < place]
        ahead = [to for to in others if to not in back]
        ways = [f"{way} {' or '.join(to)}" for way, to in (("back to", back), ("straight to", ahead)) if to]
        if ways:
            lines.append(f"{step} may also go {' or '.join(ways)}")
    return lines


def _edges() -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {}
    for edge in mission_graph().get_graph().edges:
        edges.setdefault(edge.source, []).append(edge.target)
    return edges


def _longest(edges: Mapping[str, Sequence[str]], step: str, seen: tuple[str, ...] = ()) -> list[str]:
    """The longest way to the end that meets no step twice; the graph has ten steps."""
    if step == END:
        return [step]
    found = [_longest(edges, to, (*seen, step)) for to in edges.get(step, ()) if to not in (*seen, step)]
    reaching = [way for way in found if way]
    return [step, *max(reaching, key=len)] if reaching else []
