"""Bring a table, get the whole workspace for it: `labline new --yes`, `labline up`, no file edited."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from labline.contract import Problem, read_problem
from labline.contract.examples import example_record
from tests.server import environment, serving

ROWS_ASKED = 120


@dataclass(frozen=True)
class Own:
    """A table as a user has it, and what is to come of it."""

    frame: pd.DataFrame
    target: str
    task: str
    at_least: float  # of R² for a value, else of the share of asked rows answered rightly


def binary_with_a_leak() -> Own:
    frame = load_breast_cancer(as_frame=True).frame
    frame["diagnosis"] = np.where(frame.pop("target") == 0, "malignant", "benign")
    frame["treated"] = np.where(frame["diagnosis"] == "malignant", "surgery", "none")  # known only afterwards
    frame.insert(0, "patient_id", [f"P{index:05d}" for index in range(len(frame))])
    return Own(frame, "diagnosis", "binary", 0.9)


def multiclass_with_awkward_names() -> Own:
    frame = load_wine(as_frame=True).frame
    names = [
        "class",
        "2nd",
        "Höhe (cm)",
        "a b",
        "größe: x",
        "on",
        "null",
        "x'y\"z",
        "#hash",
        "[1]",
        "tab\tname",
        "{a}",
        "日本",
    ]
    frame = frame.rename(columns=dict(zip(frame.columns, names, strict=False)))
    frame["cultivar?"] = frame.pop("target").map({0: "yes", 1: "no", 2: "maybe: not"})
    return Own(frame, "cultivar?", "multiclass", 0.9)


def regression_with_dates() -> Own:
    random = np.random.default_rng(1)
    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    days = random.integers(0, 1000, len(frame))
    frame["seen_on"] = [f"{day:%d.%m.%Y}" for day in pd.Timestamp("2021-03-01") + pd.to_timedelta(days, unit="D")]
    frame["progression"] = frame["progression"] + days / 10  # later visits show more of it
    frame["sex"] = frame["sex"].map({1.0: "f", 2.0: "m"})
    frame.loc[random.random(len(frame)) < 0.1, "bmi"] = np.nan
    return Own(frame, "progression", "regression", 0.3)


def small_binary_with_many_gaps() -> Own:
    """As the passengers of a well-known ship: few rows, most cabins unknown, names that are texts."""
    random = np.random.default_rng(6)
    rows = 400
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, rows + 1),
            "Class": random.choice([1, 2, 3], rows),
            "Name": [f"Person{index}, Mr. Given{index % 37} Middle" for index in range(rows)],
            "Sex": random.choice(["male", "female"], rows),
            "Age": np.where(random.random(rows) < 0.2, np.nan, random.normal(30, 12, rows).clip(1, 80).round()),
            "Ticket": [f"A/5 {random.integers(1000, 1200)}" for _ in range(rows)],
            "Cabin": np.where(random.random(rows) < 0.77, None, [f"C{random.integers(1, 90)}" for _ in range(rows)]),
        }
    )
    odds = 3 * (frame["Sex"] == "female") - frame["Class"] + 0.5
    frame["Survived"] = (random.random(rows) < 1 / (1 + np.exp(-2 * odds))).astype(int)
    return Own(frame, "Survived", "binary", 0.75)


COMPLAINTS = {
    "billing": [
        "charged twice this month",
        "the invoice shows a wrong amount",
        "refund has not arrived",
        "card was debited",
    ],
    "delivery": [
        "parcel never came",
        "courier left it in the rain",
        "tracking number does not work",
        "box was damaged",
    ],
    "login": [
        "cannot sign in any more",
        "password reset mail is missing",
        "account locked after update",
        "code is refused",
    ],
}
FILLERS = ["please help", "very unhappy", "second time I write", "thanks in advance", "since last week", "on my phone"]


def text() -> Own:
    random = np.random.default_rng(2)
    rows = []
    for _ in range(600):
        kind = str(random.choice(list(COMPLAINTS)))
        parts = [*random.choice(COMPLAINTS[kind], 2), *random.choice(FILLERS, 2)]
        rows.append(
            {"message": ", ".join(random.permutation(parts)), "stars": int(random.integers(1, 4)), "team": kind}
        )
    return Own(pd.DataFrame(rows), "team", "multiclass", 0.95)


def multilabel() -> Own:
    random = np.random.default_rng(3)
    rows = []
    for _ in range(600):
        kinds = sorted(random.choice(list(COMPLAINTS), random.integers(1, 3), replace=False).tolist())
        parts = [str(random.choice(COMPLAINTS[kind])) for kind in kinds] + [str(random.choice(FILLERS))]
        rows.append({"message": ". ".join(random.permutation(parts)), "topics": json.dumps(kinds)})
    return Own(pd.DataFrame(rows), "topics", "multilabel", 0.9)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "table",
    [
        binary_with_a_leak,
        small_binary_with_many_gaps,
        multiclass_with_awkward_names,
        regression_with_dates,
        text,
        multilabel,
    ],
)
def test_a_csv_becomes_an_answering_and_monitored_service(table: Callable[[], Own], tmp_path: Path) -> None:
    own = table()
    own.frame.to_csv(tmp_path / "mine.csv", index=False)
    new = ["new", "mine", "--data", str(tmp_path / "mine.csv"), "--target", own.target, "--yes"]
    # what a search makes of a table has tests of its own
    brief = {"folds": 3, "families": ["linear", "lightgbm"], "blend": False, "seeds": 1, "explained_rows": 0}
    (tmp_path / "labline.yaml").write_text(yaml.safe_dump({"training": brief}), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "labline", *new], env=environment(tmp_path), check=True, capture_output=True)
    problem = read_problem(tmp_path / "problems" / "mine" / "problem.yaml")
    assert problem.task == own.task
    with serving(tmp_path, "up", "mine") as server:
        rows = own.frame.sample(ROWS_ASKED, random_state=4)  # the first rows of a file need not be like the others
        answers = asked(server.address, problem, rows)
        assert quality(problem, rows[own.target], answers) >= own.at_least
        single = httpx.post(f"{server.address}/predict", json=example_record(problem), timeout=30)
        assert single.status_code == 200, single.text
        summary = httpx.get(f"{server.address}/monitor", timeout=60).json()
        page = httpx.get(f"{server.address}/", timeout=30)
    assert summary["status"] in {"ok", "warn"}, summary["reasons"]
    assert summary["rows"] == ROWS_ASKED + 1
    assert {row["column"] for row in summary["columns"]} == {*problem.columns}
    assert page.status_code == 200
    check_what_was_left_out(own, problem)


def asked(address: str, problem: Problem, frame: pd.DataFrame) -> list[Any]:
    """The service's answers to rows of the table, sent as a client would: as JSON, what is missing left out."""
    rows = frame[list(problem.columns)].astype(object)
    records = [{key: value for key, value in row.items() if not pd.isna(value)} for row in rows.to_dict("records")]
    answer = httpx.post(f"{address}/predict/batch", content=json.dumps(records), timeout=60)
    assert answer.status_code == 200, answer.text
    return [one["prediction"] for one in answer.json()["predictions"]]


def quality(problem: Problem, true: pd.Series[Any], answers: list[Any]) -> float:
    if problem.task == "regression":
        return float(1 - np.mean((true - answers) ** 2) / np.var(true))
    if problem.task == "multilabel":
        return float(
            np.mean([sorted(given) == json.loads(written) for given, written in zip(answers, true, strict=True)])
        )
    return float(np.mean([given == str(written) for given, written in zip(answers, true, strict=True)]))


def check_what_was_left_out(own: Own, problem: Problem) -> None:
    left_out = {"treated", own.target, problem.id}
    assert {*problem.columns} == {*own.frame.columns} - left_out
    assert problem.id == next((name for name in own.frame if name in {"patient_id", "PassengerId"}), None)
