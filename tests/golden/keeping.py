"""Every row of a database into a file, and back: whatever columns a later release adds have their defaults."""

import gzip
import json
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from ledger.names import skeleton

#: procrastinate's tables are no part of it: jobs are made again from the ledger
_TABLES: LiteralString = """
SELECT schemaname, tablename FROM pg_tables
WHERE schemaname IN ('ledger', 'sandbox') AND tablename <> 'alembic_version'
OR schemaname = 'public' AND tablename IN ('checkpoints', 'checkpoint_blobs', 'checkpoint_writes')
ORDER BY 1, 2
"""
_NUMBERED: LiteralString = """
SELECT table_schema, table_name, column_name FROM information_schema.columns
WHERE is_identity = 'YES' AND table_schema IN ('ledger', 'sandbox')
"""
GOLDEN = Path(__file__).parent


def keep(url: str, file: Path) -> None:
    """Write the rows of every table into a file."""
    with psycopg.connect(url) as session:
        kept: dict[str, list[Any]] = {}
        for name in session.execute(_TABLES).fetchall():
            rows = session.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(*name))).fetchall()
            kept[".".join(name)] = [row for (row,) in rows]
    # without a moment in it: the same rows are the same file
    file.write_bytes(gzip.compress(json.dumps({name: rows for name, rows in kept.items() if rows}).encode(), mtime=0))


def put_back(url: str, file: Path) -> None:
    """Fill the tables of a migrated, empty database."""
    kept = json.loads(gzip.decompress(file.read_bytes()))
    with psycopg.connect(url) as session:
        session.execute("SET session_replication_role = replica")  # the order of the tables does not matter then
        for name, rows in kept.items():
            table = sql.Identifier(*name.split("."))
            for row in rows:
                if name == "ledger.people" and "skeleton" not in row:
                    row["skeleton"] = skeleton(row["name"])  # as the migration gives it
                columns = sql.SQL(", ").join(map(sql.Identifier, row))
                put = "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM jsonb_populate_record(NULL::{0}, %s)"
                session.execute(sql.SQL(put).format(table, columns), (Jsonb(row),))
        for schema, name, column in session.execute(_NUMBERED).fetchall():
            last = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), coalesce(max({}), 0) + 1, false) FROM {}")
            session.execute(last.format(sql.Identifier(column), sql.Identifier(schema, name)), (f"{schema}.{name}", column))
