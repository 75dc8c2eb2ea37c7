"""Tallies of days that are over, so that a long window is not read hour by hour."""
# pylint: disable=invalid-name  # files stand in the order they run in

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table, and what finds hours without reading their tallies; days are added up when rows are counted."""
    op.create_table(
        "day_tallies",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("day", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("tally", sa.LargeBinary(), nullable=False),
    )
    op.create_index("tallies_rows", "tallies", ["problem", "version", "hour", "rows"])
    stale = sa.text("stale")
    op.create_index("tallies_stale", "tallies", ["problem", "version"], sqlite_where=stale, postgresql_where=stale)
