"""The bundle: whole or refused, without pickle, without a row of the training data, and the same bits everywhere."""

from __future__ import annotations

import hashlib
import io
import json
import pickletools
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import yaml

from labline import pipeline
from labline.config import Config
from labline.contract import Problem
from labline.errors import BundleError
from labline.model.bundle import Bundle
from labline.model.families import Fit, LightGBM
from labline.model.families.lightgbm import ROWS_PER_THREAD, LightGBMMember
from labline.pipeline.data import columns_of
from tests.model.test_tasks import BINARY, MULTICLASS, REGRESSION


@pytest.fixture
def folder(config: Config) -> Path:
    """The champion's bundle, the test's own copy."""
    return pipeline.champion(config, "obesity").folder


@pytest.fixture
def records(problem: Problem, sample: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Rows as the request model gives them."""
    return sample["current"][list(problem.columns)].to_dict("records")  # type: ignore[return-value]


def seal(folder: Path) -> None:
    """Make the manifest agree with the files, as someone would who wants an altered bundle to pass."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def edit(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | changes), encoding="utf-8")


def shortened(member: Any, rounds: int) -> LightGBMMember:
    """The same boosters with no more than so many of their rounds."""
    assert isinstance(member, LightGBMMember)
    texts = [booster.model_to_string(num_iteration=rounds) for booster in member.boosters]
    return LightGBMMember(tuple(lightgbm.Booster(model_str=text) for text in texts), member.by_label)


def files_of(folder: Path) -> set[str]:
    """Files by their path in the folder."""
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


ALONE = """
import json, sys
from pathlib import Path

for name in ("mlflow", "pandas", "sklearn", "evidently", "matplotlib"):
    sys.modules[name] = None  # an import of it fails

from labline.model.bundle import Bundle

bundle = Bundle.load(Path(sys.argv[1]))
answers = bundle.predict(json.loads(sys.stdin.read()))
print(json.dumps([[answer.prediction, answer.probabilities] for answer in answers]))
"""


def test_it_loads_and_predicts_where_mlflow_pandas_and_scikit_learn_cannot_be_imported(
    folder: Path, records: list[dict[str, Any]]
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)],
        input=json.dumps(records[:5]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    here = Bundle.load(folder).predict(records[:5])
    assert json.loads(said.stdout) == [[answer.prediction, answer.probabilities] for answer in here]


def test_it_says_what_it_is(folder: Path, config: Config, problem: Problem) -> None:
    manifest = Bundle.load(folder).manifest
    assert (manifest.problem, manifest.family, manifest.format) == ("obesity", "lightgbm", 5)
    assert manifest.data.kind == "file"
    assert manifest.data.origin.endswith("train.csv")
    assert manifest.data.seed == config.training.seed
    assert 0 < manifest.data.holdout_rows < manifest.data.rows
    assert problem.metric in manifest.holdout
    assert [(entry.family, entry.weight) for entry in manifest.members] == [("lightgbm", 1.0)]
    assert set(manifest.files) == files_of(folder) - {"manifest.json"}


@pytest.mark.parametrize(
    "name",
    [
        "problem.yaml",
        "features.py",
        "members/0/encoder.json",
        "rule.json",
        "members/0/lightgbm.txt",
        "golden.json",
        "profile.json",
    ],
)
def test_a_file_that_was_altered_or_is_gone_is_named(folder: Path, name: str) -> None:
    file = folder / name
    content = file.read_bytes()
    file.write_bytes(content + b"\n")
    with pytest.raises(BundleError, match=f"{folder}: {name} was altered"):
        Bundle.load(folder)
    file.unlink()
    with pytest.raises(BundleError, match=f"{folder}: {name} is missing"):
        Bundle.load(folder)
    file.write_bytes(content)
    Bundle.load(folder)


def test_code_that_is_put_beside_a_bundle_without_any_is_not_run(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["files"]["features.py"]
    edit(folder / "manifest.json", **manifest)
    (folder / "features.py").write_text("raise SystemExit\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"features\.py was added"):
        Bundle.load(folder)


def test_a_folder_without_a_manifest_is_no_bundle(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(BundleError, match=r"there is no bundle: manifest\.json is missing"):
        Bundle.load(folder)


@pytest.mark.parametrize("change", [{"format": 1}, {"format": None}, {"made_by": "someone"}, {"files": "all"}])
def test_a_manifest_of_another_format_is_refused_with_the_mend(folder: Path, change: dict[str, Any]) -> None:
    edit(folder / "manifest.json", **change)
    with pytest.raises(BundleError, match=r"manifest\.json is not understood.*version of Labline that made it"):
        Bundle.load(folder)


def test_a_manifest_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(BundleError, match=r"manifest\.json is not understood"):
        Bundle.load(folder)


def test_golden_answers_that_differ_are_refused_however_well_it_is_sealed(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    golden["scores"][3][0] += 1e-6
    edit(folder / "golden.json", **golden)
    seal(folder)
    with pytest.raises(BundleError, match=r"does not give the answers of golden\.json here"):
        Bundle.load(folder)


def test_another_model_under_the_same_golden_answers_is_refused(folder: Path) -> None:
    Bundle.load(folder)
    member = LightGBMMember.load(folder / "members" / "0")
    shortened(member, member.rounds - 1).save(folder / "members" / "0")
    seal(folder)
    with pytest.raises(BundleError, match=r"golden\.json"):
        Bundle.load(folder)


def test_another_feature_under_the_same_golden_answers_is_refused(folder: Path) -> None:
    file = folder / "features.py"
    text = file.read_text(encoding="utf-8")
    assert "Weight / Height**2" in text
    file.write_text(text.replace("Weight / Height**2", "Weight / Height"), encoding="utf-8")
    seal(folder)
    with pytest.raises(BundleError, match=r"golden\.json"):
        Bundle.load(folder)


def test_a_last_bit_that_another_machine_gives_is_let_pass(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    golden["scores"] = [[score + 1e-14 for score in row] for row in golden["scores"]]
    edit(folder / "golden.json", **golden)
    seal(folder)
    Bundle.load(folder)


def test_its_files_are_text_and_none_is_a_pickle(folder: Path) -> None:
    names = files_of(folder)
    assert names == {
        "manifest.json",
        "problem.yaml",
        "features.py",
        "members/0/encoder.json",
        "rule.json",
        "members/0/lightgbm.txt",
        "golden.json",
        "profile.json",
    }
    for name in names:
        content = (folder / name).read_bytes()
        assert "\x00" not in content.decode("utf-8")
        with pytest.raises(Exception):  # noqa: B017 - what it raises depends on the byte it stumbles over
            pickletools.dis(content, io.StringIO())


def test_no_row_of_the_training_data_is_in_it(folder: Path, sample: dict[str, pd.DataFrame]) -> None:
    frame = sample["train"]
    rows = [[repr(float(value)) for value in row] for row in frame[["Age", "Height", "Weight"]].to_numpy()]
    precise = [[text for text in row if len(text) >= 8] for row in rows]
    assert sum(len(row) >= 2 for row in precise) > 500  # there are rows that could be told
    for name in ("golden.json", "manifest.json", "members/0/encoder.json", "problem.yaml", "features.py"):
        written = (folder / name).read_text(encoding="utf-8")
        assert not [text for row in precise for text in row if text in written], name
    # The profile's knots and the trees' limits lie at values that occur; never do two of one row stand together.
    for file in (folder / name for name in files_of(folder)):
        places = dict(_numbers(file.read_text(encoding="utf-8")))
        for row in precise:
            met = sorted(place for text in row for place in places.get(text, ()))
            assert all(after - before > 20 for before, after in pairwise(met)), (file.name, row)


def _numbers(text: str) -> Iterator[tuple[str, list[int]]]:
    """Every number in the text with its places, counted in words."""
    words = text.replace(",", " ").replace("]", " ").replace("[", " ").split()
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    yield from places.items()


def test_one_record_gets_the_same_bits_alone_and_in_a_batch(folder: Path, records: list[dict[str, Any]]) -> None:
    bundle = Bundle.load(folder)
    batch = bundle.predict(records)
    assert [bundle.predict([record])[0] for record in records[:60]] == batch[:60]
    assert bundle.predict(records[::-1]) == batch[::-1]


def test_a_batch_large_enough_for_several_threads_gets_the_same_bits(
    folder: Path, problem: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    bundle = Bundle.load(folder)
    many = pd.concat([sample["current"]] * (2 * ROWS_PER_THREAD // len(sample["current"])))
    few = bundle.scores(columns_of(problem, sample["current"]))
    large = bundle.scores(columns_of(problem, many))
    assert len(large) >= 2 * ROWS_PER_THREAD
    assert all((large[start : start + len(few)] == few).all() for start in range(0, len(large), len(few)))


@pytest.mark.parametrize(
    ("task", "target"),
    [
        (MULTICLASS, np.arange(600) % 3),
        (BINARY, np.arange(600) % 2),
        (REGRESSION, np.random.default_rng(1).normal(size=600)),
    ],
    ids=["multiclass", "binary", "regression"],
)
def test_a_saved_and_loaded_member_gives_the_bits_of_the_fitted_one(tmp_path: Path, task: Any, target: Any) -> None:
    random = np.random.default_rng(0)
    matrix = np.column_stack([target + random.normal(size=600), random.normal(size=600), random.integers(0, 4, 600)])
    matrix[::7, 0] = np.nan
    validation = (matrix[:200], target[:200])
    fitted = LightGBM().fit(Fit(task, matrix[200:], target[200:], categorical=(2,), seed=7, validation=validation))
    fitted.save(tmp_path)
    loaded = LightGBMMember.load(tmp_path)
    assert loaded.rounds == fitted.rounds
    assert loaded.predict(matrix).tobytes() == fitted.predict(matrix).tobytes()
    assert task.scores(loaded.predict(matrix)).shape[0] == 600


def test_the_answers_of_a_loaded_bundle_are_those_its_held_out_figures_were_measured_with(
    config: Config, problem: Problem, folder: Path
) -> None:
    bundle = Bundle.load(folder)
    frame = pipeline.divided.holdout_frame(config, bundle)
    scores = bundle.scores(columns_of(problem, frame))
    assert bundle.task.metrics(bundle.task.encode(frame[problem.target]), scores) == bundle.manifest.holdout


def test_the_bundle_brings_its_own_contract_and_features_whatever_the_workspace_says_later(
    config: Config, folder: Path, records: list[dict[str, Any]]
) -> None:
    before = Bundle.load(folder).predict(records[:3])
    source = config.settings.problems / "obesity"
    contract = yaml.safe_load((source / "problem.yaml").read_text(encoding="utf-8"))
    contract["classes"].reverse()
    (source / "problem.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    (source / "features.py").write_text("def BMI(Weight):\n    return Weight\n", encoding="utf-8")
    assert Bundle.load(folder).predict(records[:3]) == before


def test_the_digest_is_another_as_soon_as_anything_in_the_bundle_is(folder: Path) -> None:
    before = Bundle.load(folder).digest
    assert Bundle.load(folder).digest == before
    (folder / "profile.json").write_text((folder / "profile.json").read_text() + "\n", encoding="utf-8")
    seal(folder)
    assert Bundle.load(folder).digest != before
