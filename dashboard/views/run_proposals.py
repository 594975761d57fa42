"""The proposals of a run, the newest first: plan, changes, citations, what lost, and what people decided about each."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from dashboard.markup import chip, joined, markup
from dashboard.text import clock, dollars, plain, words
from dashboard.views.card import steps
from dashboard.views.rail import long_text
from ledger.records import Decision, Effect, Proposal
from ledger.rules import steps_left_out
from nodes.edits import before_edit

_STATUS_KINDS: Mapping[str, str] = {
    "pending": "info", "approved": "good", "automatic": "good", "rejected": "bad", "sent_back": "warn", "superseded": "plain",
    "escalated": "warn",
}  # fmt: skip


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
