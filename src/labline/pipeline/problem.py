"""Finds a problem in the workspace."""

from __future__ import annotations

from pathlib import Path

from labline.config import Config
from labline.contract import CONTRACT_FILE, Problem, read_problem
from labline.errors import ContractError
from labline.model.registry import CHALLENGER, CHAMPION, Registry
from labline.pipeline.champion import contract_of


def open_problem(config: Config, name: str | None = None) -> Problem:
    """The contract of a problem, or of the configured one when none is named.

    Raises:
        ContractError: there is no such problem, or its contract does not hold.
    """
    name = name or config.settings.problem
    file = config.settings.problems / name / CONTRACT_FILE
    problem = read_problem(file)
    if problem.name != name:
        raise ContractError(
            f"the contract calls itself {problem.name!r}, its folder {name!r}", where=str(file), mend="use one name"
        )
    return problem


def find_contract(config: Config, which: str) -> Problem:
    """The contract of a problem in the workspace, of a file, or of a registered version.

    Args:
        config: where things are.
        which: a name, a path, or NAME@champion, NAME@challenger, NAME@VERSION.

    Raises:
        ContractError: there is none, or it does not hold.
        RegistryError: there is no such version, or MLflow is out of reach.
    """
    name, at, version = which.partition("@")
    if not at:
        is_path = which.endswith((".yaml", ".yml")) or Path(which).is_file()
        return read_problem(Path(which)) if is_path else open_problem(config, which)
    registry = Registry(config.storage, name)
    if version.isdecimal():
        found = registry.version(int(version))
    elif version in {CHAMPION, CHALLENGER}:
        found = registry.champion() if version == CHAMPION else registry.challenger()
    else:
        raise ContractError(
            f"there is no version {version!r}", where=which, mend=f"use {CHAMPION}, {CHALLENGER} or a number"
        )
    return contract_of(config, registry, found)
