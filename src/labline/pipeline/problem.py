"""Finds a problem in the workspace."""

from __future__ import annotations

from labline.config import Config
from labline.contract import CONTRACT_FILE, Problem, read_problem
from labline.errors import ContractError


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
