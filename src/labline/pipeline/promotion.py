"""Promote and roll back: the registry's alias changes, and the ledger says why."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from loguru import logger

from labline.config import Config
from labline.contract import Problem
from labline.contract.diff import compare as compare_contracts
from labline.database import open_database
from labline.errors import ContractError, RegistryError
from labline.model.bundle import Bundle
from labline.model.evaluation import Interval, Judged
from labline.model.latency import one_row_ms
from labline.model.ledger import Action, Entry, Ledger
from labline.model.promotion import BETWEEN, Check, Decision, bundle_mb, compare, costs
from labline.model.promotion_lock import promotion_lock
from labline.model.registry import CHAMPION, Registry, Version
from labline.model.segments import segments_of
from labline.pipeline.card import keep_card
from labline.pipeline.champion import contract_of, served_from
from labline.pipeline.data import columns_of
from labline.pipeline.divided import divided_frames, holdout_frame

if TYPE_CHECKING:
    import pandas as pd

    from labline.model.promotion_lock import Held

ROWS_MIN = 30  # on fewer rows a comparison says nothing
# What a version's tag says while the alias moves, and the entry that comes of it: where the entry was not written any
# more, the next command writes it.
UNDERWAY: dict[Action, str] = {"promoted": "promoting", "rolled back": "rolling back"}
TAG_MAX = 4900  # characters; MLflow's older databases take 5,000


@dataclass(frozen=True)
class Promotion:
    """What came of a promotion or rollback.

    Attributes:
        champion: who is champion now; None when the first version was refused.
        previous: the champion before.
        promoted: whether that changed.
        reasons: a sentence each.
        card: where the page of the new champion's model card is.
    """

    champion: Version | None
    previous: Version | None
    promoted: bool
    reasons: tuple[str, ...]
    card: str | None = None

    @property
    def reason(self) -> str:
        """All reasons on one line, as the ledger has them."""
        return BETWEEN.join(self.reasons)


def promote(
    config: Config,
    problem: Problem,
    *,
    number: int | None = None,
    force: bool = False,
    accept_breaking: bool = False,
) -> Promotion:
    """Compare a version with the champion on the same held-out rows, and promote it if nothing speaks against it.

    Of several at once each waits for the one before, and is compared with the champion that it left. What an
    interrupted one left unwritten is written first.

    Args:
        config: where things are, and the limits.
        problem: the contract.
        number: the version; the challenger when none is given.
        force: promote whatever the checks say; the reasons are still written down.
        accept_breaking: promote although the version's contract breaks clients of the champion's.

    Raises:
        RegistryError: nothing to promote; MLflow is out of reach; or, forced, another won meanwhile.
        ContractError: the version's contract breaks clients, and that was not accepted.
        DataError: the rows to compare on are not in this workspace.
    """
    registry = Registry(config.storage, problem.name)
    ledger = _ledger(config)
    wanted = registry.version(number) if number is not None else registry.challenger()
    known = _champion(registry)
    with promotion_lock(ledger.engine, problem.name) as held:
        champion = _champion(registry)
        _complete(registry, ledger, champion)
        candidate = registry.version(wanted.number)
        if champion is not None and champion.number == candidate.number:
            return Promotion(champion, champion, False, (f"version {champion.number} is the champion already",))
        if force:
            _need_same(registry, known, champion)
        if champion is not None and not accept_breaking:
            _refuse_breaking(config, registry, champion, candidate)
        decision = _decide(config, problem, registry, candidate, champion)
        if force and not decision.promote:
            decision = decision.forced()
        outcome = _carry_out(config, registry, ledger, held, decision, candidate, champion)
    if outcome.champion is None or not outcome.promoted:
        return outcome
    return replace(outcome, card=keep_card(config, registry, outcome.champion, ledger))


def rollback(config: Config, problem: Problem, reason: str = "asked for") -> Promotion:
    """Make the previous champion the champion again.

    Raises:
        RegistryError: there is no champion, or none before it, or another became champion meanwhile.
    """
    registry = Registry(config.storage, problem.name)
    ledger = _ledger(config)
    known = registry.champion()
    with promotion_lock(ledger.engine, problem.name) as held:
        current = registry.champion()
        _need_same(registry, known, current)
        _complete(registry, ledger, current)
        number = ledger.previous_champion(problem.name, current.number)
        if number is None:
            raise _nothing_before(registry, current)
        previous = registry.version(number)
        _crown(config, registry, ledger, held, previous, current, "rolled back", reason)
    logger.info("{}: rolled back from version {} to version {}", problem.name, current.number, previous.number)
    return Promotion(registry.version(previous.number), current, True, (reason,))


def history(config: Config, problem: Problem) -> tuple[list[Version], list[Entry]]:
    """The problem's versions and its ledger, the newest first."""
    return Registry(config.storage, problem.name).versions(), _ledger(config).entries(problem.name)


def holdout_figures(config: Config, problem: Problem) -> dict[str, Interval]:
    """The problem's metric on the hold-out, with its interval, by the id of the run it was measured in."""
    from labline.model.tracking import KIND, TRAINING

    registry = Registry(config.storage, problem.name)
    with registry.store.client() as client:
        experiment = client.get_experiment_by_name(problem.name)
        if experiment is None:
            return {}
        runs = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = '{TRAINING}'", max_results=1000)
    measured = {run.info.run_id: run.data.metrics for run in runs}
    return {
        run_id: Interval(figures[f"holdout_{problem.metric}"], figures["holdout_low"], figures["holdout_high"])
        for run_id, figures in measured.items()
        if {"holdout_low", "holdout_high"} <= figures.keys()
    }


def remark(config: Config, problem: Problem, versions: list[Version], entries: list[Entry]) -> str | None:
    """What a person should know of the registry as it stands: it is empty, has no champion, or the ledger lags."""
    registry = Registry(config.storage, problem.name)
    champion = next((version for version in versions if CHAMPION in version.aliases), None)
    if champion is None:
        return str(registry.nobody(CHAMPION, len(versions), mend=f"labline promote {problem.name}"))
    written = next((entry.version for entry in entries if entry.action != "refused"), None)
    if written == champion.number:
        return None
    return (
        f"The registry's champion is version {champion.number}, the ledger's {written or 'none'}: a promotion is going "
        "on, or was interrupted, or the alias was set by hand. The next labline promote or rollback writes it down."
    )


def _ledger(config: Config) -> Ledger:
    return Ledger(open_database(config.storage.database_url.get_secret_value()))


def _champion(registry: Registry) -> Version | None:
    return next((version for version in registry.versions() if CHAMPION in version.aliases), None)


def _need_same(registry: Registry, known: Version | None, champion: Version | None) -> None:
    """Refuse what was meant for another champion than the one there is by now."""
    before, now = (None if version is None else version.number for version in (known, champion))
    if before != now:
        raise RegistryError(
            f"another promotion or rollback was faster: the champion is {f'version {now}' if now else 'gone'}",
            where=registry.store.address,
            mend=f"see labline registry {registry.problem}, and say it again if it is still wanted",
        )


def _complete(registry: Registry, ledger: Ledger, champion: Version | None) -> None:
    """Write down a champion of which the ledger does not know: with its own reasons, if a promotion left them."""
    if champion is None:
        return
    tag = champion.tags.get("labline.decision")
    action = next((action for action, underway in UNDERWAY.items() if underway == tag), None)
    if ledger.champion(registry.problem) != champion.number:
        before = ledger.champion(registry.problem)
        said = "the registry names it, and the ledger did not: the alias was set by hand, or the ledger is another"
        if action is not None:
            said = f"{champion.tags.get('labline.reason', '')}{BETWEEN}written down later: the command was interrupted"
        ledger.add(
            Entry(
                problem=registry.problem,
                action=action or "found",
                version=champion.number,
                other=before,
                reason=said,
                who=champion.tags.get("labline.who", _who()) if action else _who(),
                at=datetime.now(UTC),
            )
        )
        logger.warning("{}: version {} was champion, and the ledger did not know", registry.problem, champion.number)
    if action is not None:
        registry.annotate(champion, {"labline.decision": action})


def _nothing_before(registry: Registry, current: Version) -> RegistryError:
    others = [str(version.number) for version in registry.versions() if version.number != current.number]
    name = registry.problem
    return RegistryError(
        f"{name!r} has had no champion before version {current.number}",
        where=registry.store.address,
        mend=(
            f"labline promote {name} --version N --force makes any of these champion: {', '.join(others)}"
            if others
            else f"labline train {name} makes another version"
        ),
    )


def _decide(
    config: Config, problem: Problem, registry: Registry, candidate: Version, champion: Version | None
) -> Decision:
    ours = Bundle.load(served_from(config, registry, candidate).folder)
    if champion is None:
        decision = Decision.by([Check(True, "there was no champion")])
    else:
        theirs = Bundle.load(served_from(config, registry, champion).folder)
        if ours.digest == theirs.digest:
            return Decision.by([Check(False, "challenger and champion are the same bundle")])
        decision = _compared(config, problem, ours, theirs)
    latency, size = one_row_ms(ours), bundle_mb(ours.folder)
    registry.annotate(candidate, {"labline.latency_ms": f"{latency:.3g}", "labline.bundle_mb": f"{size:.3g}"})
    return Decision.by([*decision.checks, *costs(latency, size, config.promotion)], decision.gap)


def _compared(config: Config, problem: Problem, ours: Bundle, theirs: Bundle) -> Decision:
    frame = holdout_frame(config, ours)
    unlike = _unlike(ours.problem, theirs.problem, frame)
    if not unlike:
        frame = _unseen(config, frame, theirs)
        if len(frame) < ROWS_MIN:
            unlike = f"the champion was trained on all but {len(frame)} of the rows the challenger has not seen"
    if unlike:
        said = f"challenger and champion cannot be compared on the same rows: {unlike}"
        return Decision.by([Check(False, said)])
    return compare(
        problem.metric,
        _judged(ours, frame),
        _judged(theirs, frame),
        segments_of(ours.problem, columns_of(ours.problem, frame)),
        config.training.seed,
        config.promotion,
    )


def _carry_out(
    config: Config,
    registry: Registry,
    ledger: Ledger,
    held: Held,
    decision: Decision,
    candidate: Version,
    champion: Version | None,
) -> Promotion:
    """Do what was decided, and write it down."""
    if decision.promote:
        _crown(config, registry, ledger, held, candidate, champion, "promoted", decision.reason)
        winner: Version | None = registry.version(candidate.number)
    else:
        now = datetime.now(UTC)
        registry.annotate(candidate, _tags("refused", decision.reason, now))
        winner = champion
        action: Action = "refused" if champion is None else "kept"
        _write(ledger, champion or candidate, candidate if champion else None, action, decision.reason, now)
    now_champion = "nobody" if winner is None else f"version {winner.number}"
    logger.info("{}: {} is the champion; {}", registry.problem, now_champion, decision.reason)
    return Promotion(winner, champion, decision.promote, decision.reasons)


def _refuse_breaking(config: Config, registry: Registry, champion: Version, candidate: Version) -> None:
    """Requests that the champion takes must still be taken, and answers must mean the same."""
    old, new = (contract_of(config, registry, version) for version in (champion, candidate))
    breaking = [str(change) for change in compare_contracts(old, new) if change.breaking]
    if breaking:
        raise ContractError(
            f"the contract of version {candidate.number} breaks clients of version {champion.number}: "
            + "; ".join(breaking),
            where=registry.store.address,
            mend="tell the clients, then say --accept-breaking",
        )


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


def _crown(
    config: Config,
    registry: Registry,
    ledger: Ledger,
    held: Held,
    version: Version,
    before: Version | None,
    action: Action,
    reason: str,
) -> None:
    """Change the alias, once the bundle is known to load on this machine, and write it down.

    The reasons are with the version before the alias moves, so that no interruption loses them.
    """
    Bundle.load(served_from(config, registry, version).folder)
    now = datetime.now(UTC)
    registry.annotate(version, _tags(UNDERWAY[action], reason, now))
    held.check()
    registry.crown(version)
    _write(ledger, version, before, action, reason, now)
    registry.annotate(version, {"labline.decision": action})
    served_from(config, registry, version, remember=True)


def _tags(decision: str, reason: str, at: datetime) -> dict[str, str]:
    said = reason if len(reason) <= TAG_MAX else f"{reason[:TAG_MAX]}…"
    return {
        "labline.decision": decision,
        "labline.reason": said,
        "labline.who": _who(),
        "labline.at": at.isoformat(timespec="seconds"),
    }


def _who() -> str:
    """The user's name; in a container the number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _write(ledger: Ledger, winner: Version, other: Version | None, action: Action, reason: str, at: datetime) -> None:
    ledger.add(
        Entry(
            problem=winner.problem,
            action=action,
            version=winner.number,
            other=other.number if other else None,
            reason=reason,
            who=_who(),
            at=at,
        )
    )
