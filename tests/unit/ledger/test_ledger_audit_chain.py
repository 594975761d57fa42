"""The audit chain tells of everything that matters, says nothing of customers, and shows what was tampered with."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger import audit_chain
from ledger.base import Ledger
from ledger.memory import MemoryLedger
from ledger.records import AuditEntry
from tests.ledger_examples import LATER, PLAN, a_proposal, an_effect, an_event, decided, staffed, started


def _a_whole_run(ledger: Ledger) -> None:
    staffed(ledger)
    ledger.take_in(an_event(trigger={"order_id": "O-1", "text": "my card is 4111 1111"}), "run-1", {"graph": "1"})
    plan = [{**PLAN[0], "args": {"note": "4111 1111"}}]
    ledger.propose(a_proposal(rationale="because of 4111 1111", plan=plan))
    decided(ledger, reason="Seen by me.", details={"remark": "4111 1111"})
    ledger.intend([an_effect(args={"note": "4111 1111"})])
    ledger.mark_effect("k-0", "executing", at=LATER)
    ledger.mark_effect("k-0", "done", {"note": "4111 1111"}, at=LATER)
    ledger.incident("run-1", "stuck", LATER)
    ledger.resume("run-1", by="Rita", reason="mended", at=LATER)
    ledger.finish("run-1", "fulfil", "executed", LATER)


def test_everything_that_matters_has_its_row(ledger: Ledger) -> None:
    _a_whole_run(ledger)
    assert [entry.kind for entry in ledger.audit("run-1")] == [
        "event_taken_in",
        "proposed",
        "decided",
        "effect_marked",
        "effect_marked",
        "effect_marked",
        "incident_opened",
        "run_resumed",
        "run_closed",
    ]
    entries = ledger.audit()
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.kind for entry in entries[:6]] == ["person_added"] * 6
    assert ledger.audit_head() == (entries[-1].seq, entries[-1].digest)
    assert ledger.verify_audit() == ledger.verify_audit(ledger.audit_head()) == []


def test_the_log_names_who_and_why_and_not_what_customers_wrote(ledger: Ledger) -> None:
    _a_whole_run(ledger)
    decision = ledger.audit("run-1")[2].body
    assert (decision["by"], decision["role"], decision["kind"], decision["reason"]) == (
        "Fred",
        "finance",
        "approve",
        "Seen by me.",
    )
    assert decision["digest"] == "digest of p-1"
    assert "4111" not in json.dumps([dict(entry.body) for entry in ledger.audit()])


def test_an_empty_log_is_intact(ledger: Ledger) -> None:
    assert (ledger.audit(), ledger.audit_head(), ledger.verify_audit()) == ([], (0, audit_chain.START), [])
    assert ledger.verify_audit((0, audit_chain.START)) == []


def test_both_ledgers_write_the_same_bodies_in_the_same_order(ledger: Ledger) -> None:
    _a_whole_run(ledger)
    other = MemoryLedger()
    _a_whole_run(other)
    # of the rows that others may reach, there are seals: of those of PostgreSQL
    ids = ("decision_id", "incident_id", "authorized", "rows")

    def told(entries: list[AuditEntry]) -> list[tuple[str, str, dict[str, object]]]:
        return [(it.kind, it.run_id, {k: v for k, v in it.body.items() if k not in ids}) for it in entries]

    assert told(ledger.audit()) == told(other.audit())


def _edit(entries: list[AuditEntry]) -> list[AuditEntry]:
    return [*entries[:2], replace(entries[2], body={"by": "Mallory"}), *entries[3:]]


def _edit_and_digest_again(entries: list[AuditEntry]) -> list[AuditEntry]:
    at = entries[2]
    forged = audit_chain.entry((at.seq - 1, at.previous), at.at, at.kind, at.run_id, {"by": "Mallory"})
    return [*entries[:2], forged, *entries[3:]]


def _delete(entries: list[AuditEntry]) -> list[AuditEntry]:
    return entries[:2] + entries[3:]


def _delete_the_first(entries: list[AuditEntry]) -> list[AuditEntry]:
    return entries[1:]


def _swap(entries: list[AuditEntry]) -> list[AuditEntry]:
    return [entries[1], entries[0], *entries[2:]]


def _swap_and_number_again(entries: list[AuditEntry]) -> list[AuditEntry]:
    return [replace(entries[1], seq=1), replace(entries[0], seq=2), *entries[2:]]


def _repeat(entries: list[AuditEntry]) -> list[AuditEntry]:
    return [*entries, entries[-1]]


@pytest.mark.parametrize(
    "tamper",
    [_edit, _edit_and_digest_again, _delete, _delete_the_first, _swap, _swap_and_number_again, _repeat],
)
def test_what_is_tampered_with_is_found(tamper: Callable[[list[AuditEntry]], list[AuditEntry]]) -> None:
    ledger = MemoryLedger()
    _a_whole_run(ledger)
    assert audit_chain.verify(tamper(ledger.audit()))


def test_a_cut_tail_is_found_against_an_exported_head() -> None:
    ledger = MemoryLedger()
    _a_whole_run(ledger)
    entries, head = ledger.audit(), ledger.audit_head()
    assert audit_chain.verify(entries[:-2]) == []
    assert audit_chain.verify(entries[:-2], head) == [
        f"The audit log ends at row {head[0] - 2}, and the exported head is row {head[0]}: its tail was cut."
    ]
    assert audit_chain.verify([], head)


def test_a_chain_written_anew_is_found_against_an_exported_head() -> None:
    ledger, forged = MemoryLedger(), MemoryLedger()
    _a_whole_run(ledger)
    for n in range(20):
        started(forged, f"run-{n}")
    assert audit_chain.verify(forged.audit()) == []
    assert audit_chain.verify(forged.audit(), ledger.audit_head()) == [
        f"Audit row {ledger.audit_head()[0]} is not the one that was exported as the head."
    ]
