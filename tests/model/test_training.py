"""Training: what it sees, what it compares, and that it ends when its time is over."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from labline import pipeline
from labline.config import Config, load
from labline.contract import Columns, Problem, read_problem
from labline.data import Split
from labline.data.holdout import hashes_of
from labline.data.sources.files import read_frame
from labline.errors import DataError
from labline.features import FEATURES_FILE, read_features
from labline.model.families.base import ROUNDS_MAX
from labline.model.search import Candidate, Clock, Fitted, Folds, Journal, Search, TrainingRows, Watcher
from labline.model.search.studies import Studies
from labline.model.tasks import Target, task_of
from labline.monitoring.profile import Profile
from labline.pipeline.data import columns_of, split_of
from labline.progress import silent
from labline.store import data_folder
from tests.conftest import ROOT

FOLDER = ROOT / "problems" / "obesity"


@pytest.fixture(scope="module")
def obesity() -> Problem:
    return read_problem(FOLDER / "problem.yaml")


def searching(config: Config, problem: Problem, frame: pd.DataFrame, folder: Path = FOLDER, **settings: Any) -> Fitted:
    """What a search in a journal of its own finds."""
    derived = read_features(folder / FEATURES_FILE, problem)
    task = task_of(problem)
    target: Target = task.encode(frame[problem.target])
    training = config.training.model_copy(update=settings)
    search = Search(
        problem,
        task,
        derived,
        TrainingRows.of(columns_of(problem, frame), target),
        training,
        clock=Clock.starting(training.budget_seconds),
        journal=Journal(config.settings.models / uuid.uuid4().hex),
        studies=lambda: Studies(config.storage.studies_url.get_secret_value()),
    )
    return search.run(Watcher(silent))


def scores(fitted: Fitted, problem: Problem, columns: Columns, folder: Path = FOLDER) -> np.ndarray:
    derived = read_features(folder / FEATURES_FILE, problem)
    return fitted.ensemble.predict(derived(columns))


def narrow(config: Config, **settings: object) -> Config:
    """The configuration with other settings of training."""
    return config.model_copy(update={"training": config.training.model_copy(update=settings)})


@pytest.mark.parametrize(
    ("family", "learned"),
    [
        ("lightgbm", "lightgbm.txt"),
        ("linear", "linear.npz"),
        pytest.param("xgboost", "xgboost.ubj", marks=pytest.mark.thorough),
    ],
)
def test_no_byte_of_encoder_or_member_depends_on_the_held_out_rows_targets(
    family: str, learned: str, workspace: Path, tmp_path: Path
) -> None:
    """Two workspaces whose rows differ in the hold-out's target alone: what was learned is the same, its worth not."""
    problem, frame = churn(workspace)
    config = narrow(load(workspace), budget_seconds=60, families=(family,))
    rows = split_of(config, problem, frame)
    altered = frame.copy()
    exchanged = _exchangeable(frame, problem, rows, config.training.seed)
    place = altered.columns.get_loc(problem.target)
    altered.iloc[exchanged, place] = np.where(frame.iloc[exchanged, place] == "yes", "no", "yes")
    assert split_of(config, problem, altered).holdout.tolist() == rows.holdout.tolist()

    made = []
    for name, content in (("first", frame), ("second", altered)):
        content.to_csv(tmp_path / f"{name}.csv", index=False)
        pipeline.prepare(config, problem, files={"train": str(tmp_path / f"{name}.csv")})
        made.append(pipeline.train(config, problem))
    first, second = made
    for file in ("members/0/encoder.json", "rule.json", f"members/0/{learned}"):
        assert (first.bundle.folder / file).read_bytes() == (second.bundle.folder / file).read_bytes()
    assert first.fitted.best.fold_metrics == second.fitted.best.fold_metrics
    assert second.evaluation.metrics["accuracy"] < first.evaluation.metrics["accuracy"] - 0.1


def churn(workspace: Path, rows: int = 500) -> tuple[Problem, pd.DataFrame]:
    """A small problem of two classes in the workspace, and its rows as Labline reads them."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"tenure": random.uniform(0, 72, rows), "spend": random.lognormal(3, 1, rows)})
    frame["churned"] = np.where(frame["tenure"] + random.normal(0, 10, rows) < 30, "yes", "no")
    folder = workspace / "problems" / "churn"
    folder.mkdir()
    frame.to_csv(folder / "train.csv", index=False)
    contract = {
        "name": "churn",
        "title": "Churn",
        "task": "binary",
        "target": "churned",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {"tenure": {"type": "number"}, "spend": {"type": "number"}},
    }
    (folder / "problem.yaml").write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    (folder / FEATURES_FILE).write_text("def rate(spend, tenure):\n    return spend / (1 + tenure)\n", encoding="utf-8")
    problem = read_problem(folder / "problem.yaml")
    return problem, read_frame(str(folder / "train.csv"), problem)


def _exchangeable(frame: pd.DataFrame, problem: Problem, rows: Split, seed: int) -> np.ndarray:
    """Held-out rows, as many of each class, that stay held out when their classes are exchanged.

    A class's hold-out are its rows of the smallest hashes; a row below the limit of both may change sides.
    """
    hashes, target = hashes_of(frame[sorted(problem.columns)], seed), frame[problem.target].to_numpy()
    safe = min(hashes[rows.train][target[rows.train] == name].min() for name in problem.classes)
    free = [rows.holdout[(target[rows.holdout] == name) & (hashes[rows.holdout] < safe)] for name in problem.classes]
    fewest = min(len(part) for part in free)
    assert fewest >= 10
    return np.concatenate([part[:fewest] for part in free])


def test_the_profile_is_of_the_training_rows_alone(config: Config, problem: Problem) -> None:
    from labline.data import Snapshots

    folder = pipeline.champion(config, problem.name).folder
    profile = Profile.model_validate_json((folder / "profile.json").read_bytes())
    snapshots = Snapshots(data_folder(config), problem)
    frame = snapshots.read("train", snapshots.need("train").sha256)
    rows = split_of(config, problem, frame)
    train = frame.iloc[rows.train]
    assert profile.rows == len(rows.train) == len(frame) - len(rows.holdout)
    assert profile.numbers["Age"].mean == pytest.approx(train["Age"].mean())
    assert profile.categories["CAEC"].counts == train["CAEC"].value_counts().to_dict()
    assert profile.prediction.rows == len(rows.holdout)


def test_the_same_seed_gives_the_same_scores_to_the_last_bit_and_another_seed_others(workspace: Path) -> None:
    problem, frame = churn(workspace)
    config, folder = load(workspace), workspace / "problems" / "churn"
    unhurried = {"budget_seconds": 300, "families": ("lightgbm",)}
    fitted = [searching(config, problem, frame, folder, seed=seed, **unhurried) for seed in (7, 7, 8)]
    first, second, other = (scores(one, problem, columns_of(problem, frame), folder).tobytes() for one in fitted)
    assert first == second
    assert first != other
    timeless = {"fit_seconds": 0, "predict_seconds": 0, "row_ms": 0}
    without_time = [[tried.model_copy(update=timeless) for tried in one.tried] for one in fitted[:2]]
    assert without_time[0] == without_time[1]


def test_the_budget_is_kept_and_what_was_reached_by_then_is_usable(
    workspace: Path, obesity: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    frame = pd.concat([sample["train"].head(400)] * 4)  # rows that repeat are learned by heart: no early stop
    started = time.monotonic()
    fitted = searching(load(workspace), obesity, frame, budget_seconds=3, families=("lightgbm",))
    assert time.monotonic() - started < 3 * 2 + 3  # the baselines come on top, and others share these cores
    assert 1 < fitted.best.rounds < ROUNDS_MAX
    by_name = {tried.family: tried for tried in fitted.tried}
    assert fitted.best.mean("accuracy") > by_name["majority"].mean("accuracy") + 0.2
    found = scores(fitted, obesity, columns_of(obesity, sample["current"]))
    assert np.allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == task_of(obesity).encode(sample["current"][obesity.target])).mean() > 0.5


def test_a_budget_that_is_spent_at_once_still_gives_a_member(
    workspace: Path, obesity: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    hasty: dict[str, Any] = {"budget_seconds": 1e-6, "families": ("lightgbm",)}
    fitted = searching(load(workspace), obesity, sample["train"].head(300), **hasty)
    assert fitted.ensemble.rounds >= 1
    found = scores(fitted, obesity, columns_of(obesity, sample["current"]))
    assert found.shape == (len(sample["current"]), 7)
    assert np.isfinite(found).all()


def test_baselines_and_every_feature_set_are_tried_on_the_same_folds_and_the_best_is_refitted(workspace: Path) -> None:
    problem, frame = churn(workspace)
    fitted = searching(load(workspace), problem, frame, workspace / "problems" / "churn", folds=3)
    by_loss = sorted(fitted.tried[2:4], key=lambda tried: tried.mean("log_loss"))
    ranked = [tried.family for tried in by_loss]  # the better family first
    assert [(tried.family, tried.feature_set) for tried in fitted.tried] == [
        ("majority", "raw"),
        ("tree", "raw"),
        ("linear", "raw"),
        ("lightgbm", "raw"),
        *((family, "raw+derived") for family in ranked),
    ]
    assert all(len(tried.fold_metrics) == 3 for tried in fitted.tried)
    families = [tried for tried in fitted.tried if tried.family in {"linear", "lightgbm"}]
    assert fitted.best.mean("accuracy") == max(tried.mean("accuracy") for tried in families)
    assert fitted.parameters["rounds"] == fitted.ensemble.rounds == fitted.best.rounds
    assert ("rate" in fitted.ensemble.reads) == (fitted.best.feature_set == "raw+derived")


def test_in_a_loss_the_smallest_is_the_best(workspace: Path) -> None:
    problem, frame = churn(workspace)
    by_loss = problem.model_copy(update={"metric": "log_loss"})
    fitted = searching(load(workspace), by_loss, frame, workspace / "problems" / "churn")
    losses = [tried.mean("log_loss") for tried in fitted.tried if tried.family in {"linear", "lightgbm"}]
    assert len(set(losses)) == 4
    assert fitted.best.mean("log_loss") == min(losses)


def test_without_a_features_file_only_the_raw_columns_are_tried(workspace: Path) -> None:
    problem, frame = churn(workspace)
    nowhere = workspace / "nothing"
    assert read_features(nowhere / FEATURES_FILE, problem).names == ()
    fitted = searching(load(workspace), problem, frame, nowhere)
    assert {tried.feature_set for tried in fitted.tried} == {"raw"}
    assert set(fitted.ensemble.reads) == set(problem.columns)


def test_a_class_with_fewer_rows_than_folds_does_not_stop_training(
    workspace: Path, obesity: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    frame = sample["train"].head(300)
    rare = frame[obesity.target] == "Obesity_Type_III"
    frame = pd.concat([frame[~rare], frame[rare].head(1)])
    fitted = searching(load(workspace), obesity, frame, folds=4, budget_seconds=1)
    assert scores(fitted, obesity, columns_of(obesity, frame)).shape == (len(frame), 7)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["no", "yes", "no", "yes", "no"], "5 to train on and 0 held out, 3 of class 'no', 2 of class 'yes'"),
        (["yes"] * 3 + ["no"] * 197, "170 to train on and 30 held out, 3 of class 'yes'"),
    ],
)
def test_too_few_rows_are_refused_before_training_and_counted(workspace: Path, labels: list[str], said: str) -> None:
    problem, frame = churn(workspace, len(labels))
    frame["churned"] = labels
    frame.to_csv(workspace / "problems" / "churn" / "train.csv", index=False)
    config = load(workspace)
    pipeline.prepare(config, problem)
    with pytest.raises(DataError, match=f"train.csv: too few rows: {said}"):
        pipeline.train(config, problem)


def test_a_target_of_one_class_is_refused_before_training_by_its_name(workspace: Path) -> None:
    problem, frame = churn(workspace, 100)
    frame.assign(churned="no").to_csv(workspace / "problems" / "churn" / "train.csv", index=False)
    config = load(workspace)
    pipeline.prepare(config, problem)
    with pytest.raises(DataError, match="churned: every row is of class 'no': there is nothing to tell apart"):
        pipeline.train(config, problem)


# Several labels, and rules for answers


def tagging(rows: int = 300, **parts: Any) -> tuple[Problem, pd.DataFrame]:
    """A small problem of three labels, one of them rare, that words tell."""
    random = np.random.default_rng(3)
    shares = {"common": 0.6, "usual": 0.3, "rare": 0.02}
    labels = [[name for name, share in shares.items() if random.random() < share] for _ in range(rows)]
    frame = pd.DataFrame(
        {
            "said": [" ".join([*names, *random.choice(["one", "two", "three"], 4)]) for names in labels],
            "tags": [",".join(names) or "[]" for names in labels],
        }
    )
    contract = {
        "name": "tagging",
        "title": "Tagging",
        "task": "multilabel",
        "target": "tags",
        "classes": list(shares),
        "metric": "f1_weighted",
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {"said": {"type": "text"}},
    }
    return Problem.model_validate(contract | parts), frame


def test_boosting_is_not_tried_where_the_budget_leaves_next_to_nothing_for_each_label(workspace: Path) -> None:
    problem, frame = tagging()
    hurried = searching(load(workspace), problem, frame, workspace, budget_seconds=2)
    assert [tried.family for tried in hurried.tried] == ["majority", "tree", "linear"]
    alone = searching(load(workspace), problem, frame, workspace, budget_seconds=2, families=("lightgbm",))
    assert [tried.family for tried in alone.tried] == ["majority", "tree", "lightgbm"]  # there must be one


def test_each_fold_is_measured_under_a_rule_that_was_learned_on_the_others() -> None:
    problem, frame = tagging()
    task = task_of(problem)
    rows = TrainingRows.of(columns_of(problem, frame), task.encode(frame[problem.target]))
    folds = Folds(problem, task, rows, (), folds=3, seed=7)
    targets = [rows.target[test] for _, test in folds.parts]
    # right in every fold, but on scales of its own: what serves two of the folds fails the third
    scores = [np.where(target == 1, low + 0.1, low) for target, low in zip(targets, (0.1, 0.4, 0.7), strict=True)]
    candidate = Candidate(family="any", feature_set="raw", columns=("said",))
    tried = folds.tried(candidate, folds.joined(scores), fit_seconds=0.0)
    assert max(fold["f1_weighted"] for fold in tried.fold_metrics) < 0.9
    for fold, (target, score) in enumerate(zip(targets, scores, strict=True)):
        own = task.ruled_by(task.learn_rule(target, score)).metric("f1_weighted", target, score)
        assert own > tried.fold_metrics[fold]["f1_weighted"]
    assert tried.rule == task.learn_rule(np.concatenate(targets), np.concatenate(scores))


def test_a_label_that_a_fold_lacks_does_not_stop_training(workspace: Path) -> None:
    problem, frame = tagging(60)
    frame["tags"] = frame["tags"].str.replace(",rare", "").replace("rare", "[]")
    frame.loc[0, "tags"] = "rare"
    fitted = searching(load(workspace), problem, frame, workspace, folds=4, budget_seconds=60)
    assert {tried.family for tried in fitted.tried} == {"majority", "tree", "linear", "lightgbm"}
    found = scores(fitted, problem, columns_of(problem, frame), workspace)
    assert found.shape == (60, 3)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_a_log_target_is_learned_on_its_scale_and_answered_in_its_unit(family: str, workspace: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.uniform(0, 8, 400)})
    frame["y"] = np.exp(frame["x"]) - 1 + random.uniform(0, 0.01, 400)  # a straight line on the log scale
    problem, _ = tagging(
        task="regression",
        target="y",
        classes=[],
        metric="rmsle",
        value={"minimum": 0, "log": True, "interval": 0.9},
        columns={"x": {"type": "number"}},
    )
    fitted = searching(load(workspace), problem, frame, workspace, families=(family,))
    assert fitted.best.mean("rmsle") < 0.25
    assert all(0.8 < fold["interval_coverage"] <= 1 for fold in fitted.best.fold_metrics)
    task = task_of(problem).ruled_by(fitted.rule)
    raw = scores(fitted, problem, columns_of(problem, frame), workspace)
    assert raw.max() < 10 < task.scores(raw).max()
    (answer,) = task.answers(task.scores(raw[:1]))
    assert answer.interval is not None
    assert answer.interval[0] < frame["y"][0] < answer.interval[1]


def test_the_contracts_own_rule_stands_among_the_baselines_and_gets_the_columns_as_they_are(workspace: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"shop": random.choice(["a", "b", "c"], 300), "size": random.integers(1, 4, 300) * 1.0})
    frame["y"] = frame["shop"].map({"a": 10.0, "b": 20.0, "c": 40.0}) * frame["size"]
    problem, _ = tagging(
        task="regression",
        target="y",
        classes=[],
        metric="mae",
        baseline_by=["shop", "size"],
        columns={"shop": {"type": "category"}, "size": {"type": "number"}},
    )
    fitted = searching(load(workspace), problem, frame, workspace)
    by_name = {tried.family: tried.mean("mae") for tried in fitted.tried}
    assert by_name["rule"] == 0  # it knows every shop and size
    assert fitted.baseline.name == "rule"
    found = fitted.baseline.scores(columns_of(problem, frame))
    assert found.tolist() == frame["y"].tolist()
