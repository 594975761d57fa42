"""Commands that read the ledger. They load neither LangGraph nor Chroma nor MCP."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli.screen import Json, RunId, console, counted, in_column, print_json, say, say_after, table
from cli.session import open_ledger
from ledger import model_calls
from ledger.limits import Standing, shown
from ledger.limits import asked as asked_of
from ledger.queries import RunFilter
from ledger.records import Decision, Effect, Proposal, Run
from ledger.services import AdminService
from rendering import approver, clock, differing, dollars, in_words, plain, until, words

MARKS: Mapping[str, str] = {
    "event": "!", "read": "·", "missing": "?", "finding": "•", "policy": "§", "prediction": "~", "plan": "→",
    "check": "✓", "decision": "☑", "effect": "⚙", "verdict": "■",
}  # fmt: skip


def show_run(run_id: RunId, as_json: Json = False) -> None:
    """Print a run: its Explain rail, its last proposal, decisions and effects."""
    with open_ledger() as ledger:
        run = ledger.run(run_id)
        observations, proposals = ledger.observations(run.run_id), ledger.proposals(run.run_id)
        asked = model_calls.summary(ledger.model_calls(run.run_id))
        decisions, effects, facts = ledger.decisions(run.run_id), ledger.effects(run.run_id), ledger.facts(run.run_id)
        last = proposals[-1] if proposals else None
        limits = ledger.standings(run.run_id, asked_of(last, last.approval.limits, decisions)) if last else []
        incidents = [incident for incident in ledger.incidents() if incident.run_id == run.run_id]
    if as_json:
        names = ("run", "observations", "facts", "proposals", "decisions", "effects")
        values = (run, observations, facts, proposals, decisions, effects)
        print_json(dict(zip(names, values, strict=True)), indented=True)
        return
    say(f"{run.run_id}  {words(run.event.mission)}  {run.event.subject}", style="bold")
    say(f"{words(run.event.name)}, looked at as of {clock(run.event.as_of)}; {_standing(run, proposals)}")
    say("versions:", ", ".join(f"{name} {version}" for name, version in run.versions.items()), style="dim")
    if asked:
        say(asked, style="dim")
    console.print()
    for one in observations:
        seconds = f"{(one.at - run.started_at).total_seconds():.2f} s"
        say_after(f"{seconds:>8}  {MARKS.get(one.kind, ' ')} {one.step:<9} ", plain(one.text, 500))
    console.print()
    if proposals:
        _proposal(proposals[-1], shown(limits))
    for decision in decisions:
        say(f"{clock(decision.at)}  {decision.by} ({decision.role}): {decision.kind}, “{plain(decision.reason)}”")
    if effects:
        table(("#", "tool", "arguments", "status", "receipt"), map(_effect, effects))
    for incident in incidents:
        say(f"Incident since {clock(incident.at)}: {incident.reason}", style="bold")


def show_queue(
    as_json: Json = False,
    escalated: Annotated[bool, typer.Option("--escalated", help="The cases that were handed over to people.")] = False,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="Of --escalated: started within so many days.")] = 30,
) -> None:
    """Print what waits for a person."""
    since = datetime.now(UTC) - timedelta(days=days)
    with open_ledger() as ledger:
        waiting = [] if escalated else ledger.queue()
        found = AdminService(ledger).search(RunFilter(outcome="escalated", since=since), 0, 500 if escalated else 1)
        handed = [(run, ledger.proposal(run.run_id)) for run in found.runs] if escalated else []
    if escalated:
        _escalated(handed, found.total, days, as_json=as_json)
        return
    if as_json:
        print_json([{"run": asdict(run), "proposal": asdict(proposal)} for run, proposal, _ in waiting])
        return
    if not waiting:
        say("Nothing waits for a person.")
        _tell_of_escalated(found.total, days)
        return
    rows, now = [], datetime.now(UTC)
    for run, proposal, decisions in waiting:
        cents, left = dollars(proposal.money_at_stake_cents), until(proposal.expires_at, now)
        rows.append((run.run_id, run.event.subject, words(proposal.verdict), who(proposal, decisions), cents, left))
    columns = ("run", "subject", "verdict", "waits for", "at stake", "expires")
    table(columns, rows, right=("at stake",), whole=("run", "verdict", "waits for", "expires"))
    say(f"{counted(len(waiting), 'waits', 'wait')}, {dollars(sum(one.money_at_stake_cents for _, one, _ in waiting))} at stake.")
    _tell_of_escalated(found.total, days)


def _tell_of_escalated(total: int, days: int) -> None:
    if total:
        handed = counted(total, "case was", "cases were")
        say(f"{handed} handed over to people in the last {days} days: `missions queue --escalated`.", style="dim")


def _escalated(handed: Sequence[tuple[Run, Proposal | None]], total: int, days: int, *, as_json: bool) -> None:
    """Print the cases that the Missions, or people, handed over; the newest first."""
    if as_json:
        print_json([{"run": asdict(run), "proposal": asdict(proposal) if proposal else None} for run, proposal in handed])
        return
    if not handed:
        say(f"No case was handed over to people in the last {days} days.")
        return
    rows = [
        (run.run_id, run.event.subject, _queue_of(proposal), in_column(run.ended_at) if run.ended_at else "",
         plain(proposal.rationale if proposal else "", 200))
        for run, proposal in handed
    ]  # fmt: skip
    table(("run", "subject", "queue", "handed over", "why"), rows, whole=("run", "handed over"))
    rest = f"; the newest {len(handed):,} are shown" if total > len(handed) else ""
    say(f"{counted(total, 'case', 'cases')} handed over to people in the last {days} days{rest}.")


def _queue_of(proposal: Proposal | None) -> str:
    """The queue that a case was handed over to."""
    named = (step["args"].get("queue") for step in reversed(proposal.plan if proposal else ()))
    return str(next(filter(None, named), ""))


def who(proposal: Proposal, decisions: Sequence[Decision] = ()) -> str:
    """Whom a proposal waits for, in words."""
    approval = proposal.approval
    approved = [one.by for one in decisions if one.kind == "approve" and one.proposal_id == proposal.proposal_id]
    if approval.four_eyes and approved:
        return f"{approval.role} besides {approved[0]}"
    return approver(approval.role, approval.four_eyes)


def ended(run: Run) -> str:
    """How a run that is closed ended."""
    return f"{words(run.verdict or '')}, {words(str(run.outcome))}"


def _standing(run: Run, proposals: Sequence[Proposal]) -> str:
    if run.status == "closed":
        return f"closed: {ended(run)}"
    if run.status == "waiting" and proposals:
        return f"waits for {who(proposals[-1])}"
    return str(run.status)


def _proposal(proposal: Proposal, limits: Sequence[Standing]) -> None:
    say(f"Proposal {proposal.revision} by {proposal.author}: {words(proposal.verdict)} ({proposal.status})", style="bold")
    say(proposal.rationale)
    cites = ", ".join(f"{cite['clause']} v{cite['version']}" for cite in proposal.cites) or "nothing"
    stake, last = dollars(proposal.money_at_stake_cents), clock(proposal.expires_at)
    say(f"cites {cites}; confidence {proposal.confidence:.2f}; {stake} at stake; can be approved until {last}")
    if proposal.status == "pending":
        for one in limits:
            say(f"it {one.says}" if one.is_over else f"with this one {one.of} for {one.whose}")
    if proposal.plan:
        steps = enumerate(proposal.plan, start=1)
        rows = [(number, one["says"], one.get("part") or "", one["tier"], _undo(one)) for number, one in steps]
        table(("#", "action", "part", "tier", "undo"), rows)
        _letters(proposal.plan)
    if proposal.changes:
        console.print()
        table(("system", "record", "field", "before", "after"), [row for change in proposal.changes for row in _changed(change)])
    if proposal.alternatives:
        console.print()
        say("Looked at and left:", style="bold")
        for other in proposal.alternatives:
            say_after("  ", f"{other['option']} (for {other['for']}): {other['lost_because']}")
    console.print()


def _changed(change: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of what a change makes of a record; of a record within it only what differs."""
    return [
        (change["system"], change["record"], path, plain(in_words(path, old), 60), plain(in_words(path, new), 60))
        for path, old, new in differing(change["field"], change["before"], change["after"])
    ]


def _letters(plan: Sequence[Mapping[str, Any]]) -> None:
    """What people outside are to be written, word for word."""
    for number, action in enumerate(plan, start=1):
        if isinstance(text := action["args"].get("text"), str):
            console.print()
            by = f", written by a model ({action['written_by']})" if action.get("written_by") else ""
            say(f"{number}. {action['args'].get('template', action['name'])}, as it will be sent{by}:", style="bold")
            for line in text.splitlines():
                say_after("   ", line)


def _undo(action: Mapping[str, Any]) -> str:
    undo = action.get("undo")
    if not undo:
        return "cannot be undone"
    args = ", ".join(f"{words(name)} {plain(value, 40)}" for name, value in undo["args"].items() if not isinstance(value, dict))
    return f"{words(undo['name'])}{f' ({args})' if args else ''}"


def _effect(one: Effect) -> tuple[Any, ...]:
    args = ", ".join(plain(in_words(name, value), 40) for name, value in one.args.items())
    return one.step + 1, words(one.tool), args, words(one.status), (one.receipt or {}).get("receipt_id", one.error or "")
