"""Extra rows: taken, checked, learned from by their weight, and named wherever data are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from labline import pipeline
from labline.config import load
from labline.contract import Problem
from labline.errors import ContractError, DataError
from labline.model.search import Journal
from labline.pipeline.divided import ready_rows


def weighing(problem: Problem, weight: float) -> Problem:
    """The contract with a source of extra rows."""
    written = problem.model_dump(mode="json", exclude_unset=True)
    written["sources"]["extra"] = {"csv": "extra.csv", "weight": weight}
    return Problem.model_validate(written)


def test_extra_rows_are_learned_from_but_for_copies_and_named_in_manifest_and_run(
    workspace: Path, sample: dict[str, pd.DataFrame]
) -> None:
    config = load(workspace)
    problem = weighing(pipeline.open_problem(config, "obesity"), 0.5)
    own = sample["train"].head(500)
    own.to_csv(workspace / "train.csv", index=False)
    copies = own.head(40).drop(columns="id")
    pd.concat([sample["current"], copies]).to_csv(workspace / "extra.csv", index=False)
    files = {"train": str(workspace / "train.csv"), "extra": str(workspace / "extra.csv")}
    taken = pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
    assert [snapshot.role for snapshot in taken] == ["train", "extra"]

    ready = ready_rows(config, problem, accept_leaks=False)
    assert ready.rows.extra is not None
    columns, target, weight = ready.rows.extra
    assert weight == 0.5
    assert len(target) == len(columns["Age"]) == len(sample["current"])  # held out or not: no copy is learned from
    training = ready.rows.training
    assert training.own == len(ready.rows.target)
    assert training.weights is not None
    assert set(training.weights[: training.own]) == {1.0}
    assert set(training.weights[training.own :]) == {0.5}

    trained = pipeline.train(config, problem)
    data = trained.bundle.manifest.data
    assert (data.extra_rows, data.extra_weight, data.extra_sha256) == (len(target), 0.5, taken[1].sha256)
    assert data.extra_origin.endswith("extra.csv")
    assert len(trained.fitted.choice.raw) == training.own
    assert not list((config.settings.models / "searches" / "obesity").iterdir())  # it is all in MLflow now


def test_another_set_of_extra_rows_is_another_search(workspace: Path, sample: dict[str, pd.DataFrame]) -> None:
    config = load(workspace)
    problem = pipeline.open_problem(config, "obesity")
    sample["train"].head(300).to_csv(workspace / "train.csv", index=False)
    sample["current"].head(100).to_csv(workspace / "extra.csv", index=False)
    pipeline.prepare(config, problem, files={"train": str(workspace / "train.csv")})
    without = ready_rows(config, problem, accept_leaks=False).key
    pipeline.prepare(config, problem, files={"extra": str(workspace / "extra.csv")})
    key = ready_rows(config, problem, accept_leaks=False).key
    assert key != without
    Journal(config.settings.models / "searches" / "obesity" / f"20260101-{without}", without)
    with pytest.raises(Exception, match="1 are for other data, another contract or other settings"):
        pipeline.train(config, problem, resume=True)


def test_extra_rows_that_break_the_contract_or_lack_the_target_are_refused_by_name(
    workspace: Path, sample: dict[str, pd.DataFrame]
) -> None:
    config = load(workspace)
    problem = pipeline.open_problem(config, "obesity")
    sample["train"].head(300).to_csv(workspace / "train.csv", index=False)
    broken = sample["current"].head(50).copy()
    broken.loc[broken.index[3], "Gender"] = "male"
    broken.to_csv(workspace / "extra.csv", index=False)
    files = {"train": str(workspace / "train.csv"), "extra": str(workspace / "extra.csv")}
    pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"(?s)extra\.csv.*'male'"):
        pipeline.train(config, problem)


@pytest.mark.parametrize("weight", [0, -1, 1000])
def test_a_weight_has_to_be_above_zero_and_sane(weight: float, problem: Problem) -> None:
    with pytest.raises((ContractError, ValueError), match="weight"):
        weighing(problem, weight)
