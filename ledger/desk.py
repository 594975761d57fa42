"""The ledger as the dashboard and the commands about people see it: who comes in, what they see of many runs.

On PostgreSQL only: nobody signs in to the memory of a process. Every method is one transaction and raises as
`ledger.base` says. What a person does to a run goes through `ledger.base.Ledger`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from ledger import permissions, rules
from ledger.admissions import COMMAND_LINE, Admission, Changed, Wanted
from ledger.books import Documents, KeptBook
from ledger.canonical import utc_now
from ledger.drafts import CitingRun, DraftStatus, NewDraft, PolicyDraft
from ledger.listed import QueueFilter, QueuePage, RunFilter, RunPage, Waiting
from ledger.permissions import Permission
from ledger.postgres import PostgresLedger
from ledger.records import NOBODY, Approval, AuditEntry, Claim, Incident, Person, Run
from ledger.sql import admissions, books, chain, claims, doors, drafts, incidents, listing, people
from ledger.sql.attempts import HERE, Caller
from ledger.sql.doors import Account, Ask, Knock

#: for which an opened proposal is claimed, unless it is prolonged
CLAIM_LASTS = timedelta(minutes=5)


class Desk:
    """Accounts, sessions, claims, and lists over many runs, on the database of a ledger."""

    def __init__(self, ledger: PostgresLedger, clock: Callable[[], datetime] = utc_now) -> None:
        self._transaction, self._clock = ledger.transaction, clock

    # Who comes in

    def enrol(self, name: str, role: str, by: str = COMMAND_LINE, customer_id: str | None = None) -> Person:
        """Add a person or give them another role; `by` is an administrator, or the command line.

        Refused to who is no administrator, for one's own role, and for what takes two people: see `ask`.
        """
        return self.admit(name, role, by, customer_id, account=False)[0]

    def admit(
        self, name: str, role: str, by: str = COMMAND_LINE, customer_id: str | None = None, account: bool = True
    ) -> tuple[Person, str]:
        """`enrol`, and a one-time password for who has no local account yet (empty for who has, or is to have none)."""
        with self._transaction() as tx:
            admissions.may_manage(tx, by, name)
            rules.check_person(name, role, customer_id)
            admissions.must_not_take_two(tx, Wanted(kind="role", name=name, role=role, customer_id=customer_id), by)
            person = people.add(tx, name, role, customer_id, self._clock())
            wanted = account and not doors.has_account(tx, name)
            return person, doors.give_one_time(tx, name, by, self._clock()) if wanted else ""

    def give_one_time(self, name: str, by: str = COMMAND_LINE) -> str:
        """A new one-time password for a local account, which is made if need be; sessions of it end."""
        with self._transaction() as tx:
            admissions.may_manage(tx, by)
            if by != COMMAND_LINE:
                admissions.must_not_take_two(tx, Wanted(kind="password", name=name), by)
            return doors.give_one_time(tx, name, by, self._clock())

    def ask(self, wanted: Wanted, by: str) -> Changed:
        """Change a person: at once where one may, and else when somebody confirms. `by` as for `enrol`."""
        with self._transaction() as tx:
            return admissions.ask(tx, wanted, by, self._clock())

    def confirm(self, admission_id: str, by: str) -> Changed:
        """Confirm what somebody else asked for. Refused to who asked, whom it is about, and who may not."""
        with self._transaction() as tx:
            return admissions.confirm(tx, admission_id, by, self._clock())

    def refuse(self, admission_id: str, by: str) -> None:
        """Give up what was asked for about a person."""
        with self._transaction() as tx:
            admissions.refuse(tx, admission_id, by, self._clock())

    def admissions(self) -> list[Admission]:
        """What waits for a second person, the oldest first."""
        with self._transaction() as tx:
            return admissions.waiting(tx, self._clock())

    def end_sessions(self, name: str, by: str) -> int:
        """End every session of a person; how many there were."""
        with self._transaction() as tx:
            admissions.may_manage(tx, by)
            return doors.end_sessions(tx, name, by, self._clock())

    def accounts(self, by: str, text: str = "", offset: int = 0, limit: int = 50) -> tuple[list[Account], int]:
        """A page of the people whose name has this text in it, by name, and how many there are in all."""
        with self._transaction() as tx:
            admissions.may_manage(tx, by)
            return doors.accounts(tx, text, offset, limit, self._clock())

    def has_administrator(self) -> bool:
        """Whether there is somebody who manages people."""
        with self._transaction() as tx:
            return people.has_role(tx, "administrator")

    def has_account(self, name: str) -> bool:
        """Whether there is a local account of this name."""
        with self._transaction() as tx:
            return doors.has_account(tx, name)

    def sign_in(
        self,
        name: str,
        password: str,
        lasts: timedelta,
        chosen: str | None = None,
        *,
        code: str = "",
        origin: Caller = HERE,
        second_factor: Collection[str] = (),
    ) -> Knock:
        """Try to sign in for a while. `chosen` is one's own password in place of a one-time one.

        `second_factor`: the roles that take one, for which a `code` comes too.
        """
        ask = Ask(name, password, chosen or "", code, origin)
        with self._transaction() as tx:
            return doors.knock(tx, ask, lasts, second_factor, self._clock())

    def who(self, token: str, second_factor: Collection[str] = ()) -> Person | None:
        """Whose session this is, with the role that they have now; None when it has expired or was ended.

        None too for whoever has a role that takes a second factor, and has none yet: they sign in once more.
        """
        with self._transaction() as tx:
            return doors.who(tx, token, self._clock(), second_factor)

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._transaction() as tx:
            doors.leave(tx, token, self._clock())

    def change_password(self, name: str, password: str, chosen: str) -> str:
        """Choose another password; every session of the account ends. A sentence where it is refused, else nothing."""
        with self._transaction() as tx:
            return doors.change(tx, name, password, chosen, Caller("a session"), self._clock())

    def require(self, name: str, permission: Permission) -> Person:
        """The person as the ledger has them now. Refused when they may not."""
        with self._transaction() as tx:
            return permissions.require(people.find(tx, name), permission)

    # Who looks at what

    def claim(self, proposal_id: str, by: str) -> Claim:
        """Say that one has a proposal open. Returns the claim that holds: of whoever was first and is there still."""
        with self._transaction() as tx:
            return claims.claim(tx, proposal_id, by, CLAIM_LASTS, self._clock())

    def release(self, proposal_id: str, by: str) -> None:
        """Let go of one's own claim."""
        with self._transaction() as tx:
            claims.release(tx, proposal_id, by)

    def claims(self, proposal_ids: Collection[str]) -> dict[str, Claim]:
        """The claims that hold now, by proposal."""
        with self._transaction() as tx:
            return claims.held(tx, proposal_ids, self._clock())

    # Many runs

    def queue(self, me: Person, wanted: QueueFilter, offset: int = 0, limit: int = 50) -> QueuePage:
        """A page of what waits, and counts over all of it."""
        with self._transaction() as tx:
            return listing.queue(tx, me, wanted, offset, limit, self._clock())

    def waiting(self, run_ids: Collection[str]) -> list[Waiting]:
        """What waits of these runs, what is due first at the front."""
        with self._transaction() as tx:
            return listing.waiting(tx, run_ids, self._clock())

    def behind(self, run_id: str) -> list[tuple[str, str]]:
        """(run, subject) of those whose proposals wait until this run is closed."""
        with self._transaction() as tx:
            return listing.behind(tx, run_id)

    def search(self, wanted: RunFilter, offset: int = 0, limit: int = 50) -> RunPage:
        """A page of the runs found, the newest first."""
        with self._transaction() as tx:
            return listing.search(tx, wanted, offset, limit)

    def outcomes(self, wanted: RunFilter, zone: str = "UTC") -> list[dict[str, Any]]:
        """[{"day": date, "outcome": str, "runs": int}] of the runs found; the status where a run is not closed."""
        with self._transaction() as tx:
            return listing.outcomes(tx, wanted, zone)

    def decision_times(self, wanted: RunFilter, zone: str = "UTC") -> list[dict[str, Any]]:
        """[{"day": date, "median_s": float, "p90_s": float, "decisions": int}]: seconds from proposal to decision."""
        with self._transaction() as tx:
            return listing.decision_times(tx, wanted, zone)

    def citations(self, limit: int = 500) -> list[dict[str, Any]]:
        """[{"clause", "mission", "author", "proposals": int, "last": datetime}], most first."""
        with self._transaction() as tx:
            return listing.citations(tx, limit)

    def messages(self, customer_id: str, limit: int = 50) -> Sequence[Run]:
        """The runs of a customer's own messages, the newest first."""
        with self._transaction() as tx:
            return listing.messages(tx, customer_id, limit)

    def incidents(self, open_only: bool = True) -> list[tuple[Incident, Run]]:
        """Incidents with their runs, oldest first."""
        with self._transaction() as tx:
            return incidents.with_runs(tx, open_only)

    def audit_page(self, before: int | None = None, limit: int = 100, run_id: str = "", kind: str = "") -> list[AuditEntry]:
        """Rows of the audit log, the newest first, from the one before number `before`."""
        with self._transaction() as tx:
            return chain.page(tx, before, limit, run_id, kind)

    # Policy drafts

    def draft_policy(self, draft: NewDraft, by: str) -> PolicyDraft:
        """Keep a draft of a policy's next version. Refused to who may not draft; BadInput without a reason, or for a past day."""
        with self._transaction() as tx:
            return drafts.add(tx, draft, by, self._clock())

    def policy_draft(self, draft_id: str) -> PolicyDraft:
        """One draft. BadInput when there is none."""
        with self._transaction() as tx:
            return drafts.find(tx, draft_id)

    def policy_drafts(self, status: DraftStatus | None = None, limit: int = 100) -> list[PolicyDraft]:
        """Drafts of all policies, the newest first."""
        with self._transaction() as tx:
            return drafts.listed(tx, status, limit)

    def open_drafts(self) -> dict[str, int]:
        """How many drafts of each policy wait to be put in force."""
        with self._transaction() as tx:
            return drafts.open_by_policy(tx)

    def policies_kept(self, limit: int | None = 1) -> list[KeptBook]:
        """The policies that decide, and those that did before, the newest first; none before the first start."""
        with self._transaction() as tx:
            return list(books.every(tx, limit))

    def keep_policies(self, documents: Documents, by: str = COMMAND_LINE) -> KeptBook:
        """What decides from now on: the policies of the folder, where nothing of them takes an agreement."""
        with self._transaction() as tx:
            return books.keep(tx, documents, by, self._clock())

    @contextmanager
    def putting_in_force(
        self, draft_id: str, by: str, reason: str, needed: Approval = NOBODY, documents: Documents = ()
    ) -> Iterator[PolicyDraft]:
        """The draft, in force if what is done with it succeeds: an error takes everything back.

        `documents` are all policies with it, which decide from then on.

        `needed` is the approval that plans would not take any more; where that is of two people, the first one agrees, and
        the draft is still a draft.
        Refused to its author, to who may not, for a draft that is settled, and for one whose first day has passed.
        """
        with self._transaction() as tx:
            draft = drafts.put_in_force(tx, draft_id, by, reason, needed, self._clock())
            if draft.status == "in_force" and documents:
                books.keep(tx, documents, by, self._clock())
            yield draft

    def withdraw_draft(self, draft_id: str, by: str, reason: str) -> PolicyDraft:
        """Give a draft up: its author may, and who may put policies in force. Refused for one that is settled."""
        with self._transaction() as tx:
            return drafts.withdraw(tx, draft_id, by, reason, self._clock())

    def citing(self, clause_id: str, limit: int = 10) -> list[CitingRun]:
        """The latest runs whose proposals cite a clause, the newest first."""
        with self._transaction() as tx:
            return drafts.citing(tx, clause_id, limit)
