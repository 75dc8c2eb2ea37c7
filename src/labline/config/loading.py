"""Puts the configuration together: defaults beside the readers, `labline.yaml`, secrets files, environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NestedSecretsSettingsSource, SettingsError

from labline.config.kaggle import Kaggle
from labline.config.logging import Logging
from labline.config.monitoring import Monitoring
from labline.config.promotion import Promotion
from labline.config.section import HIDDEN, has_password, masked, printable
from labline.config.serving import Serving
from labline.config.settings import Settings
from labline.config.storage import Storage
from labline.config.training import Training
from labline.errors import ConfigError

WORKSPACE_FILE = "labline.yaml"
PREFIX = "LABLINE_"
FOLDERS = ("problems", "data", "models", "reports")
SECRET_NAMES = re.compile(r"secret|password|account_key|sas_token|connection_string", re.IGNORECASE)  # fsspec's


class Config(BaseModel):
    """All settings in force. Read once at the edge (CLI, API start, notebook) and passed in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings
    storage: Storage
    training: Training
    promotion: Promotion
    serving: Serving
    monitoring: Monitoring
    logging: Logging
    kaggle: Kaggle

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def knowing(self, origins: Mapping[str, str]) -> Config:
        """The same settings, which now know where each value came from."""
        self._origins.update(origins)
        return self

    def explain(self) -> list[Value]:
        """Every setting with its value, passwords masked, and where the value came from."""
        return [
            Value(key, str(value), self._origins.get(key, "derived"))
            for section in type(self).model_fields
            for key, value in _leaves({section: {name: printable(of) for name, of in getattr(self, section)}})
        ]


@dataclass(frozen=True)
class Value:
    """One setting in force: dotted key, printable value, origin."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True)
class _Layer:
    """One place settings come from; `origin` is a text in which {key} stands for the setting's own name there."""

    origin: str
    values: dict[str, Any]

    def name_of(self, key: str) -> str:
        """What a setting is called in this layer."""
        section, _, rest = key.partition(".")
        path = rest.replace(".", "__")
        file = f"{section}__{path}" if path else section
        return self.origin.format(section=section, env=f"{PREFIX}{file}".upper(), file=file)


def load(root: Path | None = None) -> Config:
    """The configuration in force for the workspace that holds the current folder, or for `root`.

    Later layers win: the package's defaults, the workspace's `labline.yaml`, files of the folder that
    `LABLINE_SECRETS_DIR` names, environment variables `LABLINE_SECTION__KEY`.

    Raises:
        ConfigError: no workspace here, an unknown key, a wrong value, or a password in a YAML file.
    """
    defaults = _Layer("{section}.yaml (default)", {name: deepcopy(_defaults(name)) for name in Config.model_fields})
    environment = _Layer("environment {env}", _environment())
    secrets = _Layer("secrets file {file}", _secrets())
    folder = root or _root(environment.values)
    workspace = _Layer(WORKSPACE_FILE, _read_yaml(folder / WORKSPACE_FILE))

    layers = [defaults, workspace, secrets, environment]
    for layer in (defaults, workspace):
        _refuse_passwords(layer)
    if "root" in workspace.values.get("settings", {}):
        raise ConfigError(
            "the workspace is where this file stands; it cannot name another",
            where=f"{WORKSPACE_FILE}: settings.root",
            mend="take it out, or set LABLINE_SETTINGS__ROOT",
        )
    origins = {key: layer.name_of(key) for layer in layers for key, _ in _leaves(layer.values)}
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.values)
    _place(merged, folder)
    if root is not None or not _named_root(environment.values):
        origins.pop("settings.root", None)  # given by the caller or found: what a layer says of it does not count
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise _config_error(error, origins) from None  # pydantic's own text repeats the values
    return config.knowing(origins)


def _place(merged: dict[str, Any], root: Path) -> None:
    """Make the folders absolute, and put them where storage addresses name them."""
    settings, storage = merged["settings"], merged["storage"]
    settings["root"] = root = root.resolve()
    for name in FOLDERS:
        settings[name] = root / str(settings[name])
    for name in ("root", *FOLDERS):
        for key, value in storage.items():
            if isinstance(value, str):
                storage[key] = value.replace("{" + name + "}", Path(settings[name]).as_posix())
    kept = storage["root"]
    if isinstance(kept, str):
        storage["root"] = kept if "://" in kept else (root / kept).as_posix()
    if storage["artifact_root"] is None:
        storage["artifact_root"] = f"{str(storage['root'] or settings['models'].as_posix()).rstrip('/')}/artifacts"


def _named_root(environment: Mapping[str, Any]) -> str | None:
    return environment.get("settings", {}).get("root")  # type: ignore[no-any-return]


def _root(environment: Mapping[str, Any]) -> Path:
    named = _named_root(environment)
    if named:
        root = Path(named).expanduser()
        if not root.is_dir():
            raise ConfigError(
                f"the workspace {str(root)!r} is not a folder",
                where="environment LABLINE_SETTINGS__ROOT",
                mend="name the folder that has problems/ in it",
            )
        return root
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / WORKSPACE_FILE).is_file() or any((folder / "problems").glob("*/problem.yaml")):
            return folder
    raise ConfigError(
        "no workspace: neither this folder nor one above it has problems/<name>/problem.yaml",
        where=str(here),
        mend="change into the workspace, or name it in LABLINE_SETTINGS__ROOT",
    )


@cache  # the same in every workspace, and slow to parse; not to be changed
def _defaults(section: str) -> dict[str, Any]:
    text = files("labline.config").joinpath(f"{section}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)  # type: ignore[no-any-return]


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
        list(_leaves({"": values}))  # has no end where sections are within themselves
    except RecursionError:
        raise ConfigError(
            "nested too deeply, or within itself", where=str(path), mend="sections with settings below them are wanted"
        ) from None
    except yaml.MarkedYAMLError as error:
        # Not chained, and not its whole text: both repeat the line, which may hold a password.
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"not YAML: {error.problem}", where=f"{path}:{line}", mend="correct the line") from None
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8", where=str(path), mend="save it as UTF-8") from None
    except (yaml.YAMLError, ValueError):  # a control character; a date that is none
        raise ConfigError("not YAML", where=str(path), mend="quote values that are no words or numbers") from None
    if not isinstance(values, dict) or not all(isinstance(part, dict) for part in values.values()):
        raise ConfigError(
            "sections with settings below them are wanted",
            where=str(path),
            mend="write serving: {port: 8001}",
        )
    return values


def _settings_class() -> type[BaseSettings]:
    """A settings class of the same sections, for the library's readers of environment and secrets files."""
    # Every section is optional here: a layer need not name it, and the whole is validated once, as Config.
    fields: dict[str, Any] = {name: (field.annotation, None) for name, field in Config.model_fields.items()}
    namespace = {"__annotations__": {name: kind for name, (kind, _) in fields.items()}} | dict.fromkeys(fields)
    return type("_ConfigSettings", (BaseSettings,), namespace | {"__module__": __name__})


def _environment() -> dict[str, Any]:
    for name in os.environ:
        section, delimiter, _ = name.upper().removeprefix(PREFIX).partition("__")
        if name.upper().startswith(PREFIX) and delimiter and section.lower() not in Config.model_fields:
            raise ConfigError(
                f"there is no section {section.lower()!r}",
                where=f"environment {name}",
                mend=f"use one of {', '.join(Config.model_fields)}",
            )
    source = EnvSettingsSource(
        # Compose hands over `${NAME:-}` as an empty text where NAME is not set
        _settings_class(),
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )
    return _sections(source, "environment")


def _secrets() -> dict[str, Any]:
    folder = os.environ.get("LABLINE_SECRETS_DIR")
    if not folder:
        return {}
    if not Path(folder).is_dir():
        raise ConfigError(
            f"{folder!r} is not a folder",
            where="environment LABLINE_SECRETS_DIR",
            mend="name a folder of files",
        )
    source = NestedSecretsSettingsSource(
        EnvSettingsSource(_settings_class()), secrets_dir=folder, secrets_nested_delimiter="__"
    )
    return _sections(source, "secrets file")


def _sections(source: EnvSettingsSource, place: str) -> dict[str, Any]:
    """What the library's reader finds, by section."""
    try:
        sections = {name: value for name, value in source().items() if value is not None}
    except SettingsError as error:
        text = getattr(error.__cause__, "doc", None)  # the JSON that does not parse; it may hold a password
        name = next((name for name, value in source.env_vars.items() if value == text), str(error))
        raise ConfigError(
            "not JSON", where=_spelled(place, name), mend='write a list as ["a", "b"], a mapping as {"key": "value"}'
        ) from None
    for name, value in sections.items():
        if not isinstance(value, Mapping):
            whole = f"{PREFIX}{name}" if place == "environment" else name
            raise ConfigError(
                "a section with settings in it is wanted", where=_spelled(place, whole), mend='write {"key": "value"}'
            )
    return sections


def _spelled(place: str, name: str) -> str:
    return f"{place} {name.upper() if place == 'environment' else name}"


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _refuse_passwords(layer: _Layer) -> None:
    for key, value in _leaves(layer.values):
        is_secret = bool(value) and SECRET_NAMES.search(key.rpartition(".")[2])
        if is_secret or (isinstance(value, str) and has_password(value)):
            raise ConfigError(
                f"a password stands in a file that git may track: {HIDDEN if is_secret else masked(value)}",
                where=f"{layer.name_of(key)}: {key}",
                mend=f"give it as environment {_Layer('{env}', {}).name_of(key)} or in LABLINE_SECRETS_DIR",
            )


def _config_error(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """The first thing wrong, in the words of the place it was written at; what may be secret is not repeated."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = _origin_of(key, origins)
    where = f"{origin}: {key}"
    if first["type"] == "extra_forbidden":
        section = Config.model_fields.get(str(first["loc"][0]))
        known = section.annotation.model_fields if section and section.annotation else Config.model_fields
        return ConfigError(f"unknown setting {key!r}", where=where, mend=f"use one of {', '.join(known)}")
    is_secret = key.startswith(("storage.", "serving.api_keys")) or origin.startswith("secrets")
    given = HIDDEN if is_secret else masked(str(first["input"]))
    said = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{given!r}: {said[0].lower()}{said[1:]}", where=where, mend="see `labline config`")


def _origin_of(key: str, origins: Mapping[str, str]) -> str:
    """Where something below the setting, or else it or the nearest thing above it, was written."""
    parts = key.split(".")
    below = (name for name in origins if name.startswith(f"{key}."))
    above = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((origins[name] for name in (*below, *above) if name in origins), "settings")
