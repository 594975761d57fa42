"""What is asked of the database of a ledger besides `ledger.base.Ledger`: accounts, queries, policies; events, in and out.

On PostgreSQL only: nobody signs in to the memory of a process. What a person does to a run, and the events themselves, go
through `ledger.base.Ledger`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger import admissions, policies, queries
from ledger.policies import Documents, PolicyDraft
from ledger.records import NOBODY, Approval
from ledger.sql import auth, chain, inbox, outbox, people, run_rows
from ledger.transactions import Service, reads, timed, writes


class AdminService(Service):
    """What the dashboard and the commands about people ask for, on the database of a ledger."""

    # Who comes in, and who says who may

    admit = timed(admissions.admit)
    give_one_time = timed(admissions.give_one_time)
    ask = timed(admissions.ask)
    confirm = timed(admissions.confirm)
    refuse = timed(admissions.refuse)
    end_sessions = timed(auth.end_sessions)
    accounts = timed(auth.accounts)
    has_administrator = reads(people.has_administrator)
    admissions = timed(admissions.waiting)
    has_account = reads(auth.has_account)
    sign_in = timed(auth.sign_in)
    who = timed(auth.who)
    sign_out = timed(auth.sign_out)
    change_password = timed(auth.change_password)
    require = reads(people.require)
    # Who looks at what, and many runs

    claim = timed(queries.claim)
    release = reads(queries.release)
    claims = timed(queries.claims_held)
    queue = timed(queries.queue)
    waiting = timed(queries.waiting)
    behind = reads(queries.behind)
    search = reads(queries.search)
    outcomes = reads(queries.outcomes)
    decision_times = reads(queries.decision_times)
    citations = reads(queries.citations)
    messages = reads(queries.messages)
    incidents = reads(run_rows.incidents_with_runs)
    audit_page = reads(chain.page)
    # Drafts of policies, and the documents that decide

    draft_policy = timed(policies.add)
    policy_draft = reads(policies.find)
    policy_drafts = reads(policies.listed)
    open_drafts = reads(policies.open_by_policy)
    withdraw_draft = timed(policies.withdraw)
    citing = reads(policies.citing)
    policies_kept = reads(policies.kept)
    keep_policies = timed(policies.keep)

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
        with self.transaction() as tx:
            draft = policies.put_in_force(tx, self._clock(), draft_id, by, reason, needed)
            if draft.status == "in_force" and documents:
                policies.keep(tx, self._clock(), documents, by)
            yield draft


class Inbox(Service):
    """Event sources, dead letters and feeds, on the database of a ledger."""

    add_source = timed(inbox.add_source)
    bound_source = timed(inbox.bound_source)
    end_source = timed(inbox.end_source)
    sources = reads(inbox.sources)
    source_named = reads(inbox.source_named)
    source_of = reads(inbox.source_of)

    count_ignored = timed(inbox.count_ignored)
    ignored = timed(inbox.ignored)

    keep_letter = timed(inbox.keep_letter)
    open_letters = reads(inbox.open_letters)
    letter_to_settle = reads(inbox.letter_to_settle)
    settle_letter = timed(inbox.settle_letter)

    feed = reads(inbox.feed)
    advance = timed(inbox.advance)
    feed_failed = timed(inbox.feed_failed)


class Outbox(Service):
    """How far the destinations of outgoing events have been told the audit log, on the database of a ledger."""

    positions = reads(outbox.positions)
    begin = writes(outbox.begin)
    take = writes(outbox.take)
    rows = reads(outbox.rows)
    advance = writes(outbox.advance)
    fail = writes(outbox.fail)
    give_back = writes(outbox.give_back)
    skip = timed(outbox.skip)
    end = timed(outbox.end)
