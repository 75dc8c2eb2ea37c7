"""The families: what they learn, dense and sparse, and that a saved member gives the same bits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from labline.model.families import FAMILIES, Fit, LightGBM, Linear, XGBoost
from labline.model.families.lightgbm import LightGBMMember
from labline.model.families.linear import ROWS_MAX, LinearMember
from labline.model.families.outputs import TOGETHER_MAX, Sums, apply_link, through_links
from labline.model.families.walking import Trees
from labline.model.families.xgboost_trees import margins_of
from labline.model.tasks import Target, Task, task_of
from tests.model.test_tasks import BINARY, MULTICLASS, MULTILABEL, REGRESSION, problem

ROWS = 600
SIGNAL = np.random.default_rng(0).normal(size=(ROWS, 3))
TARGETS: dict[str, tuple[Task, Target]] = {
    "binary": (BINARY, (SIGNAL[:, 0] + SIGNAL[:, 1] > 0).astype(np.intp)),
    "multiclass": (MULTICLASS, SIGNAL.argmax(axis=1)),
    "multilabel": (MULTILABEL, (SIGNAL[:, :2] > 0.3).astype(np.int8)),
    "regression": (REGRESSION, SIGNAL @ [3.0, -2.0, 1.0] + 10),
}


def matrix(*, wide: bool) -> Any:
    """The signal among noise; as sparse rows it has 2,000 columns, of which most are empty."""
    random = np.random.default_rng(1)
    if not wide:
        return np.column_stack([SIGNAL, random.normal(size=(ROWS, 2))])
    noise = sparse.random_array((ROWS, 2000), density=0.002, rng=random)
    return sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(SIGNAL), noise]))


def fit(task: Task, rows: Any, target: Target, **more: Any) -> Fit:
    return Fit(task, rows, target, categorical=(), seed=7, **more)


@pytest.mark.parametrize("wide", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_learns_what_there_is_and_loads_as_it_was_saved(
    family: str, name: str, wide: bool, tmp_path: Path
) -> None:
    task, target = TARGETS[name]
    rows = matrix(wide=wide)
    member = FAMILIES[family].fit(fit(task, rows[:450], target[:450], rounds=200))
    member.save(tmp_path)
    loaded = FAMILIES[family].member.load(tmp_path)
    raw = member.predict(rows)

    assert loaded.predict(rows).tobytes() == raw.tobytes()
    assert (raw.dtype, loaded.rounds) == (np.float64, member.rounds)
    alone = np.concatenate([np.atleast_1d(member.predict(rows[at : at + 1])) for at in range(450, 480)])
    assert alone.tobytes() == raw[450:480].tobytes()  # a row gets the same bits alone and among others
    importances = member.importances()
    assert importances.shape == (rows.shape[1],)
    assert set(np.argsort(-importances)[:2]) <= {0, 1, 2}
    _see_that_it_learned(task, target[450:], task.scores(raw)[450:])


def _see_that_it_learned(task: Task, target: Target, scores: np.ndarray) -> None:
    assert np.isfinite(scores).all()
    if task is REGRESSION:
        assert task.metric("r2", target, scores) > 0.75
        return
    assert scores.shape == (len(target), len(task.classes))
    assert ((scores >= 0) & (scores <= 1)).all()
    if task is MULTILABEL:
        assert task.metric("f1_macro", target, scores) > 0.85
    else:
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        assert task.metric("accuracy", target, scores) > 0.75


# Linear


def test_linear_coefficients_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression, Ridge

    rows = matrix(wide=False)
    ridge = Linear().fit(fit(REGRESSION, rows, TARGETS["regression"][1]))
    theirs = Ridge(alpha=1.0).fit(rows, TARGETS["regression"][1])
    np.testing.assert_allclose(ridge.predict(rows), theirs.predict(rows), rtol=1e-5)
    for task, target in (TARGETS["binary"], TARGETS["multiclass"]):
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(rows, target)
        ours = task.scores(Linear().fit(fit(task, rows, target)).predict(rows))
        np.testing.assert_allclose(ours, model.predict_proba(rows), atol=1e-2)


def test_a_linear_file_is_no_pickle_and_is_read_without_scikit_learn(tmp_path: Path) -> None:
    task, target = TARGETS["multiclass"]
    member = Linear().fit(fit(task, matrix(wide=False), target))
    member.save(tmp_path)
    with np.load(tmp_path / "linear.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"coefficients", "intercepts", "link"}
        assert arrays["coefficients"].dtype == np.float32
        assert arrays["coefficients"].shape == (5, 3)
        assert arrays["link"].item() == "softmax"
    assert member.rounds == LinearMember.load(tmp_path).rounds == 0


@pytest.mark.parametrize("met", [(0, 1), (0, 2), (1, 2), (0,), (2,)])
@pytest.mark.parametrize("wide", [False, True], ids=["dense", "sparse"])
def test_a_class_that_no_row_has_never_wins_and_the_others_keep_their_places(met: tuple[int, ...], wide: bool) -> None:
    task, target = TARGETS["multiclass"]
    rows = matrix(wide=wide)
    kept = np.isin(target, met)
    scores = task.scores(Linear().fit(fit(task, rows[kept], target[kept])).predict(rows))

    assert scores.shape == (ROWS, 3)
    absent = [index for index in range(3) if index not in met]
    assert (scores[:, absent] < 0.01).all()
    assert (scores[kept].argmax(axis=1) == target[kept]).mean() > 0.9


@pytest.mark.parametrize("wide", [False, True], ids=["dense", "sparse"])
def test_of_many_classes_those_that_have_rows_keep_their_places_around_one_that_has_none(wide: bool) -> None:
    task = task_of(problem("multiclass", "a", "nobody", "b", "c"))
    target = np.array([0, 2, 3])[TARGETS["multiclass"][1]]
    rows = matrix(wide=wide)
    scores = task.scores(Linear().fit(fit(task, rows, target)).predict(rows))
    assert (scores[:, 1] < 1e-6).all()
    assert (scores.argmax(axis=1) == target).mean() > 0.9


@pytest.mark.parametrize("answer", [0, 1])
def test_of_two_classes_the_only_one_there_is_is_always_the_answer(answer: int) -> None:
    rows = matrix(wide=False)
    scores = BINARY.scores(Linear().fit(fit(BINARY, rows, np.full(ROWS, answer))).predict(rows))
    assert (scores.argmax(axis=1) == answer).all()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", [0, 1])
def test_a_label_that_no_row_has_or_every_row_has_is_never_or_always_given(family: str, share: int) -> None:
    target = TARGETS["multilabel"][1].copy()
    target[:, 1] = share
    rows = matrix(wide=False)
    scores = FAMILIES[family].fit(fit(MULTILABEL, rows, target, rounds=150)).predict(rows)
    np.testing.assert_allclose(scores[:, 1], share, atol=1e-3)
    assert ((scores[:, 0] > 0.5) == target[:, 0]).mean() > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_a_single_label_is_still_a_column(family: str) -> None:
    task = task_of(problem("multilabel", "only", metric="jaccard"))
    rows = matrix(wide=False)
    target = TARGETS["multilabel"][1][:, :1]
    member = FAMILIES[family].fit(fit(task, rows, target, rounds=20))
    assert task.scores(member.predict(rows)).shape == (ROWS, 1)
    assert task.scores(member.predict(rows[:1])).shape == (1, 1)


def test_of_very_many_rows_a_linear_model_draws_as_many_as_tell_it_something() -> None:
    rows = np.random.default_rng(0).normal(size=(ROWS_MAX + 5, 1))
    target = 2 * rows[:, 0] + 1
    member = Linear().fit(fit(REGRESSION, rows, target))
    assert member.predict(rows[:3]) == pytest.approx(target[:3], rel=1e-3)


# LightGBM


def test_there_is_a_booster_a_label_and_each_stops_where_its_own_label_is_best(tmp_path: Path) -> None:
    task, target = TARGETS["multilabel"]
    target = np.column_stack([target[:, 0], np.random.default_rng(3).integers(0, 2, ROWS)])  # the second is noise
    rows = matrix(wide=False)
    member = LightGBM().fit(fit(task, rows[:400], target[:400], validation=(rows[400:], target[400:])))
    first, second = (booster.current_iteration() for booster in member.boosters)
    assert first > 3 * second >= 1
    assert member.rounds == first
    member.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lightgbm-0000.txt", "lightgbm-0001.txt"]
    assert LightGBM.member.load(tmp_path).rounds == first


def test_each_booster_stops_by_the_rows_of_its_own_label() -> None:
    task, target = TARGETS["multilabel"]
    rows = matrix(wide=False)
    member = LightGBM().fit(fit(task, rows[:400], target[:400], validation=(rows[400:], target[400:])))
    assert all(booster.current_iteration() > 30 for booster in member.boosters)


def test_labels_share_the_time_to_the_deadline() -> None:
    task, target = TARGETS["multilabel"]
    rows = np.tile(matrix(wide=False), (20, 1))
    started = time.monotonic()
    member = LightGBM().fit(fit(task, rows, np.tile(target, (20, 1)), deadline=started + 0.5))
    assert time.monotonic() - started < 3
    first, second = (booster.current_iteration() for booster in member.boosters)
    assert min(first, second) >= 1
    assert second > first / 10


def test_boosting_hundreds_of_labels_in_seconds_is_not_tried() -> None:
    assert LightGBM().affordable(0.001, 1)
    assert LightGBM().affordable(60, 100)
    assert not LightGBM().affordable(10, 100)
    assert Linear().affordable(0.001, 100)


def with_gaps_and_codes() -> np.ndarray:
    rows = matrix(wide=False)
    rows[::9, 1] = np.nan
    rows[:, 4] = np.arange(ROWS) % 70  # a category's codes: of more names than a word of a bit set holds
    rows[::11, 4] = np.nan
    return rows


def read_back(member: LightGBMMember, folder: Path) -> LightGBMMember:
    member.save(folder)
    return LightGBMMember.load(folder)


@pytest.mark.parametrize("leaves", [6, 31, 50])
@pytest.mark.parametrize("name", TARGETS)
def test_what_was_read_back_gives_the_sums_of_lightgbm_to_the_last_bit_on_many_threads_at_a_time(
    name: str, leaves: int, tmp_path: Path
) -> None:
    task, target = TARGETS[name]
    rows = with_gaps_and_codes()
    member = LightGBM().fit(
        Fit(task, rows[:500], target[:500], categorical=(4,), seed=7, rounds=40,
            parameters={"num_leaves": leaves, "min_child_samples": 2})
    )  # fmt: skip
    asked = np.where(np.random.default_rng(3).random(rows.shape) < 0.1, np.nan, rows)  # also where none was in training
    asked[0, 4], asked[1, :3], asked[2, :3] = 1000, np.inf, -np.inf
    loaded = read_back(member, tmp_path)
    for booster, margins in zip(loaded.boosters, loaded._margins, strict=True):
        theirs = booster.predict(asked, raw_score=True, num_threads=1)
        assert margins is not None
        assert margins(asked).reshape(np.shape(theirs)).tobytes() == np.asarray(theirs).tobytes()
    wanted = member.predict(asked)
    with ThreadPoolExecutor(4) as threads:
        alone = list(threads.map(lambda at: loaded.predict(asked[at : at + 1]), range(ROWS)))
    assert np.concatenate(alone).tobytes() == wanted.tobytes() == loaded.predict(asked).tobytes()
    assert loaded.predict(np.asfortranarray(asked[:40])).tobytes() == wanted[:40].tobytes()
    theirs = np.column_stack([booster.predict(asked) for booster in member.boosters])
    np.testing.assert_allclose(wanted.reshape(theirs.shape), theirs, rtol=1e-13)


def test_what_was_read_back_answers_without_a_call_of_lightgbms_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, target = TARGETS["multiclass"]
    rows = matrix(wide=False)
    member = LightGBM().fit(fit(task, rows, target, rounds=20))
    wanted, loaded = member.predict(rows), read_back(member, tmp_path)
    monkeypatch.setattr(type(member.boosters[0]), "predict", None)
    assert loaded.predict(rows).tobytes() == wanted.tobytes()


def test_trees_too_large_for_tables_are_left_to_their_library(tmp_path: Path) -> None:
    task, target = TARGETS["regression"]
    rows = matrix(wide=False)
    large = {"num_leaves": 100, "min_child_samples": 2}
    boosted = LightGBM().fit(fit(task, rows, target, rounds=5, parameters=large))
    loaded = read_back(boosted, tmp_path)
    assert loaded._margins == (None,)
    assert loaded.predict(rows[:3]).tobytes() == boosted.predict(rows)[:3].tobytes()
    deep = XGBoost().fit(fit(task, rows, target, rounds=5, parameters={"max_depth": 9, "min_child_weight": 0.5}))
    assert deep.booster is not None
    assert isinstance(margins_of(deep.booster).trees, Trees)  # these are walked
    assert deep.predict(rows[:3]).tobytes() == deep.booster.inplace_predict(rows).astype(np.float64)[:3].tobytes()


# XGBoost


@pytest.mark.parametrize("name", TARGETS)
def test_few_rows_that_do_not_reach_xgboosts_library_get_its_sums_to_the_last_bit(name: str) -> None:
    task, target = TARGETS[name]
    rows = matrix(wide=False)
    rows[np.random.default_rng(4).random(rows.shape) < 0.2] = np.nan  # goes left at some nodes, right at others
    member = XGBoost().fit(fit(task, rows, target, rounds=60))
    assert member.booster is not None
    theirs = member.booster.inplace_predict(rows, predict_type="margin").reshape(ROWS, -1)
    assert margins_of(member.booster)(rows.astype(np.float32)).tobytes() == theirs.tobytes()
    among_others, alone = member.predict(rows), [member.predict(rows[at : at + 1]) for at in range(ROWS)]
    assert np.concatenate(alone).tobytes() == among_others.tobytes()
    raw = member.booster.inplace_predict(rows).reshape(among_others.shape)
    np.testing.assert_allclose(among_others, raw, rtol=1e-5, atol=1e-6)


def test_of_many_classes_too_a_row_gets_the_same_bits_from_xgboost_alone_among_few_and_among_many() -> None:
    task = task_of(problem("multiclass", *"abcdefghijkl"))
    rows = matrix(wide=False)
    target = np.digitize(SIGNAL[:, 0], np.quantile(SIGNAL[:, 0], np.linspace(0, 1, 13)[1:-1]))
    member = XGBoost().fit(fit(task, rows, target, rounds=10))
    every = member.predict(rows)
    for step in (1, 7):
        some = [member.predict(rows[at : at + step]) for at in range(0, 350, step)]
        assert np.concatenate(some).tobytes() == every[:350].tobytes()


def test_a_single_row_is_answered_without_a_call_of_xgboosts_library(monkeypatch: pytest.MonkeyPatch) -> None:
    task, target = TARGETS["multiclass"]
    rows = matrix(wide=False)
    member = XGBoost().fit(fit(task, rows, target, rounds=20))
    wanted = member.predict(rows)
    assert member.booster is not None
    monkeypatch.setattr(type(member.booster), "inplace_predict", None)
    assert member.predict(rows[3:4]).tobytes() == wanted[3:4].tobytes()


def test_what_many_rows_are_asked_of_reads_no_trees_for_few() -> None:
    task, target = TARGETS["multiclass"]
    rows = np.tile(matrix(wide=False), (4, 1))
    member = XGBoost().fit(fit(task, rows, np.tile(target, 4), rounds=60))  # a search asks for thousands of rows
    member.predict(rows)
    assert "_margins" not in vars(member)
    member.predict(rows[:1])
    assert "_margins" in vars(member)


@pytest.mark.parametrize("classes", [2, 7, 8, 9, 40])
@pytest.mark.parametrize("order", ["C", "F"])
def test_probabilities_of_a_row_have_the_same_bits_alone_and_among_others(classes: int, order: Any) -> None:
    sums = np.array(np.random.default_rng(3).normal(scale=5, size=(300, classes)), order=order)

    together = apply_link("softmax", sums)

    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-12)
    for row in range(0, 300, 7):
        assert apply_link("softmax", sums[row : row + 1]).tobytes() == together[row : row + 1].tobytes()


@pytest.mark.parametrize("rows", [1, 40, TOGETHER_MAX // 3])
def test_links_give_each_member_what_it_would_get_alone(rows: int) -> None:
    random = np.random.default_rng(5)
    some, others, narrow = (random.normal(size=(rows, width)) for width in (3, 3, 1))
    single = Sums("softmax", others.astype(np.float32))
    vector = Sums("sigmoid", narrow[:, 0])
    several = [Sums("softmax", some), Sums("identity", some), single, vector, Sums("softmax", others), vector]

    given = through_links(several)

    alone = [apply_link(link, values) for link, values in several]
    assert [(one.shape, one.dtype, one.tobytes()) for one in given] == [
        (one.shape, one.dtype, one.tobytes()) for one in alone
    ]
