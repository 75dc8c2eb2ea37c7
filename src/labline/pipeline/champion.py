"""The champion: asked of the registry, kept in a local cache, loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from labline.atomic import replacing
from labline.config import Config
from labline.contract import CONTRACT_FILE, Problem, read_problem
from labline.errors import BundleError
from labline.model.bundle import Bundle
from labline.model.registry import Registry, Version

POINTER = "champion.json"


@dataclass(frozen=True)
class Served:
    """Where a version's bundle is on this machine."""

    version: int
    folder: Path


def champion(config: Config, problem: str) -> Served:
    """The champion as the registry has it now, its bundle fetched into the cache.

    Raises:
        RegistryError: there is no champion, the registry is empty, or it is out of reach.
        BundleError: the bundle is not whole.
    """
    registry = Registry(config.storage, problem)
    return served_from(config, registry, registry.champion(), remember=True)


def served_from(config: Config, registry: Registry, version: Version, *, remember: bool = False) -> Served:
    """A version's bundle, fetched into the cache; `remember` makes it what a server starts with."""
    cache = config.settings.models / "cache"
    found = Served(version.number, registry.fetch(version, cache))
    if remember:
        pointer = cache / registry.problem / POINTER
        text = json.dumps({"version": found.version, "folder": found.folder.name})
        if not pointer.is_file() or pointer.read_text(encoding="utf-8") != text:
            with replacing(pointer) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
    return found


def served(config: Config, problem: str) -> Served | None:
    """The champion that this machine served last, without asking the registry; None when there was none."""
    pointer = config.settings.models / "cache" / problem / POINTER
    try:
        known = json.loads(pointer.read_text(encoding="utf-8"))
        found = Served(int(known["version"]), pointer.parent / str(known["folder"]))
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
