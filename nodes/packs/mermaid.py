"""A pack as a Mermaid flowchart: dimensions, their findings, the options of each, and the verdicts or queues they end in."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, pairwise
from typing import Any

from nodes.governance import tier
from nodes.pack import Pack, Way
from nodes.packs.words import Values, sentence, spelled_out

_STYLES = (
    "classDef finding fill:#eef3f8,stroke:#5b7c99,color:#1f2d3a",
    "classDef automate fill:#e8f3e8,stroke:#4f8a4f,color:#1f331f",
    "classDef recommend fill:#fdf3dc,stroke:#b58a2b,color:#3a2d10",
    "classDef escalate fill:#f8e4e1,stroke:#b0574a,color:#3d1a14",
    "classDef verdict fill:#ffffff,stroke:#333333,color:#111111",
)
#: what has a meaning in a label of Mermaid; written as an entity, it is only a character
_MARKS = frozenset('"#&;<>[](){}|`\\*~')


def flowchart(pack: Pack, values: Values) -> str:
    """The flowchart, with one end for each verdict and queue of all parts."""
    drawing = _Drawing(values)
    lines = ["flowchart LR"]
    for name, part in pack.parts.items():
        lines += [f'subgraph {drawing.fresh("p")}["{label(f"part {name}")}"]', *drawing.pack(part), "end"]
    if not pack.parts:
        lines += drawing.pack(pack)
    return "\n".join([*lines, *drawing.ends(), *drawing.edges, *_STYLES])


def label(text: str) -> str:
    """A text as it may stand between the quotes of a label, on one line."""
    return "".join(f"#{ord(mark)};" if mark in _MARKS else mark for mark in " ".join(text.split()))


class _Drawing:
    """Gives every piece a name of its own and collects the edges, which come after all pieces."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.edges: list[str] = []
        self._numbers = count(1)
        self._ends: dict[str, str] = {}

    def fresh(self, kind: str) -> str:
        """A name that no other piece has."""
        return f"{kind}{next(self._numbers)}"

    def pack(self, pack: Pack) -> Iterator[str]:
        """The pieces of a pack without parts."""
        automate = self.values[pack.approval.automate.replace("-", "_")]
        groups = []
        for dimension, findings in pack.findings.items():
            groups.append(self.fresh("d"))
            yield f'subgraph {groups[-1]}["{label(dimension)}"]'
            for finding in findings:
                found = self.fresh("f")
                yield f'{found}["{label(finding.id)}<br/>{label(sentence(finding.says, self.values))}"]:::finding'
                for place, option in enumerate(pack.options.get(finding.id, ()), start=1):
                    taken = self.fresh("o")
                    yield self._way(taken, option.id, pack, option, automate)
                    self.edges.append(f"{found} -->|{place}| {taken}")
            yield "end"
        if pack.conclusions:
            groups.append(self.fresh("d"))
            yield f'subgraph {groups[-1]}["{label("then")}"]'
            for conclusion in pack.conclusions:
                yield self._way(self.fresh("c"), conclusion.id, pack, conclusion, automate)
            yield "end"
        self.edges += [f"{one} ==> {after}" for one, after in pairwise(groups)]

    def ends(self) -> Iterator[str]:
        """The verdicts and queues that something ends in."""
        for text, name in self._ends.items():
            yield f'{name}(["{label(text)}"]):::verdict'

    def _way(self, name: str, title: str, pack: Pack, way: Way, automate: Mapping[str, Any]) -> str:
        steps = list(spelled_out(pack, way.do))
        tiers = [tier({"name": step.action, "args": args}, automate) for step, args in steps]
        if way.end or way.escalate:
            text = f"escalate to {way.escalate}" if way.escalate else str(way.end)
            self.edges.append(f"{name} --> {self._ends.setdefault(text, f'v{len(self._ends) + 1}')}")
        told = "".join(f"<br/>{label(action)}" for action in dict.fromkeys(str(step.action) for step, _ in steps))
        return f'{name}("{label(title)}{told}"):::{_style(way, tiers)}'


def _style(way: Way, tiers: Sequence[str]) -> str:
    if way.escalate:
        return "escalate"
    return "recommend" if "recommend" in tiers else "automate"
