"""One run as a page shows it: head, facts, proposals, effects, incidents, the versions it started with, the whole trace."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from markupsafe import Markup

from dashboard.markup import chip, clock, dollars, joined, label, markup, plain, plain_lines, span, until, words
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
_INCIDENTS: Mapping[str, str] = {"incident_opened": "stopped", "run_resumed": "resumed", "run_abandoned": "closed for good"}
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
    told = [
        words(run.event.mission), run.event.name, run.run_id, f"started {clock(run.started_at)}",
        *_standing(run, proposal, decisions, now),
    ]  # fmt: skip
    if run.event.requested_by:
        told.append(f"asked for by {run.event.requested_by}")
    return markup(
        '<div class="r-head"><h1>{}</h1>{}</div><p class="r-told">{}</p>',
        plain(run.event.subject, 120), joined(labels), joined(markup("<span>{}</span>", plain(one, 200)) for one in told),
    )  # fmt: skip


def waits_for(proposal: Proposal, decisions: Sequence[Decision]) -> str:
    """Whom a proposal waits for, in words."""
    role = proposal.approval.role
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
    return markup(
        '<table class="m-table r-effects"><thead><tr><th class="m-num">#</th><th>Action</th><th>Status</th>'
        '<th class="m-num">At</th></tr></thead><tbody>{}</tbody></table>',
        joined(_effect(one) for one in effects),
    )


def _effect(one: Effect) -> Markup:
    became = Markup("")
    if one.receipt is not None:
        name = plain(one.receipt.get("receipt_id", ""), 60)
        became = markup("<details><summary>receipt {}</summary>{}</details>", name, raw(one.receipt))
    elif one.error:
        became = markup('<div class="r-error">{}</div>', plain_lines(one.error, 2_000))
    return markup(
        '<tr><td class="m-num">{}</td><td><b>{}</b> <span class="m-dim">{}</span>{}'
        '<div class="m-dim r-key" title="idempotency key">key {}</div>{}</td>'
        '<td>{}</td><td class="m-num">{:%H:%M:%S}</td></tr>',
        one.step + 1, words(one.action), plain(one.tool, 80), arguments(one.args), plain(one.key, 60), became,
        chip(one.status, _EFFECT_KINDS.get(one.status, "")), one.at,
    )  # fmt: skip


def arguments(args: Mapping[str, Any]) -> Markup:
    """Arguments by name; a long text opens."""
    return markup(
        '<dl class="r-args">{}</dl>',
        joined(
            markup("<dt>{}</dt><dd>{}</dd>", words(plain(name, 60)), long_text(_value(value))) for name, value in args.items()
        ),
    )


def raw(value: Any) -> Markup:
    """A raw record as text."""
    return markup('<pre class="m-rail-raw">{}</pre>', plain_lines(dumped(value).decode(), 20_000))


def incident_list(entries: Sequence[AuditEntry]) -> Markup:
    """What stopped the run, and who let it go on or closed it, from the run's audit entries."""
    said = [one for one in entries if one.kind in ("incident_opened", "run_resumed", "run_abandoned")]
    if not said:
        return markup('<p class="m-dim">Nothing stopped this run.</p>')
    return markup('<table class="m-table"><tbody>{}</tbody></table>', joined(_stop(one) for one in said))


def _stop(one: AuditEntry) -> Markup:
    by = f"{plain(one.body['by'], 80)}: " if one.body.get("by") else ""
    return markup(
        '<tr><td class="m-num">{}</td><td>{}</td><td>{}</td></tr>',
        clock(one.at), chip(_INCIDENTS[one.kind], "bad" if one.kind == "incident_opened" else "plain"),
        long_text(f"{by}{one.body.get('reason', '')}"),
    )  # fmt: skip


def version_table(run: Run) -> Markup:
    """What the run started with, and the message it started from."""
    rows = [*run.versions.items(), ("event", run.event.source_id), ("looked at as of", clock(run.event.as_of))]
    body = joined(
        markup('<tr><td class="m-dim">{}</td><td class="m-mono">{}</td></tr>', words(plain(name, 60)), plain(value, 200))
        for name, value in rows
    )
    return markup(
        '<table class="m-table r-versions"><tbody>{}</tbody></table><p class="m-dim">The message</p>{}',
        body,
        raw(run.event.trigger),
    )


def trace(
    run: Run,
    observations: Sequence[Observation],
    facts: Sequence[Fact],
    proposals: Sequence[Proposal],
    decisions: Sequence[Decision],
    effects: Sequence[Effect],
    audit: Sequence[AuditEntry],
) -> bytes:
    """Everything about a run as JSON."""
    return dumped(
        {
            "run": run, "observations": observations, "facts": facts, "proposals": proposals, "decisions": decisions,
            "effects": effects, "audit": audit,
        }
    )  # fmt: skip


def dumped(value: Any) -> bytes:
    """A value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


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


def proposal_list(proposals: Sequence[Proposal], decisions: Sequence[Decision], effects: Sequence[Effect]) -> Markup:
    """All revisions; the newest is open. Each step stands with what became of it."""
    if not proposals:
        return markup('<p class="m-dim">Nothing is proposed yet.</p>')
    newest_first = sorted(proposals, key=lambda one: -one.revision)
    return joined(
        _proposal(one, before_edit(one, proposals, decisions), decisions, effects, number == 0)
        for number, one in enumerate(newest_first)
    )


def _proposal(
    one: Proposal, before: Proposal | None, decisions: Sequence[Decision], effects: Sequence[Effect], newest: bool
) -> Markup:
    asked = "nobody" if one.approval.role == "none" else f"two people, {one.approval.role} or above"
    if one.approval.role != "none" and not one.approval.four_eyes:
        asked = f"a {one.approval.role}"
    told = (
        f"{dollars(one.money_at_stake_cents)} at stake · confidence {one.confidence:.0%} · needs {asked} · "
        f"{clock(one.created_at)} · can be approved until {clock(one.expires_at)}"
    )
    return markup(
        '<details class="r-proposal" {}><summary><b>Revision {}</b> by {}: {} {}</summary>'
        '<p class="m-dim m-small">{}</p>{}{}{}{}{}</details>',
        markup("open") if newest else "", one.revision, plain(one.author, 80), words(plain(one.verdict, 80)),
        chip(words(one.status), _STATUS_KINDS.get(one.status, "")), told, long_text(one.rationale),
        steps(one, effects, steps_left_out(one, decisions), before), _cites(one), _left(one),
        _decided([given for given in decisions if given.proposal_id == one.proposal_id]),
    )  # fmt: skip


def _cites(one: Proposal) -> Markup:
    if not one.cites:
        return Markup("")
    labels = joined(chip(f"{plain(cite['clause'], 40)} v{cite['version']}") for cite in one.cites)
    return markup('<div class="r-part">Cites</div><div class="m-rail-chips">{}</div>', labels)


def _left(one: Proposal) -> Markup:
    if not one.alternatives:
        return Markup("")
    rows = joined(
        markup("<li>{} <span class='m-dim'>{}</span></li>", plain(other["option"]), plain(other["lost_because"], 2_000))
        for other in one.alternatives
    )
    return markup('<div class="r-part">Looked at and left</div><ul class="r-list">{}</ul>', rows)


def _decided(decisions: Sequence[Decision]) -> Markup:
    if not decisions:
        return Markup("")
    rows = joined(
        markup(
            '<li><b>{} ({}): {}</b> <span class="m-dim">{}</span>{}</li>',
            plain(one.by, 80), one.role, _what(one), clock(one.at), long_text(f"“{one.reason}”"),
        )
        for one in decisions
    )  # fmt: skip
    return markup('<div class="r-part">Decided</div><ul class="r-list">{}</ul>', rows)


def _what(one: Decision) -> str:
    if without := one.details.get("without"):
        return f"{one.kind} without {', '.join(plain(part, 40) for part in without)}"
    for key in ("remark", "queue"):
        if said := one.details.get(key):
            return f"{one.kind}, {plain(said, 300)}"
    return one.kind
