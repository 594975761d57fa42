"""Run by Alembic, which is called by `ledger.migrate` with an open connection."""

from alembic import context

from ledger.tables import METADATA, SCHEMA


def run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        version_table_schema=SCHEMA,
        include_schemas=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
