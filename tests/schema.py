"""Write `ledger/schema.json`: `python -m tests.schema`, or `make schema`."""

import json

from sqlalchemy import create_engine

from ledger.connections import parse
from ledger.embedded import embedded_url
from ledger.migrate import migrate
from ledger.sql.guards import catalog
from ledger.tables import SCHEMA
from tests.conftest import _database, _server_folder


def written(url: str) -> str:
    """The file as it is to be for a database that was just migrated."""
    engine = create_engine(parse(url))
    with engine.connect() as tx:
        made = json.dumps(catalog(tx), indent=1, sort_keys=True, ensure_ascii=False)
    engine.dispose()
    return f"{made}\n"


if __name__ == "__main__":
    with _database(embedded_url(_server_folder())) as url:
        migrate(url)
        SCHEMA.write_text(written(url), encoding="utf-8")
