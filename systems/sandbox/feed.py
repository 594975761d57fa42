"""The feed of the sandbox company: what happened there, in order, for whoever takes events in."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert as upsert

from errors import Refused
from systems.sandbox.journals import EVENTS
from systems.sandbox.shapes import clean


class Feed:
    """A read tool. It answers {"events": [...], "cursor": "..."}; the cursor is where to read on."""

    name = "list_events"
    says = "What happened after a cursor, oldest first, and the cursor to read on from; an empty cursor is the beginning."
    takes: Mapping[str, Any] = {
        "after": Annotated[str, Field(max_length=500)],
        "limit": Annotated[int, Field(ge=1, le=1000)],
    }

    def answer(self, engine: Engine, args: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, from one moment of the database."""
        after = str(args["after"])
        if after and not (after.isdecimal() and after.isascii() and len(after) < 19):
            raise Refused("There is no such cursor: give one that this feed answered, or an empty one.")
        found = select(EVENTS.c.number, EVENTS.c.event).where(EVENTS.c.number > int(after or 0))
        with engine.connect() as connection:
            rows = connection.execute(found.order_by(EVENTS.c.number).limit(args["limit"])).all()
        return {"events": [row.event for row in rows], "cursor": str(rows[-1].number) if rows else after}


def tell(connection: Connection, case_id: str, case: Mapping[str, Any]) -> None:
    """Put the event of a recorded exception on the feed, once. Whoever calls this is the only one who does meanwhile.

    Otherwise one event could be seen before another with a lower number, which would never be read.
    """
    event = {"source_id": case_id, **{name: case.get(name) for name in ("mission", "as_of", "trigger")}}
    row = {"source_id": case_id, "event": clean(event)}
    connection.execute(upsert(EVENTS).values(row).on_conflict_do_nothing(index_elements=["source_id"]))
