"""One run as a page shows it: head, facts, proposals, effects, incidents, the versions it started with, the whole trace."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from markupsafe import Markup

from dashboard.markup import chip, clock, dollars, html_table, joined, label, markup, plain, plain_lines, span, until, words
from dashboard.rail import long_text, took
from dashboard.views.card import steps
from ledger.authorization import steps_left_out
from ledger.records import AuditEntry, Decision, Effect, Fact, Observation, Proposal, Run
from nodes.authorship import before_edit

OUTCOME_KINDS: Mapping[str, str] = {
    "executed": "good", "nothing_to_do": "plain", "rejected": "plain", "escalated": "warn", "abandoned": "bad",
    "running": "info", "waiting": "info", "incident": "bad",
}  # fmt: skip
_EFFECT_KINDS: Mapping[str, str] = {"done": "good", "failed": "bad", "unknown": "bad", "executing": "info", "intended": "plain"}
#: rows of the audit log about incidents: what happened, and how it is marked
INCIDENT_KINDS: Mapping[str, tuple[str, str]] = {
    "incident_opened": ("stopped", "bad"), "run_resumed": ("resumed", "plain"), "run_abandoned": ("closed for good", "plain"),
}  # fmt: skip
_KINDS = {"ok": "good", "absent": "warn", "failed": "bad"}
_STATUS_KINDS: Mapping[str, str] = {
    "pending": "info", "approved": "good", "automatic": "good", "rejected": "bad", "sent_back": "warn", "superseded": "plain",
    "escalated": "warn",
}  # fmt: skip


def head(run: Run, proposal: Proposal | None, decisions: Sequence[Decision], now: datetime) -> Markup:
    """What the run is about, and how it stands."""
    verdict = run.verdict or (proposal.verdict if proposal else "")
    state = run.outcome or run.status
    labels = [chip(words(verdict), "plain", "verdict")] if verdict else []
    labels.append(chip(words(state), OUTCOME_KINDS.get(state, ""), "outcome" if run.outcome else "status"))
    about = [
        words(run.event.mission), run.event.name, run.run_id, f"started {clock(run.started_at)}",
        *_standing(run, proposal, decisions, now),
        *([f"asked for by {run.event.requested_by}"] if run.event.requested_by else ()),
    ]  # fmt: skip
    return markup(
        '<div class="r-head"><h1>{}</h1>{}</div><p class="r-about">{}</p>',
        plain(run.event.subject, 120), joined(labels), joined(markup("<span>{}</span>", plain(one, 200)) for one in about),
    )  # fmt: skip


def waits_for(proposal: Proposal, decisions: Sequence[Decision]) -> str:
    """Whom a proposal waits for, in words."""
    role = proposal.approval.role
    if role == "none":
        return "nobody"
    if not proposal.approval.four_eyes:
        return f"a {role}"
    first = [one.by for one in decisions if one.kind == "approve" and one.proposal_id == proposal.proposal_id]
    return f"a {role} besides {first[0]}" if first else f"two people, {role} or above"


def _standing(run: Run, proposal: Proposal | None, decisions: Sequence[Decision], now: datetime) -> list[str]:
    if run.ended_at is not None:
        return [f"took {took(run.ended_at - run.started_at)}"]
    if run.status == "waiting" and proposal is not None:
        due = f"due {until(proposal.due_at, now)}" if proposal.due_at >= now else f"overdue by {span(now - proposal.due_at)}"
        return [f"waits for {waits_for(proposal, decisions)} since {span(now - proposal.created_at)}", due]
    return [f"since {span(now - run.started_at)}"]


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
        result = markup("<details><summary>receipt {}</summary>{}</details>", name, raw(one.receipt))
    elif one.error:
        result = markup('<div class="r-error">{}</div>', plain_lines(one.error, 2_000))
    what = markup(
        '<b>{}</b> <span class="m-dim">{}</span>{}<div class="m-dim r-key" title="idempotency key">key {}</div>{}',
        words(one.action), plain(one.tool, 80), arguments(one.args), plain(one.key, 60), result,
    )  # fmt: skip
    return one.step + 1, what, chip(one.status, _EFFECT_KINDS.get(one.status, "")), f"{one.at:%H:%M:%S}"


def arguments(args: Mapping[str, Any]) -> Markup:
    """Arguments by name; a long text opens."""
    texts = (
        (name, value if isinstance(value, str) else orjson.dumps(value, default=str).decode()) for name, value in args.items()
    )
    pairs = joined(markup("<dt>{}</dt><dd>{}</dd>", words(plain(name, 60)), long_text(text)) for name, text in texts)
    return markup('<dl class="r-args">{}</dl>', pairs)


def raw(value: Any) -> Markup:
    """A raw record as text."""
    return markup('<pre class="m-rail-raw">{}</pre>', plain_lines(dumped(value).decode(), 20_000))


def incident_list(entries: Sequence[AuditEntry]) -> Markup:
    """What stopped the run, and who let it go on or closed it, from the run's audit entries."""
    stops = [one for one in entries if one.kind in INCIDENT_KINDS]
    if not stops:
        return markup('<p class="m-dim">Nothing stopped this run.</p>')
    texts = (": ".join(filter(None, (plain(one.body.get("by") or "", 80), str(one.body.get("reason", ""))))) for one in stops)
    rows = ((clock(one.at), chip(*INCIDENT_KINDS[one.kind]), long_text(text)) for one, text in zip(stops, texts, strict=True))
    return html_table("m-table", {"When": "m-num", "What": "", "Why": ""}, rows)


def version_table(run: Run) -> Markup:
    """What the run started with, and the message it started from."""
    found = [*run.versions.items(), ("event", run.event.source_id), ("looked at as of", clock(run.event.as_of))]
    rows = ((words(plain(name, 60)), plain(value, 200)) for name, value in found)
    table = html_table("m-table r-versions", {"What": "m-dim", "Version": "m-mono"}, rows)
    return table + markup('<p class="m-dim">The message</p>{}', raw(run.event.trigger))


def trace(
    run: Run, observations: Sequence[Observation], facts: Sequence[Fact], proposals: Sequence[Proposal],
    decisions: Sequence[Decision], effects: Sequence[Effect], audit: Sequence[AuditEntry],
) -> bytes:  # fmt: skip
    """Everything about a run as JSON."""
    return dumped({
        "run": run, "observations": observations, "facts": facts, "proposals": proposals, "decisions": decisions,
        "effects": effects, "audit": audit,
    })  # fmt: skip


def dumped(value: Any) -> bytes:
    """A value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str)


def attempts(observations: Sequence[Observation]) -> int:
    """How often the run read the systems: each attempt begins with the event."""
    return sum(one.kind == "event" and one.step == "gather" for one in observations)


def fact_title(fact: Fact) -> str:
    """The fact as the label of a widget: tool, name, what came."""
    return f"{label(fact.tool)} · {label(fact.name)} · {found(fact)}"


def found(fact: Fact) -> str:
    """What came of a read, in words."""
    if fact.status != "ok":
        return "could not be read" if fact.status == "failed" else "no record"
    number = len(fact.value) if isinstance(fact.value, list) else 1
    return f"{number} record{'s' * (number != 1)}"


def fact_head(fact: Fact, started_at: datetime) -> Markup:
    """What was asked, how it went and when."""
    error = markup('<p class="r-error">{}</p>', plain(fact.error, 2_000)) if fact.error else ""
    when = f"read {took(fact.read_at - started_at)} after the start, {clock(fact.read_at)}"
    template = '<p class="m-small">{} <span class="m-dim">{}</span></p>{}{}'
    return markup(template, chip(fact.status, _KINDS[fact.status]), when, error, arguments(fact.args) if fact.args else "")


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
    remark = one.details.get("remark") or one.details.get("queue")
    return f"{one.kind}, {plain(remark, 300)}" if remark else one.kind
