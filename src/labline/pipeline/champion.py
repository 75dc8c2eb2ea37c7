"""The champion: asked of the registry, kept in a local cache, loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labline.atomic import replacing
from labline.config import Config
from labline.contract import CONTRACT_FILE, Problem, read_problem
from labline.errors import BundleError, LablineError
from labline.model.bundle import Bundle
from labline.model.registry import Registry, Version

Role = Literal["champion", "challenger", "next"]  # next: announced, so that all servers have it in memory in time


@dataclass(frozen=True)
class Served:
    """Where a version's bundle is on this machine."""

    version: int
    folder: Path


@dataclass(frozen=True)
class Asked:
    """What the registry says; `trouble` is why it names no champion, in a sentence."""

    champion: Served | None
    challenger: Served | None
    trouble: str | None


def champion(config: Config, problem: str) -> Served:
    """The champion as the registry has it now, its bundle fetched into the cache.

    Raises:
        RegistryError: there is no champion, the registry is empty, or it is out of reach.
        BundleError: the bundle is not whole.
    """
    registry = Registry(config.storage, problem)
    return served_from(config, registry, registry.champion(), remember=True)


def ask_registry(config: Config, problem: str) -> Asked:
    """Champion and challenger as the registry has them now, fetched into the cache; what is served is not changed."""
    registry = Registry(config.storage, problem)
    try:
        found = served_from(config, registry, registry.champion())
    except LablineError as error:
        return Asked(None, None, str(error))
    if config.serving.challenger == "off":
        return Asked(found, None, None)
    try:
        return Asked(found, served_from(config, registry, registry.challenger()), None)
    except LablineError:  # there need not be one
        return Asked(found, None, None)


def served_from(config: Config, registry: Registry, version: Version, *, remember: bool = False) -> Served:
    """A version's bundle, fetched into the cache; `remember` makes it what servers on this machine serve."""
    found = Served(version.number, registry.fetch(version, config.settings.models / "cache"))
    if remember:
        keep_served(config, registry.problem, found)
    return found


def pointer(config: Config, problem: str, role: Role = "champion") -> Path:
    """The file that says which bundle servers on this machine serve in a role."""
    return config.settings.models / "cache" / problem / f"{role}.json"


def keep_served(config: Config, problem: str, found: Served | None, role: Role = "champion") -> None:
    """Make it what servers on this machine serve, now and when they start; None: nothing in this role."""
    file = pointer(config, problem, role)
    if found is None:
        file.unlink(missing_ok=True)
        return
    text = json.dumps({"version": found.version, "folder": found.folder.name})
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def served(config: Config, problem: str, role: Role = "champion") -> Served | None:
    """What this machine serves, or served last, without asking the registry; None when there is nothing."""
    file = pointer(config, problem, role)
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        found = Served(int(known["version"]), file.parent / str(known["folder"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # nothing usable is remembered; the registry is asked instead
    return found if found.folder.is_dir() else None


def load_champion(config: Config, problem: str) -> tuple[int, Bundle]:
    """Number and bundle of the champion."""
    found = champion(config, problem)
    try:
        return found.version, Bundle.load(found.folder)
    except BundleError as error:
        raise BundleError(error.what, where=error.where, mend=f"remove that folder; {error.mend}") from error


def contract_of(config: Config, registry: Registry, version: Version) -> Problem:
    """The contract in a version's bundle."""
    return read_problem(served_from(config, registry, version).folder / CONTRACT_FILE)
