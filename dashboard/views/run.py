"""One run as a page shows it: its head, its effects, its incidents, the versions it started with, and the whole trace."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from markupsafe import Markup

from dashboard.markup import chip, joined, markup
from dashboard.text import clock, plain, plain_lines, span, until, words
from dashboard.views.rail import long_text, took
from ledger.records import AuditEntry, Decision, Effect, Fact, Observation, Proposal, Run

OUTCOME_KINDS: Mapping[str, str] = {
    "executed": "good", "nothing_to_do": "plain", "rejected": "plain", "escalated": "warn", "abandoned": "bad",
    "running": "info", "waiting": "info", "incident": "bad",
}  # fmt: skip
_EFFECT_KINDS: Mapping[str, str] = {"done": "good", "failed": "bad", "unknown": "bad", "executing": "info", "intended": "plain"}


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


_INCIDENTS: Mapping[str, str] = {"incident_opened": "stopped", "run_resumed": "resumed", "run_abandoned": "closed for good"}


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
