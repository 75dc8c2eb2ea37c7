"""API keys in the settings: hashes alone, from the environment, a secrets file or YAML."""

from __future__ import annotations

import json
import traceback
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labline.cli import app as cli
from labline.config import load
from labline.config.api_keys import digest_of, new_key, written
from labline.config.serving import Serving
from labline.errors import ConfigError
from labline.serving import refuse_open

VARIABLE = "LABLINE_SERVING__API_KEYS"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with nothing set."""
    (tmp_path / "labline.yaml").touch()
    return tmp_path


def test_keys_are_long_random_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {len("labline_") + 43}  # 256 bits in base64


def test_two_keys_stand_in_one_variable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = new_key(), new_key()
    lines = written(old, "old", ["predict"], date(2027, 1, 31)), written(new, "new", ["monitor", "predict"])
    monkeypatch.setenv(VARIABLE, " ".join(lines))
    first, second = load(root).serving.api_keys
    assert (first.name, first.digest, first.expires) == ("old", digest_of(old), date(2027, 1, 31))
    assert (second.may("predict"), second.may("monitor"), second.may("admin")) == (True, True, False)


def test_a_secrets_file_has_one_a_line(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [written(new_key(), name, ["predict"]) for name in ("one", "two")]
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "serving__api_keys").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("LABLINE_SECRETS_DIR", str(tmp_path / "secrets"))
    assert [key.name for key in load(root).serving.api_keys] == ["one", "two"]


@pytest.mark.parametrize("place", ["environment", "yaml"])
def test_a_key_in_plain_is_refused_and_not_repeated(root: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    key = new_key()
    if place == "environment":
        monkeypatch.setenv(VARIABLE, f"ci:predict:{key}")
    else:
        (root / "labline.yaml").write_text(f"serving: {{api_keys: ['{key}']}}")
    with pytest.raises(ConfigError, match="is the key itself") as caught:
        load(root)
    assert key[8:] not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ci", "is not NAME:SCOPES"),
        (f"ci:predict:md5:{'a' * 64}", "is not NAME:SCOPES"),
        (f"ci:predict,write:sha256:{'a' * 64}", "a scope that is none of predict, monitor, admin"),
        (f"ci:predict:sha256:{'a' * 63}", "64 hexadecimal digits"),
        (f"ci:predict:sha256:{'a' * 64}:soon", "ends on no day"),
        (f"ci:predict:sha256:{'a' * 64} ci:predict:sha256:{'b' * 64}", "the same name"),
        (f"a:predict:sha256:{'a' * 64} b:predict:sha256:{'a' * 64}", "the same hash"),
    ],
)
def test_what_is_no_line_of_a_key_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str) -> None:
    monkeypatch.setenv(VARIABLE, line)
    with pytest.raises(ConfigError, match=says) as caught:
        load(root)
    assert "aaaa" not in str(caught.value)


def test_the_settings_show_names_and_no_hash(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, written(new_key(), "ci", ["predict"]))
    config = load(root)
    digest = config.serving.api_keys[0].digest
    shown = str(config.explain()) + repr(config)
    assert "'ci'" in shown
    assert digest.hex() not in shown
    assert repr(digest) not in shown


def test_the_command_shows_the_key_once_and_the_line_that_lets_it_in(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = CliRunner().invoke(
        cli, ["key", "new", "--scope", "predict,monitor", "--name", "ci", "--days", "7", "--json"]
    )
    said = json.loads(made.stdout)
    monkeypatch.setenv(VARIABLE, said["line"])
    [key] = load(root).serving.api_keys
    assert (key.name, key.digest) == ("ci", digest_of(said["key"]))
    assert key.expires is not None
    assert said["key"] not in said["line"]


def serving(root: Path, **changed: object) -> Serving:
    return Serving.model_validate({**dict(load(root).serving), **changed})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_without_keys_a_server_is_not_opened_to_others(root: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="there are no API keys") as caught:
        refuse_open(serving(root, host=host))
    assert "LABLINE_SERVING__OPEN=true" in str(caught.value)
    refuse_open(serving(root, host=host, open=True))
    refuse_open(serving(root, host=host, api_keys=written(new_key(), "ci", ["predict"])))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.5"])
def test_on_this_machine_alone_it_needs_none(root: Path, host: str) -> None:
    refuse_open(serving(root, host=host))
