"""Promote and roll back: the registry's alias changes, and the ledger says why."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from loguru import logger

from labline.config import Config
from labline.contract import Problem
from labline.contract.diff import compare
from labline.database import open_database
from labline.errors import ContractError, RegistryError
from labline.model.bundle import Bundle
from labline.model.evaluation import Judged
from labline.model.ledger import Action, Entry, Ledger
from labline.model.promotion import Decision, decide
from labline.model.registry import CHAMPION, Registry, Version
from labline.pipeline.champion import contract_of, served_from
from labline.pipeline.data import columns_of
from labline.pipeline.training import divided_frames, holdout_frame

if TYPE_CHECKING:
    import pandas as pd

ROWS_MIN = 30  # on fewer rows a comparison says nothing


@dataclass(frozen=True)
class Promotion:
    """What came of a promotion or rollback: the champion now, the one before, and why."""

    champion: Version
    previous: Version | None
    promoted: bool
    reason: str


def promote(
    config: Config,
    problem: Problem,
    *,
    number: int | None = None,
    force: bool = False,
    accept_breaking: bool = False,
) -> Promotion:
    """Compare a version with the champion on the same held-out rows, and promote it if it is better.

    Args:
        config: where things are.
        problem: the contract.
        number: the version; the challenger when none is given.
        force: promote whatever the comparison says; the reason is still written down.
        accept_breaking: promote although the version's contract breaks clients of the champion's.

    Raises:
        RegistryError: nothing to promote, or MLflow is out of reach.
        ContractError: the version's contract breaks clients, and that was not accepted.
        DataError: the rows to compare on are not in this workspace.
    """
    registry = Registry(config.storage, problem.name)
    ledger = Ledger(open_database(config.storage.database_url.get_secret_value()))
    candidate = registry.version(number) if number is not None else registry.challenger()
    champion = next((version for version in registry.versions() if CHAMPION in version.aliases), None)
    if champion is not None and champion.number == candidate.number:
        return Promotion(champion, champion, False, f"version {champion.number} is the champion already")
    if champion is not None and not accept_breaking:
        _refuse_breaking(config, registry, champion, candidate)
    decision = _compare(config, problem, registry, candidate, champion)
    if force and not decision.promote:
        decision = Decision(True, f"forced, although the {decision.reason}")
    winner = candidate if decision.promote or champion is None else champion
    other = champion if winner is candidate else candidate
    if winner is candidate:
        _crown(config, registry, candidate)
    _write(ledger, winner, other, "promoted" if winner is candidate else "kept", decision.reason)
    verdict = "promoted" if decision.promote else "refused"
    registry.annotate(candidate, {"labline.decision": verdict, "labline.reason": decision.reason})
    logger.info("{}: version {} is the champion; {}", problem.name, winner.number, decision.reason)
    return Promotion(registry.version(winner.number), champion, winner is candidate, decision.reason)


def rollback(config: Config, problem: Problem, reason: str = "asked for") -> Promotion:
    """Make the previous champion the champion again.

    Raises:
        RegistryError: there is no champion, or none before it.
    """
    registry = Registry(config.storage, problem.name)
    ledger = Ledger(open_database(config.storage.database_url.get_secret_value()))
    current = registry.champion()
    number = ledger.previous_champion(problem.name, current.number)
    if number is None:
        raise RegistryError(
            f"{problem.name!r} has had no champion before version {current.number}",
            where=registry.store.address,
            mend=f"see labline registry {problem.name}",
        )
    previous = registry.version(number)
    _crown(config, registry, previous)
    _write(ledger, previous, current, "rolled back", reason)
    logger.info("{}: rolled back from version {} to version {}", problem.name, current.number, previous.number)
    return Promotion(previous, current, True, reason)


def history(config: Config, problem: Problem) -> tuple[list[Version], list[Entry]]:
    """The problem's versions and its ledger, the newest first."""
    ledger = Ledger(open_database(config.storage.database_url.get_secret_value()))
    return Registry(config.storage, problem.name).versions(), ledger.entries(problem.name)


def _refuse_breaking(config: Config, registry: Registry, champion: Version, candidate: Version) -> None:
    """Requests that the champion takes must still be taken, and answers must mean the same."""
    old, new = (contract_of(config, registry, version) for version in (champion, candidate))
    breaking = [str(change) for change in compare(old, new) if change.breaking]
    if breaking:
        raise ContractError(
            f"the contract of version {candidate.number} breaks clients of version {champion.number}: "
            + "; ".join(breaking),
            where=registry.store.address,
            mend="tell the clients, then say --accept-breaking",
        )


def _compare(
    config: Config, problem: Problem, registry: Registry, candidate: Version, champion: Version | None
) -> Decision:
    if champion is None:
        return Decision(True, "there was no champion")
    ours, theirs = (Bundle.load(served_from(config, registry, version).folder) for version in (candidate, champion))
    if ours.digest == theirs.digest:
        return Decision(False, "challenger and champion are the same bundle")
    frame = holdout_frame(config, ours)
    unlike = _unlike(ours.problem, theirs.problem, frame)
    if not unlike:
        frame = _unseen(config, frame, theirs)
        if len(frame) < ROWS_MIN:
            unlike = f"the champion was trained on all but {len(frame)} of the rows the challenger has not seen"
    if unlike:
        return Decision(False, f"challenger and champion cannot be compared on the same rows: {unlike}")
    return decide(problem.metric, _judged(ours, frame), _judged(theirs, frame), config.training.seed)


def _unlike(ours: Problem, theirs: Problem, frame: pd.DataFrame) -> str:
    """Why two bundles' answers for the rows cannot be set beside each other; nothing when they can."""
    for key in ("task", "target"):
        if getattr(ours, key) != getattr(theirs, key):
            return f"{key} {getattr(ours, key)!r} against {getattr(theirs, key)!r}"
    if {*ours.classes} != {*theirs.classes}:
        return f"classes {', '.join(ours.classes)} against {', '.join(theirs.classes)}"
    absent = [name for name, column in theirs.columns.items() if name not in frame and column.missing == "refuse"]
    return f"the rows lack {', '.join(absent)}, which the champion reads" if absent else ""


def _unseen(config: Config, frame: pd.DataFrame, champion: Bundle) -> pd.DataFrame:
    """The rows that the champion was not trained on either: with another seed, share or data it may have been."""
    from labline.data.holdout import hashes_of

    trained, _ = divided_frames(config, champion)
    shared = [name for name in champion.problem.columns if name in frame]
    return frame[~np.isin(hashes_of(frame[shared]), hashes_of(trained[shared]))]


def _judged(bundle: Bundle, frame: pd.DataFrame) -> Judged:
    """What the bundle says of the rows, read by its own contract."""
    target = bundle.task.encode(frame[bundle.problem.target])
    return Judged(bundle.task, target, bundle.scores(columns_of(bundle.problem, frame)))


def _crown(config: Config, registry: Registry, version: Version) -> None:
    """Change the alias, once the bundle is known to load on this machine."""
    Bundle.load(served_from(config, registry, version).folder)
    registry.crown(version)
    served_from(config, registry, version, remember=True)


def _who() -> str:
    """The user's name; in a container the number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _write(ledger: Ledger, winner: Version, other: Version | None, action: Action, reason: str) -> None:
    ledger.add(
        Entry(
            problem=winner.problem,
            action=action,
            version=winner.number,
            other=other.number if other else None,
            reason=reason,
            who=_who(),
            at=datetime.now(UTC),
        )
    )
