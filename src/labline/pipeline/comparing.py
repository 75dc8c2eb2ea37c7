"""Compare a challenger with the champion on real requests: how often they agree and, with labels, who was better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, func, select

from labline.config import Config
from labline.contract import Problem
from labline.database import open_database, reaching
from labline.errors import DataError
from labline.migrations import need_tables
from labline.model.resampling import draws, interval
from labline.monitoring.prediction_log import PREDICTIONS, SHADOWS
from labline.monitoring.tables import LABELS

ROWS = 10_000
SEED = 7
PAIRS_MIN = 30  # labelled answers; an interval of fewer would say nothing


class Side(BaseModel):
    """One of both: how many of its answers have a label, and their mean loss; None where none has."""

    model_config = ConfigDict(frozen=True)

    version: int
    labelled: int
    loss: float | None


class Comparison(BaseModel):
    """How a challenger does beside the champion.

    Attributes:
        how: shadow: both answered the same requests; canary: each answered its own.
        rows: answers compared, of the challenger's.
        agreement: share of them that are the same, of values within 1 %; None for a canary.
        measure: of what the loss is the mean.
        champion, challenger: both sides.
        difference: the champion's loss minus the challenger's, above 0 where the challenger is better, with both ends
            of its 95 % bootstrap interval; None with fewer than `PAIRS_MIN` labels.
        verdict: in a sentence.
    """

    model_config = ConfigDict(frozen=True)

    how: Literal["shadow", "canary"]
    rows: int
    agreement: float | None
    measure: str
    champion: Side
    challenger: Side
    difference: tuple[float, float, float] | None
    verdict: str


def compare(config: Config, problem: Problem, *, challenger: int | None = None, rows: int = ROWS) -> Comparison:
    """The last answers of a challenger in shadow, or else as canary, beside the champion's.

    Args:
        config: where the log is.
        problem: the contract.
        challenger: its version; the one that last answered in a trial when None.
        rows: most answers that are looked at.

    Raises:
        DataError: no challenger has answered anything.
        DatabaseError: the database is away.
    """
    engine = open_database(config.storage.database_url.get_secret_value())
    need_tables(engine)
    with reaching(engine):
        version = challenger or _last_shadow(engine, problem.name)
        pairs = [] if version is None else _pairs(engine, problem.name, version, rows)
        if pairs and version is not None:
            return _of_shadow(problem, version, pairs)
        return _of_canary(engine, problem, challenger, rows)


def _last_shadow(engine: Engine, problem: str) -> int | None:
    query = select(SHADOWS.c.version).where(SHADOWS.c.problem == problem).order_by(SHADOWS.c.at.desc()).limit(1)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one_or_none()


def _pairs(engine: Engine, problem: str, version: int, rows: int) -> Sequence[Any]:
    """What was answered, by which version, what the challenger would have said, and the label or None."""
    told = PREDICTIONS.c.prediction_id == SHADOWS.c.prediction_id
    labelled = (LABELS.c.problem == SHADOWS.c.problem) & (LABELS.c.prediction_id == SHADOWS.c.prediction_id)
    query = (
        select(PREDICTIONS.c.version, PREDICTIONS.c.prediction, SHADOWS.c.prediction.label("other"), LABELS.c.label)
        .join(PREDICTIONS, told)
        .outerjoin(LABELS, labelled)
        .where(SHADOWS.c.problem == problem, SHADOWS.c.version == version)
        .order_by(SHADOWS.c.at.desc())
        .limit(rows)
    )
    with engine.connect() as connection:
        return connection.execute(query).all()


def _of_shadow(problem: Problem, version: int, pairs: Sequence[Any]) -> Comparison:
    same = [_alike(problem, row.prediction, row.other) for row in pairs]
    known = [row for row in pairs if row.label is not None]
    ours = np.array([_loss(problem, row.prediction, row.label) for row in known])
    theirs = np.array([_loss(problem, row.other, row.label) for row in known])
    difference = None
    if len(known) >= PAIRS_MIN:
        gains = ours - theirs
        drawn = np.concatenate([weights @ gains / len(gains) for weights in draws(len(gains), SEED)])
        found = interval(float(gains.mean()), drawn)
        difference = (found.value, found.low, found.high)
    return Comparison(
        how="shadow",
        rows=len(pairs),
        agreement=float(np.mean(same)),
        measure=MEASURES[problem.task],
        champion=_side(pairs[0].version, ours),
        challenger=_side(version, theirs),
        difference=difference,
        verdict=_verdict(difference, len(known)),
    )


def _of_canary(engine: Engine, problem: Problem, challenger: int | None, rows: int) -> Comparison:
    """The two versions that answered last, each on its own requests since the challenger began."""
    mine = PREDICTIONS.c.problem == problem.name
    with engine.connect() as connection:
        last = select(PREDICTIONS.c.version, func.min(PREDICTIONS.c.at).label("since"), func.count().label("answers"))
        versions = connection.execute(last.where(mine).group_by(PREDICTIONS.c.version)).all()
        known = {row.version: row for row in versions}
        version = max(known, default=0) if challenger is None else challenger
        others = [row for row in versions if row.version != version]
        if version not in known or not others:
            raise DataError(
                "no challenger has answered anything yet",
                where=problem.name,
                mend="set serving.challenger to shadow or canary, and send requests",
            )
        champion = max(others, key=lambda row: int(row.answers)).version
        sides = [_labelled(engine, problem, one, known[version].since, rows) for one in (champion, version)]
    ours, theirs = sides
    difference = None
    if min(len(ours), len(theirs)) >= PAIRS_MIN:
        drawn = [
            np.concatenate([w @ one / len(one) for w in draws(len(one), SEED + at)]) for at, one in enumerate(sides)
        ]
        found = interval(float(ours.mean() - theirs.mean()), drawn[0] - drawn[1])
        difference = (found.value, found.low, found.high)
    return Comparison(
        how="canary",
        rows=known[version].answers,
        agreement=None,
        measure=MEASURES[problem.task],
        champion=_side(champion, ours),
        challenger=_side(version, theirs),
        difference=difference,
        verdict=_verdict(difference, min(len(ours), len(theirs))),
    )


def _labelled(engine: Engine, problem: Problem, version: int, since: Any, rows: int) -> NDArray[np.float64]:
    """Losses of a version's labelled answers since a moment."""
    query = (
        select(PREDICTIONS.c.prediction, LABELS.c.label)
        .join(
            LABELS,
            (LABELS.c.problem == PREDICTIONS.c.problem) & (LABELS.c.prediction_id == PREDICTIONS.c.prediction_id),
        )
        .where(PREDICTIONS.c.problem == problem.name, PREDICTIONS.c.version == version, PREDICTIONS.c.at >= since)
        .order_by(PREDICTIONS.c.sequence.desc())
        .limit(rows)
    )
    with engine.connect() as connection:
        found = connection.execute(query).all()
    return np.array([_loss(problem, row.prediction, row.label) for row in found])


MEASURES = {
    "binary": "share of wrong answers",
    "multiclass": "share of wrong answers",
    "multilabel": "one minus the Jaccard index of the labels",
    "regression": "absolute error",
}


def _loss(problem: Problem, prediction: Any, label: Any) -> float:
    if problem.task == "regression":
        return abs(float(prediction) - float(label))
    if problem.task == "multilabel":
        said, true = set(prediction), set(label)
        return 1 - len(said & true) / len(said | true) if said | true else 0.0
    return float(prediction != label)


def _alike(problem: Problem, one: Any, other: Any) -> bool:
    if problem.task == "regression":
        return bool(np.isclose(one, other, rtol=0.01, atol=0))
    return set(one) == set(other) if problem.task == "multilabel" else bool(one == other)


def _side(version: int, losses: NDArray[np.float64]) -> Side:
    return Side(version=version, labelled=len(losses), loss=float(losses.mean()) if len(losses) else None)


def _verdict(difference: tuple[float, float, float] | None, labelled: int) -> str:
    if difference is None:
        return f"{labelled} labelled answers; {PAIRS_MIN} are needed to say who is better"
    _, low, high = difference
    if low > 0:
        return "the challenger is better"
    return "the champion is better" if high < 0 else "no difference beyond chance"
