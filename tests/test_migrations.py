"""Migrations: from nothing, from an earlier Labline's tables, from many processes at once; on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, Table, insert, inspect, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from labline import migrations, pipeline
from labline.cli import app
from labline.config import load
from labline.database import open_database
from labline.errors import ConfigError
from labline.migrations import REVISION, VERSION_TABLE, migrate
from labline.model.ledger import METADATA as LEDGER_TABLES
from labline.model.ledger import Entry, Ledger
from labline.monitoring.prediction_log import METADATA as LOG_TABLES
from labline.monitoring.prediction_log import Logged, PredictionLog, new_prediction_id
from labline.monitoring.tables import METADATA as MONITORING_TABLES
from tests.forked import FORKED

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/100%/labline.db"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(url: str) -> Engine:
    return open_database(url)


def revision(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one())


def set_revision(engine: Engine, number: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :number"), {"number": number})


def upgrade_to(connection: Connection, number: str) -> None:
    """The tables that an earlier Labline made."""
    config = AlembicConfig(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    command.upgrade(config, number)


def row() -> Logged:
    return Logged(new_prediction_id(), NOON, "obesity", 1, {"Age": 21.5}, ["a", "b"], {"a": 0.1 + 0.2})


def entry() -> Entry:
    return Entry(problem="obesity", action="promoted", version=1, other=None, reason="first", who="me", at=NOON)


def not_a_month(name: str | None, kind: str, _parents: object) -> bool:
    """All names but those of the log's parts on a server, and of what is unique there by another column besides."""
    return not (kind == "table" and str(name).startswith("predictions_")) and name != "predictions_once"


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "include_name": not_a_month}
        context = MigrationContext.configure(connection, opts=options)
        found = list(compare_metadata(context, [LOG_TABLES, LEDGER_TABLES, MONITORING_TABLES]))  # type: ignore[arg-type]
    # of a partitioned table an id is unique with its time, which Alembic does not know
    return [one for one in found if engine.dialect.name == "sqlite" or "add_constraint" not in str(one)]


def migrate_at(url: str) -> str | None:
    return migrate(open_database(url))


def connect_and_wait(url: str, others: Barrier) -> None:
    """All have loaded what they need, and are connected, when the first begins."""
    with open_database(url).connect() as connection:
        inspect(connection).get_table_names()
    others.wait()


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_current_head() == REVISION
    numbers = sorted(one.revision for one in script.walk_revisions())
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]  # `newer` compares them as text


def test_a_migrated_database_has_the_tables_that_the_code_describes(engine: Engine) -> None:
    assert migrate(engine) is None
    assert differences(engine) == []
    assert revision(engine) == REVISION
    assert migrate(engine) == REVISION  # once more changes nothing


def test_what_is_written_to_a_migrated_database_is_read_back(engine: Engine) -> None:
    migrate(engine)
    log, ledger, rows = PredictionLog(engine), Ledger(engine), [row(), row()]
    log.add(rows)
    log.try_writing()
    ledger.add(entry())
    assert log.last("obesity", 10) == rows
    assert ledger.entries("obesity") == [entry()]


def test_tables_of_an_earlier_labline_keep_their_rows(engine: Engine) -> None:
    kept = row()
    with engine.begin() as connection:
        upgrade_to(connection, "0001")
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))  # it was made before there were migrations
        table = Table("predictions", MetaData(), autoload_with=connection)
        known = {name: value for name, value in vars(kept).items() if name in table.columns}
        connection.execute(insert(LOG_TABLES.tables["predictions"]), known)
    assert migrate(engine) is None
    assert PredictionLog(engine).last("obesity", 10) == [kept]
    assert differences(engine) == []


def test_eight_processes_at_once_make_the_tables_once(url: str, engine: Engine) -> None:
    with ProcessPoolExecutor(8, FORKED, initializer=connect_and_wait, initargs=(url, FORKED.Barrier(8))) as pool:
        before = list(pool.map(migrate_at, [url] * 8))
    assert before.count(None) == 1
    assert before.count(REVISION) == 7
    assert differences(engine) == []


def test_a_migration_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:  # stands in the way of an index, after a table was made
        connection.execute(text("CREATE TABLE promotion_ledger (entry INTEGER)"))
    with pytest.raises(ConfigError, match="cannot be used"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["promotion_ledger"]


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    migrate(engine)
    set_revision(engine, "9999")
    for use in (migrate, PredictionLog, Ledger):
        with pytest.raises(ConfigError, match=r"newer Labline.*9999") as refused:
            use(engine)
        assert refused.value.mend == "use the newer Labline"
    assert revision(engine) == "9999"


def test_mlflows_own_revision_in_the_same_database_is_none_of_ours(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('1b5f0d9ad7c1')"))
    assert migrate(engine) is None
    assert revision(engine) == REVISION


def test_an_embedded_database_is_migrated_by_whoever_opens_it(tmp_path: Path) -> None:
    for name, opens in (("log", PredictionLog), ("ledger", Ledger)):
        engine = open_database(f"sqlite:///{tmp_path}/{name}.db")
        opens(engine)
        assert revision(engine) == REVISION


def test_an_up_to_date_database_is_opened_without_alembic(url: str, engine: Engine) -> None:
    migrate(engine)
    code = (
        "import sys; from labline.database import open_database; from labline.model.ledger import Ledger; "
        "Ledger(open_database(sys.argv[1])); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 0


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labline.db").write_text("a diary, " * 1000)
    with pytest.raises(ConfigError, match="file is not a database"):
        PredictionLog(open_database(f"sqlite:///{tmp_path}/labline.db"))


@pytest.mark.postgres
def test_a_server_is_migrated_only_by_the_command(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(postgres)
    for use in (PredictionLog, Ledger):
        with pytest.raises(ConfigError, match="not migrated yet") as refused:
            use(engine)
        assert refused.value.mend == "run labline migrate"
        assert engine.url.password not in str(refused.value)
        assert str(engine.url.host) in str(refused.value)
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", postgres)
    assert f"from nothing to revision {REVISION}" in CliRunner().invoke(app, "migrate", catch_exceptions=False).stdout
    assert f"up to date at revision {REVISION}" in CliRunner().invoke(app, "migrate", catch_exceptions=False).stdout
    Ledger(engine)
    set_revision(engine, "0000")
    with pytest.raises(ConfigError, match=f"at revision 0000, {REVISION} is needed"):
        Ledger(engine)


@pytest.mark.postgres
def test_up_migrates_a_server_although_this_machine_has_served_a_champion(
    trained: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", postgres)
    config = load(trained)
    pipeline.bring_up(config, pipeline.open_problem(config, "obesity"))
    assert revision(open_database(postgres)) == REVISION


@pytest.mark.parametrize("change", ["UPDATE promotion_ledger SET reason = 'nothing'", "DELETE FROM promotion_ledger"])
def test_the_database_refuses_to_change_or_delete_what_stands_in_the_ledger(engine: Engine, change: str) -> None:
    migrate(engine)
    ledger = Ledger(engine)
    ledger.add(entry())
    with pytest.raises(DBAPIError, match="the promotion ledger is append-only"), engine.begin() as connection:
        connection.execute(text(change))
    assert ledger.entries("obesity") == [entry()]
    ledger.add(entry())
    assert len(ledger.entries("obesity")) == 2


def test_a_ledger_of_the_revision_before_keeps_its_rows_and_is_closed(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade_to(connection, "0001")
        connection.execute(LEDGER_TABLES.tables["promotion_ledger"].insert(), [entry().model_dump()])
    assert migrate(engine) == "0001"
    assert Ledger(engine).entries("obesity") == [entry()]
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text("DELETE FROM promotion_ledger"))
