"""Puts the configuration together: defaults beside the readers, `labline.yaml`, secrets files, environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NestedSecretsSettingsSource

from labline.config.kaggle import Kaggle
from labline.config.logging import Logging
from labline.config.monitoring import Monitoring
from labline.config.section import has_password, masked
from labline.config.serving import Serving
from labline.config.settings import Settings
from labline.config.storage import Storage
from labline.config.training import Training
from labline.errors import ConfigError

WORKSPACE_FILE = "labline.yaml"
PREFIX = "LABLINE_"
FOLDERS = ("problems", "data", "models", "reports")


class Config(BaseModel):
    """All settings in force. Read once at the edge (CLI, API start, notebook) and passed in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings
    storage: Storage
    training: Training
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
            for key, value in _leaves({section: dict(getattr(self, section))})
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
        return self.origin.format(section=section, env=f"{PREFIX}{section}__{path}".upper(), file=f"{section}__{path}")


def load(root: Path | None = None) -> Config:
    """The configuration in force for the workspace that holds the current folder, or for `root`.

    Later layers win: the package's defaults, the workspace's `labline.yaml`, files of the folder that
    `LABLINE_SECRETS_DIR` names, environment variables `LABLINE_SECTION__KEY`.

    Raises:
        ConfigError: no workspace here, an unknown key, a wrong value, or a password in a YAML file.
    """
    defaults = _Layer("{section}.yaml (default)", {name: _defaults(name) for name in Config.model_fields})
    environment = _Layer("environment {env}", _environment())
    secrets = _Layer("secrets file {file}", _secrets())
    root = root or _root(environment.values)
    workspace = _Layer(WORKSPACE_FILE, _read_yaml(root / WORKSPACE_FILE))

    layers = [defaults, workspace, secrets, environment]
    for layer in (defaults, workspace):
        _refuse_passwords(layer)
    origins = {key: layer.name_of(key) for layer in layers for key, _ in _leaves(layer.values)}
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.values)
    if isinstance(merged.get("settings"), dict) and isinstance(merged.get("storage"), dict):
        _place(merged, root)
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise _config_error(error, origins) from error
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


def _root(environment: Mapping[str, Any]) -> Path:
    named = environment.get("settings", {}).get("root")
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


def _defaults(section: str) -> dict[str, Any]:
    text = files("labline.config").joinpath(f"{section}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)  # type: ignore[no-any-return]


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", where=str(path), mend="correct the line it names") from error
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
    source = EnvSettingsSource(_settings_class(), env_prefix=PREFIX, env_nested_delimiter="__")
    return {name: value for name, value in source().items() if value is not None}


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
    return {name: value for name, value in source().items() if value is not None}


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
        if isinstance(value, str) and "://" in value and has_password(value):
            raise ConfigError(
                f"a password stands in a file that git may track: {masked(value)}",
                where=f"{layer.name_of(key)}: {key}",
                mend=f"give it as environment {_Layer('{env}', {}).name_of(key)} or in LABLINE_SECRETS_DIR",
            )


def _config_error(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """The first thing wrong, in the words of the place it was written at; values are never repeated for URLs."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    where = f"{origins.get(key, 'settings')}: {key}"
    if first["type"] == "extra_forbidden":
        section = Config.model_fields.get(str(first["loc"][0]))
        known = section.annotation.model_fields if section and section.annotation else Config.model_fields
        return ConfigError(f"unknown setting {key!r}", where=where, mend=f"use one of {', '.join(known)}")
    given = masked(str(first["input"])) if first["type"] != "missing" else "nothing"
    return ConfigError(f"{given!r}: {first['msg'].lower()}", where=where, mend="see `labline config`")
