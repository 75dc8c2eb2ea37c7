"""Problems that are not the shipped one: two classes, and a number, each taken the whole way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from labline import pipeline
from labline.config import Config, load
from labline.contract import Problem
from labline.data.sources.files import read_frame
from labline.database import open_database
from labline.model.bundle import Bundle
from labline.model.evaluation import Interval
from labline.monitoring.kinds import ReportKind, ReportResult
from labline.monitoring.prediction_log import Logged, PredictionLog, new_prediction_id
from labline.monitoring.windows import Wanted
from labline.pipeline.data import columns_of
from labline.pipeline.training import Trained
from tests.conftest import take_store

CONTRACTS = {
    "churn": {"task": "binary", "target": "left", "classes": ["no", "yes"], "metric": "roc_auc"},
    "amount": {"task": "regression", "target": "amount", "metric": "rmse"},
}
COLUMNS = {
    "tenure": {"type": "integer", "minimum": 0, "maximum": 72, "unit": "months"},
    "spend": {"type": "number", "minimum": 0, "maximum": 200, "out_of_range": "clip"},
    "renews": {"type": "boolean", "missing": "allow"},
    "plan": {"type": "category", "values": ["basic", "plus", "pro"], "unknown": "missing", "missing": "allow"},
    "calls": {"type": "integer", "minimum": 0, "maximum": 6, "out_of_range": "missing", "missing": "allow"},
}


def rows(number: int, seed: int) -> pd.DataFrame:
    """Customers, both targets among the columns, and holes in three of the others."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "row": np.arange(number) + 1000,
            "tenure": random.integers(0, 73, number),
            "spend": random.lognormal(3.4, 0.7, number).round(2),
            "renews": random.random(number) < 0.4,
            "plan": random.choice(["basic", "plus", "pro"], number),
            "calls": random.poisson(2, number).astype(float),
        }
    )
    risk = (
        0.06 * (36 - frame["tenure"])
        + 0.02 * frame["spend"].clip(upper=200)
        - frame["renews"]
        + 0.5 * frame["calls"]
        + (frame["plan"] == "basic")
    )
    frame["amount"] = (100 + 30 * risk + random.normal(0, 8, number)).round(3)
    frame["left"] = np.where(risk + random.normal(0, 0.6, number) > 1.5, "yes", "no")
    for name in ("renews", "plan", "calls"):
        frame[name] = frame[name].astype(object).where(random.random(number) > 0.1, None)
    return frame


@dataclass(frozen=True)
class Way:
    """A workspace in which a problem was taken the whole way to a champion."""

    config: Config
    problem: Problem
    trained: Trained
    promotion: pipeline.Promotion
    checked: list[pipeline.Checked]

    @property
    def folder(self) -> Path:
        return self.config.settings.problems / self.problem.name

    @property
    def served(self) -> pipeline.Served:
        found = pipeline.served(self.config, self.problem.name)
        assert found is not None
        return found

    @property
    def bundle(self) -> Bundle:
        return Bundle.load(self.served.folder)

    @property
    def current(self) -> pd.DataFrame:
        return read_frame(str(self.folder / "current.csv"), self.problem)


@pytest.fixture(scope="module", params=list(CONTRACTS))
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Way:
    name: str = request.param
    root = take_store(tmp_path_factory.mktemp(name), empty_store)
    folder = root / "problems" / name
    folder.mkdir(parents=True)
    unused = {"churn": "amount", "amount": "left"}[name]
    rows(700, 1).drop(columns=unused).to_csv(folder / "train.csv", index=False)
    current = rows(300, 2).drop(columns=unused)
    current.loc[0, "spend"] = 999.0  # clipped
    current.loc[1, "plan"] = "gold"  # unknown, and so missing
    current.to_csv(folder / "current.csv", index=False)
    contract = {
        **CONTRACTS[name],
        "name": name,
        "title": name.title(),
        "id": "row",
        "sources": {"train": {"csv": "train.csv"}, "current": {"csv": "current.csv"}},
        "columns": COLUMNS,
    }
    (folder / "problem.yaml").write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    (root / "labline.yaml").write_text("training: {folds: 2, budget_seconds: 5}\n", encoding="utf-8")
    config = load(root)
    problem = pipeline.open_problem(config, name)
    pipeline.prepare(config, problem)
    checked = pipeline.check(config, problem)
    trained = pipeline.train(config, problem)
    return Way(config, problem, trained, pipeline.promote(config, problem), checked)


def test_the_rows_are_taken_from_the_contracts_own_files_and_pass_the_check(way: Way) -> None:
    train, current = way.checked
    assert train.ok
    assert current.report.ok
    assert (train.snapshot.kind, train.snapshot.rows, current.snapshot.rows) == ("file", 700, 300)


def test_training_without_a_features_file_finds_what_there_is_to_find(way: Way) -> None:
    # how far the search comes in its time is the machine's matter
    assert {tried.feature_set for tried in way.trained.fitted.tried} - {"selected"} == {"raw"}
    simplest = way.trained.fitted.tried[0]
    assert simplest.family in {"majority", "mean"}
    metric = way.problem.metric
    figure: Interval = way.trained.evaluation.headline
    assert figure.low < figure.value < figure.high
    if metric == "roc_auc":
        assert figure.value > 0.8
        assert simplest.mean(metric) == 0.5
    else:
        assert figure.value < 0.6 * simplest.mean(metric)
    assert way.promotion.promoted
    assert way.bundle.manifest.holdout == way.trained.evaluation.metrics


def test_a_file_is_scored_row_by_row_holes_and_all(way: Way, tmp_path: Path) -> None:
    progress: list[float] = []
    number = pipeline.predict(
        way.config,
        way.problem,
        str(way.folder / "current.csv"),
        tmp_path / "scored.csv",
        lambda _text, done=0.0: progress.append(done),
    )
    found = pd.read_csv(tmp_path / "scored.csv", float_precision="round_trip", na_filter=False)
    assert number.rows == len(found) == 300
    assert list(found.columns) == ["row", "prediction", *way.problem.classes]
    assert found["row"].tolist() == list(range(1000, 1300))
    scores = way.bundle.scores(columns_of(way.problem, way.current))
    assert found["prediction"].tolist() == way.bundle.task.decisions(scores).tolist()
    if way.problem.classes:
        assert found[list(way.problem.classes)].to_numpy().tolist() == scores.tolist()
    assert progress == sorted(progress)


def test_a_record_with_holes_is_answered_like_the_same_row_of_a_file(way: Way) -> None:
    frame = way.current.astype(object).where(way.current.notna(), None)
    records = frame[list(way.problem.columns)].head(40).to_dict("records")
    assert any(None in record.values() for record in records)
    answers = way.bundle.predict(records)  # type: ignore[arg-type]
    scores = way.bundle.scores(columns_of(way.problem, way.current.head(40)))
    assert answers == way.bundle.task.answers(scores)


def test_a_number_out_of_range_is_clipped_or_missing_and_an_unknown_name_is_missing(way: Way) -> None:
    record = {"tenure": 12, "spend": 200, "renews": True, "plan": None, "calls": None}
    (expected,) = way.bundle.predict([record])
    alike = [record | {"spend": 999}, record | {"plan": "gold"}, record | {"calls": 60}]
    assert way.bundle.predict(alike) == [expected] * 3
    assert way.bundle.predict([record | {"calls": 6}]) != [expected]


def test_mlflow_alone_gives_the_same_scores_holes_and_all(way: Way) -> None:
    uri = way.config.storage.tracking_uri.get_secret_value()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    model = mlflow.pyfunc.load_model(f"models:/{way.problem.name}@champion")
    frame = way.current[list(way.problem.columns)]
    found = model.predict(frame)
    scores = way.bundle.scores(columns_of(way.problem, way.current))
    columns = list(way.problem.classes) or "prediction"
    assert found[columns].to_numpy().tolist() == scores.tolist()
    needed = frame.drop(columns=["renews", "calls"])  # what may be missing may be left out
    assert np.isfinite(way.bundle.scores(columns_of(way.problem, frame.assign(renews=None, calls=np.nan)))).all()
    assert len(model.predict(needed)) == len(frame)


def test_rows_like_the_training_data_are_judged_alike_and_the_performance_is_told(way: Way) -> None:
    summary = pipeline.monitor(way.config, way.served, source="current")
    held = way.bundle.manifest.data.holdout_rows
    assert held == pytest.approx(0.15 * 700, abs=6)
    assert (summary.status, summary.rows, summary.reference_rows) == ("ok", 300, 700 - held)
    assert {row.column for row in summary.columns} == set(COLUMNS)
    by_name = {row.column: row for row in summary.columns}
    assert by_name["renews"].missing_share == pytest.approx(way.current["renews"].isna().mean())
    assert by_name["plan"].missing_share == pytest.approx((way.current["plan"].isna().sum() + 1) / 300)
    assert summary.performance is not None
    assert summary.performance.keys() == summary.holdout.keys() == way.trained.evaluation.metrics.keys()
    assert sum(summary.predictions.values()) == (300 if way.problem.classes else 0)


def test_the_prediction_log_of_other_customers_drifts(way: Way) -> None:
    frame = way.current.assign(tenure=60.0)
    scores = way.bundle.scores(columns_of(way.problem, frame))
    records = frame.astype(object).where(frame.notna(), None)[list(way.problem.columns)].to_dict("records")
    log = PredictionLog(open_database(way.config.storage.database_url.get_secret_value()))
    log.add(
        [
            Logged(
                prediction_id=new_prediction_id(),
                at=datetime.now(UTC),
                problem=way.problem.name,
                version=1,
                input=record,  # type: ignore[arg-type]
                prediction=answer.prediction,
                probabilities=answer.probabilities,
            )
            for record, answer in zip(records, way.bundle.task.answers(scores), strict=True)
        ]
    )
    summary = pipeline.monitor(way.config, way.served, Wanted(last=200))
    assert (summary.status, summary.rows, summary.source) == ("warn", 200, "log")
    assert [row.column for row in summary.columns if row.drifted] == ["tenure"]
    assert summary.prediction is not None
    assert summary.prediction.drifted
    assert summary.performance is None


@pytest.mark.parametrize("kind", list(ReportKind))
def test_every_page_can_be_made_of_it(way: Way, kind: ReportKind) -> None:
    page = pipeline.report(way.config, way.served, kind, source="current")
    assert isinstance(page, ReportResult)
    assert page.path.parent == way.config.settings.reports / way.problem.name
    assert page.path.stat().st_size > 100_000
    assert (page.rows, page.reference_rows, page.notes) == (300, way.bundle.manifest.data.holdout_rows, [])
    assert page.metrics
    if kind is ReportKind.MODEL_PERFORMANCE:
        values = {metric["name"].split("(")[0]: metric["value"] for metric in page.metrics}
        performance = pipeline.monitor(way.config, way.served, source="current").performance
        assert performance is not None
        if way.problem.classes:
            assert values["Accuracy"] == pytest.approx(performance["accuracy"])
        else:
            assert values["RMSE"] == pytest.approx(performance["rmse"])
