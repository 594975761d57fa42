"""What every plan took that was carried out, worked out again from plan, facts, policies, pack and catalogue.

The rows of the ledger and its log may agree and both be wrong, where whoever executes writes what it likes. What a plan
takes follows from what was read; a run whose pack, policies or catalogue are known no more is counted and named.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from errors import MissionsError, Stuck
from graphs.mission import graph_version
from graphs.pack_files import load_packs
from graphs.policy_versions import book_of
from knowledge_index.policies import PolicyBook
from ledger.authorization import person_key, unapproved
from ledger.policies import PolicySnapshot
from ledger.reconciling import Rows
from ledger.records import AuditEntry, Fact, Person, Proposal, Run, RunHistory, latest_facts
from nodes.authorship import authors, editors_of
from nodes.drift import drift
from nodes.gather import AsThen
from nodes.pack import Pack
from nodes.state import CaseContext
from settings import Settings
from systems.catalogue import Catalogue, load_catalogue

#: what a run starts with, without which its plans cannot be judged as they were
_NEEDED = ("graph", "pack", "policies", "catalogue")


@dataclass
class ApprovalAudit:
    """Handed to `ledger.audit_export.examine`, which shows it every run; afterwards it says what it could not recompute."""

    packs: Mapping[str, Pack]
    catalogue: Catalogue
    #: those in force now, and before; where one says what a run's policies said, it is judged by it
    books: Sequence[PolicyBook]
    #: plans that were worked out again
    recomputed: int = 0
    #: which of _NEEDED are known no more -> plans that could not be
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, chosen: Settings, kept: Sequence[PolicySnapshot]) -> "ApprovalAudit":
        """By the packs of the settings, and every book of policies that was kept, the newest first.

        Raises BadInput for what does not load.
        """
        books = [book_of(one) for one in kept] or [PolicyBook.load(*chosen.policy_folders)]
        catalogue = load_catalogue(chosen.systems)
        return cls(load_packs(chosen.packs, catalogue, books[0]), catalogue, books)

    def __call__(self, rows: Rows, entries: Sequence[AuditEntry], known_since: Mapping[str, datetime]) -> Iterator[str]:
        """One sentence for each plan of a run that was carried out, and should not have been as it was.

        `entries` are the run's rows of the log; `known_since` tells since when there is a person, by key.
        """
        carried_out = {one.proposal_id for one in rows.authorizations} | {one.proposal_id for one in rows.effects}
        plans = [one for one in rows.proposals if one.proposal_id in carried_out]
        origins = _origins(entries) if plans else {}
        for proposal in plans:
            versions, attempts = origins.get(proposal.proposal_id, ({}, 0))
            book = self._book(rows.run, versions)
            if book is None:
                self.left_out[" and ".join(self._differing(rows.run, versions)) or "policies"] += 1
                continue
            self.recomputed += 1
            history = _as_it_was(replace(rows.run, versions=versions), rows, proposal, attempts)
            then = self._as_then(proposal, history.facts, book)
            if wrong := _wrong(then, history, proposal, known_since):
                yield (
                    f"Proposal {proposal.proposal_id} of run {rows.run.run_id} was carried out, and worked out again "
                    f"it should not have been: {'; '.join(wrong)}. It was authorized in violation of the policies."
                )

    def summary(self) -> str:
        """What was recomputed and what was not."""
        summary = f"The approval of {self.recomputed:,} executed plans was worked out again from policies, plans and facts"
        if not self.left_out:
            return f"{summary}."
        why = "; ".join(f"{count:,} of another {what}" for what, count in sorted(self.left_out.items()))
        return f"{summary}. It could not be for {self.left_out.total():,}, because the data is no longer available: {why}."

    def _book(self, run: Run, versions: Mapping[str, str]) -> PolicyBook | None:
        """The policies that a run had; None where anything of it is known no more."""
        if self._differing(run, versions):
            return None
        as_of, wanted = run.event.as_of, versions.get("policies")
        return next((book for book in self.books if book.period(as_of).digest == wanted), None)

    def _as_then(self, proposal: Proposal, facts: Sequence[Fact], book: PolicyBook) -> CaseContext:
        """What the plan is worked out again by, as it was when it was proposed."""
        reader, clock = AsThen(facts), lambda: proposal.created_at
        return CaseContext(reader=reader, packs=self.packs, catalogue=self.catalogue, policies=book, clock=clock)

    def _differing(self, run: Run, versions: Mapping[str, str]) -> list[str]:
        pack = self.packs.get(run.event.mission)
        now = {"graph": graph_version(), "pack": pack and pack.digest, "catalogue": self.catalogue.digest}
        return [name for name in _NEEDED if name in now and versions.get(name) != now[name]]


def _origins(entries: Sequence[AuditEntry]) -> dict[str, tuple[Mapping[str, str], int]]:
    """Proposal -> the versions that its run had then, and how often the systems had been read."""
    versions: Mapping[str, str] = {}
    origins = {}
    for entry in entries:
        if entry.kind in ("event_taken_in", "run_restarted"):
            versions = entry.body.get("versions", {})
        elif entry.kind == "proposed":
            origins[entry.body["proposal_id"]] = (versions, len(entry.body.get("evidence", ())))
    return origins


def _wrong(then: CaseContext, history: RunHistory, proposal: Proposal, known_since: Mapping[str, datetime]) -> list[str]:
    """Why a plan should not have been carried out as it was; nothing where it should."""

    def person(name: str) -> Person | None:
        since = known_since.get(person_key(name))
        return Person(name=name, role="analyst") if since and since <= proposal.created_at else None

    try:
        found = drift(then, history, proposal, person)
    except Stuck:
        return ["the facts it is based on are not those its pack reads"]
    except MissionsError as error:
        return [str(error).rstrip(".")]
    if found.differences:
        return ["the facts it is based on are not those its pack reads"]
    if found.reasons or proposal.status == "automatic":
        return list(found.reasons)
    decisions = history.decisions
    editors = editors_of(history, proposal.plan, proposal.revision, person).keys
    least = replace(proposal.approval, own=found.approval.own)
    roles = {one.by: one.role for one in decisions}  # whoever approved may be something else by now
    reason = unapproved(
        proposal, history.run, decisions, least, lambda name: Person(name=name, role=roles[name]),
        {*authors(proposal, decisions), *editors},
    )  # fmt: skip
    return [reason] if reason else []


def _as_it_was(run: Run, rows: Rows, proposal: Proposal, attempts: int) -> RunHistory:
    """The run as it was for one proposal: what came later has not happened."""
    earlier = [one for one in rows.proposals if one.revision < proposal.revision]
    ids = {one.proposal_id for one in earlier}
    return RunHistory(
        run=run,
        facts=latest_facts(rows.looks[:attempts]),
        proposals=[*earlier, proposal],
        decisions=rows.decisions,
        effects=[one for one in rows.effects if one.proposal_id in ids],
    )
