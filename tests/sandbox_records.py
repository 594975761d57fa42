"""What the sandbox company holds, e.g. to see that nothing changed."""

from sqlalchemy import select

from systems.sandbox import journals
from systems.sandbox.database import engine_of, find
from systems.sandbox.shapes import COLLECTIONS, Row, told


def snapshot(url: str) -> dict[str, list[Row]]:
    """Every record by collection ("oms.orders"), and what was done ("deeds")."""
    with engine_of(url).connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        taken = {collection: find(connection, collection) for collection in COLLECTIONS}
        deeds = journals.DEEDS
        rows = connection.execute(select(deeds.c.collection, deeds.c.subject, deeds.c.body).order_by(deeds.c.seq))
        taken["deeds"] = [{name: told(value) for name, value in row.items()} for row in rows.mappings()]
        return taken
