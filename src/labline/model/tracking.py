"""The MLflow run of a training: parameters, metrics, plots, data lineage, and the bundle as a pyfunc model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from labline.contract import DateTimeColumn, NumberColumn
from labline.contract.examples import example_record
from labline.contract.signature import signature
from labline.model.bundle import Bundle
from labline.model.evaluation import Evaluation
from labline.model.plots import importance_plot
from labline.model.registry import ARTIFACT, Registry, Version
from labline.model.tasks import Scores, Target
from labline.model.training import Fitted, Tried

if TYPE_CHECKING:
    from mlflow import MlflowClient

KIND = "labline.kind"
TRIED = "tried"
TRAINING = "training"
# What loading the bundle needs besides Labline itself, which is installed from its own checkout.
REQUIREMENTS = ("lightgbm", "numpy", "pandas", "pydantic", "pyyaml", "scipy")


@dataclass(frozen=True)
class Row:
    """One row of the leaderboard; `holdout` is None for what was tried and not registered."""

    family: str
    feature_set: str
    mean: float
    deviation: float
    holdout: float | None
    fit_seconds: float
    data: str
    version: int | None
    aliases: tuple[str, ...]
    run_id: str
    started_at: pd.Timestamp


@dataclass(frozen=True)
class Holdout:
    """The held-out rows' target, the bundle's scores for them, and the best baseline's metrics."""

    target: Target
    scores: Scores
    baseline: dict[str, float]


def log_training(
    registry: Registry, bundle: Bundle, fitted: Fitted, evaluation: Evaluation, holdout: Holdout
) -> Version:
    """Log the run with what was tried below it, and register the bundle as the challenger."""
    import mlflow

    manifest = bundle.manifest
    tags = _tags(fitted.best, TRAINING) | {
        "labline.data": manifest.data.kind,
        "labline.data_origin": manifest.data.origin,
        "labline.digest": bundle.digest,
    }
    with registry.store.client() as client:
        experiment = registry.store.experiment(client, registry.problem)
        mlflow.set_experiment(experiment_id=experiment)
        with mlflow.start_run(run_name=f"{registry.problem} {fitted.best.family}", log_system_metrics=False) as run:
            mlflow.set_tags(tags)
            mlflow.log_params(fitted.parameters | {"seed": manifest.data.seed})
            mlflow.log_metrics(_figures(fitted.best) | _holdout_figures(evaluation))
            mlflow.set_tag("labline.baseline", fitted.baseline.name)
            mlflow.log_metrics({f"baseline_holdout_{name}": value for name, value in holdout.baseline.items()})
            _log_lineage(bundle)
            _log_tables(evaluation)
            plots = bundle.task.plots(holdout.target, holdout.scores)
            plots["importances.png"] = importance_plot(fitted.encoder.feature_names, fitted.member.importances())
            for name, figure in plots.items():
                mlflow.log_figure(figure, f"plots/{name}")
            model_uri = _log_bundle(bundle)
            for tried in fitted.tried:
                _log_tried(client, experiment, run.info.run_id, tried, manifest.data.kind)
    return registry.register(run.info.run_id, model_uri, {key: tags[key] for key in ("labline.data", "labline.digest")})


def _holdout_figures(evaluation: Evaluation) -> dict[str, float]:
    figures = {f"holdout_{name}": value for name, value in evaluation.metrics.items()}
    return figures | {"holdout_low": evaluation.headline.low, "holdout_high": evaluation.headline.high}


def _log_bundle(bundle: Bundle) -> str:
    """Log the bundle as a pyfunc model; returns its address."""
    import mlflow

    example = pd.DataFrame([example_record(bundle.problem)])
    for name, column in bundle.problem.columns.items():
        if isinstance(column, DateTimeColumn):
            example[name] = pd.to_datetime(example[name])
        elif isinstance(column, NumberColumn):
            example[name] = example[name].astype("float64")
    logged = mlflow.pyfunc.log_model(
        name=ARTIFACT,
        loader_module="labline.model.pyfunc",
        data_path=str(bundle.folder),
        signature=signature(bundle.problem),
        input_example=example,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        metadata={"digest": bundle.digest},
    )
    return str(logged.model_uri)


def _log_lineage(bundle: Bundle) -> None:
    """Where the rows come from: source, hash, count; never the rows themselves."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    data = bundle.manifest.data
    source = CodeDatasetSource({"labline.origin": data.origin, "labline.sha256": data.sha256})
    # mypy takes an inherited method for abstract; MLflow's documentation makes one just so
    dataset = MetaDataset(source, name=f"{bundle.problem.name}-{data.kind}", digest=data.sha256[:12])  # type: ignore[abstract]
    mlflow.log_input(dataset, context="training")
    mlflow.log_params({"data_sha256": data.sha256, "data_rows": data.rows, "data_holdout_rows": data.holdout_rows})


def _log_tables(evaluation: Evaluation) -> None:
    import mlflow

    if evaluation.tables.per_class:
        rows: list[dict[str, Any]] = [vars(figures) for figures in evaluation.tables.per_class]
        mlflow.log_dict({"holdout": rows}, "tables/per_class.json")
    if evaluation.tables.confusion.size:
        mlflow.log_dict({"true_by_predicted": evaluation.tables.confusion.tolist()}, "tables/confusion_matrix.json")


def _log_tried(client: MlflowClient, experiment: str, parent: str, tried: Tried, data: str) -> None:
    from mlflow.entities import Metric, RunTag

    tags = _tags(tried, TRIED) | {"mlflow.parentRunId": parent, "labline.data": data}
    run = client.create_run(experiment, run_name=f"{tried.family} · {tried.feature_set}", tags=tags)
    now = int(time.time() * 1000)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, now, 0) for name, value in _figures(tried).items()],
        tags=[RunTag("mlflow.runName", f"{tried.family} · {tried.feature_set}")],
    )
    client.set_terminated(run.info.run_id)


def _tags(tried: Tried, kind: str) -> dict[str, str]:
    return {KIND: kind, "labline.family": tried.family, "labline.feature_set": tried.feature_set}


def _figures(tried: Tried) -> dict[str, float]:
    figures = {"fit_seconds": tried.fit_seconds}
    for name in tried.fold_metrics[0]:
        figures |= {f"cv_{name}_mean": tried.mean(name), f"cv_{name}_std": tried.deviation(name)}
    return figures


def leaderboard(registry: Registry, metric: str, *, greater_first: bool) -> list[Row]:
    """Everything that was ever tried for the problem, the best mean in cross-validation first."""
    versions = {version.run_id: version for version in registry.versions()}
    with registry.store.client() as client:
        experiment = client.get_experiment_by_name(registry.problem)
        if experiment is None:
            return []
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
    rows = [_row(run, metric, versions.get(run.info.run_id)) for run in runs if f"cv_{metric}_mean" in run.data.metrics]
    registered = {(row.family, row.feature_set, row.mean) for row in rows if row.version is not None}
    # a registered run stands for the entry below it that it was made of
    rows = [row for row in rows if row.version or (row.family, row.feature_set, row.mean) not in registered]
    return sorted(rows, key=lambda row: -row.mean if greater_first else row.mean)


def _row(run: Any, metric: str, version: Version | None) -> Row:
    figures, tags = run.data.metrics, run.data.tags
    return Row(
        family=tags.get("labline.family", "?"),
        feature_set=tags.get("labline.feature_set", "?"),
        mean=figures[f"cv_{metric}_mean"],
        deviation=figures[f"cv_{metric}_std"],
        holdout=figures.get(f"holdout_{metric}"),
        fit_seconds=figures.get("fit_seconds", float("nan")),
        data=tags.get("labline.data", "?"),
        version=version.number if version else None,
        aliases=version.aliases if version else (),
        run_id=run.info.run_id,
        started_at=pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
    )
