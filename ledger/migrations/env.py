"""Run by Alembic, which is called by `ledger.migrate` with an open connection."""

from alembic import context


def run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        version_table_schema="ledger",
        include_schemas=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
