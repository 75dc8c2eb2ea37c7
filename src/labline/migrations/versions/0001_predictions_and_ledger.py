"""The prediction log and the promotion ledger, where an earlier Labline has not made them without migrations."""
# pylint: disable=invalid-name  # files stand in the order they run in

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing."""
    op.create_table(
        "predictions",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("prediction_id", sa.String(36), nullable=False, unique=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("prediction", sa.JSON(), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("predictions_by_problem", "predictions", ["problem", "sequence"], if_not_exists=True)
    op.create_table(
        "promotion_ledger",
        sa.Column("entry", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("other", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_promotion_ledger_problem", "promotion_ledger", ["problem"], if_not_exists=True)
