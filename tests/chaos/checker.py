"""Reads ledger and sandbox company by SQL of its own, and counts what must be 0.

It is run when nothing is under way any more: whatever is 'running' then is being driven by nobody, and lost. It judges
what the tables say, by rules written down here a second time, and asks the code under test only for the audit chain.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ledger.postgres import PostgresLedger
from systems.sandbox.database import clean, digest
from tests.chaos.faults import KEYLESS

Row = Mapping[str, Any]

#: statuses of a proposal by the decision that ends its wait
_ENDED_BY = {"approve": "approved", "edit": "sent_back", "reject": "rejected", "respond": "sent_back", "escalate": "escalated"}
_RANK = {"reviewer": 1, "supervisor": 2, "finance": 3}
#: of an effect that something was, or may have been, sent for
_SENT = ("executing", "done", "failed", "unknown")
#: kinds of audit rows and the statement that tells how many there must be at least
_NOTED = {
    "event_taken_in": "SELECT count(*) FROM ledger.runs",
    "proposed": "SELECT count(*) FROM ledger.proposals",
    "decided": "SELECT count(*) FROM ledger.decisions",
    "incident_opened": "SELECT count(*) FROM ledger.incidents",
    "run_closed": "SELECT count(*) FROM ledger.runs WHERE status = 'closed'",
}


@dataclass(frozen=True)
class Found:
    """Sentences, by what is wrong; every one of them must be empty."""

    lost: tuple[str, ...] = ()
    duplicate_effects: tuple[str, ...] = ()
    unapproved_effects: tuple[str, ...] = ()
    double_decisions: tuple[str, ...] = ()
    audit_problems: tuple[str, ...] = ()
    invisible: tuple[str, ...] = ()
    servers_stopped_under_users: tuple[str, ...] = ()
    late_effects: tuple[str, ...] = ()

    def by_figure(self) -> dict[str, tuple[str, ...]]:
        """The sentences by the name of the figure."""
        return {one.name.replace("_", " "): getattr(self, one.name) for one in fields(self)}

    def __or__(self, other: "Found") -> "Found":
        """Both, each sentence once: a world is checked after every scenario in it."""
        return Found(**{one.name: (*dict.fromkeys(getattr(self, one.name) + getattr(other, one.name)),) for one in fields(self)})


@dataclass(frozen=True)
class Acknowledged:
    """What somebody was told that it was done."""

    events: Collection[str] = ()
    decisions: Collection[str] = ()
    heads: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class _Tables:
    """Everything that is looked at, of one moment."""

    inbox: list[Row]
    runs: list[Row]
    proposals: list[Row]
    decisions: list[Row]
    effects: list[Row]
    authorizations: list[Row]
    incidents: list[Row]
    receipts: list[Row]
    deeds: list[Row]

    def of_run(self, rows: Sequence[Row]) -> Mapping[str, list[Row]]:
        """Rows by run."""
        return _by(rows, "run_id")


def check(url: str, acknowledged: Acknowledged = Acknowledged()) -> Found:  # frozen and empty
    """What is wrong in this database, in sentences."""
    tables, noted, after_the_end = _read(url)
    with PostgresLedger.open(url) as ledger:
        chain = [
            *ledger.verify_audit(),
            *(one for head in acknowledged.heads for one in ledger.verify_audit(head) if "head" in one),
        ]
    return Found(
        lost=(*_lost(tables, acknowledged),),
        duplicate_effects=(*_duplicates(tables),),
        unapproved_effects=(*_unapproved(tables),),
        double_decisions=(*_double_decisions(tables),),
        audit_problems=(*chain, *noted),
        invisible=(*_invisible(tables),),
        late_effects=(*_late(tables), *after_the_end),
    )


def _read(url: str) -> tuple[_Tables, list[str], list[str]]:
    with psycopg.connect(url, row_factory=dict_row) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

        def rows(table: str, order: str) -> list[Row]:
            return list(session.execute(f"SELECT * FROM {table} ORDER BY {order}".encode()))

        tables = _Tables(
            inbox=rows("ledger.inbox", "source_id"),
            runs=rows("ledger.runs", "number"),
            proposals=rows("ledger.proposals", "number"),
            decisions=rows("ledger.decisions", "number"),
            effects=rows("ledger.effects", "number"),
            authorizations=rows("ledger.authorizations", "at"),
            incidents=rows("ledger.incidents", "number"),
            receipts=rows("sandbox.receipts", "done_at"),
            deeds=rows("sandbox.deeds", "seq"),
        )
        written = Counter(row["kind"] for row in session.execute("SELECT kind FROM ledger.audit"))
        noted = []
        for kind, statement in _NOTED.items():
            (there,) = (session.execute(statement.encode()).fetchone() or {"count": 0}).values()
            if written[kind] < there:
                noted.append(f"The audit log tells of {written[kind]} × {kind}, and there are {there}.")
        unnoted = session.execute(
            "SELECT key FROM ledger.effects WHERE status <> 'intended' AND NOT EXISTS (SELECT FROM ledger.audit "
            "WHERE kind = 'effect_marked' AND body ->> 'key' = effects.key AND body ->> 'status' = effects.status)"
        )
        noted += [f"The audit log does not tell what became of effect {row['key']}." for row in unnoted]
        late = session.execute(
            "SELECT body ->> 'key' AS key FROM ledger.audit marked JOIN ledger.runs USING (run_id) WHERE kind = 'effect_marked' "
            "AND status = 'closed' AND seq > (SELECT max(seq) FROM ledger.audit ended "
            "WHERE ended.kind = 'run_closed' AND ended.run_id = marked.run_id)"
        )
        after_the_end = [f"Effect {row['key']} was marked after its run had ended." for row in late]
    return tables, noted, after_the_end


def _lost(tables: _Tables, acknowledged: Acknowledged) -> Iterator[str]:
    events, started = ({row["source_id"] for row in rows} for rows in (tables.inbox, tables.runs))
    yield from (f"Event {name} was acknowledged and is gone." for name in sorted(set(acknowledged.events) - events))
    yield from (f"Event {name} was taken in and has no run." for name in sorted(events - started))
    kept = {row["decision_id"] for row in tables.decisions}
    yield from (f"Decision {name} was acknowledged and is gone." for name in sorted(set(acknowledged.decisions) - kept))
    effects, proposals = tables.of_run(tables.effects), tables.of_run(tables.proposals)
    for run in tables.runs:
        name = run["run_id"]
        if run["status"] == "running":
            yield f"Run {name} is running, and nobody drives it."
        if run["status"] == "closed" and run["outcome"] == "executed":
            yield from _not_done(name, proposals.get(name, [])[-1:], effects.get(name, []), tables)
    receipts = {row["key"] for row in tables.receipts}
    keyless = Counter(_call(row["tool"], row["args_digest"]) for row in tables.receipts if row["key"].startswith(KEYLESS))
    for effect in tables.effects:
        if effect["status"] == "done" and effect["key"] not in receipts and not any(keyless[one] for one in _calls(effect)):
            yield f"Effect {effect['key']} ({effect['action']}) is marked as done, and its system knows nothing of it."


def _not_done(run_id: str, last: Sequence[Row], effects: Sequence[Row], tables: _Tables) -> Iterator[str]:
    """The steps of the last proposal of a run that was closed as executed and that were not done."""
    if not last:
        yield f"Run {run_id} was closed as executed, and nothing was proposed."
    for proposal in last:
        done = {one["step"] for one in effects if one["status"] == "done" and one["proposal_id"] == proposal["proposal_id"]}
        left = set(range(len(proposal["plan"]))) - done - _left_out(proposal, tables)
        yield from (
            f"Run {run_id} was closed as executed, and step {step + 1} of its plan was not done." for step in sorted(left)
        )


def _duplicates(tables: _Tables) -> Iterator[str]:
    for (proposal_id, step), number in Counter((row["proposal_id"], row["step"]) for row in tables.effects).items():
        if number > 1:
            yield f"Step {step + 1} of proposal {proposal_id} has {number} effects."
    approved = Counter(call for effect in tables.effects if effect["status"] in _SENT for call in set(_calls(effect)))
    for call, number in Counter(_call(row["tool"], row["args_digest"]) for row in tables.receipts).items():
        if 0 < approved[call] < number:
            yield f"{call[0]} was done {number} times with the same arguments, and approved {approved[call]} times."
    told = Counter(
        change["record"] for row in tables.receipts for change in (row["answer"] or {}).get("changed", ()) if _is_deed(change)
    )
    yield from (f"Deed {name} is in {number} receipts." for name, number in told.items() if number > 1)


def _unapproved(tables: _Tables) -> Iterator[str]:
    proposals = {row["proposal_id"]: row for row in tables.proposals}
    effects = {row["key"]: row for row in tables.effects}
    runs, inbox = {row["run_id"]: row for row in tables.runs}, {row["source_id"]: row for row in tables.inbox}
    about = _by(tables.decisions, "proposal_id")
    sent = {call for effect in tables.effects if effect["status"] in _SENT for call in _calls(effect)}
    for receipt in tables.receipts:
        effect, call = effects.get(receipt["key"]), _call(receipt["tool"], receipt["args_digest"])
        if call not in sent if receipt["key"].startswith(KEYLESS) else effect is None:
            yield f"Receipt {receipt['key']} ({receipt['tool']}) belongs to no effect."
        elif effect is not None and call not in _calls(effect):
            yield f"Receipt {receipt['key']} ({receipt['tool']}) is of another call than its effect."
    changes = {change["record"] for row in tables.receipts for change in (row["answer"] or {}).get("changed", ())}
    yield from (f"Deed {row['deed_id']} is in no receipt." for row in tables.deeds if row["deed_id"] not in changes)
    allowed = {row["proposal_id"]: row for row in tables.authorizations}
    for effect in tables.effects:
        proposal, given = proposals[effect["proposal_id"]], allowed.get(effect["proposal_id"])
        if given is None:
            yield f"Effect {effect['key']} has no authorization."
        elif given["digest"] != proposal["digest"] or _RANK.get(given["role"], 0) < _RANK.get(proposal["role"], 0):
            yield f"Effect {effect['key']} was authorized for another plan."
        if effect["status"] not in _SENT:
            continue
        step = dict(enumerate(proposal["plan"])).get(effect["step"], {})
        if (step.get("name"), step.get("tool"), step.get("args")) != (effect["action"], effect["tool"], effect["args"]):
            yield f"Effect {effect['key']} is not what step {effect['step'] + 1} of its proposal says."
        if effect["step"] in _left_out(proposal, tables):
            yield f"Effect {effect['key']} belongs to a part that was rejected."
        yield from _unjustified(
            effect, proposal, about.get(proposal["proposal_id"], []), inbox[runs[effect["run_id"]]["source_id"]],
            _edited_by(proposal, tables.proposals, about),
        )  # fmt: skip


def _edited_by(proposal: Row, proposals: list[Row], about: Mapping[str, list[Row]]) -> set[str]:
    """Who edited a plan, or the plans that it was edited from, one revision after the other."""
    before = [one for one in proposals if one["run_id"] == proposal["run_id"] and one["revision"] == proposal["revision"] - 1]
    actions = [(step["name"], step["args"]) for step in proposal["plan"]]
    for one in before:
        for edit in about.get(one["proposal_id"], []):
            steps = edit["details"].get("plan") if edit["kind"] == "edit" else None
            if steps and [(step["name"], step["args"]) for step in steps] == actions:
                return {edit["by"].casefold(), *_edited_by(one, proposals, about)}
    return set()


def _unjustified(effect: Row, proposal: Row, decisions: list[Row], event: Row, editors: set[str]) -> Iterator[str]:
    """Why nobody has allowed an effect, judged again."""
    what = f"Effect {effect['key']} ({effect['action']})"
    if proposal["status"] == "automatic":
        if proposal["role"] != "none":
            yield f"{what} was automatic, and needs {proposal['role']}."
        return
    if proposal["status"] != "approved":
        yield f"{what} belongs to a proposal that is {proposal['status']}."
        return
    approvals = [one for one in decisions if one["kind"] == "approve"]
    people = {one["by"].casefold() for one in approvals}
    if len(people) < (2 if proposal["four_eyes"] else 1):
        yield f"{what} was approved by {len(people)} people."
    for one in approvals:
        if _RANK.get(one["role"], 0) < _RANK.get(proposal["role"], 9):
            yield f"{what} was approved by {one['by']}, who is {one['role']}; it needs {proposal['role']}."
        if one["digest"] != proposal["digest"]:
            yield f"{what} was approved with another digest."
        if one["at"] > proposal["expires_at"]:
            yield f"{what} was approved after its proposal had expired."
        if one["by"].casefold() == event["requested_by"].casefold():
            yield f"{what} was approved by {one['by']}, who asked for it."
        if one["by"].casefold() in {proposal["author"].casefold(), *editors} and not proposal["own"]:
            yield f"{what} was approved by {one['by']}, who worded it."


def _double_decisions(tables: _Tables) -> Iterator[str]:
    about = _by(tables.decisions, "proposal_id")
    for proposal in tables.proposals:
        decisions, name = about.get(proposal["proposal_id"], []), proposal["proposal_id"]
        first = [one for one in decisions if one["kind"] == "approve"][: 1 if proposal["four_eyes"] else 0]
        ending = [one for one in decisions if one not in first]
        if len(ending) > 1:
            yield f"Proposal {name} was decided {len(ending)} times."
        if ending and proposal["status"] not in (_ENDED_BY[ending[-1]["kind"]], "superseded"):
            yield f"Proposal {name} is {proposal['status']}, and its last decision is {ending[-1]['kind']}."
        if proposal["status"] in _ENDED_BY.values() and not ending:
            yield f"Proposal {name} is {proposal['status']}, and nobody decided so."


def _invisible(tables: _Tables) -> Iterator[str]:
    pending = {row["run_id"] for row in tables.proposals if row["status"] == "pending"}
    stuck = {row["run_id"] for row in tables.incidents if row["closed_at"] is None}
    torn = {row["run_id"] for row in tables.effects if row["status"] in ("executing", "unknown")}
    for run in tables.runs:
        name, status = run["run_id"], run["status"]
        if status == "waiting" and name not in pending:
            yield f"Run {name} waits, and there is nothing to decide."
        if status == "incident" and name not in stuck:
            yield f"Run {name} is an incident, and nothing says why."
        if status == "closed" and (run["outcome"] is None or run["verdict"] is None):
            yield f"Run {name} is closed without an end."
        if status in ("running", "closed") and name in pending:
            yield f"Run {name} is {status}, and a proposal of it is shown as waiting."
        if status != "incident" and name in stuck:
            yield f"Run {name} is {status}, and an incident of it is open."
        if status == "closed" and run["outcome"] != "abandoned" and name in torn:
            yield f"Run {name} was closed in the middle of a step."


def _late(tables: _Tables) -> Iterator[str]:
    """What a system did for a run that has ended without it."""
    closed = {row["run_id"]: row["outcome"] for row in tables.runs if row["status"] == "closed"}
    open_effects = {row["key"]: row for row in tables.effects if row["run_id"] in closed and row["status"] != "done"}
    for receipt in tables.receipts:
        if effect := open_effects.get(receipt["key"]):
            yield f"{receipt['tool']} was done for run {effect['run_id']}, which ended without it."


def _left_out(proposal: Row, tables: _Tables) -> set[int]:
    """The steps of the parts that an approval left out."""
    parts = {
        part
        for one in tables.decisions
        if one["proposal_id"] == proposal["proposal_id"] and one["kind"] == "approve"
        for part in one["details"].get("without", ())
    }
    return {step for step, action in enumerate(proposal["plan"]) if action.get("part") in parts}


def _calls(effect: Row) -> list[tuple[str, str]]:
    """The call of an effect, as a receipt tells it: without and with the arguments that the tool fills in itself."""
    args = clean(effect["args"])
    return [_call(effect["tool"], digest(one)) for one in (args, {"text": None, **args})]


def _call(tool: str, args_digest: str) -> tuple[str, str]:
    return tool, args_digest


def _is_deed(change: Row) -> bool:
    return str(change["record"]).startswith("d_")


def _by(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[name]].append(row)
    return grouped
