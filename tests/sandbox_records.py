"""What the sandbox company holds, e.g. to see that nothing changed."""

from sqlalchemy import select

from systems.sandbox.database import DEEDS, TABLES, Row, engine_of, find_records, json_value


def snapshot(url: str) -> dict[str, list[Row]]:
    """Every record by collection ("oms.orders"), and what was done ("deeds")."""
    with engine_of(url).connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        taken = {collection: find_records(connection, collection) for collection in TABLES}
        rows = connection.execute(select(DEEDS.c.collection, DEEDS.c.subject, DEEDS.c.body).order_by(DEEDS.c.seq))
        taken["deeds"] = [{name: json_value(value) for name, value in row.items()} for row in rows.mappings()]
        return taken
