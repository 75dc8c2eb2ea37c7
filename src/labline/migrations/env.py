"""Run by Alembic: the migrations, inside the transaction that `migrate` has begun."""

from alembic import context

from labline.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
