"""A customer's message as an event: what somebody who is signed in writes to the company.

Nothing here asks a model or a system: the text is data, whatever stands in it.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime

from errors import BadInput
from ledger.permissions import require
from ledger.records import Event, Person
from nodes.pack import Pack

#: the event of a message, in whichever pack takes it
MESSAGE = "support.message"
#: characters of a message, and photos with it
LONGEST_MESSAGE = 4_000
MOST_PHOTOS = 20


def customer_message(packs: Mapping[str, Pack], writer: Person, text: str, photos: int, submission: str, at: datetime) -> Event:
    """The event of a message that `writer` sends.

    Args:
        packs: by mission; one of them takes `MESSAGE`.
        writer: a customer who is signed in, which verifies them as the sender.
        photos: how many the customer says that they have.
        submission: unique for what is sent once: a message that is sent twice is one event.
        at: now.

    Raises Refused to who is no customer, BadInput for a message that is empty or too long.
    """
    require(writer, "write_in")
    mission = next((name for name, pack in packs.items() if MESSAGE in pack.trigger.events), None)
    if mission is None:
        raise BadInput("Messages are not answered here: no Mission pack has the event support.message.")
    text = text.strip()
    if not any(_is_seen(character) for character in text):
        raise BadInput("Your message is empty. Write what happened.")
    if len(text) > LONGEST_MESSAGE:
        raise BadInput(f"Your message has {len(text):,} characters. Shorten it to {LONGEST_MESSAGE:,}.")
    if not 0 <= photos <= MOST_PHOTOS:
        raise BadInput(f"There can be between 0 and {MOST_PHOTOS} photos.")
    ticket = f"T-{submission[:10].upper()}"
    trigger = {
        "event": MESSAGE, "ticket_id": ticket, "customer_id": writer.customer_id,
        "text": text, "photos": photos, "sender_verified": True,
    }  # fmt: skip
    subject = packs[mission].trigger.events[MESSAGE].format_map(trigger)
    return Event(
        source_id=f"portal:{submission}", name=MESSAGE, mission=mission, subject=subject,
        trigger=trigger, as_of=at, requested_by=writer.name,
    )  # fmt: skip


def _is_seen(character: str) -> bool:
    """Neither a blank, a control or format character, nor half of one."""
    return unicodedata.category(character)[0] not in "ZC"
