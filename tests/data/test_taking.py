"""Taking a problem's rows: which source is used, and what is said when it is not the real one."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
import yaml
from loguru import logger

from labline.config import Config, load
from labline.contract import Problem, read_problem
from labline.data.sources import Taken, take
from labline.errors import DataError

CONTRACT: dict[str, Any] = {
    "name": "people",
    "title": "People",
    "task": "regression",
    "target": "y",
    "metric": "rmse",
    "columns": {"x": {"type": "number"}},
}
SAMPLE = """
import pandas as pd

def train(seed):
    return pd.DataFrame({"x": [float(seed)], "y": [1.0]})
"""
KAGGLE = {"kaggle": {"dataset": "ada/people", "file": "people.csv"}}


@pytest.fixture(autouse=True)
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level}: {message}", level="INFO")
    yield lines
    logger.remove(sink)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "ws" / "problems" / "people").mkdir(parents=True)
    (tmp_path / "ws" / "labline.yaml").write_text("training: {seed: 5}\nkaggle: {attempts: 1}\n")
    return load(tmp_path / "ws")


def problem(config: Config, sample: str | None = SAMPLE, **sources: Any) -> Problem:
    folder = config.settings.problems / "people"
    (folder / "problem.yaml").write_text(yaml.safe_dump(CONTRACT | {"sources": sources}))
    if sample is not None:
        (folder / "sample.py").write_text(sample)
    return read_problem(folder / "problem.yaml")


def rows(path: Path, x: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({"x": [x], "y": [2.0]})
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def some(taken: Taken | None) -> Taken:
    assert taken is not None
    return taken


# Kaggle or sample


def test_without_credentials_auto_takes_the_sample_and_says_so_loudly(config: Config, log: list[str]) -> None:
    taken = some(take(problem(config, train=KAGGLE), "train", "auto", config))

    assert taken.frame["x"].tolist() == [5.0]  # the seed
    assert (taken.kind, taken.origin) == ("sample", "sample:people/train?seed=5")
    [warning] = [line for line in log if line.startswith("WARNING")]
    assert "people train" in warning
    assert "GENERATED SAMPLE DATA" in warning
    assert "KAGGLE_USERNAME and KAGGLE_KEY" in warning


def test_the_sample_that_was_asked_for_is_taken_without_a_warning(config: Config, log: list[str]) -> None:
    assert some(take(problem(config, train=KAGGLE), "train", "sample", config)).kind == "sample"
    assert log == []


def test_the_sample_goes_before_the_contracts_own_file_when_it_is_asked_for(config: Config) -> None:
    rows(config.settings.problems / "people" / "people.csv")

    assert some(take(problem(config, train={"csv": "people.csv"}), "train", "sample", config)).kind == "sample"


@pytest.mark.parametrize("choice", ["auto", "kaggle"])
def test_with_credentials_that_are_wrong_nobody_is_given_the_sample(
    choice: Any, config: Config, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.delenv("KAGGLE_KEY", raising=False)

    with pytest.raises(DataError, match="KAGGLE_USERNAME is set, but KAGGLE_KEY is not"):
        take(problem(config, train=KAGGLE), "train", choice, config)
    assert log == []


def test_kaggle_without_credentials_is_refused_when_it_is_asked_for(config: Config) -> None:
    with pytest.raises(DataError, match="no Kaggle credentials"):
        take(problem(config, train=KAGGLE), "train", "kaggle", config)


def test_kaggle_is_refused_where_the_contract_names_no_file_there(config: Config) -> None:
    with pytest.raises(DataError, match="names no Kaggle file for 'train'") as caught:
        take(problem(config, train={"csv": "people.csv"}), "train", "kaggle", config)

    assert caught.value.where == "people: sources.train"


def test_a_file_of_kaggle_that_is_there_with_its_checksum_needs_no_credentials(config: Config) -> None:
    path = rows(config.settings.data / "raw" / "kaggle" / "ada--people" / "people.csv", x=3.0)
    digest = sha256(path.read_bytes()).hexdigest()
    path.with_name("people.csv.sha256").write_text(f"{digest}  people.csv\n")

    taken = some(take(problem(config, train=KAGGLE), "train", "kaggle", config))
    assert taken.frame["x"].tolist() == [3.0]
    assert (taken.kind, taken.origin) == ("kaggle", "kaggle:ada/people/people.csv")


# Files


@pytest.mark.parametrize("choice", ["auto", "kaggle", "sample"])
def test_a_file_that_is_given_goes_before_everything(
    choice: Any, config: Config, tmp_path: Path, log: list[str]
) -> None:
    file = rows(tmp_path / "mine.csv", x=9.0)
    taken = some(take(problem(config, train=KAGGLE), "train", choice, config, str(file)))

    assert taken.frame["x"].tolist() == [9.0]
    assert (taken.kind, taken.origin) == ("file", f"file:{file}")
    assert log == []


def test_a_file_given_relative_to_the_folder_one_is_in_is_named_in_full(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(tmp_path / "mine.parquet")
    monkeypatch.chdir(tmp_path)

    taken = some(take(problem(config, train=KAGGLE), "train", "auto", config, "mine.parquet"))
    assert taken.origin == f"file:{tmp_path / 'mine.parquet'}"


def test_a_file_that_is_given_and_not_there_is_refused_and_nothing_else_taken(config: Config, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        take(problem(config, train=KAGGLE), "train", "auto", config, str(tmp_path / "mine.csv"))


@pytest.mark.parametrize("name", ["people.csv", "tables/people.parquet"])
def test_the_contracts_own_file_is_looked_for_from_the_problems_folder(
    name: str, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    path = rows(config.settings.problems / "people" / name, x=4.0)
    monkeypatch.chdir(tmp_path)

    taken = some(take(problem(config, train={path.suffix[1:]: name}), "train", "auto", config))
    assert taken.frame["x"].tolist() == [4.0]
    assert (taken.kind, taken.origin) == ("file", f"file:{path}")
    assert log == []


def test_the_contracts_own_file_that_is_not_there_is_refused_and_no_sample_taken(config: Config) -> None:
    with pytest.raises(DataError, match="there is no such file") as caught:
        take(problem(config, train={"csv": "people.csv"}), "train", "auto", config)

    assert caught.value.where == str(config.settings.problems / "people" / "people.csv")


def test_the_contracts_own_file_may_have_a_full_path_or_an_address(config: Config, tmp_path: Path) -> None:
    file = rows(tmp_path / "elsewhere.csv", x=6.0)
    taken = some(take(problem(config, train={"csv": str(file)}), "train", "auto", config))
    assert (taken.frame["x"].tolist(), taken.origin) == ([6.0], f"file:{file}")

    address = f"memory://{tmp_path.as_posix()}/people.csv"
    with fsspec.open(address, "wb") as opened:
        opened.write(file.read_bytes())
    taken = some(take(problem(config, train={"csv": address}), "train", "auto", config))
    assert (taken.frame["x"].tolist(), taken.kind, taken.origin) == ([6.0], "file", address)


# What is not there


@pytest.mark.parametrize("choice", ["auto", "kaggle", "sample"])
def test_a_contract_without_current_rows_gives_none(choice: Any, config: Config) -> None:
    assert take(problem(config, train=KAGGLE), "current", choice, config) is None


def test_current_rows_are_taken_from_a_file_that_is_given_though_the_contract_names_none(
    config: Config, tmp_path: Path
) -> None:
    file = rows(tmp_path / "new.csv", x=8.0)

    assert some(take(problem(config, train=KAGGLE), "current", "auto", config, str(file))).frame["x"][0] == 8.0


def test_a_problem_without_sample_says_how_to_give_files(config: Config) -> None:
    with pytest.raises(DataError, match="this problem has no sample") as caught:
        take(problem(config, sample=None, train=KAGGLE), "train", "auto", config)

    assert caught.value.where == str(config.settings.problems / "people" / "sample.py")
    assert "--train FILE" in str(caught.value.mend)


def test_a_sample_without_the_role_says_what_to_write(config: Config) -> None:
    with pytest.raises(DataError, match="it generates no 'current' rows") as caught:
        take(problem(config, train=KAGGLE, current=KAGGLE), "current", "sample", config)

    assert caught.value.mend == "write def current(seed)"
