"""Derived features: found in `features.py`, put in order, and the same for one row and for many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labline.contract import Columns, Problem, columns_from_records, read_problem
from labline.contract.examples import example_records
from labline.errors import ContractError
from labline.features import DerivedFeatures, read_features

OBESITY = Path(__file__).parents[2] / "problems" / "obesity"
PROBLEM = Problem.model_validate(
    {
        "name": "people",
        "title": "People",
        "task": "binary",
        "target": "ill",
        "classes": ["no", "yes"],
        "id": "id",
        "metric": "accuracy",
        "sources": {"train": {"csv": "people.csv"}},
        "columns": {
            "Weight": {"type": "number"},
            "Height": {"type": "number"},
            "Gender": {"type": "category", "values": ["Female", "Male"]},
        },
    }
)
COLUMNS: Columns = {
    "Weight": np.array([60.0, 80.0, np.nan]),
    "Height": np.array([1.5, 2.0, 1.6]),
    "Gender": np.array(["Female", "Male", None], dtype=object),
}

Read = Callable[[str], DerivedFeatures]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "features.py"


@pytest.fixture
def read(file: Path) -> Read:
    def read(source: str) -> DerivedFeatures:
        file.write_text(source, encoding="utf-8")
        return read_features(file, PROBLEM)

    return read


def refusal(call: Callable[[], Any]) -> ContractError:
    with pytest.raises(ContractError) as caught:
        call()
    assert caught.value.mend
    return caught.value


# What is read


def test_a_function_gives_the_column_of_its_name_from_the_columns_its_parameters_name(read: Read) -> None:
    made = read("def BMI(Weight, Height):\n    return Weight / Height**2\n")(COLUMNS)

    np.testing.assert_array_equal(made["BMI"], [60 / 1.5**2, 20.0, np.nan])
    assert made["BMI"].dtype == np.float64
    assert list(made) == ["Weight", "Height", "Gender", "BMI"]
    assert "BMI" not in COLUMNS


def test_truth_becomes_one_and_zero(read: Read) -> None:
    made = read("def tall(Height):\n    return Height > 1.55\n")(COLUMNS)

    assert made["tall"].tolist() == [0.0, 1.0, 1.0]
    assert made["tall"].dtype == np.float64


def test_features_are_made_in_the_order_in_which_each_finds_what_it_reads(read: Read) -> None:
    features = read(
        "def d(c, b):\n    return c + b\n"
        "def c(b):\n    return 10 * b\n"
        "def b(a, Weight):\n    return a + 0 * Weight\n"
        "def a(Height):\n    return Height\n"
    )

    made = features(COLUMNS)
    assert list(made) == [*COLUMNS, "a", "b", "c", "d"]
    assert made["d"].tolist()[:2] == [16.5, 22.0]
    assert features.names == ("d", "c", "b", "a")  # as they are written
    assert [(feature.name, feature.reads) for feature in features][-1] == ("d", ("c", "b"))


def test_private_functions_constants_classes_and_imports_are_no_features(read: Read) -> None:
    features = read(
        "from math import pi\nfrom numpy import where\n"
        "FACTOR = 2\n"
        "class Helper: pass\n"
        "def _twice(numbers):\n    return FACTOR * numbers\n"
        "def double(Weight):\n    return _twice(Weight)\n"
    )

    assert features.names == ("double",)
    assert features(COLUMNS)["double"].tolist()[:2] == [120.0, 160.0]


def test_a_problem_without_the_file_has_no_features(tmp_path: Path) -> None:
    features = read_features(tmp_path / "features.py", PROBLEM)

    assert features.names == ()
    assert list(features(COLUMNS)) == list(COLUMNS)


def test_only_keeps_the_wanted_ones_and_what_they_read(read: Read) -> None:
    features = read(
        "def a(Height):\n    return Height\n"
        "def b(a):\n    return 2 * a\n"
        "def c(b):\n    return 2 * b\n"
        "def other(Weight):\n    return Weight\n"
    )

    assert features.only(["c", "Weight"]).names == ("a", "b", "c")
    assert features.only(["b"]).names == ("a", "b")
    assert features.only(["Height"]).names == ()
    assert features.only(["c"])(COLUMNS)["c"].tolist() == [6.0, 8.0, 6.4]
    assert "other" not in features.only(["c"])(COLUMNS)


# What is refused


def test_features_that_read_each_other_in_a_circle_are_refused_by_name(read: Read, file: Path) -> None:
    error = refusal(
        lambda: read("def a(c):\n    return c\ndef b(a):\n    return a\ndef c(b, Weight):\n    return b + Weight\n")
    )

    assert "in a circle" in error.what
    assert all(name in error.what.partition(": ")[2].split(" → ") for name in "abc")
    assert str(error.where).startswith(f"{file}:")


def test_a_feature_that_reads_itself_is_a_circle(read: Read) -> None:
    assert "a → a" in refusal(lambda: read("def a(a):\n    return a\n")).what


@pytest.mark.parametrize(
    ("parameter", "mend"),
    [("Wieght", "did you mean 'Weight'?"), ("bmi_", "did you mean 'bmi'?"), ("xyz", "name a column of problem.yaml")],
)
def test_a_column_that_is_not_there_is_answered_with_line_and_the_one_that_is_near(
    parameter: str, mend: str, read: Read, file: Path
) -> None:
    error = refusal(lambda: read(f"def bmi(Weight):\n    return Weight\n\n\ndef risk({parameter}):\n    return 1\n"))

    assert f"risk reads {parameter!r}, which is no column of the contract" in error.what
    assert (error.where, error.mend) == (f"{file}:5", mend)


@pytest.mark.parametrize("name", ["ill", "id"])
def test_neither_target_nor_id_can_be_read(name: str, read: Read) -> None:
    assert f"reads {name!r}" in refusal(lambda: read(f"def a({name}):\n    return {name}\n")).what


@pytest.mark.parametrize("name", ["Weight", "ill", "id"])
def test_a_feature_cannot_take_the_name_of_a_column(name: str, read: Read, file: Path) -> None:
    error = refusal(lambda: read(f"# a comment\ndef {name}(Height):\n    return Height\n"))

    assert f"{name} is the name of a column already" in error.what
    assert error.where == f"{file}:2"


def test_a_feature_that_reads_nothing_is_refused(read: Read, file: Path) -> None:
    error = refusal(lambda: read("def one():\n    return 1\n"))

    assert (error.what, error.where) == ("one reads no column", f"{file}:1")


def test_what_is_not_python_is_refused_with_its_line(read: Read, file: Path) -> None:
    error = refusal(lambda: read("def a(Weight):\n    return Weight\n\ndef b(Weight:\n    return 1\n"))

    assert "not Python" in error.what
    assert error.where == f"{file}:4"


@pytest.mark.parametrize(
    "source", ["import nothing_of_this_name", "1 / 0", "{}['a']", "x = undefined", "open('/no/such')", "assert False"]
)
def test_a_file_that_does_not_run_is_refused(source: str, read: Read, file: Path) -> None:
    error = refusal(lambda: read(source))

    assert "does not run" in error.what
    assert error.where == str(file)


@pytest.mark.parametrize(
    "body",
    ["Weigth", "Weight + 'a'", "Weight.no_such", "{}['a']", "int(Weight)", "1 / 0", "-Gender", "[{}, {}, {}]"],
)
def test_a_function_that_fails_is_named_with_its_line(body: str, read: Read, file: Path) -> None:
    features = read(f"def fine(Height):\n    return Height\n\ndef risk(Weight, Gender):\n    return {body}\n")
    error = refusal(lambda: features(COLUMNS))

    assert error.what.startswith("risk fails: ")
    assert error.where == f"{file}:4"


@pytest.mark.parametrize("body", ["1.0", "Weight.mean()", "Weight[:2]", "[[w] for w in Weight]", "[]"])
def test_a_function_that_does_not_give_one_number_a_row_is_named_with_its_line(
    body: str, read: Read, file: Path
) -> None:
    error = refusal(lambda: read(f"\ndef risk(Weight):\n    return {body}\n")(COLUMNS))

    assert error.what.startswith("risk gives shape ")
    assert "(3,)" in error.what
    assert error.where == f"{file}:2"


def test_a_division_by_zero_gives_infinity_and_no_warning(read: Read) -> None:
    made = read("def a(Weight):\n    return Weight / 0\n")(COLUMNS)

    assert made["a"].tolist()[:2] == [np.inf, np.inf]


# One path


def test_one_row_gives_bit_for_bit_what_it_gives_in_a_frame() -> None:
    problem = read_problem(OBESITY / "problem.yaml")
    features = read_features(OBESITY / "features.py", problem)
    records = example_records(problem, 300)
    frame = features(columns_from_records(problem, records))

    assert len(features.names) == 12
    for row, record in enumerate(records):
        alone = features(columns_from_records(problem, [record]))
        for name in features.names:
            assert alone[name].tobytes() == frame[name][row : row + 1].tobytes(), name


# Names


def test_a_feature_may_give_names_and_none_where_there_is_none(read: Read) -> None:
    made = read(
        "import numpy as np\n"
        "def initial(Gender):\n    return np.array([g and g[0] for g in Gender], dtype=object)\n"
        "def size(Weight):\n    return np.where(Weight > 70, 'large', 'small')\n"
        "def both(initial, size):\n    return np.array([f'{i} {s}' for i, s in zip(initial, size)], dtype=object)\n"
    )(COLUMNS)

    assert made["initial"].tolist() == ["F", "M", None]
    assert made["size"].tolist() == ["small", "large", "small"]
    assert made["both"].tolist() == ["F small", "M large", "None small"]
    assert {made[name].dtype for name in ("initial", "size", "both")} == {np.dtype(object)}


def test_objects_that_are_numbers_are_numbers(read: Read) -> None:
    made = read("import numpy as np\ndef a(Weight):\n    return np.array([1, 2.5, None], dtype=object)\n")(COLUMNS)

    np.testing.assert_array_equal(made["a"], [1, 2.5, np.nan])
    assert made["a"].dtype == np.float64


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("np.array(['a', 1, None], dtype=object)", "could not convert string to float: 'a'"),
        ("np.array(['2024-01-01'] * 3, dtype='datetime64[D]')", "divide by timedelta64(1, 'D')"),
        ("np.array([{}, 1, 2], dtype=object)", "dict"),
    ],
)
def test_what_is_neither_numbers_nor_names_is_refused(body: str, said: str, read: Read, file: Path) -> None:
    error = refusal(lambda: read(f"import numpy as np\ndef a(Weight):\n    return {body}\n")(COLUMNS))

    assert error.what.startswith("a fails: ")
    assert said in error.what
    assert error.where == f"{file}:2"
