"""Report pages, made by the real Evidently: each under its own name, with its numbers, and none of them fails."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labline import pipeline
from labline.config import Config
from labline.contract import Columns, Problem, read_problem
from labline.errors import DataError
from labline.monitoring.kinds import ReportKind, ReportResult
from labline.monitoring.reports import ReportRows, write_report
from labline.monitoring.summary import Summary
from labline.pipeline.data import columns_of
from tests.conftest import ROOT

QUICK = ReportKind.TARGET_DRIFT  # a page of two figures, for what all kinds have in common


@pytest.fixture(scope="module")
def obesity() -> Problem:
    """The shipped problem with a few of its columns: they are what a page takes its time for."""
    whole = read_problem(ROOT / "problems" / "obesity" / "problem.yaml")
    kept = ("Age", "Weight", "FAF", "SMOKE", "CAEC")
    return whole.model_copy(update={"columns": {name: whole.columns[name] for name in kept}})


def rows(problem: Problem, frame: pd.DataFrame, right: float = 0.8) -> ReportRows:
    """The rows, with predictions of which that share is right."""
    labels = frame[problem.target].to_numpy(dtype=object)
    wrong = np.arange(len(frame)) >= right * len(frame)
    following = {name: problem.classes[index - 1] for index, name in enumerate(problem.classes)}
    predictions = [following[label] if flag else label for label, flag in zip(labels, wrong, strict=True)]
    return ReportRows(columns_of(problem, frame), np.array(predictions, dtype=object), labels)


@pytest.fixture
def reference(obesity: Problem, sample: dict[str, pd.DataFrame]) -> ReportRows:
    return rows(obesity, sample["train"].head(300), right=0.9)


@pytest.fixture
def window(obesity: Problem, sample: dict[str, pd.DataFrame]) -> ReportRows:
    return rows(obesity, sample["train"].iloc[300:500])


def with_columns(side: ReportRows, **columns: np.ndarray) -> ReportRows:
    changed: Columns = side.columns | columns
    return replace(side, columns=changed)


def write(
    kind: ReportKind, problem: Problem, reference: ReportRows, window: ReportRows, folder: Path, rows_max: int = 10_000
) -> ReportResult:
    return write_report(
        kind, problem, reference, window, folder=folder / "reports", label="v3-last200", rows_max=rows_max
    )


@pytest.mark.parametrize("kind", list(ReportKind))
def test_every_kind_is_written_under_a_name_of_its_own_and_gives_its_numbers(
    kind: ReportKind, obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    page = write(kind, obesity, reference, window, tmp_path)
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{kind}-v3-last200-[0-9a-f]{{6}}\.html", page.path.name)
    assert page.path.parent == tmp_path / "reports"
    text = page.path.read_text(encoding="utf-8")
    assert len(text) > 100_000
    assert "</html>" in text
    assert (page.kind, page.rows, page.reference_rows, page.notes) == (kind, 200, 300, [])
    assert page.metrics
    assert all(metric["name"] and "value" in metric for metric in page.metrics)
    json.dumps(page.metrics, allow_nan=False)
    assert ReportResult.model_validate_json(page.model_dump_json()) == page


def test_data_drift_is_told_for_every_column_of_the_contract_and_finds_the_one_that_moved(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    older = with_columns(window, Age=window.columns["Age"] + 10)
    page = write(ReportKind.DATA_DRIFT, obesity, reference, older, tmp_path)
    p_values = {metric["column"]: metric["value"] for metric in page.metrics if "column" in metric}
    assert set(p_values) == set(obesity.columns)
    assert p_values["Age"] == min(p_values.values()) < 1e-6


def test_model_performance_is_that_of_the_windows_labels(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    page = write(ReportKind.MODEL_PERFORMANCE, obesity, reference, window, tmp_path)
    accuracy = next(metric["value"] for metric in page.metrics if metric["name"].startswith("Accuracy"))
    assert accuracy == pytest.approx(0.8)


def test_target_drift_is_of_the_predictions_and_where_there_are_labels_of_these(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    both = write(QUICK, obesity, reference, window, tmp_path)
    assert [metric["column"] for metric in both.metrics] == ["prediction", "NObeyesdad"]
    always = replace(window, predictions=np.full(200, obesity.classes[0], dtype=object), labels=None)
    alone = write(QUICK, obesity, reference, always, tmp_path)
    assert [metric["column"] for metric in alone.metrics] == ["prediction"]
    assert alone.metrics[0]["value"] < 1e-6 < both.metrics[0]["value"]


def test_two_pages_of_a_kind_have_two_names_and_both_stay(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    first, second = (write(QUICK, obesity, reference, window, tmp_path) for _ in range(2))
    assert {file.name for file in (tmp_path / "reports").iterdir()} == {first.path.name, second.path.name}
    assert first.path.name != second.path.name


def test_performance_without_labels_is_refused_with_the_mend_and_leaves_no_page(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"the window has no labels\. Mend: use source=current"):
        write(ReportKind.MODEL_PERFORMANCE, obesity, reference, replace(window, labels=None), tmp_path)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("kind", list(ReportKind))
def test_columns_that_are_missing_altogether_are_left_out_and_noted(
    kind: ReportKind, obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    holed = with_columns(window, Age=np.full(200, np.nan))
    other = with_columns(reference, CAEC=np.full(300, None, dtype=object))
    page = write(kind, obesity, other, holed, tmp_path)
    assert page.notes == [
        "Age is left out: it has no values on one side",
        "CAEC is left out: it has no values on one side",
    ]
    assert not {"Age", "CAEC"} & {metric.get("column") for metric in page.metrics}
    assert page.path.stat().st_size > 100_000


def test_a_column_with_hardly_a_value_left_is_still_shown(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    sparse = window.columns["CAEC"].copy()
    sparse[:-2] = None
    page = write(
        ReportKind.DATA_DRIFT,
        obesity,
        reference,
        with_columns(window, Age=np.where(np.arange(200) < 198, np.nan, 30.0), CAEC=sparse),
        tmp_path,
    )
    assert page.notes == []
    assert {"Age", "CAEC"} <= {metric.get("column") for metric in page.metrics}


def test_a_side_of_too_many_rows_is_sampled_and_noted_with_both_numbers(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    page = write(QUICK, obesity, reference, window, tmp_path, rows_max=250)
    assert page.notes == ["reference rows: a random sample of 250 of 300"]
    assert (page.rows, page.reference_rows) == (200, 250)
    page = write(QUICK, obesity, reference, window, tmp_path, rows_max=100)
    assert page.notes == [
        "reference rows: a random sample of 100 of 300",
        "window rows: a random sample of 100 of 200",
    ]
    again = write(QUICK, obesity, reference, window, tmp_path, rows_max=100)
    assert again.metrics == page.metrics


def only(side: ReportRows, *classes: str) -> ReportRows:
    """The side's rows of these classes, every one predicted right."""
    assert side.labels is not None
    kept = np.isin(side.labels, classes)
    columns = {name: values[kept] for name, values in side.columns.items()}
    return ReportRows(columns, side.labels[kept], side.labels[kept])


def test_a_window_of_two_classes_or_one_still_has_its_page(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    for classes in (obesity.classes[-2:], obesity.classes[:1]):
        page = write(ReportKind.MODEL_PERFORMANCE, obesity, reference, only(window, *classes), tmp_path)
        assert page.notes == []
        assert next(metric["value"] for metric in page.metrics if metric["name"].startswith("Accuracy")) == 1


def test_a_reference_that_cannot_be_set_beside_the_window_is_left_out_and_noted(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    few = only(reference, *obesity.classes[:2])
    for side in (window, only(window, obesity.classes[0])):
        page = write(ReportKind.MODEL_PERFORMANCE, obesity, few, side, tmp_path)
        assert page.notes == ["the reference is left out: it and the window have not the same classes in them"]
        assert page.reference_rows == 0
        assert any(metric["name"].startswith("Accuracy") for metric in page.metrics)


def test_a_figure_that_evidently_cannot_give_is_null_and_not_a_word(
    obesity: Problem, reference: ReportRows, window: ReportRows, tmp_path: Path
) -> None:
    alone = {name: values[:1] for name, values in window.columns.items()}  # one row has no standard deviation
    assert window.labels is not None
    page = write(
        ReportKind.DATA_QUALITY,
        obesity,
        reference,
        ReportRows(alone, window.predictions[:1], window.labels[:1]),
        tmp_path,
    )
    values = [metric["value"] for metric in page.metrics]
    assert None in values
    assert "None" not in values
    assert "nan" not in json.dumps(values, allow_nan=False).lower()


def test_a_window_of_too_few_rows_gets_the_summary_and_no_page(config: Config) -> None:
    served = pipeline.champion(config, "obesity")
    found = pipeline.report(config, served, ReportKind.DATA_DRIFT)
    assert isinstance(found, Summary)
    assert found.status == "insufficient_data"
    assert not config.settings.reports.exists() or not list(config.settings.reports.rglob("*drift*.html"))


def test_a_page_of_the_current_rows_says_so_in_its_name(config: Config) -> None:
    page = pipeline.report(config, pipeline.champion(config, "obesity"), QUICK, source="current")
    assert isinstance(page, ReportResult)
    assert page.path.parent == config.settings.reports / "obesity"
    assert "-target-drift-v1-current-" in page.path.name
    assert page.rows == 400


# Several labels, texts, moments and lists

TAGGED = Problem.model_validate(
    {
        "name": "tagged",
        "title": "Tagged",
        "task": "multilabel",
        "target": "tags",
        "classes": ["a", "b", "c"],
        "metric": "jaccard",
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {
            "said": {"type": "text", "missing": "allow"},
            "parts": {"type": "labels", "missing": "allow"},
            "at": {"type": "datetime"},
        },
    }
)


def listed(values: list[tuple[str, ...]]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def tagged(given: list[tuple[str, ...]], true: list[tuple[str, ...]] | None, seed: int = 0) -> ReportRows:
    """120 rows, of which the predictions and labels repeat those given."""
    random = np.random.default_rng(seed)
    columns: Columns = {
        "said": np.array(["x" * length for length in random.integers(1, 50, 120)], dtype=object),
        "parts": listed([("p", "q")[: random.integers(0, 3)] for _ in range(120)]),
        "at": np.datetime64("2024-01-01", "us") + random.integers(0, 100, 120).astype("timedelta64[D]"),
    }
    repeat = -(-120 // len(given))
    labels = None if true is None else listed((true * repeat)[:120])
    return ReportRows(columns, listed((given * repeat)[:120]), labels)


MIXED = ([("a",), ("b", "c"), (), ("a", "b")], [("a",), ("b",), ("c",), ("a",)])


@pytest.mark.parametrize("kind", [ReportKind.DATA_DRIFT, ReportKind.DATA_QUALITY])
def test_texts_and_lists_are_shown_by_their_length_and_moments_as_days(kind: ReportKind, tmp_path: Path) -> None:
    page = write(kind, TAGGED, tagged(*MIXED), tagged(*MIXED, seed=1), tmp_path)
    assert page.notes == []
    assert {"said", "parts", "at"} <= {metric.get("column") for metric in page.metrics}


def test_of_several_labels_the_drift_is_of_every_one_of_them(tmp_path: Path) -> None:
    alike = write(QUICK, TAGGED, tagged(*MIXED), tagged(*MIXED, seed=1), tmp_path)
    assert [metric["column"] for metric in alike.metrics] == ["prediction", "tags"]
    assert (alike.rows, alike.reference_rows) == (150, 150)  # five labels in four rows
    other = write(QUICK, TAGGED, tagged(*MIXED), tagged([("c",)], None), tmp_path)
    assert [metric["column"] for metric in other.metrics] == ["prediction"]
    assert other.metrics[0]["value"] < 1e-6 < alike.metrics[0]["value"]


def test_of_several_labels_the_performance_is_of_decisions_on_labels_that_were_given_or_true(tmp_path: Path) -> None:
    page = write(ReportKind.MODEL_PERFORMANCE, TAGGED, tagged(*MIXED), tagged(*MIXED, seed=1), tmp_path)
    values = {metric["name"].split("(")[0]: metric["value"] for metric in page.metrics}
    # in four rows: three rightly given, two given that are not true, one missed
    assert values["Precision"] == pytest.approx(3 / 5)
    assert values["Recall"] == pytest.approx(3 / 4)
    assert values["F1Score"] == pytest.approx(2 * 3 / (5 + 4))
    assert values["Accuracy"] == pytest.approx(3 / 6)


NOTHING: list[tuple[str, ...]] = [()]


def test_a_window_in_which_no_label_is_given_still_has_its_pages(tmp_path: Path) -> None:
    silent = tagged(NOTHING, MIXED[1])
    drift = write(QUICK, TAGGED, tagged(*MIXED), silent, tmp_path)
    assert drift.notes == ["prediction is left out: it has no values on one side"]
    page = write(ReportKind.MODEL_PERFORMANCE, TAGGED, tagged(*MIXED), silent, tmp_path)
    assert next(metric["value"] for metric in page.metrics if metric["name"].startswith("Recall")) == 0


def test_where_no_label_is_given_or_true_there_is_no_performance_and_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no label was given or true in the window\. Mend: ask for a larger window"):
        write(ReportKind.MODEL_PERFORMANCE, TAGGED, tagged(*MIXED), tagged(NOTHING, NOTHING), tmp_path)
    page = write(ReportKind.MODEL_PERFORMANCE, TAGGED, tagged(NOTHING, NOTHING), tagged(*MIXED), tmp_path)
    assert page.notes == ["the reference is left out: it and the window have not the same classes in them"]


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_right_or_all_wrong_still_have_their_page(right: bool, tmp_path: Path) -> None:
    window = tagged([("a",)], [("a",)] if right else [("b",)])
    page = write(ReportKind.MODEL_PERFORMANCE, TAGGED, tagged(*MIXED), window, tmp_path)
    assert next(m["value"] for m in page.metrics if m["name"].startswith("Accuracy")) == float(right)
