"""Labels: told once or ten times, early, late, out of order, wrong or of nothing; the numbers stay exact."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from pydantic import ValidationError
from sqlalchemy import select

from labline.config import Config
from labline.database import open_database
from labline.model.bundle import Bundle
from labline.monitoring.labels import Feedback, Told, feedback_type, keep
from labline.monitoring.outcome_hours import WAIT, count_labels, read_outcomes
from labline.monitoring.outcomes import figures_of, total_of
from labline.monitoring.prediction_log import Logged, new_prediction_id
from labline.monitoring.tables import LABELS
from tests.forked import FORKED
from tests.monitoring.traffic import NOON, Traffic

LATER = NOON + timedelta(days=2)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def traffic(request: pytest.FixtureRequest, config: Config, sample: dict[str, pd.DataFrame]) -> Traffic:
    if request.param == "sqlite":
        return Traffic.of(config, sample["train"])
    from labline.migrations import migrate

    url = str(request.getfixturevalue("postgres"))
    migrate(open_database(url))
    return Traffic.of(config, sample["train"], url)


def truths(traffic: Traffic, rows: Sequence[Logged]) -> list[str]:
    """Labels: every third answer was wrong."""
    classes = traffic.problem.classes
    return [
        classes[(classes.index(str(row.prediction)) + (index % 3 == 0)) % len(classes)]
        for index, row in enumerate(rows)
    ]


def counted(traffic: Traffic) -> dict[datetime, tuple[int, int]]:
    """Rows and right answers by hour."""
    count_labels(traffic.engine, traffic.problem, traffic.bundle.task, LATER)
    with traffic.engine.connect() as connection:
        hours = read_outcomes(connection, "obesity", traffic.served.version)
    right = {h: sum(n for k, n in o.cells.items() if len(set(k.split(","))) == 1) for h, o in hours.items()}
    return {hour: (found.rows, right[hour]) for hour, found in hours.items()}


def test_ten_times_out_of_order_for_unknown_ids_and_changed_minds_the_numbers_are_exact(traffic: Traffic) -> None:
    rows = traffic.log(traffic.rows(120))
    final = truths(traffic, rows)
    wrong_first = [Told(row.prediction_id, traffic.problem.classes[0], LATER) for row in rows]
    right_later = [Told(row.prediction_id, label, LATER + timedelta(1)) for row, label in zip(rows, final, strict=True)]
    strangers = [Told(new_prediction_id(), traffic.problem.classes[1], LATER) for _ in range(5)]
    deliveries = [wrong_first, right_later, strangers] * 10
    random.Random(1).shuffle(deliveries)
    for turn, delivery in enumerate([wrong_first, *deliveries]):  # the wrong ones are counted before they change
        mixed = random.Random(turn).sample(delivery, len(delivery))
        keep(traffic.engine, "obesity", mixed, LATER)
        if turn % 4 == 0:
            counted(traffic)
    assert counted(traffic) == {NOON: (60, 40), NOON + timedelta(hours=1): (60, 40)}
    assert counted(traffic) == {NOON: (60, 40), NOON + timedelta(hours=1): (60, 40)}
    with traffic.engine.connect() as connection:
        whole = total_of(read_outcomes(connection, "obesity", traffic.served.version).values())
    assert figures_of(traffic.problem, whole)["accuracy"].value == pytest.approx(80 / 120, abs=0)
    assert whole.delay_seconds == sum((LATER + timedelta(1) - row.at).total_seconds() for row in rows)


def test_the_answer_says_what_was_new_changed_repeated_and_unknown(traffic: Traffic) -> None:
    [row] = traffic.log(traffic.rows(1))
    one, other = traffic.problem.classes[:2]
    stranger = new_prediction_id()
    told = [Told(row.prediction_id, one, LATER), Told(stranger, one, LATER)]
    assert keep(traffic.engine, "obesity", told, LATER) == Feedback(kept=2, changed=0, repeated=0, unknown=[stranger])
    assert keep(traffic.engine, "obesity", told, LATER) == Feedback(kept=0, changed=0, repeated=2, unknown=[stranger])
    newer = [Told(row.prediction_id, other, LATER + timedelta(1))] * 3
    assert keep(traffic.engine, "obesity", newer, LATER) == Feedback(kept=0, changed=1, repeated=2, unknown=[])
    older = [Told(row.prediction_id, one, LATER - timedelta(1))]
    assert keep(traffic.engine, "obesity", older, LATER) == Feedback(kept=0, changed=0, repeated=1, unknown=[])


def test_a_label_that_comes_before_its_prediction_is_counted_when_that_is_there(traffic: Traffic) -> None:
    [row] = traffic.rows(1)
    keep(traffic.engine, "obesity", [Told(row.prediction_id, str(row.prediction), LATER)], LATER)
    assert counted(traffic) == {}
    traffic.log([row])
    assert counted(traffic) == {NOON: (1, 1)}


def test_a_label_whose_prediction_never_comes_is_forgotten(traffic: Traffic) -> None:
    [row] = traffic.log(traffic.rows(1))
    label = traffic.problem.classes[0]
    keep(
        traffic.engine, "obesity", [Told(new_prediction_id(), label, NOON), Told(row.prediction_id, label, NOON)], NOON
    )
    for days in (0, 1):
        count_labels(traffic.engine, traffic.problem, traffic.bundle.task, NOON + WAIT + timedelta(days))
        with traffic.engine.connect() as connection:
            left = connection.execute(select(LABELS.c.prediction_id)).scalars().all()
        assert len(left) == 2 - days
    assert left == [row.prediction_id]


def test_another_problems_ids_are_unknown(traffic: Traffic) -> None:
    [row] = traffic.log(traffic.rows(1))
    assert keep(traffic.engine, "mercari", [Told(row.prediction_id, 12.5, LATER)], LATER).unknown == [row.prediction_id]


def test_labels_are_checked_against_the_contract(traffic: Traffic) -> None:
    accepts = feedback_type(traffic.problem)
    good = {"prediction_id": "x", "label": traffic.problem.classes[0], "at": "2026-03-01T12:00:00Z"}
    [item] = accepts.validate_python([good])
    assert item.at == NOON
    for wrong in (
        good | {"label": "Thin"},
        good | {"label": None},
        good | {"at": "2026-03-01T12:00:00"},  # which noon?
        good | {"at": "2999-01-01T00:00:00Z"},
        good | {"prediction_id": "x" * 37},
        good | {"weight": 2},
        {"label": good["label"]},
    ):
        with pytest.raises(ValidationError):
            accepts.validate_python([good, wrong])
    with pytest.raises(ValidationError):
        accepts.validate_python([])


@pytest.mark.parametrize(
    ("task", "more", "good", "wrong"),
    [
        ("regression", {"value": {"minimum": 0}}, [0, 12.5], [-1, "12", None, float("nan"), True]),
        ("multilabel", {"classes": ("a", "b")}, [[], ["b", "a"]], [["c"], "a", [1]]),
    ],
)
def test_labels_of_every_task_are_checked(
    traffic: Traffic, task: str, more: dict[str, object], good: list[object], wrong: list[object]
) -> None:
    changed = {"task": task, "classes": (), "metric": "rmse" if task == "regression" else "jaccard", **more}
    problem = type(traffic.problem).model_validate(traffic.problem.model_dump() | changed)
    accepts = feedback_type(problem)
    for label in good:
        [item] = accepts.validate_python([{"prediction_id": "x", "label": label}])
        assert item.label == (sorted(label) if isinstance(label, list) else label)
    for label in wrong:
        with pytest.raises(ValidationError):
            accepts.validate_python([{"prediction_id": "x", "label": label}])


def _count_at(work: tuple[str, str]) -> int:
    url, folder = work
    from pathlib import Path

    bundle = Bundle.load(Path(folder))
    return sum(count_labels(open_database(url), bundle.problem, bundle.task, datetime.now(UTC)) for _ in range(20))


def test_more_labels_than_are_counted_at_once_are_all_counted_and_those_that_wait_are_passed_over(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labline.monitoring.outcome_hours.AT_ONCE", 7)
    rows = traffic.log(traffic.rows(30, minutes=0))
    labels = [Told(row.prediction_id, str(row.prediction), LATER) for row in rows]
    waiting = [Told(new_prediction_id(), traffic.problem.classes[0], LATER) for _ in range(20)]
    keep(traffic.engine, "obesity", waiting[:10], LATER)
    keep(traffic.engine, "obesity", labels + waiting[10:], LATER)
    assert counted(traffic) == {NOON: (30, 30)}


@pytest.mark.thorough
def test_processes_that_count_at_once_count_each_label_once(traffic: Traffic) -> None:
    rows = traffic.log(traffic.rows(600))
    url = traffic.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(3, FORKED) as pool:
        work = [pool.submit(_count_at, (url, str(traffic.served.folder))) for _ in range(3)]
        for start in range(0, 600, 20):
            labels = [Told(row.prediction_id, str(row.prediction), LATER) for row in rows[start : start + 20]]
            keep(traffic.engine, "obesity", labels, LATER)
        [one.result() for one in work]
    assert sum(found for found, _ in counted(traffic).values()) == 600
