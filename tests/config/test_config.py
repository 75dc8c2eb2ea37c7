"""The configuration: layers and their order, origins, what is refused, passwords that never show, and the log."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from loguru import logger

from labline.config import Config, Value, load
from labline.config.logging import Logging, configure
from labline.errors import ConfigError

PASSWORD = "hunter-2-hunter"
DATABASE = f"postgresql+psycopg://ada:{PASSWORD}@db:5432/labline"
SHOWN = "postgresql+psycopg://ada:***@db:5432/labline"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with nothing set."""
    (tmp_path / "ws" / "problems" / "iris").mkdir(parents=True)
    (tmp_path / "ws" / "problems" / "iris" / "problem.yaml").touch()
    return tmp_path / "ws"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of secrets files."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("LABLINE_SECRETS_DIR", str(folder))
    return folder


def write(root: Path, text: str) -> None:
    (root / "labline.yaml").write_text(text, encoding="utf-8")


def explained(config: Config, key: str) -> Value:
    return next(value for value in config.explain() if value.key == key)


def refusal(root: Path) -> ConfigError:
    """The error of loading; it says what to do, and neither it nor its traceback shows the password."""
    with pytest.raises(ConfigError) as caught:
        load(root)
    error = caught.value
    assert error.where
    assert error.mend
    assert PASSWORD not in "".join(traceback.format_exception(error))
    return error


# Layers


def test_a_workspace_with_nothing_set_has_the_packages_defaults(root: Path) -> None:
    config = load(root)

    assert config.settings.problem == "obesity"
    assert config.serving.port == 8000
    assert explained(config, "serving.port") == Value("serving.port", "8000", "serving.yaml (default)")


def test_each_layer_wins_over_the_one_before(root: Path, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def port() -> tuple[int, str]:
        config = load(root)
        return config.serving.port, explained(config, "serving.port").origin

    assert port() == (8000, "serving.yaml (default)")
    write(root, "serving: {port: 8001}")
    assert port() == (8001, "labline.yaml")
    (secrets / "serving__port").write_text("8002\n")
    assert port() == (8002, "secrets file serving__port")
    monkeypatch.setenv("LABLINE_SERVING__PORT", "8003")
    assert port() == (8003, "environment LABLINE_SERVING__PORT")


def test_a_layer_changes_only_what_it_names(root: Path) -> None:
    before = load(root)
    write(root, "serving: {port: 8001}")
    after = load(root)

    assert after.serving == before.serving.model_copy(update={"port": 8001})
    assert after.training == before.training
    origins = {value.key: value.origin for value in after.explain()}
    assert [key for key, origin in origins.items() if origin == "labline.yaml"] == ["serving.port"]


def test_explain_names_every_setting_and_where_it_is_from(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_TRAINING", '{"folds": 3, "families": ["lightgbm"]}')
    config = load(root)
    origins = {value.key: value.origin for value in config.explain()}

    assert set(origins) == {
        f"{section}.{name}" for section in Config.model_fields for name in type(getattr(config, section)).model_fields
    }
    assert origins["training.folds"] == "environment LABLINE_TRAINING__FOLDS"
    assert origins["training.families"] == "environment LABLINE_TRAINING__FAMILIES"
    assert origins["settings.root"] == "derived"
    assert set(origins.values()) - {"derived"} == {
        "environment LABLINE_TRAINING__FOLDS",
        "environment LABLINE_TRAINING__FAMILIES",
        *(f"{section}.yaml (default)" for section in Config.model_fields),
    }


def test_a_name_in_small_letters_is_read_as_well(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("labline_serving__port", "8005")

    assert load(root).serving.port == 8005


def test_an_empty_variable_counts_as_not_set(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_SERVING__PORT", "")
    assert load(root).serving.port == 8000


def test_a_root_in_labline_yaml_is_refused_as_it_could_not_count(root: Path) -> None:
    write(root, "settings: {root: /elsewhere}")
    assert "settings.root" in str(refusal(root))


def test_a_config_cannot_be_changed_after_loading(root: Path) -> None:
    config = load(root)

    with pytest.raises(ValueError, match="frozen"):
        config.serving.port = 1


# Places


def test_the_root_is_found_from_a_folder_below_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = root / "notebooks" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert load().settings.root == root
    assert load().settings.problems == root / "problems"


def test_a_labline_yaml_alone_makes_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "serving: {port: 8001}")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert load().settings.root == tmp_path


def test_the_root_named_in_the_environment_goes_before_the_one_around(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(other))
    config = load()

    assert config.settings.root == other
    assert explained(config, "settings.root") == Value(
        "settings.root", str(other), "environment LABLINE_SETTINGS__ROOT"
    )


def test_where_there_is_no_workspace_the_error_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load()

    assert caught.value.where == str(tmp_path)
    assert "no workspace" in caught.value.what
    assert "LABLINE_SETTINGS__ROOT" in str(caught.value.mend)


def test_a_named_root_that_is_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError) as caught:
        load()

    assert caught.value.where == "environment LABLINE_SETTINGS__ROOT"
    assert str(tmp_path / "nowhere") in caught.value.what


def test_placeholders_in_addresses_become_the_folders_in_force(root: Path, tmp_path: Path) -> None:
    write(root, f"settings: {{models: {tmp_path / 'big-disk'}}}\nstorage: {{tracking_uri: 'sqlite:///{{data}}/m.db'}}")
    storage = load(root).storage

    assert storage.database_url.get_secret_value() == f"sqlite:///{tmp_path.as_posix()}/big-disk/labline.db"
    assert storage.artifact_root == f"{tmp_path.as_posix()}/big-disk/artifacts"
    assert storage.tracking_uri.get_secret_value() == f"sqlite:///{root.as_posix()}/data/m.db"


# What is refused


@pytest.mark.parametrize(
    ("written", "where", "what", "mend"),
    [
        ("serving: {prot: 1}", "labline.yaml: serving.prot", "unknown setting 'serving.prot'", "port"),
        ("servig: {port: 1}", "labline.yaml: servig", "unknown setting 'servig'", "serving"),
        ("serving: {port: many}", "labline.yaml: serving.port", "'many': input should be a valid integer", ""),
        ("serving: {port: 70000}", "labline.yaml: serving.port", "'70000': input should be less than", ""),
        ("training: {families: [forest]}", "labline.yaml: training.families.0", "'forest'", ""),
        ("- a list", "labline.yaml", "sections with settings below them", "serving: {port: 8001}"),
        ("serving: 8001", "labline.yaml", "sections with settings below them", "serving: {port: 8001}"),
        ("a: 1\nb: [", "labline.yaml:2", "not YAML", "correct the line"),
        ("settings: {problem: 2024-13-45}", "labline.yaml", "not YAML", "quote"),
        ("settings: " + "[" * 2000 + "]" * 2000, "labline.yaml", "nested too deeply", "sections"),
        ("settings: &all {problem: *all}", "labline.yaml", "within itself", "sections"),
        ("training: {families: &all [*all]}", "training.families.0", "input should be", ""),
        ("settings: {problem: '\x07'}", "labline.yaml", "not YAML", "quote"),
    ],
)
def test_what_is_wrong_in_labline_yaml_is_refused_with_place_and_mend(
    written: str, where: str, what: str, mend: str, root: Path
) -> None:
    write(root, written)
    error = refusal(root)

    assert str(error.where).endswith(where)
    assert what in error.what
    assert mend in str(error.mend)


def test_a_labline_yaml_that_is_not_utf8_is_refused(root: Path) -> None:
    (root / "labline.yaml").write_bytes("settings: {problem: é}".encode("latin-1"))

    assert "not UTF-8" in refusal(root).what


def test_a_byte_order_mark_in_labline_yaml_does_no_harm(root: Path) -> None:
    (root / "labline.yaml").write_bytes("serving: {port: 8001}".encode("utf-8-sig"))

    assert load(root).serving.port == 8001


@pytest.mark.parametrize(
    ("name", "value", "where", "what", "mend"),
    [
        ("LABLINE_SERVIG__PORT", "1", "", "no section 'servig'", "serving"),
        ("LABLINE_SERVING__PROT", "1", ": serving.prot", "unknown setting 'serving.prot'", "port"),
        ("LABLINE_SERVING__PORT", "many", ": serving.port", "'many': input should be a valid integer", ""),
        ("LABLINE_TRAINING__FAMILIES", "lightgbm", "", "not JSON", '["a", "b"]'),
        ("LABLINE_SERVING", "8001", "", "a section with settings in it", '{"key": "value"}'),
        ("LABLINE_SECRETS_DIR", "/no/such/folder", "", "'/no/such/folder' is not a folder", "folder of files"),
    ],
)
def test_what_is_wrong_in_the_environment_is_refused_with_the_variable_and_mend(
    name: str, value: str, where: str, what: str, mend: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    error = refusal(root)

    assert error.where == f"environment {name}{where}"
    assert what in error.what
    assert mend in str(error.mend)


def test_an_unknown_setting_among_the_secrets_files_is_refused_by_the_files_name(root: Path, secrets: Path) -> None:
    (secrets / "storage__databas_url").write_text(DATABASE)

    assert refusal(root).where == "secrets file storage__databas_url: storage.databas_url"


def test_files_among_the_secrets_that_are_not_lablines_are_let_be(root: Path, secrets: Path) -> None:
    (secrets / "other_app__password").write_text(PASSWORD)
    (secrets / "..data").mkdir()

    assert load(root) == load(root)


# Passwords


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (DATABASE, SHOWN),
        (f"postgresql://ada:p@{PASSWORD}@db/x", "postgresql://ada:***@db/x"),
        (f"postgresql://ada:p/{PASSWORD}@db:port/x", "postgresql://ada:***@db:port/x"),
        (f"redis://:{PASSWORD}@db/0", "redis://:***@db/0"),
        (f"postgresql://db/x?user=ada&password={PASSWORD}", "postgresql://db/x?user=ada&password=***"),
        (f"ada:{PASSWORD}@db/x", "***"),
        ("sqlite:////tmp/x@y.db", "sqlite:////tmp/x@y.db"),
        ("http://mlflow:5000", "http://mlflow:5000"),
    ],
)
def test_an_address_is_shown_without_its_password(
    address: str, shown: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", address)
    monkeypatch.setenv("LABLINE_STORAGE__ARTIFACT_ROOT", address)
    config = load(root)

    assert explained(config, "storage.database_url").value == shown
    assert explained(config, "storage.artifact_root").value == shown
    for text in (repr(config), str(config), repr(config.storage), str(config.storage.database_url)):
        assert PASSWORD not in text
        assert shown in text
    assert config.storage.database_url.get_secret_value() == address


def test_a_password_from_a_secrets_file_is_taken_and_not_shown(root: Path, secrets: Path) -> None:
    (secrets / "storage__database_url").write_text(f"{DATABASE}\n")
    config = load(root)

    assert config.storage.database_url.get_secret_value() == DATABASE
    assert explained(config, "storage.database_url") == Value(
        "storage.database_url", SHOWN, "secrets file storage__database_url"
    )
    assert PASSWORD not in repr(config)


def test_the_options_of_an_object_store_are_taken_and_not_shown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__OBJECT_STORE", json.dumps({"key": "ada", "secret": PASSWORD}))
    config = load(root)

    assert config.storage.object_store == {"key": "ada", "secret": PASSWORD}
    assert explained(config, "storage.object_store.secret").value == "***"
    assert PASSWORD not in repr(config)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"database_url": DATABASE}, "DATABASE_URL"),
        ({"tracking_uri": f"https://ada:{PASSWORD}@mlflow"}, "TRACKING_URI"),
        ({"database_url": f"postgresql://db/x?password={PASSWORD}"}, "DATABASE_URL"),
        ({"artifact_root": f"s3://ada:{PASSWORD}@bucket"}, "ARTIFACT_ROOT"),
        ({"object_store": {"secret": PASSWORD}}, "OBJECT_STORE__SECRET"),
        ({"object_store": {"client_kwargs": {"aws_secret_access_key": PASSWORD}}}, "OBJECT_STORE__CLIENT_KWARGS"),
    ],
)
def test_a_password_in_labline_yaml_is_refused_with_the_variable_to_give_it_in(
    settings: dict[str, object], key: str, root: Path
) -> None:
    write(root, yaml.safe_dump({"storage": settings}))
    error = refusal(root)

    assert str(error.where).startswith("labline.yaml: storage.")
    assert "a password stands in a file that git may track" in error.what
    assert f"LABLINE_STORAGE__{key}" in str(error.mend)
    assert "LABLINE_SECRETS_DIR" in str(error.mend)


@pytest.mark.parametrize(
    "written",
    [
        f"storage:\n  database_url: {DATABASE}: x\n",
        f"storage:\n  database_url: [{DATABASE}]\n",
        f"storage:\n  database_url: {DATABASE}\n  artifact_root: [\n",
        f"storage:\n  object_store: {DATABASE}\n",
    ],
)
def test_a_labline_yaml_that_cannot_be_read_is_refused_without_showing_what_is_in_it(written: str, root: Path) -> None:
    write(root, written)

    assert "labline.yaml" in str(refusal(root))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LABLINE_STORAGE", DATABASE),
        ("LABLINE_STORAGE", json.dumps([DATABASE])),
        ("LABLINE_STORAGE__DATABASE_URL__URL", DATABASE),
        ("LABLINE_STORAGE__OBJECT_STORE", json.dumps(PASSWORD)),
        ("LABLINE_STORAGE__OBJECT_STORE", f'{{"secret": "{PASSWORD}"'),
        ("LABLINE_KAGGLE__KEY", PASSWORD),
        ("LABLINE_SERVING__PORT", DATABASE),
    ],
)
def test_a_wrong_value_in_the_environment_is_refused_without_showing_a_password(
    name: str, value: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    assert str(refusal(root).where).startswith(f"environment {name}")


@pytest.mark.parametrize(("name", "value"), [("serving__port", PASSWORD), ("storage", f'{{"secret": "{PASSWORD}')])
def test_a_wrong_value_in_a_secrets_file_is_never_shown(name: str, value: str, root: Path, secrets: Path) -> None:
    (secrets / name).write_text(value)

    assert str(refusal(root).where).startswith(f"secrets file {name}")


# The log


@pytest.fixture
def own_log() -> Iterator[None]:
    """Logging as it was, when the test is over."""
    library = logging.getLogger()
    handlers, level = library.handlers[:], library.level
    yield
    logger.remove()
    logging.basicConfig(handlers=handlers, level=level, force=True)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_the_json_log_has_one_object_a_line(own_log: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Logging(level="INFO", format="json"))
    logger.debug("not wanted")
    logger.bind(rows=3).info("two\nlines, “ü”")
    logger.warning("{} of {}", 1, 2)

    first, second = lines(capsys)
    assert (first["level"], first["message"], first["rows"]) == ("INFO", "two\nlines, “ü”", 3)
    assert (second["level"], second["message"]) == ("WARNING", "1 of 2")
    assert first["at"] <= second["at"]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows cannot change the zone of a process")
def test_the_json_log_tells_the_time_in_utc_wherever_it_runs(
    own_log: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        configure(Logging(level="INFO", format="json"))
        logger.info("five and a half hours ahead")
    time.tzset()

    at = datetime.fromisoformat(lines(capsys)[0]["at"])
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)


def test_an_exception_stays_on_its_line_without_the_values_of_variables(
    own_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(Logging(level="INFO", format="json"))
    secret = PASSWORD
    try:
        raise ValueError("no good")
    except ValueError:
        logger.exception("failed")

    [line] = lines(capsys)
    assert "ValueError: no good" in line["exception"]
    assert secret not in json.dumps(line)


def test_the_log_for_people_shows_no_values_of_variables(own_log: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Logging(level="INFO", format="human"))

    def failing(secret: str) -> None:
        raise ValueError(f"{len(secret)} letters")

    try:
        failing(PASSWORD)
    except ValueError:
        logger.exception("failed")

    shown = capsys.readouterr().err
    assert "ValueError: 15 letters" in shown
    assert PASSWORD not in shown


def test_what_libraries_log_is_in_the_same_log(own_log: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Logging(level="INFO", format="auto"))  # standard error is no terminal here: JSON
    library = logging.getLogger("some.library")
    library.info("%d rows", 5)
    library.debug("not wanted")
    library.log(35, "a level of its own")
    logging.getLogger("mlflow.store").info("of no use to a user")
    logging.getLogger("mlflow.store").warning("of use")

    found = [(line["level"], line["message"]) for line in lines(capsys)]
    assert found == [("INFO", "5 rows"), ("Level 35", "a level of its own"), ("WARNING", "of use")]


def test_a_library_that_was_interrupted_need_not_say_so(own_log: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Logging(level="INFO", format="human"))
    for error in (KeyboardInterrupt(), ValueError("of use")):
        try:
            raise error
        except (KeyboardInterrupt, ValueError):
            logging.getLogger("some.pool").exception("a connection was given back unwillingly")
    logged = capsys.readouterr().err
    assert "KeyboardInterrupt" not in logged
    assert logged.count("given back unwillingly") == 1


def test_the_level_is_the_one_configured(own_log: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Logging(level="ERROR", format="human"))
    logger.warning("too low")
    logging.getLogger("some.library").warning("too low")
    logger.error("wanted")

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("wanted")
