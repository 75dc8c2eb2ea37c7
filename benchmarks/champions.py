"""Champions for benchmarks: of a given family and size, in a workspace of their own, without search and registry."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from labline import __version__
from labline.config import Config, load
from labline.features import Encoder, read_features
from labline.model.bundle import Contents, Manifest, Provenance, bundle_digest, finish_bundle, write_bundle
from labline.model.ensemble import Ensemble, Part
from labline.model.families import FAMILIES, Fit
from labline.model.tasks import task_of
from labline.monitoring.profile import make_profile
from labline.pipeline.data import columns_of
from labline.pipeline.problem import open_problem

ROOT = Path(__file__).parent.parent
ROUNDS = 300
BLEND = ("lightgbm", "xgboost", "catboost")


def rows() -> pd.DataFrame:
    """The real training rows, from the folder that LABLINE_REAL_DATA names."""
    return pd.read_csv(Path(os.environ["LABLINE_REAL_DATA"]) / "obesity" / "train.csv")


def workspace(folder: Path, family: str, rounds: int = ROUNDS) -> Config:
    """A workspace whose champion is one member of the family, or for `blend` one each of three, fitted to all rows."""
    shutil.copytree(ROOT / "problems", folder / "problems")
    config = load(folder)
    problem = open_problem(config, "obesity")
    frame = rows()
    task, columns = task_of(problem), columns_of(problem, frame)
    target = task.encode(frame[problem.target])
    columns = read_features(folder / "problems" / "obesity" / "features.py", problem)(columns)
    members = BLEND if family == "blend" else (family,)
    parts = []
    for name in members:
        encoder = Encoder.fit(problem, (), FAMILIES[name].encoding, columns)
        fit = Fit(task, encoder.transform(columns), target, encoder.categorical_features, seed=7, rounds=rounds)
        parts.append(Part(name, encoder, FAMILIES[name].fit(fit), 1 / len(members), 7))
    ensemble = Ensemble(parts)
    data = Provenance(
        kind="file", origin="benchmark", sha256="", rows=len(frame), holdout_rows=0, seed=7, holdout_share=0.0
    )
    manifest = Manifest(problem=problem.name, labline=__version__, made_at=datetime.now(UTC), data=data)
    rule = task.learn_rule(target[:1000], task.scores(ensemble.predict({n: v[:1000] for n, v in columns.items()})))
    cache = config.settings.models / "cache" / problem.name
    draft = write_bundle(cache / "unnamed", Contents(folder / "problems" / problem.name, ensemble, rule, manifest))
    some = {name: values[:3000] for name, values in columns.items() if name in problem.columns}
    figures = task.metrics(target[:3000], draft.scores(some))
    profile = make_profile(problem, some, task, draft.scores(some), figures)
    digest = bundle_digest(finish_bundle(draft, profile.model_dump_json(), figures).folder)
    shutil.move(cache / "unnamed", cache / f"1-{digest[:12]}")
    (cache / "champion.json").write_text(json.dumps({"version": 1, "folder": f"1-{digest[:12]}"}), encoding="utf-8")
    return config
