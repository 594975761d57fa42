"""What notebooks show of a walk: records of the ledger as cards, and the graph as a drawing (SVG).

The records stay what they are: a card of a proposal is a proposal. LangGraph's own drawing asks a service on the web; this one
asks nobody.

>>> Rail(ledger.observations(run_id))
>>> ProposalCard.of(ledger.proposal(run_id), policies.period(as_of).clauses)
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START
from markupsafe import Markup

from knowledge_index.policies import Clause
from ledger.records import Observation, Proposal
from rendering import Displayable, Part, Table, Title, approver, differing, dollars, in_words, words


class Rail(Displayable, tuple[Observation, ...]):
    """The Explain rail: observations in their order."""

    def parts(self) -> Iterator[Part]:
        """One table; step and kind are named where they begin."""
        if not self:
            yield "Nothing was observed yet."
            return
        rows, before = [], ("", "")
        for one in self:
            here = (one.step, one.kind)
            rows.append(("" if one.step == before[0] else one.step, "" if here == before else one.kind, one.text))
            before = here
        yield Table(("step", "what", "observation"), rows)


@dataclass(frozen=True, kw_only=True)
class ProposalCard(Displayable, Proposal):
    """A proposal with the text of the clauses that it cites."""

    clauses: Mapping[str, Clause] = field(repr=False)

    @classmethod
    def of(cls, proposal: Proposal, clauses: Mapping[str, Clause]) -> Self:
        """The card of a proposal; `clauses` are those in force at the moment of its case, by id."""
        return cls(**vars(proposal), clauses=clauses)

    def parts(self) -> Iterator[Part]:
        """Verdict and approval, why, the plan with what it changes, the clauses, and what else was looked at."""
        yield Title(f"{words(self.verdict)} — proposal {self.revision}, by {self.author}, {self.standing}")
        undoable = sum(action.get("undo") is not None for action in self.plan)
        approval = approver(self.approval.role, self.approval.four_eyes)
        route = "runs by itself" if self.approval.role == "none" else f"{approval} must approve"
        raised = f" (raised by {', '.join(self.approval.clauses)})" if self.approval.clauses else ""
        yield (
            f"{route}{raised} · {dollars(self.money_at_stake_cents)} at stake · confidence {self.confidence:.0%} · "
            f"{undoable} of {len(self.plan)} steps can be undone"
        )
        yield self.rationale
        if self.plan:
            yield Table(("#", "step", "what it changes", "clauses", "tier"), [self._step(n) for n in range(len(self.plan))])
        for action in self.plan:
            if isinstance(action["args"].get("text"), str):
                by = f", written by a model ({action['written_by']})" if action.get("written_by") else ""
                yield f"{action['says']}, word for word{by}:\n{action['args']['text']}"
        if self.cites:
            yield Table(("clause", "title", "what it says"), [self._cite(cite) for cite in self.cites])
        if self.alternatives:
            rows = [(one["for"], one["option"], one["lost_because"]) for one in self.alternatives]
            yield Table(("looked at for", "and left", "because"), rows)

    @property
    def standing(self) -> str:
        """The status in words."""
        return words(self.status)

    def _step(self, step: int) -> tuple[Any, ...]:
        action = self.plan[step]
        changed = [f"{one['system']} {one['record']} {before_and_after(one)}" for one in self.changes if one["step"] == step + 1]
        return step + 1, action["says"], "\n".join(changed), ", ".join(action.get("cites") or ()), action["tier"]

    def _cite(self, cite: Mapping[str, Any]) -> tuple[str, str, str]:
        clause = self.clauses.get(cite["clause"])
        named = f"{cite['clause']} v{cite['version']}"
        return (named, clause.title, clause.text) if clause else (named, "", "not in force")


def before_and_after(change: Mapping[str, Any]) -> str:
    """A change ({"field", "before", "after"}) in words: of a record only the fields that differ."""
    fields = differing(change["field"], change["before"], change["after"])
    return ", ".join(
        f"{path}: {'' if old is None else f'{in_words(path, old)} → '}{in_words(path, new)}" for path, old, new in fields
    )


_WIDTH, _HEIGHT, _APART = 76, 30, 94
_MARGIN, _FIRST, _SPAN = 8, 22, 11
#: fill and border: readable on white as on black
_DONE, _HERE, _TO_COME = ("#cfe8d0", "#4c8a50"), ("#ffd479", "#b07a00"), ("#ececec", "#9a9a9a")
_LINE = "#8a8a8a"


@dataclass(frozen=True)
class Picture:
    """A drawing that shows itself in a notebook."""

    svg: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.text}


def picture(graph: Graph, been: Collection[str] = (), here: Collection[str] = ()) -> Picture:
    """Draw what `mission_graph().get_graph()` gives. `been` are nodes that have run, `here` those that come next."""
    names = list(graph.nodes)
    place = {name: _MARGIN + number * _APART + _WIDTH / 2 for number, name in enumerate(names)}
    spans = [(names.index(edge.target) - names.index(edge.source)) for edge in graph.edges]
    above, below = (_reach(max([0, *(sign * span for span in spans)])) for sign in (1, -1))
    middle = _MARGIN + above + _HEIGHT / 2
    edges = [_edge(place[edge.source], place[edge.target], middle) for edge in graph.edges]
    nodes = [_node(name, place[name], middle, _DONE if name in been else _HERE if name in here else _TO_COME) for name in names]
    width, height = len(names) * _APART - (_APART - _WIDTH) + 2 * _MARGIN, above + below + _HEIGHT + 2 * _MARGIN
    svg = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'font-family="sans-serif" font-size="13"><title>{title}</title>\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="{line}"/></marker></defs>\n{drawn}\n</svg>'
    )
    text = _text(names, been, here)
    drawn = Markup("\n").join([*edges, *nodes])
    return Picture(str(svg.format(w=round(width), h=round(height), title=text, line=_LINE, drawn=drawn)), text)


def _reach(span: int) -> float:
    """How far an arrow over this many nodes bends away from the row; neighbours are joined by a straight one."""
    return _FIRST + _SPAN * span if span > 1 else _FIRST if span == 1 else 0


def _edge(start: float, end: float, middle: float) -> Markup:
    span = round((end - start) / _APART)
    if span == 1:
        return _line(f"M{start + _WIDTH / 2:.0f} {middle:.0f}H{end - _WIDTH / 2:.0f}")
    side = -1 if span > 0 else 1  # forward above the row, back below it
    edge, bend = middle + side * _HEIGHT / 2, middle + side * (_HEIGHT / 2 + _reach(abs(span)) * 4 / 3)
    # a little beside the middle, so that arrows out of a node and into it do not lie on one another
    start, end = start - side * 6, end + side * 6
    return _line(f"M{start:.0f} {edge:.0f}C{start:.0f} {bend:.0f} {end:.0f} {bend:.0f} {end:.0f} {edge:.0f}")


def _line(path: str) -> Markup:
    drawn = '<path d="{}" fill="none" stroke="{}" stroke-width="1.3" marker-end="url(#tip)"/>'
    return Markup(drawn).format(path, _LINE)


def _node(name: str, x: float, middle: float, colours: tuple[str, str]) -> Markup:
    if name in (START, END):
        radius = 6
        left = x + _WIDTH / 2 - radius if name == START else x - _WIDTH / 2 + radius
        return Markup('<circle cx="{:.0f}" cy="{:.0f}" r="{}" fill="{}"/>').format(left, middle, radius, _LINE)
    box = '<rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" rx="6" fill="{}" stroke="{}" stroke-width="1.5"/>'
    label = '<text x="{:.0f}" y="{:.0f}" text-anchor="middle" fill="#222">{}</text>'
    drawn = Markup(box).format(x - _WIDTH / 2, middle - _HEIGHT / 2, _WIDTH, _HEIGHT, *colours)
    return drawn + Markup(label).format(x, middle + 4.5, name)


def _text(names: Collection[str], been: Collection[str], here: Collection[str]) -> str:
    marks: Mapping[bool, str] = {True: " ✓", False: ""}
    return " → ".join(f"[{n}]" if n in here and n not in been else n + marks[n in been] for n in names if n not in (START, END))
