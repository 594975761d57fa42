"""Where a run is: the mission graph with the step that it is at, and how long each step took."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from markupsafe import Markup

from dashboard.markup import html_table, markup, words
from dashboard.rail import took
from ledger.records import Decision, Observation, Run

#: readable on a light page as on a dark one: a fill with a text colour of its own, or a line and text of middle grey
_STYLES = (
    "classDef passed fill:#2f7d5b,stroke:#2f7d5b,color:#ffffff",
    "classDef current fill:#2f6fc4,stroke:#9cc3f5,color:#ffffff,stroke-width:4px",
    "classDef waits fill:#c98212,stroke:#f2cf8f,color:#ffffff,stroke-width:4px",
    "classDef stuck fill:#b3362d,stroke:#f0a59f,color:#ffffff,stroke-width:4px",
    "classDef coming fill:transparent,stroke:#8b8b95,color:#8b8b95,stroke-dasharray:3 3",
    "linkStyle default stroke:#8b8b95,stroke-width:1px",
)
#: where a decision sends the run, as `graphs.mission.after_decision` does
_AFTER: Mapping[str, str] = {
    "approve": "execute", "edit": "propose", "escalate": "propose", "respond": "gather", "reject": "close",
}  # fmt: skip
#: which step speaks after another; assess says something only where there is a risk model
_NEXT: Mapping[str, str] = {
    "gather": "diagnose", "diagnose": "ground", "ground": "propose", "assess": "propose", "propose": "check",
}  # fmt: skip


@dataclass(frozen=True)
class Timing:
    """One stretch in which one step spoke; `took_s` is from what was said before it."""

    step: str
    began_s: float
    took_s: float
    #: a person's time, not the Mission's
    waited: bool


def step_now(run: Run, observations: Sequence[Observation], decisions: Sequence[Decision]) -> str:
    """The step that a run is at; empty when it is closed. A step speaks when its work is done, `execute` after each effect."""
    if run.status == "closed":
        return ""
    if run.status == "waiting":
        return "review"
    if not observations:
        return "gather"
    last = observations[-1]
    if last.step == "review":
        return _AFTER.get(decisions[-1].kind, "decision") if decisions else "decision"
    if last.step == "execute":  # a check there says that the run reads everything again
        return "gather" if last.kind == "check" else "execute"
    if last.step == "check":
        return "execute" if "proposal" in last.evidence else "propose"
    return _NEXT.get(last.step, last.step)


def steps_passed(steps: Sequence[str], observations: Sequence[Observation], decisions: Sequence[Decision]) -> set[str]:
    """The steps that a run has been through, those that had nothing to say with them."""
    passed = {one.step for one in observations}
    if "propose" in passed:
        passed.add("assess")
    if decisions:
        passed |= {"review", "decision"}
    return passed & set(steps)


def flowchart(
    steps: Sequence[str], edges: Sequence[tuple[str, str]], passed: Collection[str], current: str, standing: str
) -> str:
    """The graph in Mermaid's words; `standing` is the run's status, which colours the current step."""
    kind = {"waiting": "waits", "incident": "stuck"}.get(standing, "current")
    lines = ["flowchart LR"]
    for step in steps:
        style = kind if step == current else "passed" if step in passed else "coming"
        lines.append(f'{step}(["{step}"]):::{style}')
    for source, to in edges:
        back = steps.index(to) < steps.index(source)
        lines.append(f"{source} {'-.->' if back else '-->'} {to}")
    return "\n".join([*lines, *_STYLES])


def timings(observations: Sequence[Observation], started_at: datetime) -> list[Timing]:
    """Each stretch of a step, in order. A step that says nothing counts with the one after it."""
    found: list[Timing] = []
    before = started_at
    for step, spoken in groupby(observations, key=lambda one: one.step):
        last = list(spoken)[-1]
        began, lasted = (before - started_at).total_seconds(), (last.at - before).total_seconds()
        found.append(Timing(step, began, max(0.0, lasted), step == "review"))
        before = max(before, last.at)
    return found


def timing_table(found: Sequence[Timing]) -> Markup:
    """Step, seconds, and a bar; the bars compare the Mission's own time, for a person takes minutes."""
    longest = max((one.took_s for one in found if not one.waited), default=0.0) or 1.0
    own = sum(one.took_s for one in found if not one.waited)
    foot = '<tfoot><tr><td>the Mission itself</td><td></td><td class="m-num">{:.2f} s</td><td></td></tr></tfoot>'
    columns = {"Step": "", "After": "m-num m-dim", "Took": "m-num", "": "r-bars"}
    return html_table("m-table r-timing", columns, (_timing(one, longest) for one in found), foot=markup(foot, own))


def _timing(one: Timing, longest: float) -> Sequence[object]:
    bar = markup('<span class="r-bar" style="width:{}%"></span>', max(1, round(100 * one.took_s / longest)))
    step = f"{one.step}, a person" if one.waited else words(one.step)
    return step, _seconds(one.began_s), _seconds(one.took_s), "" if one.waited else bar


def _seconds(seconds: float) -> str:
    return took(timedelta(seconds=seconds))
