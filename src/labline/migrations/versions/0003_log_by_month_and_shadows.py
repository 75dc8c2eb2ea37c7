"""The prediction log by month on PostgreSQL, with the caller's row id; what a challenger would have said."""
# pylint: disable=invalid-name  # files stand in the order they run in

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEPT = "sequence, prediction_id, at, problem, version, input, prediction, probabilities"


def upgrade() -> None:
    """Partition the log where the database can, and add what is new."""
    if op.get_bind().dialect.name == "postgresql":
        _partition()
    else:
        op.add_column("predictions", sa.Column("row_id", sa.String(1000), nullable=True))
    op.drop_index("predictions_by_problem", "predictions", if_exists=True)
    op.create_index("predictions_by_version", "predictions", ["problem", "version", "sequence"])
    op.create_index("predictions_by_time", "predictions", ["problem", "at"])
    named = sa.text("row_id IS NOT NULL")
    op.create_index(
        "predictions_by_row",
        "predictions",
        ["problem", "row_id"],
        sqlite_where=named,
        postgresql_where=named,
    )
    op.create_table(
        "shadows",
        sa.Column("prediction_id", sa.String(36), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("prediction", sa.JSON(), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
    )
    op.create_index("shadows_by_version", "shadows", ["problem", "version", "at"])


def _partition() -> None:
    """The same table, by the month of `at`; rows of months that have no partition of their own go to the last one."""
    op.execute("ALTER SEQUENCE predictions_sequence_seq OWNED BY NONE")
    op.execute("ALTER TABLE predictions RENAME TO predictions_whole")
    op.execute(
        "CREATE TABLE predictions ("
        "sequence BIGINT NOT NULL DEFAULT nextval('predictions_sequence_seq'), "
        "prediction_id VARCHAR(36) NOT NULL, at TIMESTAMPTZ NOT NULL, problem VARCHAR(64) NOT NULL, "
        "version INTEGER NOT NULL, input JSON NOT NULL, prediction JSON NOT NULL, probabilities JSON NOT NULL, "
        "row_id VARCHAR(1000), "
        # what a partitioned table keeps unique must have the partition in it
        "CONSTRAINT predictions_key PRIMARY KEY (sequence, at), "
        "CONSTRAINT predictions_once UNIQUE (prediction_id, at)"
        ") PARTITION BY RANGE (at)"
    )
    op.execute("ALTER SEQUENCE predictions_sequence_seq OWNED BY predictions.sequence")
    op.execute("CREATE TABLE predictions_other PARTITION OF predictions DEFAULT")
    op.execute(f"INSERT INTO predictions ({KEPT}) SELECT {KEPT} FROM predictions_whole ORDER BY sequence")  # noqa: S608
    op.execute("DROP TABLE predictions_whole")
