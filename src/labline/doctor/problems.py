"""Checks of a problem: its contract, where its data may come from, its versions and its champion."""

from __future__ import annotations

from labline.config import Config
from labline.errors import RegistryError


def contract(config: Config, problem: str) -> str:
    """Whether contract and derived features hold."""
    from labline.features import FEATURES_FILE, read_features
    from labline.pipeline.problem import open_problem

    held = open_problem(config, problem)
    derived = read_features(config.settings.problems / problem / FEATURES_FILE, held)
    return f"{problem}: {len(held.columns)} columns, {len(derived.names)} derived features"


def kaggle(_config: Config, _problem: str) -> str:
    """Whether there are credentials; never what they are."""
    from labline.data.sources.kaggle import has_credentials

    return "credentials found" if has_credentials() else "no credentials: `auto` takes the generated sample"


def registry(config: Config, problem: str) -> str:
    """The problem's versions, and which of them hold an alias."""
    from labline.model.registry import CHALLENGER, CHAMPION, Registry

    versions = Registry(config.storage, problem)
    known = versions.versions()
    holders = {alias: one.number for one in known for alias in one.aliases}
    if CHAMPION not in holders:
        raise RegistryError(
            f"no champion yet among {len(known)} version{'s' * (len(known) != 1)} of {problem}",
            where=versions.store.address,
            mend=f"labline up {problem} --no-serve" + (f", or labline promote {problem}" if known else ""),
        )
    challenger = f"challenger {holders[CHALLENGER]}" if CHALLENGER in holders else "no challenger"
    return f"champion {holders[CHAMPION]}, {challenger}, {len(known)} version{'s' * (len(known) != 1)} of {problem}"


def champion(config: Config, problem: str) -> str:
    """Whether the champion can be fetched and loaded, and gives its golden answers."""
    from labline.pipeline.champion import load_champion

    number, bundle = load_champion(config, problem)
    made = f"{bundle.manifest.family}, trained on {bundle.manifest.data.kind} data"
    return f"version {number}, {made}, gives its golden answers"
