"""The MLflow runs of a training: what is tried, as it is tried; then figures, plots, lineage, and the bundle.

Runs are nested: the problem's experiment, a run for each training, below it one for each family, below that one for
each thing tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from labline.contract import DateTimeColumn, NumberColumn
from labline.contract.examples import example_record
from labline.contract.signature import signature
from labline.model.bundle import Bundle
from labline.model.evaluation import Evaluation
from labline.model.explanation import Explanation
from labline.model.plots import curve_plot, explanation_plot, importance_plot
from labline.model.promotion import bundle_mb
from labline.model.registry import ARTIFACT, Registry, Version
from labline.model.search import Fitted, Tried
from labline.model.search.selection import Curve
from labline.model.tasks import Scores, Target

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

KIND = "labline.kind"
TRAINING, FAMILY, TRIED = "training", "family", "tried"
PARENT = "mlflow.parentRunId"
SELECTION = "selection"  # folder of a family's run
# What loading the bundle needs besides Labline itself, which is installed from its own checkout.
REQUIREMENTS = ("numpy", "pandas", "pydantic", "pyyaml", "scipy")
LIBRARIES = {"lightgbm": "lightgbm", "xgboost": "xgboost-cpu"}


@dataclass(frozen=True)
class Holdout:
    """The held-out rows' target, the bundle's scores for them, and the best baseline's metrics."""

    target: Target
    scores: Scores
    baseline: dict[str, float]


@dataclass
class TrainingRun:
    """The run of one training, open from its first try to its bundle; a killed one is taken up again by its id.

    Args:
        registry: of the problem.
        data: kind of the rows, and the hash of their snapshot.
        sha256: of the snapshot.
        run_id: of the run to go on with; a new one is begun without it.
        logged: keys of what stands below it, once it was taken up again.
    """

    registry: Registry
    data: str
    sha256: str
    run_id: str = ""
    logged: set[str] = field(default_factory=set)
    _families: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str) -> str:
        """Begin it, or take it up again; returns its id."""
        with self.registry.store.client() as client:
            if not self.run_id:
                tags = self._tags(TRAINING)
                self.run_id = client.create_run(self._experiment(client), run_name=name, tags=tags).info.run_id
                return self.run_id
            client.update_run(self.run_id, status="RUNNING")
        self.join()
        return self.run_id

    def join(self) -> None:
        """Log to a run that was begun before, here or elsewhere, below the families that it has."""
        with self.registry.store.client() as client:
            self._families = {
                run.data.tags["labline.family"]: run.info.run_id for run in self._below(client, self.run_id)
            }
            for family in self._families.values():
                self.logged |= {run.data.tags["labline.key"] for run in self._below(client, family)}

    def _below(self, client: MlflowClient, parent: str) -> list[Any]:
        found = client.search_runs([self._experiment(client)], f"tags.`{PARENT}` = '{parent}'", max_results=10_000)
        return list(found)

    def _experiment(self, client: MlflowClient) -> str:
        return self.registry.store.experiment(client, self.registry.problem)

    def _tags(self, kind: str, parent: str = "", tried: Tried | None = None) -> dict[str, str]:
        tags = {KIND: kind, "labline.data": self.data, "labline.data_sha256": self.sha256}
        if parent:
            tags[PARENT] = parent
        return tags | (_tags(tried) if tried is not None else {})

    def _family(self, client: MlflowClient, family: str) -> str:
        """The id of the family's run, begun when something of it is tried first."""
        if family not in self._families:
            tags = self._tags(FAMILY, self.run_id) | {"labline.family": family}
            run = client.create_run(self._experiment(client), run_name=family, tags=tags)
            self._families[family] = run.info.run_id
        return self._families[family]

    def tried(self, tried: Tried) -> None:
        """Log what was tried, below its family."""
        from mlflow.entities import Metric, Param

        with self.registry.store.client() as client:
            above = self._family(client, tried.family)
            name = f"{tried.family} · {tried.feature_set} · {tried.stage}"
            run = client.create_run(self._experiment(client), run_name=name, tags=self._tags(TRIED, above, tried))
            now = int(time.time() * 1000)
            client.log_batch(
                run.info.run_id,
                metrics=[Metric(name, value, now, 0) for name, value in _figures(tried).items()],
                params=[Param(name, str(value)) for name, value in tried.candidate.parameters.items()],
            )
            client.set_terminated(run.info.run_id)

    def curve(self, curve: Curve) -> None:
        """Log a family's selection: the curve of score against number of columns; and register the best subset."""
        with self.registry.store.client() as client:
            run = self._family(client, curve.family)
            client.log_dict(run, curve.model_dump(mode="json"), f"{SELECTION}/curve.json")
            if curve.steps:
                client.log_figure(run, curve_plot(curve), f"{SELECTION}/curve.png")
            if curve.best is None:
                return
            columns = ", ".join(curve.best.columns)[:5000]
            client.log_dict(
                run, {"columns": list(curve.best.columns), curve.loss: curve.best.loss}, f"{SELECTION}/subset.json"
            )
            client.set_tag(run, "labline.subset", columns)
            source = f"{client.get_run(run).info.artifact_uri}/{SELECTION}"
            tags = {"labline.subset": columns, f"labline.{curve.loss}": f"{curve.best.loss:.6f}"}
            self.registry.register_subset(curve.family, run, source, tags)

    def end(self, status: str = "FINISHED") -> None:
        """End the family's runs, and this one."""
        with self.registry.store.client() as client:
            for run in (*self._families.values(), self.run_id):
                client.set_terminated(run, status)

    def finish(
        self,
        bundle: Bundle,
        fitted: Fitted,
        evaluation: Evaluation,
        holdout: Holdout,
        explain: Callable[[], Explanation | None],
    ) -> Version:
        """Log figures, plots and the bundle, and register it as the challenger."""
        import mlflow

        manifest = bundle.manifest
        with self.registry.store.client() as client:
            mlflow.set_experiment(experiment_id=self._experiment(client))
            with mlflow.start_run(run_id=self.run_id, log_system_metrics=False):
                tags = _tags(fitted.best) | {
                    "labline.data_origin": manifest.data.origin,
                    "labline.digest": bundle.digest,
                    "labline.baseline": fitted.baseline.name,
                    "labline.blend": fitted.choice.said,
                }
                mlflow.set_tags(tags)
                mlflow.log_params(_short(fitted.parameters | {"seed": manifest.data.seed, "family": manifest.family}))
                mlflow.log_metrics(
                    _figures(fitted.best) | _holdout_figures(evaluation) | {"bundle_mb": bundle_mb(bundle.folder)}
                )
                mlflow.log_metrics({f"baseline_holdout_{name}": value for name, value in holdout.baseline.items()})
                _log_lineage(bundle)
                _log_tables(evaluation)
                _log_out_of_fold(fitted)
                plots = bundle.task.plots(holdout.target, holdout.scores)
                plots["importances.png"] = importance_plot(fitted.choice.importances)
                _log_plots(plots)
                model_uri = _log_bundle(bundle)
                explanation = explain()  # last, with what time is left
                if explanation is not None:
                    mlflow.log_dict(explanation.table(), "tables/explanation.json")
                    _log_plots(
                        {
                            "permutation.png": explanation_plot(explanation, "permutation"),
                            "shap.png": explanation_plot(explanation, "shap"),
                        }
                    )
            tags = {"labline.data": manifest.data.kind, "labline.digest": bundle.digest}
            made = self.registry.register(self.run_id, model_uri, tags)
        self.end()
        return made


def _log_plots(plots: dict[str, Figure]) -> None:
    import mlflow

    for name, figure in plots.items():
        mlflow.log_figure(figure, f"plots/{name}")


def _short(parameters: dict[str, Any]) -> dict[str, str]:
    """As text no longer than MLflow takes."""
    return {name: str(value)[:500] for name, value in parameters.items()}


def _log_out_of_fold(fitted: Fitted) -> None:
    """What was chosen said of the training rows when it had not seen them: for questions that come later."""
    import tempfile
    from pathlib import Path

    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "raw.npy"
        np.save(file, fitted.choice.raw.astype(np.float32), allow_pickle=False)
        mlflow.log_artifact(str(file), "out_of_fold")


def _holdout_figures(evaluation: Evaluation) -> dict[str, float]:
    """Every metric with the ends of its interval."""
    figures = {"holdout_low": evaluation.headline.low, "holdout_high": evaluation.headline.high}
    for name, found in evaluation.intervals.items():
        figures |= {
            f"holdout_{name}": found.value,
            f"holdout_{name}_low": found.low,
            f"holdout_{name}_high": found.high,
        }
    if evaluation.calibration is not None:
        figures["holdout_calibration_error"] = evaluation.calibration.error
    return {name: value for name, value in figures.items() if np.isfinite(value)}


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
        pip_requirements=[f"{name}=={version(name)}" for name in _requirements(bundle)],
        metadata={"digest": bundle.digest},
    )
    return str(logged.model_uri)


def _requirements(bundle: Bundle) -> list[str]:
    """What loading it needs; the libraries of its members among it."""
    import sys

    libraries = {LIBRARIES[family] for family in bundle.ensemble.families if family in LIBRARIES}
    if sys.platform == "darwin" and "xgboost-cpu" in libraries:
        libraries = libraries - {"xgboost-cpu"} | {"xgboost"}
    return sorted({*REQUIREMENTS, *libraries})


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
    if data.extra_rows:
        mlflow.log_params(
            {"extra_sha256": data.extra_sha256, "extra_rows": data.extra_rows, "extra_weight": data.extra_weight}
        )
    if data.labelled_rows:
        names = ("labelled_sha256", "labelled_rows", "labelled_weight")
        mlflow.log_params({name: getattr(data, name) for name in names})
    mlflow.log_params({"data_sha256": data.sha256, "data_rows": data.rows, "data_holdout_rows": data.holdout_rows})


def _log_tables(evaluation: Evaluation) -> None:
    import mlflow

    if evaluation.tables.per_class:
        rows: list[dict[str, Any]] = [vars(figures) for figures in evaluation.tables.per_class]
        mlflow.log_dict({"holdout": rows}, "tables/per_class.json")
    if evaluation.segments:
        mlflow.log_dict({"holdout": [asdict(segment) for segment in evaluation.segments]}, "tables/segments.json")
    if evaluation.calibration is not None:
        mlflow.log_dict(asdict(evaluation.calibration), "tables/calibration.json")
    if evaluation.tables.confusion.size:
        mlflow.log_dict({"true_by_predicted": evaluation.tables.confusion.tolist()}, "tables/confusion_matrix.json")


def _tags(tried: Tried) -> dict[str, str]:
    return {
        "labline.family": tried.family,
        "labline.feature_set": tried.feature_set,
        "labline.stage": tried.stage,
        "labline.key": tried.key,
        "labline.columns": ", ".join(tried.candidate.columns)[:5000],
    }


def _figures(tried: Tried) -> dict[str, float]:
    figures = {
        "fit_seconds": tried.fit_seconds,
        "predict_ms": 1000 * tried.predict_seconds,
        "row_ms": tried.row_ms,
        "rounds": float(tried.rounds),
    }
    for name in tried.fold_metrics[0]:
        figures |= {f"cv_{name}_mean": tried.mean(name), f"cv_{name}_std": tried.deviation(name)}
    return figures
