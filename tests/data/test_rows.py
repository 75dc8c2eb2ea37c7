"""The rows in use, for whoever wants to look at them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from labline import pipeline
from labline.config import load
from labline.errors import DataError
from tests.data.contracts import make_problem

COLUMNS = {"price": {"type": "number", "minimum": 0}}


def workspace(root: Path, prices: list[float], **more: object) -> None:
    problem = make_problem("regression", COLUMNS, **more)
    folder = root / "problems" / "shop"
    folder.mkdir(parents=True)
    pd.DataFrame({"id": range(len(prices)), "price": prices, "y": prices}).to_csv(folder / "shop.csv", index=False)
    (folder / "problem.yaml").write_text(
        yaml.safe_dump(problem.model_dump(mode="json", exclude_unset=True)), encoding="utf-8"
    )


def test_rows_that_were_never_taken_are_taken_first_and_those_of_no_source_are_none(tmp_path: Path) -> None:
    workspace(tmp_path, [1.0, 2.0, 3.0])
    config = load(tmp_path)
    problem = pipeline.open_problem(config, "shop")
    assert pipeline.open_rows(config, problem, "current") is None
    rows = pipeline.open_rows(config, problem)
    assert rows is not None
    assert rows.frame["price"].tolist() == [1.0, 2.0, 3.0]
    assert (rows.snapshot.role, rows.snapshot.rows) == ("train", 3)


def test_training_rows_are_those_that_may_be_trained_on(tmp_path: Path) -> None:
    workspace(tmp_path, [1.0, -2.0, 3.0], invalid_rows="drop")
    config = load(tmp_path)
    rows = pipeline.open_rows(config, pipeline.open_problem(config, "shop"))
    assert rows is not None
    assert rows.frame["price"].tolist() == [1.0, 3.0]


def test_rows_that_break_the_contract_are_refused(tmp_path: Path) -> None:
    workspace(tmp_path, [1.0, -2.0, 3.0])
    config = load(tmp_path)
    with pytest.raises(DataError, match="break the contract"):
        pipeline.open_rows(config, pipeline.open_problem(config, "shop"))
