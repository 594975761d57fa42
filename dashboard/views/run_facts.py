"""What a run read: each fact in a line, with its arguments and when it was read."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from dashboard.markup import chip, joined, markup
from dashboard.text import clock, label, plain
from dashboard.views.rail import took
from dashboard.views.run import arguments
from ledger.records import Fact, Observation

_KINDS = {"ok": "good", "absent": "warn", "failed": "bad"}


def looks(observations: Sequence[Observation]) -> int:
    """How often the run looked at the world: each look begins with the event."""
    return sum(one.kind == "event" and one.step == "gather" for one in observations)


def fact_title(fact: Fact) -> str:
    """The fact as the label of a widget: tool, name, what came."""
    return f"{label(fact.tool)} · {label(fact.name)} · {found(fact)}"


def found(fact: Fact) -> str:
    """What came of a read, in words."""
    if fact.status == "failed":
        return "could not be read"
    if fact.status == "absent":
        return "no record"
    if isinstance(fact.value, list):
        return f"{len(fact.value)} record{'s' * (len(fact.value) != 1)}"
    return "1 record"


def fact_head(fact: Fact, started_at: datetime) -> Markup:
    """What was asked, how it went and when."""
    error = markup('<p class="r-error">{}</p>', plain(fact.error, 2_000)) if fact.error else Markup("")
    told = f"read {took(fact.read_at - started_at)} after the start, {clock(fact.read_at)}"
    return joined(
        [
            markup('<p class="m-small">{} <span class="m-dim">{}</span></p>', chip(fact.status, _KINDS[fact.status]), told),
            error,
            arguments(fact.args) if fact.args else Markup(""),
        ]
    )
