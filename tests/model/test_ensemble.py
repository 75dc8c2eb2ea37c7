"""Ensembles: several members in one bundle, each of any family, and what a row gets from them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from labline.contract import Columns, Problem
from labline.errors import BundleError
from labline.features import Encoder
from labline.model.bundle import Bundle, Contents, Manifest, Provenance, write_bundle
from labline.model.ensemble import Ensemble, Part
from labline.model.families import FAMILIES, Fit
from labline.model.tasks import AnswerRule, task_of

ROWS = 300
CONTRACT = {
    "name": "told",
    "title": "Told",
    "task": "multiclass",
    "target": "y",
    "classes": ["a", "b", "c"],
    "metric": "accuracy",
    "sources": {"train": {"csv": "train.csv"}},
    "columns": {
        "signal": {"type": "number", "minimum": -9, "maximum": 9, "missing": "allow"},
        "colour": {"type": "category", "values": ["red", "green", "blue"]},
        "noise": {"type": "number", "minimum": -9, "maximum": 9},
    },
}


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem.model_validate(CONTRACT)


@pytest.fixture(scope="module")
def columns() -> Columns:
    random = np.random.default_rng(2)
    signal = random.normal(size=ROWS)
    signal[::17] = np.nan
    colour = random.choice(np.array(["red", "green", "blue"], dtype=object), ROWS)
    return {"signal": signal, "colour": colour, "noise": random.normal(size=ROWS)}


@pytest.fixture(scope="module")
def ensemble(problem: Problem, columns: Columns) -> Ensemble:
    """A member of every family, the boosters twice with another seed."""
    target = np.digitize(np.nan_to_num(columns["signal"]) + (columns["colour"] == "red"), [-0.2, 0.9])
    jobs = [(family, seed) for family in FAMILIES.values() for seed in ((7, 8) if family.keeps_deadlines else (7,))]
    parts = []
    for family, seed in jobs:
        encoder = Encoder.fit(problem, (), family.encoding, columns)
        fit = Fit(
            task_of(problem),
            encoder.transform(columns),
            target,
            encoder.categorical_features,
            seed,
            rounds=30,
            threads=1,
        )
        parts.append(Part(family.name, encoder, family.fit(fit), 1 / len(jobs), seed))
    return Ensemble(parts)


@pytest.fixture
def bundle(ensemble: Ensemble, tmp_path: Path) -> Bundle:
    source = tmp_path / "told"
    source.mkdir()
    (source / "problem.yaml").write_text(yaml.safe_dump(CONTRACT, sort_keys=False), encoding="utf-8")
    data = Provenance(
        kind="file", origin="here", sha256="0" * 64, rows=ROWS, holdout_rows=30, seed=7, holdout_share=0.1
    )
    manifest = Manifest(problem="told", labline="0", made_at=datetime.now(UTC), data=data)
    return write_bundle(tmp_path / "bundle", Contents(source, ensemble, AnswerRule(), manifest))


def test_a_bundle_of_every_family_gives_the_bits_it_was_made_with(
    bundle: Bundle, ensemble: Ensemble, columns: Columns
) -> None:
    raw = ensemble.predict(columns)
    assert bundle.scores(columns).tobytes() == raw.tobytes()
    alone = [part.member.predict(part.encoder.transform(columns)) for part in ensemble.parts]
    np.testing.assert_allclose(raw, np.mean(alone, axis=0), atol=1e-12)
    assert {entry.family for entry in bundle.manifest.members} == set(FAMILIES)
    assert bundle.manifest.family.startswith("blend of ")
    assert sum(entry.weight for entry in bundle.manifest.members) == pytest.approx(1)


def test_a_row_gets_the_same_bits_alone_and_among_others(bundle: Bundle, columns: Columns) -> None:
    every = bundle.scores(columns)
    for at in range(40):
        alone = bundle.scores({name: values[at : at + 1] for name, values in columns.items()})
        assert alone.tobytes() == every[at : at + 1].tobytes()


def test_it_answers_where_catboosts_and_optunas_libraries_cannot_be_imported(bundle: Bundle) -> None:
    code = """
import json, sys
from pathlib import Path
for name in ("catboost", "optuna", "mlflow", "matplotlib"):
    sys.modules[name] = None
from labline.model.bundle import Bundle
bundle = Bundle.load(Path(sys.argv[1]))
print(json.dumps(bundle.predict([{"signal": 1.0, "colour": "red", "noise": 0.0}])[0].probabilities))
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(bundle.folder)], capture_output=True, text=True, check=True, timeout=120
    )
    here = bundle.predict([{"signal": 1.0, "colour": "red", "noise": 0.0}])[0].probabilities
    assert json.loads(said.stdout) == here


def test_a_member_of_a_family_that_is_not_known_is_refused(bundle: Bundle) -> None:
    manifest = bundle.folder / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"family": "xgboost"', '"family": "perceptron"'), "utf-8")
    with pytest.raises(BundleError, match="'perceptron' is not known here"):
        Bundle.load(bundle.folder)


@pytest.mark.parametrize("loss", ["MultiClass", "Logloss", "RMSE", "MultiLogloss"])
def test_catboosts_trees_give_what_its_own_library_gives(loss: str, tmp_path: Path) -> None:
    import catboost

    from labline.model.families.catboost import CatBoostMember
    from labline.model.families.outputs import Outputs

    random = np.random.default_rng(3)
    rows = random.normal(size=(400, 6)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    told = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1])
    target = {
        "MultiClass": np.digitize(told, [-0.5, 0.5]),
        "Logloss": (told > 0).astype(int),
        "RMSE": told + 100,
        "MultiLogloss": np.column_stack([told > 0, told > 1]).astype(int),
    }[loss]
    settings = {"loss_function": loss, "iterations": 40, "depth": 5, "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoost(settings)
    model.fit(catboost.Pool(rows, target))
    model.save_model(str(tmp_path / "model.json"), format="json")
    count = {"MultiClass": 3, "MultiLogloss": 2}.get(loss, 1)
    link = {"MultiClass": "softmax", "RMSE": "identity"}.get(loss, "sigmoid")
    outputs = Outputs((0.0,) * count, tuple(range(count)))
    said = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    ours = CatBoostMember(said, link, count == 1, outputs).predict(rows)  # type: ignore[arg-type]
    theirs = model.predict(rows, prediction_type="RawFormulaVal" if loss == "RMSE" else "Probability")
    theirs = theirs[:, 1] if loss == "Logloss" else theirs
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
