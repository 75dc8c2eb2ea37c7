"""The model card of a version: made from its bundle, the hold-out and the ledger, and kept beside the reports."""

from __future__ import annotations

from datetime import UTC, datetime

from loguru import logger

from labline.config import Config
from labline.contract import Problem
from labline.database import open_database
from labline.errors import DataError, LablineError
from labline.model.bundle import Bundle
from labline.model.card import BaselineFigures, Card, markdown, page
from labline.model.evaluation import Evaluation, evaluate
from labline.model.latency import one_row_ms
from labline.model.ledger import Ledger
from labline.model.promotion import bundle_mb
from labline.model.registry import Registry, Version
from labline.model.segments import segments_of
from labline.pipeline.champion import served_from
from labline.pipeline.data import columns_of
from labline.pipeline.divided import holdout_frame
from labline.store import reports_folder


def card(config: Config, problem: Problem, number: int | None = None) -> Card:
    """The card of a version; of the champion when none is named.

    Raises:
        RegistryError: there is no such version, no champion, or MLflow is out of reach.
    """
    registry = Registry(config.storage, problem.name)
    version = registry.champion() if number is None else registry.version(number)
    return _made(config, registry, version, Ledger(open_database(config.storage.database_url.get_secret_value())))


def keep_card(config: Config, registry: Registry, version: Version, ledger: Ledger) -> str | None:
    """Write a version's card to the reports and to its run; returns where its page is.

    A promotion is not undone because its card cannot be kept: that is logged, and None returned.
    """
    name = f"model-card-{version.number}"
    folder = reports_folder(config) / registry.problem
    try:
        made = _made(config, registry, version, ledger)
        texts = {f"{name}.md": markdown(made), f"{name}.html": page(made)}
        for file, text in texts.items():
            folder.write(file, text.encode())
        with registry.store.client() as client:
            for file, text in texts.items():
                client.log_text(version.run_id, text, f"card/{file}")
    except (LablineError, OSError) as error:
        logger.warning("{}: its model card is not kept: {}; see labline card {}", version, error, registry.problem)
        return None
    return f"{folder}/{name}.html"


def _made(config: Config, registry: Registry, version: Version, ledger: Ledger) -> Card:
    bundle = Bundle.load(served_from(config, registry, version).folder)
    latency = version.tags.get("labline.latency_ms")
    return Card(
        version=version.number,
        bundle=bundle,
        evaluation=_evaluation(config, bundle),
        baseline=_baseline(registry, version),
        latency_ms=one_row_ms(bundle) if latency is None else float(latency),  # as it was when it was decided on
        size_mb=bundle_mb(bundle.folder),
        entries=tuple(entry for entry in ledger.entries(registry.problem) if entry.is_about(version.number)),
        written_at=datetime.now(UTC),
    )


def _evaluation(config: Config, bundle: Bundle) -> Evaluation | None:
    """On the rows that were held out when the bundle was trained; None where they are not in this workspace."""
    try:
        frame = holdout_frame(config, bundle)
    except DataError:
        return None
    problem, columns = bundle.problem, columns_of(bundle.problem, frame)
    target = bundle.task.encode(frame[problem.target])
    segments = segments_of(problem, columns)
    return evaluate(bundle.task, problem.metric, target, bundle.scores(columns), bundle.manifest.data.seed, segments)


def _baseline(registry: Registry, version: Version) -> BaselineFigures | None:
    """The baseline's figures, from the run in which the version was trained."""
    from mlflow.exceptions import MlflowException

    with registry.store.client() as client:
        try:
            run = client.get_run(version.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
    start = "baseline_holdout_"
    found = {key.removeprefix(start): value for key, value in run.data.metrics.items() if key.startswith(start)}
    return BaselineFigures(run.data.tags.get("labline.baseline", "?"), found) if found else None
