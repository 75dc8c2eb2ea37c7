"""The ledger's rows are added and never changed: the database itself refuses."""
# pylint: disable=invalid-name  # files stand in the order they run in

from alembic import op

revision = "0002"
down_revision = "0001"

SAID = "the promotion ledger is append-only"


def upgrade() -> None:
    """Make triggers that refuse to change, delete or empty."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER promotion_ledger_no_{event.lower()} BEFORE {event} ON promotion_ledger "
                f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
            )
    elif op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION promotion_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER promotion_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON promotion_ledger "
            "FOR EACH STATEMENT EXECUTE FUNCTION promotion_ledger_refuse()"
        )
