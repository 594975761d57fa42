"""Mails as events: what came to a mailbox since the last look, by the mapping of its source (docs/events.md).

As a feed is: a cursor is moved on after the mails before it are in the inbox, so that a mail may be read twice and none is
left out. An attachment that is an invoice is entered and is an event of its own, where the mailbox may start that.
"""

import json
from collections.abc import Iterator

from errors import BadInput, MissionsError
from graphs.ingestion import IngestionReport, Intake, RawEvent, ingest, keep_dead_letter
from graphs.mapping import by_mailbox, mail_text
from ledger.canonical import utc_now
from ledger.inbox import SourceBounds
from systems.event_sources import SourceMapping
from systems.mail import read_mail
from systems.mailbox import FetchedMail, Mailbox, read_mailbox


def mailbox_bounds(mailbox: Mailbox) -> SourceBounds:
    """What the mails of a mailbox may start."""
    return SourceBounds(missions=mailbox.missions, as_of_days=mailbox.as_of_days, hourly=mailbox.per_hour)


def poll_mailbox(intake: Intake, mapping: SourceMapping) -> IngestionReport:
    """Take in the next mails of a mailbox.

    What goes wrong is noted in the row of its cursor and stands in `IngestionReport.stopped`; the cursor then stays where it
    is. Raises TryAgain where the database cannot even note that.
    """
    assert mapping.mailbox is not None
    report, name = IngestionReport(), by_mailbox(mapping.name)
    position = intake.inbox.feed(name)
    cursor = position.cursor if position else ""
    try:
        mails, after = read_mailbox(mapping.mailbox, cursor, utc_now())
        for mail in mails:
            if ingest(intake, _raws(intake, mapping, mapping.mailbox, mail, report), report).stopped:
                break
    except MissionsError as error:
        report.stopped = str(error)
    if report.stopped:
        intake.inbox.feed_failed(name, report.stopped)
    else:
        intake.inbox.advance(name, cursor, after)
    return report


def _raws(
    intake: Intake, mapping: SourceMapping, mailbox: Mailbox, fetched: FetchedMail, report: IngestionReport
) -> Iterator[RawEvent]:
    """The events of a mail: its own, and one of each invoice with it. One that cannot be read is a dead letter."""
    name, bounds = by_mailbox(mapping.name), mailbox_bounds(mailbox)
    try:
        if not fetched.content:
            raise BadInput(f"the mail is of {fetched.size:,} bytes, more than any that is read; look at it in the mailbox")
        mail = read_mail(fetched.content)
    except BadInput as error:
        # of what nobody can read, its beginning
        beginning = fetched.content[:2_000].decode("utf-8", "replace")
        letter = json.dumps({"mail": fetched.uid, "bytes": fetched.size, "begins": beginning}, ensure_ascii=False)
        keep_dead_letter(intake, RawEvent(letter, name, bounds), str(error), report)
        return
    yield from (RawEvent(invoice, name, bounds) for invoice in mail.invoices)
    yield RawEvent(mail_text(mapping, mail), name, bounds)
