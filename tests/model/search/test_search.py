"""The search as a whole: its stages, its budget, and that it goes on where it was."""

from __future__ import annotations

import time

import numpy as np
import pytest
from loguru import logger

from labline.contract import Problem
from labline.model.families import FAMILIES
from labline.model.search import Journal, TrainingRows, Tried, Watcher
from labline.model.tasks import task_of
from labline.progress import silent
from tests.model.search.conftest import Searching, columns


def test_every_family_is_tried_and_what_is_chosen_leads_the_contenders(searching: Searching) -> None:
    fitted = searching(families=tuple(FAMILIES))
    by_family = {tried.family: tried for tried in fitted.tried}
    assert set(FAMILIES) <= set(by_family)
    best = max((tried for tried in fitted.tried if tried.stage == "defaults"), key=lambda tried: tried.mean("accuracy"))
    assert fitted.best.key == best.key
    assert all(tried.mean("accuracy") > by_family["majority"].mean("accuracy") + 0.2 for tried in fitted.tried[2:])
    assert fitted.ensemble.families == (best.family,)


def test_all_stages_follow_each_other_and_each_thing_tried_is_told_with_the_best_so_far(searching: Searching) -> None:
    told: list[tuple[Tried, Tried, float]] = []
    watcher = Watcher(silent, tried=lambda *what: told.append(what))
    fitted = searching(watcher=watcher, selection="sequential", trials=3, blend=True, families=("linear", "lightgbm"))
    stages = [tried.stage for tried, _, _ in told]
    order = ["baseline", "defaults", "selected", "tuned", "blend"]
    assert list(dict.fromkeys(stages))[:4] == order[:4]
    assert [tried for tried, _, _ in told] == list(fitted.tried)
    assert all(left <= 60 for _, _, left in told)
    means = [best.mean("accuracy") for _, best, _ in told if best.stage != "baseline"]
    assert means[-1] >= means[0]


def test_a_deadline_ends_the_search_with_what_there_is(searching: Searching) -> None:
    started = time.monotonic()
    fitted = searching(families=tuple(FAMILIES), selection="sequential", trials=None, blend=True, budget_seconds=6.0)
    assert time.monotonic() - started < 6 * 1.5  # a core that others use too makes the last fit longer
    assert fitted.best.mean("accuracy") > 0.7


def test_what_stands_in_the_journal_is_not_tried_again(searching: Searching) -> None:
    first = searching(families=("linear", "lightgbm", "xgboost"), trials=2)
    told: list[Tried] = []
    watcher = Watcher(silent, tried=lambda tried, _best, _left: told.append(tried))
    second = searching(families=("linear", "lightgbm", "xgboost"), trials=2, watcher=watcher)
    assert told == []
    assert second.best == first.best
    assert [tried.key for tried in second.tried] == [tried.key for tried in first.tried]


def test_an_interrupted_search_goes_on_where_it_was(searching: Searching) -> None:
    class Pulled(Exception):
        """The plug."""

    def pull(tried: Tried, _best: Tried, _left: float) -> None:
        if tried.stage == "tuned":
            raise Pulled

    with pytest.raises(Pulled):
        searching(trials=3, watcher=Watcher(silent, tried=pull))
    told: list[str] = []
    watcher = Watcher(silent, tried=lambda tried, _best, _left: told.append(tried.stage))
    fitted = searching(trials=3, watcher=watcher)
    assert "defaults" not in told
    assert any(tried.stage == "tuned" for tried in fitted.tried)


def test_the_same_seed_finds_the_same_to_the_last_bit(searching: Searching) -> None:
    first, second = (searching(folder, families=("lightgbm",), trials=4, seeds=2) for folder in ("one", "two"))
    assert [tried.key for tried in first.tried] == [tried.key for tried in second.tried]
    assert first.choice.raw.tobytes() == second.choice.raw.tobytes()


def test_seeds_are_members_with_equal_weights_that_differ(searching: Searching, problem: Problem) -> None:
    fitted = searching(families=("lightgbm",), seeds=3)
    assert [part.weight for part in fitted.ensemble.parts] == pytest.approx([1 / 3] * 3)
    assert len({part.seed for part in fitted.ensemble.parts}) == 3
    found, _ = columns(problem, 50, seed=9)
    alone = [part.member.predict(part.encoder.transform(found)) for part in fitted.ensemble.parts]
    assert not np.array_equal(alone[0], alone[1])
    np.testing.assert_allclose(fitted.ensemble.predict(found), np.mean(alone, axis=0), atol=1e-12)


def test_a_limit_on_latency_leaves_seeds_out_and_makes_no_blend(searching: Searching) -> None:
    fitted = searching(families=("linear", "lightgbm"), seeds=5, blend=True, latency_ms_max=1e-6)
    assert len(fitted.ensemble.parts) == 1
    assert "are allowed" in fitted.choice.said


def test_a_gpu_that_is_asked_for_and_not_there_is_not_needed(searching: Searching) -> None:
    if any(family.finds_gpu() for family in FAMILIES.values()):
        pytest.skip("there is a GPU here")
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING")
    try:
        fitted = searching(device="gpu", families=("xgboost", "catboost"))
    finally:
        logger.remove(sink)
    assert {"xgboost", "catboost"} <= {tried.family for tried in fitted.tried}
    assert sum("no GPU is found" in line for line in said) == 1


# Extra rows


def test_extra_rows_are_learned_from_by_their_weight_and_never_measured_on(
    searching: Searching, problem: Problem, rows: TrainingRows
) -> None:
    few, target = columns(problem, 60)
    own = TrainingRows.of(few, target)
    more, right = columns(problem, 600, seed=1)
    helped = searching("helped", over=own.with_extra(more, right, 1.0))
    alone = searching("alone", over=own)
    assert helped.choice.raw.shape == alone.choice.raw.shape == (60, 3)
    assert helped.best.mean("log_loss") < alone.best.mean("log_loss")
    wrong = (right + 1) % 3
    misled = searching("misled", over=own.with_extra(more, wrong, 1.0)).best.mean("log_loss")
    light = searching("light", over=own.with_extra(more, wrong, 0.01)).best.mean("log_loss")
    assert light < misled


# The journal


def test_a_journal_whose_last_entry_was_torn_is_read_without_it(searching: Searching, tmp_path) -> None:
    searching()
    folder = tmp_path / "journal"
    entries = sorted(folder.glob("tried-*.json"))
    entries[-1].write_text(entries[-1].read_text()[:50])
    assert len(Journal(folder).tried) == len(entries) - 1
    assert len(searching().tried) == len(entries)


def test_out_of_fold_predictions_are_kept_and_of_rows_the_fits_had_not_seen(
    searching: Searching, tmp_path, problem: Problem, rows: TrainingRows
) -> None:
    fitted = searching(families=("lightgbm",))
    raw = Journal(tmp_path / "journal").raw(fitted.best.key)
    task = task_of(problem)
    assert raw.shape == (400, 3)
    unseen = task.metric("accuracy", rows.target, task.scores(raw))
    seen = task.metric("accuracy", rows.target, task.scores(fitted.ensemble.predict(rows.columns)))
    assert unseen == pytest.approx(fitted.best.mean("accuracy"), abs=0.01)
    assert seen > unseen + 0.02
