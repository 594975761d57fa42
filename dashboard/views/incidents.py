"""What is stuck and why: incidents by run, what of the plan was done, and runs that nobody works on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from dashboard.markup import chip, icon, joined, markup
from dashboard.text import clock, plain, plain_lines, span, words
from ledger.records import Effect, EffectStatus, Incident, Observation, Proposal, Run

#: observations shown of a run, the last ones
LAST = 5
#: A run that is 'running' and has said nothing for so long is not being worked on.
SILENT = timedelta(minutes=1)

_STEP: Mapping[EffectStatus, tuple[str, str]] = {
    "intended": ("not begun", ""),
    "executing": ("begun", "warn"),
    "done": ("done", "good"),
    "failed": ("failed", "bad"),
    "unknown": ("outcome not known", "warn"),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run that cannot go on, with everything that is open about it."""

    run: Run
    #: reasons of the open incidents, oldest first, each once
    reasons: Sequence[str]
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of the plan that was being executed."""

    key: str
    #: from 1
    number: int
    says: str
    system: str
    status: EffectStatus
    error: str
    at: datetime


def cases(pairs: Iterable[tuple[Incident, Run]], text: str = "") -> list[Case]:
    """One case a run, in the order of their oldest incidents; `text` is part of a subject or begins a run's id."""
    found: dict[str, list[tuple[Incident, Run]]] = {}
    for incident, run in pairs:
        if text.lower() in run.event.subject.lower() or run.run_id.startswith(text):
            found.setdefault(run.run_id, []).append((incident, run))
    return [
        Case(
            run=many[0][1],
            reasons=tuple(dict.fromkeys(incident.reason for incident, _ in many)),
            since=min(incident.at for incident, _ in many),
        )
        for many in found.values()
    ]


def steps(effects: Sequence[Effect], proposals: Iterable[Proposal]) -> list[Step]:
    """The steps of the plan that was executed last, in order; none where nothing was begun."""
    if not effects:
        return []
    last = effects[-1].proposal_id
    plan: Sequence[Mapping[str, object]] = next((one.plan for one in proposals if one.proposal_id == last), ())
    return [
        Step(
            key=effect.key,
            number=effect.step + 1,
            says=plain(plan[effect.step].get("says") if effect.step < len(plan) else words(effect.action)),
            system=effect.tool.split(".")[0],
            status=effect.status,
            error=effect.error or "",
            at=effect.at,
        )
        for effect in effects
        if effect.proposal_id == last
    ]


def silent(run: Run, rail: Sequence[Observation], now: datetime) -> datetime | None:
    """Since when a running run has said nothing, if that is too long; None where it may be at work."""
    last = max([run.started_at, *(one.at for one in rail[-1:])])
    return last if now - last > SILENT else None


def head(case: Case, now: datetime) -> Markup:
    """The first line of a case, and its reasons."""
    return markup(
        '<div class="m-case-head">{}<span class="m-case-since" title="{}">stuck for {}</span></div>{}',
        subject_line(case.run), clock(case.since), span(now - case.since),
        joined(markup('<div class="m-case-reason m-text">{}</div>', plain_lines(reason)) for reason in case.reasons),
    )  # fmt: skip


def quiet(run: Run, since: datetime, now: datetime) -> Markup:
    """A run that nobody works on, in a line."""
    return markup(
        '<div class="m-case-head">{}<span class="m-case-since" title="{}">silent for {}</span></div>',
        subject_line(run), clock(since), span(now - since),
    )  # fmt: skip


def subject_line(run: Run) -> Markup:
    """Subject, mission and event of a run, with a link to it."""
    return markup(
        '<span class="m-case-subject">{}</span>{}<span class="m-dim m-small">{}</span>'
        '<a class="m-mono m-link" href="/run?run={}" target="_self">{}</a>',
        plain(run.event.subject, 80), chip(words(run.event.mission)), plain(words(run.event.name), 80), run.run_id, run.run_id,
    )  # fmt: skip


def step_table(found: Sequence[Step]) -> Markup:
    """What of the plan was done, as a table."""
    rows = joined(
        markup(
            '<tr class="m-step-{}"><td class="m-num">{}</td><td>{}</td><td>{}</td><td>{}</td>'
            '<td class="m-num m-dim">{}</td></tr>',
            one.status, one.number, one.says, one.system, chip(*_STEP[one.status]),
            Markup("") if one.status == "intended" else _at(one.at),
        )
        for one in found
    )  # fmt: skip
    return markup(
        '<table class="m-table m-steps"><thead><tr><th class="m-num">Step</th><th>What</th><th>System</th><th>Status</th>'
        '<th class="m-num">At (UTC)</th></tr></thead><tbody>{}</tbody></table>',
        rows,
    )


def _at(moment: datetime) -> str:
    return f"{moment:%d %b %H:%M:%S}"


def rail_end(rail: Sequence[Observation]) -> Markup:
    """The last observations of a run."""
    rows = joined(
        markup(
            '<li><span class="m-num m-dim">{}</span><span class="m-num m-dim">{}</span><span class="m-dim">{}</span>'
            '<span class="m-text">{}</span></li>',
            one.seq, _at(one.at), one.step, plain(one.text),
        )
        for one in rail[-LAST:]
    )  # fmt: skip
    return markup('<ol class="m-rail-end">{}</ol>', rows)


def fate(run: Run, driven: bool) -> Markup:
    """What became of a run that somebody has just settled, in a line."""
    told = {
        "running": ("goes on", "info") if driven else ("waits to be driven", "warn"),
        "waiting": ("waits for a person", "info"),
        "incident": ("is stuck again", "bad"),
        "closed": (f"closed: {words(run.outcome or '')}", "good"),
    }[run.status]
    return markup('<div class="m-case-head">{}{}{}</div>', icon("history"), subject_line(run), chip(*told))
