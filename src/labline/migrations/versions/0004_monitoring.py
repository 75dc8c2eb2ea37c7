"""Labels, hourly tallies and outcomes, judgements, notices and retrainings."""
# pylint: disable=invalid-name  # files stand in the order they run in

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    _labels()
    op.create_table(
        "tallies",
        *_hourly(),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("tally", sa.LargeBinary(), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "tally_cursors",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
    )
    op.create_table("outcomes", *_hourly(), sa.Column("outcomes", sa.JSON(), nullable=False))
    _judged()
    op.create_table(
        "retrainings",
        *_entry(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
    )
    op.create_index("retrainings_by_problem", "retrainings", ["problem", "entry"])


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("prediction_id", sa.String(36), primary_key=True),
        sa.Column("label", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted", sa.JSON(), nullable=True),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=False),
    )
    pending = sa.text("pending")
    op.create_index(
        "labels_pending", "labels", ["problem", "received_at"], postgresql_where=pending, sqlite_where=pending
    )


def _judged() -> None:
    op.create_table(
        "judgements",
        *_entry(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("at", "since", "until")),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
    )
    op.create_index("judgements_by_problem", "judgements", ["problem", "entry"])
    op.create_table(
        "notices",
        *_entry(),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("notices_by_problem", "notices", ["problem", "entry"])


def _hourly() -> list[sa.Column[object]]:
    return [
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
    ]


def _entry() -> list[sa.Column[object]]:
    return [
        sa.Column("entry", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("problem", sa.String(64), nullable=False),
    ]
