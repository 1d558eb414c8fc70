"""What Alembic runs: the steps, on the connection and in the transaction of whoever opens the ledger."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # on SQLite too: our transactions are begun by ourselves, not by its driver
    render_as_batch=True,
)
context.run_migrations()
