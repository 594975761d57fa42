"""One run: where in the graph it is, its Explain rail as it grows, and everything that belongs to it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import orjson
import streamlit as st
from markupsafe import Markup

from dashboard.card import EFFECTS, fact_name, steps, waits_for
from dashboard.company import company
from dashboard.markup import label, raw, show, show_error
from dashboard.rail import draw_rail, kept_observations, long_text, took, watch
from dashboard.visitor import enter
from errors import MissionsError
from graphs.mission import Flow
from ledger.authorization import steps_left_out
from ledger.canonical import utc_now
from ledger.model_calls import summary
from ledger.permissions import may
from ledger.records import AuditEntry, Decision, Effect, Fact, Observation, Person, Proposal, Run
from nodes.authorship import before_edit
from rendering import chip, clock, dollars, html_table, in_words, joined, markup, plain, plain_lines, span, until, words

OUTCOME_KINDS: Mapping[str, str] = {
    "executed": "good", "nothing_to_do": "plain", "rejected": "plain", "escalated": "warn", "abandoned": "bad",
    "running": "info", "waiting": "info", "incident": "bad",
}  # fmt: skip
_STATUS_KINDS: Mapping[str, str] = {
    "pending": "info", "approved": "good", "automatic": "good", "rejected": "bad", "sent_back": "warn", "superseded": "plain",
    "escalated": "warn",
}  # fmt: skip
#: rows of the audit log about incidents: what happened, and how it is marked
_INCIDENT_KINDS: Mapping[str, tuple[str, str]] = {
    "incident_opened": ("stopped", "bad"), "run_resumed": ("resumed", "plain"), "run_abandoned": ("closed for good", "plain"),
}  # fmt: skip
#: readable on a light page as on a dark one: a fill with a text color of its own, or a line and text of middle grey
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


def draw() -> None:
    """The page."""
    me = enter("read")
    asked = st.query_params.get("run", "")
    if not asked:
        st.text("Name a run in the address, or choose one among the runs.")
        st.page_link(st.session_state["pages"]["runs"], label="Runs")
        return
    try:
        run = company().ledger.run(asked)
    except MissionsError as error:
        show_error(error)
        return
    observations = kept_observations(run.run_id)
    decisions = company().ledger.decisions(run.run_id)
    _head(me, run, decisions)
    _graph(run, observations, decisions)
    left, right = st.columns([1, 1.35], gap="large")
    facts = company().ledger.facts(run.run_id)
    with left:
        show(markup('<h2 class="r-title">Explain rail <span>{}</span></h2>', len(observations)))
        draw_rail(observations, run.started_at, facts)
    with right:
        _tabs(run, observations, decisions)
    watch(run, observations[-1].seq if observations else 0)


# Head


def _head(me: Person, run: Run, decisions: Sequence[Decision]) -> None:
    ledger = company().ledger
    proposal = ledger.proposal(run.run_id)
    with st.container(horizontal=True, vertical_alignment="center", key="run_head"):
        show(head(run, proposal, decisions, utc_now()))
        if run.status == "waiting":
            queue = st.session_state["pages"]["queue"]
            st.page_link(queue, label="Decide", icon=":material/inbox:", query_params={"run": run.run_id})
        st.download_button(
            "Trace", lambda: _trace(me, run.run_id),
            f"{run.run_id}.json", "application/json", icon=":material/download:", on_click="ignore",
            help="Everything about this run as JSON",
        )  # fmt: skip
    for incident in ledger.incidents() if run.status == "incident" else ():
        if incident.run_id == run.run_id:
            show_error(incident.reason)


def head(run: Run, proposal: Proposal | None, decisions: Sequence[Decision], now: datetime) -> Markup:
    """What the run is about, and how it stands."""
    verdict = run.verdict or (proposal.verdict if proposal else "")
    state = run.outcome or run.status
    labels = [chip(words(verdict), "plain", "verdict")] if verdict else []
    labels.append(chip(words(state), OUTCOME_KINDS.get(state, ""), "outcome" if run.outcome else "status"))
    about = [
        words(run.event.mission), words(run.event.name), run.run_id, f"started {clock(run.started_at)}",
        *_standing(run, proposal, decisions, now),
        *([f"asked for by {run.event.requested_by}"] if run.event.requested_by else ()),
    ]  # fmt: skip
    return markup(
        '<div class="r-head"><h1>{}</h1>{}</div><p class="r-about">{}</p>',
        plain(run.event.subject, 120), joined(labels), joined(markup("<span>{}</span>", plain(one, 200)) for one in about),
    )  # fmt: skip


def _standing(run: Run, proposal: Proposal | None, decisions: Sequence[Decision], now: datetime) -> list[str]:
    if run.ended_at is not None:
        return [f"took {took(run.ended_at - run.started_at)}"]
    if run.status == "waiting" and proposal is not None:
        due = f"due {until(proposal.due_at, now)}" if proposal.due_at >= now else f"overdue by {span(now - proposal.due_at)}"
        return [f"waits for {waits_for(proposal, decisions)} since {span(now - proposal.created_at)}", due]
    return [f"since {span(now - run.started_at)}"]


def _trace(me: Person, run_id: str) -> bytes:
    """Everything about a run as JSON; its audit entries for those who may search the log."""
    ledger, person = company().ledger, company().desk.require(me.name, "read")
    everything = {
        "run": ledger.run(run_id), "observations": ledger.observations(run_id), "facts": ledger.facts(run_id),
        "proposals": ledger.proposals(run_id), "decisions": ledger.decisions(run_id), "effects": ledger.effects(run_id),
        "audit": ledger.audit(run_id) if may(person, "search_audit") else [],
    }  # fmt: skip
    return orjson.dumps(everything, option=orjson.OPT_INDENT_2, default=str)


# The mission graph with the step that the run is at


def _graph(run: Run, observations: Sequence[Observation], decisions: Sequence[Decision]) -> None:
    known = _flow()
    passed, current = steps_passed(known.steps, observations, decisions), step_now(run, observations, decisions)
    with st.container(key="run_graph"):
        st.mermaid_chart(
            flowchart(known.steps, known.edges, passed, current, run.status),
            alt=f"The mission graph; the run is at {current}" if current else "The mission graph; the run is closed",
        )


@st.cache_resource
def _flow() -> Flow:
    return Flow.of_missions()


def steps_passed(steps: Sequence[str], observations: Sequence[Observation], decisions: Sequence[Decision]) -> set[str]:
    """The steps that a run has been through, those that had nothing to say with them."""
    passed = {one.step for one in observations}
    if "propose" in passed:
        passed.add("assess")
    if decisions:
        passed |= {"review", "decision"}
    return passed & set(steps)


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


def flowchart(
    steps: Sequence[str], edges: Sequence[tuple[str, str]], passed: Collection[str], current: str, standing: str
) -> str:
    """The graph in Mermaid's words; `standing` is the run's status, which colors the current step."""
    kind = {"waiting": "waits", "incident": "stuck"}.get(standing, "current")
    lines = ["flowchart LR"]
    for step in steps:
        style = kind if step == current else "passed" if step in passed else "coming"
        lines.append(f'{step}(["{step}"]):::{style}')
    for source, to in edges:
        back = steps.index(to) < steps.index(source)
        lines.append(f"{source} {'-.->' if back else '-->'} {to}")
    return "\n".join([*lines, *_STYLES])


# Tabs


def _tabs(run: Run, observations: Sequence[Observation], decisions: Sequence[Decision]) -> None:
    """The tab stands in the address; only the one that is open asks the ledger."""
    ledger, run_id = company().ledger, run.run_id
    tabs: dict[str, Callable[[], None]] = {
        "Proposals": lambda: show(proposal_list(ledger.proposals(run_id), decisions, ledger.effects(run_id))),
        "Effects": lambda: show(effect_table(ledger.effects(run_id))),
        "Facts": lambda: _facts(run, attempts(observations)),
        "Timing": lambda: _timing(run, observations),
        "Incidents": lambda: show(incident_list(_stops(run))),
        "Versions": lambda: show(version_table(run)),
    }
    for tab, draw_tab in zip(st.tabs(list(tabs), key="tab", on_change="rerun", bind="query-params"), tabs.values(), strict=True):
        if tab.open:
            with tab:
                draw_tab()


def proposal_list(proposals: Sequence[Proposal], decisions: Sequence[Decision], effects: Sequence[Effect]) -> Markup:
    """All revisions; the newest is open. Each step stands with what became of it."""
    if not proposals:
        return markup('<p class="m-dim">Nothing is proposed yet.</p>')
    newest = max(one.revision for one in proposals)
    return joined(
        _proposal(one, before_edit(one, proposals, decisions), decisions, effects, one.revision == newest)
        for one in sorted(proposals, key=lambda one: -one.revision)
    )


def _proposal(
    one: Proposal, before: Proposal | None, decisions: Sequence[Decision], effects: Sequence[Effect], newest: bool
) -> Markup:
    about = (
        f"{dollars(one.money_at_stake_cents)} at stake · confidence {one.confidence:.0%} · needs {waits_for(one, [])} · "
        f"{clock(one.created_at)} · can be approved until {clock(one.expires_at)}"
    )
    cites = [chip(f"{plain(cite['clause'], 40)} v{cite['version']}") for cite in one.cites]
    rejected = [
        markup('<li>{} <span class="m-dim">{}</span></li>', plain(other["option"]), plain(other["lost_because"], 2_000))
        for other in one.alternatives
    ]
    decided = [_decided(given) for given in decisions if given.proposal_id == one.proposal_id]
    return markup(
        '<details class="r-proposal" {}><summary><b>Revision {}</b> by {}: {} {}</summary>'
        '<p class="m-dim m-small">{}</p>{}{}{}{}{}</details>',
        markup("open") if newest else "", one.revision, plain(one.author, 80), words(plain(one.verdict, 80)),
        chip(words(one.status), _STATUS_KINDS.get(one.status, "")), about, long_text(one.rationale),
        steps(one, effects, steps_left_out(one, decisions), before), _part("Cites", '<div class="m-rail-chips">{}</div>', cites),
        _part("Looked at and left", '<ul class="r-list">{}</ul>', rejected),
        _part("Decided", '<ul class="r-list">{}</ul>', decided),
    )  # fmt: skip


def _part(title: str, template: str, pieces: Sequence[Markup]) -> Markup:
    return markup('<div class="r-part">{}</div>{}', title, markup(template, joined(pieces))) if pieces else Markup("")


def _decided(one: Decision) -> Markup:
    template = '<li><b>{} ({}): {}</b> <span class="m-dim">{}</span>{}</li>'
    return markup(template, plain(one.by, 80), one.role, _what(one), clock(one.at), long_text(f"“{one.reason}”"))


def _what(one: Decision) -> str:
    if without := one.details.get("without"):
        return f"{one.kind} without {', '.join(plain(part, 40) for part in without)}"
    remark = one.details.get("remark") or words(one.details.get("queue") or "")
    return f"{one.kind}, {plain(remark, 300)}" if remark else one.kind


def effect_table(effects: Sequence[Effect]) -> Markup:
    """Each action with what became of it, its key and its receipt."""
    if not effects:
        return markup('<p class="m-dim">Nothing was executed.</p>')
    columns = {"#": "m-num", "Action": "", "Status": "", "At": "m-num"}
    return html_table("m-table r-effects", columns, map(_effect, effects))


def _effect(one: Effect) -> Sequence[Any]:
    result = Markup("")
    if one.receipt is not None:
        name = plain(one.receipt.get("receipt_id", ""), 60)
        result = markup("<details><summary>receipt {}</summary>{}</details>", name, _record(one.receipt))
    elif one.error:
        result = markup('<div class="r-error">{}</div>', plain_lines(one.error, 2_000))
    what = markup(
        '<b>{}</b> <span class="m-dim">{}</span>{}<div class="m-dim r-key" title="idempotency key">key {}</div>{}',
        words(one.action), words(plain(one.tool, 80)), arguments(one.args), plain(one.key, 60), result,
    )  # fmt: skip
    return one.step + 1, what, chip(*EFFECTS[one.status]), clock(one.at, with_day=False, with_seconds=True)


def arguments(args: Mapping[str, Any]) -> Markup:
    """Arguments by name; a long text opens."""
    texts = (value if isinstance(value, str) else in_words(name, value) for name, value in args.items())
    names = (words(plain(name.removesuffix("_cents"), 60)) for name in args)
    pairs = joined(markup("<dt>{}</dt><dd>{}</dd>", name, long_text(text)) for name, text in zip(names, texts, strict=True))
    return markup('<dl class="r-args">{}</dl>', pairs)


def _record(value: Any) -> Markup:
    return markup('<pre class="m-rail-raw">{}</pre>', raw(value, 20_000))


def attempts(observations: Sequence[Observation]) -> int:
    """How often the run read the systems: each attempt begins with the event."""
    return sum(one.kind == "event" and one.step == "gather" for one in observations)


def _facts(run: Run, last: int) -> None:
    """What an attempt read, each with its raw record behind a click."""
    attempt: int | None = last
    if last > 1:
        options, key = range(1, last + 1), f"attempt_{run.run_id}_{last}"
        attempt = st.segmented_control("Attempt", options, default=last, required=True, key=key)
    found = company().ledger.facts(run.run_id, attempt) if attempt else []
    if not found:
        st.text("Nothing was read yet.")
    with st.container(gap="xxsmall", key="run_facts"):
        for fact in found:
            with st.expander(fact_title(fact), icon=":material/database:" if fact.status == "ok" else ":material/warning:"):
                show(fact_head(fact, run.started_at))
                if fact.value is not None:
                    st.json(fact.value, expanded=2)


def fact_title(fact: Fact) -> str:
    """The fact as the label of a widget: tool, name, what came."""
    number = len(fact.value) if isinstance(fact.value, list) else 1
    found = {"failed": "could not be read", "absent": "no record"}.get(fact.status, f"{number} record{'s' * (number != 1)}")
    return f"{label(words(fact.tool))} · {label(fact_name(fact))} · {found}"


def fact_head(fact: Fact, started_at: datetime) -> Markup:
    """What was asked, how it went and when."""
    error = markup('<p class="r-error">{}</p>', plain(fact.error, 2_000)) if fact.error else ""
    when = f"read {took(fact.read_at - started_at)} after the start, {clock(fact.read_at)}"
    status = chip(fact.status, {"ok": "good", "absent": "warn", "failed": "bad"}[fact.status])
    template = '<p class="m-small">{} <span class="m-dim">{}</span></p>{}{}'
    return markup(template, status, when, error, arguments(fact.args) if fact.args else "")


@dataclass(frozen=True)
class Timing:
    """One stretch in which one step spoke; `took_s` is from what was said before it."""

    step: str
    began_s: float
    took_s: float
    #: a person's time, not the Mission's
    waited: bool


def _timing(run: Run, observations: Sequence[Observation]) -> None:
    show(timing_table(timings(observations, run.started_at)))
    if asked := summary(company().ledger.model_calls(run.run_id)):
        st.text(label(asked, 400))


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
    own = [one.took_s for one in found if not one.waited]
    longest = max(own, default=0.0) or 1.0
    foot = '<tfoot><tr><td>the Mission itself</td><td></td><td class="m-num">{:.2f} s</td><td></td></tr></tfoot>'
    columns = {"Step": "", "After": "m-num m-dim", "Took": "m-num", "": "r-bars"}
    return html_table("m-table r-timing", columns, (_stretch(one, longest) for one in found), foot=markup(foot, sum(own)))


def _stretch(one: Timing, longest: float) -> Sequence[object]:
    bar = markup('<span class="r-bar" style="width:{}%"></span>', max(1, round(100 * one.took_s / longest)))
    began, lasted = (took(timedelta(seconds=seconds)) for seconds in (one.began_s, one.took_s))
    return f"{one.step}, a person" if one.waited else one.step, began, lasted, "" if one.waited else bar


def _stops(run: Run) -> list[AuditEntry]:
    found = [entry for kind in _INCIDENT_KINDS for entry in company().desk.audit_page(run_id=run.run_id, kind=kind)]
    return sorted(found, key=lambda entry: entry.seq)


def incident_list(entries: Sequence[AuditEntry]) -> Markup:
    """What stopped the run, and who let it go on or closed it, from the run's audit entries."""
    stops = [one for one in entries if one.kind in _INCIDENT_KINDS]
    if not stops:
        return markup('<p class="m-dim">Nothing stopped this run.</p>')
    texts = (": ".join(filter(None, (plain(one.body.get("by") or "", 80), str(one.body.get("reason", ""))))) for one in stops)
    rows = ((clock(one.at), chip(*_INCIDENT_KINDS[one.kind]), long_text(text)) for one, text in zip(stops, texts, strict=True))
    return html_table("m-table", {"When": "m-num", "What": "", "Why": ""}, rows)


def version_table(run: Run) -> Markup:
    """What the run started with, and the message it started from."""
    found = [*run.versions.items(), ("event", run.event.source_id), ("looked at as of", clock(run.event.as_of))]
    rows = ((words(plain(name, 60)), plain(value, 200)) for name, value in found)
    table = html_table("m-table r-versions", {"What": "m-dim", "Version": "m-mono"}, rows)
    return table + markup('<p class="m-dim">The message</p>{}', _record(run.event.trigger))
