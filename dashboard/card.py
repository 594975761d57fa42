"""The evidence card of a proposal: what would change, why, by which clauses, and what else was considered.

Pure: records of the ledger in, Markup out. Nothing here asks a system or the clock.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from dashboard.markup import icon, raw
from knowledge_index.policies import Clause
from ledger.limits import Standing, highest
from ledger.records import MODELS, Decision, Effect, EffectStatus, Fact, Observation, Proposal, Run
from nodes.authorship import pairs
from nodes.drift import Difference, Drift
from rendering import approver, chip, clock, day, differing, dollars, in_words, joined, markup, plain, plain_lines, until, words

#: the id of a part of a record, such as ch_94687: no word
_NUMBERED = re.compile(r"\d")
#: what became of a step: in words, and how it is marked
EFFECTS: Mapping[EffectStatus, tuple[str, str]] = {
    "intended": ("not begun", ""), "executing": ("begun", "info"), "done": ("done", "good"), "failed": ("failed", "bad"),
    "unknown": ("outcome not known", "warn"),
}  # fmt: skip


def waits_for(proposal: Proposal, decisions: Sequence[Decision]) -> str:
    """Who must approve a proposal, and who has."""
    approved = [one.by for one in decisions if one.proposal_id == proposal.proposal_id and one.kind == "approve"]
    return approver(proposal.approval.role, proposal.approval.four_eyes, approved)


def head(run: Run, proposal: Proposal, decisions: Sequence[Decision], now: datetime, limits: Sequence[Standing] = ()) -> Markup:
    """Subject, verdict, and chips and figures of one word."""
    raised_by = ", ".join(proposal.approval.clauses)
    least = f"raised by {raised_by}" if raised_by else "the least role that may approve"
    chips = [chip(waits_for(proposal, decisions), "info", least)]
    if over := highest(limits):
        chips.append(chip(f"{over.limit.role} decides", "warn", f"it {over.says}"))
    if proposal.author in MODELS:
        chips.append(chip("with a model", "info", "a language model chose or made the plan; the check let it pass"))
    if proposal.tier:
        chips.append(chip(plain(proposal.tier, 40), "warn" if proposal.tier in ("vip", "tier 1") else ""))
    if proposal.status == "pending":
        chips.append(_deadline(proposal, now))
    else:
        chips.append(chip(words(proposal.status), "good" if proposal.status == "approved" else ""))
    undoable = sum(action.get("undo") is not None for action in proposal.plan)
    facts = (
        (dollars(proposal.money_at_stake_cents), "at stake"),
        *((one.of, f"with this one for {plain(one.whose, 60)}") for one in limits),
        (f"{proposal.confidence:.0%}", "confidence"),
        (f"{undoable} of {len(proposal.plan)}", "steps can be undone"),
        (plain(proposal.author, 60), f"proposed {until(proposal.created_at, now)}"),
    )
    figures = joined(markup("<span><b>{}</b> {}</span>", value, what) for value, what in facts)
    return markup(
        '<div class="c-head"><h2>{} <span class="c-verdict">{}</span></h2><div class="c-chips">{}</div></div>'
        '<div class="c-facts"><span>{}</span>{}</div>',
        plain(run.event.subject, 80), words(proposal.verdict), joined(chips), words(run.event.mission), figures,
    )  # fmt: skip


def note(kind: str, *pieces: object) -> Markup:
    """A line beside the card, of one of the kinds of `chip`; pieces that are no Markup are escaped."""
    return markup('<div class="c-note m-{}">{}</div>', kind or "plain", markup(" ".join("{}" for _ in pieces), *pieces))


def _deadline(proposal: Proposal, now: datetime) -> Markup:
    title = f"due {clock(proposal.due_at)}; can be approved until {clock(proposal.expires_at)}"
    if proposal.expires_at <= now:
        return chip(f"expired {until(proposal.expires_at, now)}", "bad", title)
    return chip(f"due {until(proposal.due_at, now)}", "bad" if proposal.due_at <= now else "", title)


def story(proposal: Proposal) -> Markup:
    """The verdict in a sentence, then what led to it."""
    first, _, rest = proposal.rationale.partition(". ")
    return markup('<p class="c-story" tabindex="0"><b>{}</b> {}</p>', plain(first, 400).rstrip(".") + ".", plain(rest, 1_500))


def summary(proposal: Proposal, observations: Sequence[Observation]) -> Markup:
    """What a model wrote for whoever decides; nothing where the proposal is not a model's."""
    text = _summary_of(observations) if proposal.author in MODELS else ""
    return note("info", chip("written by a model", "info"), plain(text, 800)) if text else Markup("")


def _summary_of(observations: Sequence[Observation]) -> str:
    """That of the last draft: what was said with one that did not pass counts no more."""
    drafted = False
    for one in reversed(observations):
        if drafted and (one.step != "propose" or "alternatives" in one.evidence):
            return ""
        drafted = drafted or (one.step == "propose" and "alternatives" in one.evidence)
        if drafted and "summary" in one.evidence:
            return str(one.evidence["summary"])
    return ""


def drifted(drift: Drift, since: datetime) -> Markup:
    """What has changed in the world since the proposal was made, and whether it matters."""
    at = clock(since)
    if not drift.differences:
        return note("", icon("check"), f"Nothing has changed since {at}.")
    lines = [_difference(one) for one in drift.differences[:8]]
    if len(drift.differences) > 8:
        lines.append(markup("and {} more", len(drift.differences) - 8))
    lines += [markup("{}", plain(reason, 300)) for reason in drift.reasons[:6]]
    listed = markup("<ul>{}</ul>", joined(markup("<li>{}</li>", line) for line in lines))
    if drift.reasons:
        return note("warn", icon("warning"), f"Changed since {at}. If you approve, the Mission looks again first:", listed)
    return note("info", icon("update"), f"Changed since {at}, and the proposal still holds:", listed)


def _difference(one: Difference) -> Markup:
    where = plain(" ".join(word for word in (one.tool.split(".")[0], one.record, _field(one.path)) if word), 120)
    if one.unread:
        what = f"cannot be read now: {plain(one.after, 160)}" if one.unread == "now" else "could not be read then, and can be now"
    elif not one.path:
        what = "is new" if one.before is None else "is gone" if one.after is None else "now answers differently"
    else:
        what = _before_after(one.path, one.before, one.after)
    return markup("{} {}", where, what)


def edited(proposal: Proposal, reader: str) -> Markup:
    """That a person has edited the plan; its author reads that it waits for another one."""
    who = plain(proposal.author, 60)
    text = f"Edited by {who}: another person approves."
    if proposal.approval.own:
        text = f"{who} changed nothing but the tone of a letter, which policy leaves to the owner, and may approve it."
    elif proposal.author == reader:
        text = "You edited this plan: it waits for another person, who approves it."
    return note("info", icon("edit"), text)


def steps(
    proposal: Proposal, effects: Sequence[Effect] = (), left_out: Iterable[int] = (), before: Proposal | None = None
) -> Markup:
    """What will change, step by step: before and after in each system, how it can be undone, and what an edit changed."""
    by_step: dict[Any, list[Mapping[str, Any]]] = {}
    for change in proposal.changes:
        by_step.setdefault(change.get("step"), []).append(change)
    done = {effect.step: effect for effect in effects if effect.proposal_id == proposal.proposal_id}
    out = set(left_out)
    became = {after: before.plan[place] for place, after in pairs(before.plan, proposal.plan)} if before else {}
    rows, part = [], None
    for number, action in enumerate(proposal.plan, start=1):
        if action.get("part") and action["part"] != part:
            part = action["part"]
            rows.append(markup('<tr class="c-part"><td colspan="4">{}</td></tr>', plain(part, 120)))
        was = became.get(number - 1) if before else action
        rows.append(_step(number, action, by_step.get(number, ()), done.get(number - 1), number - 1 in out, was))
    if before:
        rows += [_gone(action, proposal.author) for action in before.plan if not any(action is one for one in became.values())]
    if not rows:
        return markup('<p class="m-dim">Nothing would change.</p>')
    return markup('<table class="m-table c-steps"><tbody>{}</tbody></table>', joined(rows))


def _step(
    number: int, action: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], effect: Effect | None, out: bool,
    was: Mapping[str, Any] | None,
) -> Markup:  # fmt: skip
    """A row; `was` is the step before an edit, the same where there was none, and None of a step that the edit added."""
    details = joined(_change(change) for change in changes)
    if not changes and action.get("tool"):
        details = markup('<div class="c-change"><span class="c-where">{}</span></div>', words(str(action["tool"]).split(".")[0]))
    details += _edit(action, was)
    letter = action["args"].get("text")
    if isinstance(letter, str):
        worded = was is not None and was["args"].get("text") != letter
        details += _letter(markup("The message, word for word{}", _writer(action)), letter, unfolded=worded)
        if was is not None and worded:
            details += _letter(Markup("The message before the edit"), str(was["args"].get("text")))
    return markup(
        '<tr class="{}"><td class="m-num m-dim">{}</td><td><div class="c-says">{}</div>{}</td><td class="c-undo">{}</td></tr>',
        "c-out" if out else "", number, plain(action["says"], 240), details, _outcome(action, effect, out),
    )  # fmt: skip


def _edit(action: Mapping[str, Any], was: Mapping[str, Any] | None) -> Markup:
    """What an edit changed in a step, besides its message, which is shown as a whole."""
    if was is None:
        return markup('<div class="c-change">{}</div>', chip("added", "warn"))
    args, before = action["args"], was["args"]
    changed = {name: (before.get(name), args.get(name)) for name in [*before, *args] if args.get(name) != before.get(name)}
    texts = {name: (_field(name), _before_after(name, *pair)) for name, pair in changed.items() if name != "text"}
    if "text" in changed:
        texts["text"] = ("message", Markup("text changed"))
    return joined(markup('<div class="c-change">{} {} {}</div>', chip("edited", "warn"), *texts[name]) for name in changed)


def _gone(action: Mapping[str, Any], by: str) -> Markup:
    return markup(
        '<tr class="c-out"><td></td><td><div class="c-says">{}</div></td><td class="c-undo">{}</td></tr>',
        plain(action["says"], 240), chip("left out", "warn", f"by {plain(by, 60)}"),
    )  # fmt: skip


def _letter(said: Markup, text: str, *, unfolded: bool = False) -> Markup:
    return markup(
        '<details class="c-letter" {}><summary>{}</summary><div class="m-text">{}</div></details>',
        markup("open") if unfolded else "", said, plain_lines(text),
    )  # fmt: skip


def _writer(action: Mapping[str, Any]) -> Markup:
    by = action.get("written_by")
    return markup(" {}", chip("written by a model", "warn", plain(by, 120))) if by else Markup("")


def _outcome(action: Mapping[str, Any], effect: Effect | None, out: bool) -> Markup:
    if out:
        return chip("left out")
    if effect is not None:
        word, kind = EFFECTS[effect.status]
        return chip(word, kind, plain(effect.error or "", 300))
    if action.get("tier") == "automate":
        return chip("automatic", "", "runs without a person, by policy")
    undo = action.get("undo")
    if not undo:
        return markup('<span class="m-dim m-small" title="{}">cannot be undone</span>', "no action takes this back")
    args = ", ".join(plain(value, 40) for value in undo["args"].values() if not isinstance(value, dict))
    return markup('<span class="m-small" title="{}">{} undo</span>', f"{words(undo['name'])}: {args}", icon("undo"))


def _change(change: Mapping[str, Any]) -> Markup:
    where, path = f"{change['system']} {plain(change['record'], 60)}", str(change["field"])
    template = '<div class="c-change"><span class="c-where">{}</span> {} {}</div>'
    return markup(template, where, _field(path), _before_after(path, change["before"], change["after"]))


def _field(path: str) -> str:
    pieces = path.removesuffix("_cents").split("/")
    return plain(" ".join(piece if _NUMBERED.search(piece) else words(piece) for piece in pieces), 80)


def _before_after(path: str, before: Any, after: Any) -> Markup:
    """Of a record the fields that differ, each with its name."""
    template = '{} <del>{}</del> <span class="m-dim">→</span> <ins>{}</ins> '
    fields = ((one, _field(one.removeprefix(path).strip("/")), old, new) for one, old, new in differing(path, before, after)[:6])
    return joined(markup(template, name, in_words(one, old), in_words(one, new)) for one, name, old, new in fields)


def why(proposal: Proposal, observations: Sequence[Observation], facts: Sequence[Fact], clauses: Mapping[str, Clause]) -> Markup:
    """Findings with the facts behind them, the clauses that decide, and what was considered and lost."""
    by_name = {fact.name: fact for fact in facts}
    began = max((one.seq for one in observations if one.step == "gather" and one.kind == "event"), default=0)
    findings = [one for one in observations if one.kind == "finding" and one.seq > began]
    missing = [one for one in observations if one.kind == "missing" and one.seq > began]
    times = Counter(one.evidence.get("finding") for one in findings)
    found = joined(_finding(one, proposal, by_name, alone=times[one.evidence.get("finding")] == 1) for one in findings)
    found += joined(markup('<li class="c-finding m-warn">{} {}</li>', icon("warning"), plain(one.text, 400)) for one in missing)
    behind = {name for one in findings for name in one.evidence.get("facts", ())}
    others = joined(fact_chip(fact) for fact in facts if fact.name not in behind)
    if others:
        found += markup('<li class="c-finding m-dim">Also read<div class="c-behind">{}</div></li>', others)
    cited = joined(_clause(cite, clauses.get(str(cite["clause"]))) for cite in proposal.cites)
    row = '<li><b>{}</b> <span class="m-dim">{}</span></li>'
    lost = joined(markup(row, plain(one["option"], 120), plain(one["lost_because"], 300)) for one in proposal.alternatives)
    return markup(
        '<h3>Findings</h3><ul class="c-findings">{}</ul><h3>Clauses</h3><div>{}</div><h3>Alternatives rejected</h3>{}',
        found or markup('<li class="m-dim">No findings.</li>'),
        cited or markup('<span class="m-dim">No clause is cited.</span>'),
        markup('<ul class="c-lost">{}</ul>', lost) if lost else markup('<span class="m-dim">No other way was open.</span>'),
    )


def _finding(one: Observation, proposal: Proposal, facts: Mapping[str, Fact], *, alone: bool) -> Markup:
    """A finding with the steps that answer it: `alone` where no other has its id, of another order of the plan, say."""
    finding = one.evidence.get("finding")
    answers = [str(number) for number, action in enumerate(proposal.plan, start=1) if alone and action.get("for") == finding]
    behind = joined(fact_chip(facts[name]) for name in one.evidence.get("facts", ()) if name in facts)
    step = markup(' <span class="m-dim m-small">step {}</span>', ", ".join(answers)) if answers else ""
    return markup('<li class="c-finding">{}{}<div class="c-behind">{}</div></li>', plain(one.text, 400), step, behind)


def fact_name(fact: Fact) -> str:
    """Its name in words; of one of several reads, with what was asked: orders #W500."""
    name, several, _ = fact.name.partition("[")
    asked = [plain(one, 40) for one in fact.args.values() if several and isinstance(one, str | int)]
    return " ".join([words(name), *asked])


def fact_chip(fact: Fact) -> Markup:
    """A fact as a chip with system and time; its raw record opens at a click."""
    found = {"ok": "", "absent": " (no record)", "failed": " (not read)"}[fact.status]
    record = plain_lines(fact.error or "no record") if fact.value is None else raw(fact.value)
    asked = ", ".join(f"{words(name)} {in_words(name, value)}" for name, value in fact.args.items())
    return markup(
        '<details class="c-fact"><summary>{} {} <span>{}{}</span></summary><div class="c-asked">{}: {}{} at {}</div>'
        '<pre class="m-mono">{}</pre></details>',
        fact.tool.split(".")[0], fact_name(fact), clock(fact.read_at, with_day=False, with_seconds=True), found,
        words(fact.tool), f"{asked}; " if asked else "", "read" if fact.status == "ok" else "asked", clock(fact.read_at), record,
    )  # fmt: skip


def _clause(cite: Mapping[str, Any], clause: Clause | None) -> Markup:
    if clause is None or clause.version != cite["version"]:
        return markup('<div class="c-clause"><b>{}</b> v{}</div>', cite["clause"], cite["version"])
    return markup(
        '<details class="c-clause"><summary><b>{}</b> <span class="m-dim">v{}</span> {}</summary>'
        '<div class="m-text">{}</div><div class="m-dim m-small">{}, in force since {}</div></details>',
        clause.id, clause.version, plain(clause.title, 200), plain_lines(clause.text), plain(clause.policy_title, 200),
        day(clause.in_force_from),
    )  # fmt: skip


def decided(decisions: Sequence[Decision]) -> Markup:
    """What people have said so far."""
    template = '<div class="c-decision">{} <b>{}</b> <span class="m-dim">({}, {})</span> {}: “{}”</div>'
    return joined(
        markup(template, icon("gavel"), plain(one.by, 60), one.role, clock(one.at), words(one.kind), plain(one.reason, 400))
        for one in decisions
    )


def standing(run: Run, incidents: Sequence[str]) -> Markup:
    """Where a run stands after a decision, in a sentence."""
    if run.status == "running":
        return note("info", icon("progress_activity"), "Being worked on.")
    if run.status == "incident":
        reasons = "; ".join(plain(reason, 400) for reason in incidents)
        return note("warn", icon("warning"), f"Stopped as an incident: {reasons}")
    return Markup("")


def ended(run: Run) -> Markup:
    """How a run came out."""
    if run.status != "closed":
        return Markup("")
    return note("plain c-ended", icon("flag"), f"Closed: {words(run.verdict or '')}, {words(run.outcome or '')}.")
