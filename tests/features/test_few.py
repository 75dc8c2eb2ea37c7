"""A few records on their way to matrices: the bits are those of the way through columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labline.contract import Problem, columns_from_records
from labline.contract.records import request_model
from labline.features import DerivedFeatures, Encoder, Encoding, FewRecords, read_features

PROBLEM = Problem.model_validate(
    {
        "name": "people",
        "title": "People",
        "task": "binary",
        "target": "ill",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"csv": "people.csv"}},
        "columns": {
            "Height": {"type": "number", "missing": "allow"},
            "Gender": {"type": "category", "values": ["Female", "Male"]},
            "Children": {"type": "integer", "missing": "allow"},
            "Smokes": {"type": "boolean", "missing": "allow"},
            "Age": {"type": "number", "minimum": 0, "maximum": 120, "out_of_range": "clip", "log": True, "bands": [18]},
            "Weight": {"type": "number", "maximum": 500, "out_of_range": "missing", "missing": "allow"},
            "Region": {
                "type": "category", "values": ["north", "south", "west"], "missing": "allow", "unknown": "missing"
            },
            "Born": {"type": "datetime", "missing": "allow"},
            "Job": {"type": "category", "missing": "allow"},
        },
    }
)  # fmt: skip
FEATURES = """
import numpy as np

def BMI(Weight, Height):
    return Weight / Height**2

def TALL(Height):
    return Height > 1.8

def SIDE(Region):
    return np.array([None if name is None else name[:1] for name in Region], dtype=object)
"""
JOBS = ["baker", "clerk", "smith"]


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


numbers = st.floats(-1e300, 1e300) | st.sampled_from([0.0, -0.0, 1.5, 1e-320])
records = st.fixed_dictionaries(
    {
        "Height": maybe(numbers),
        "Gender": st.sampled_from(["Female", "Male"]),
        "Children": maybe(st.integers(-(2**53), 2**53)),
        "Smokes": maybe(st.booleans()),
        "Age": st.floats(-10, 200),
        "Weight": maybe(st.floats(0, 1000)),
        "Region": maybe(st.sampled_from(["north", "south", "west", "east"])),
        "Born": maybe(st.sampled_from(["2001-02-03", "1970-01-01T12:00:00", "2024-02-29"])),
        "Job": maybe(st.sampled_from([*JOBS, "king"])),
    }
)
ENCODINGS = [
    Encoding(),
    Encoding(categories="onehot"),
    Encoding(scale=True),
    Encoding(categories="onehot", scale=True, log=True, bands=True),
]


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> DerivedFeatures:
    file: Path = tmp_path_factory.mktemp("problem") / "features.py"
    file.write_text(FEATURES, encoding="utf-8")
    return read_features(file, PROBLEM)


def train(rows: int = 60) -> list[dict[str, Any]]:
    random = np.random.default_rng(3)
    return [
        {
            "Height": float(random.normal(1.7, 0.1)),
            "Gender": str(random.choice(["Female", "Male"])),
            "Children": int(random.integers(5)),
            "Smokes": bool(random.integers(2)),
            "Age": float(random.uniform(1, 90)),
            "Weight": float(random.uniform(40, 120)),
            "Region": str(random.choice(["north", "south", "west"])),
            "Born": f"19{random.integers(50, 99)}-0{random.integers(1, 9)}-11",
            "Job": str(random.choice(JOBS)),
        }
        for _ in range(rows)
    ]


def accepted(given_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the request model gives them to a bundle."""
    model = request_model(PROBLEM)
    return [model.model_validate_json(json.dumps(one)).model_dump(by_alias=True, exclude_none=True) for one in given_]


def fitted(derived: DerivedFeatures, encoding: Encoding, *names: str) -> Encoder:
    encoder = Encoder.fit(PROBLEM, derived.names, encoding, derived(columns_from_records(PROBLEM, accepted(train()))))
    return encoder.only(names) if names else encoder


def check(derived: DerivedFeatures, encoders: list[Encoder], rows: list[dict[str, Any]]) -> None:
    needed = derived.only([name for encoder in encoders for name in encoder.reads])
    columns = needed(columns_from_records(PROBLEM, rows))
    matrices = list(FewRecords(PROBLEM, needed, encoders)(rows))
    assert len(matrices) == len(encoders)
    for encoder, matrix in zip(encoders, matrices, strict=True):
        wanted = encoder.transform(columns)
        assert isinstance(matrix, np.ndarray)
        assert matrix.shape == wanted.shape
        # of what is missing, and of zeros, the bits count too
        assert np.ascontiguousarray(matrix).tobytes() == np.ascontiguousarray(wanted).tobytes()


@settings(max_examples=60)
@given(rows=st.lists(records, min_size=1, max_size=4))
def test_the_bits_are_those_of_the_way_through_columns(derived: DerivedFeatures, rows: list[dict[str, Any]]) -> None:
    with np.errstate(all="ignore"):
        check(derived, [fitted(derived, encoding) for encoding in ENCODINGS], accepted(rows))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "names", [("Height",), ("Gender",), ("Region", "Job"), ("BMI",), ("SIDE", "Height"), ("Born", "Age"), ("Children",)]
)
def test_each_kind_alone(derived: DerivedFeatures, encoding: Encoding, names: tuple[str, ...]) -> None:
    check(derived, [fitted(derived, encoding, *names)], accepted(train(5)))


def test_a_row_alone_has_the_bits_that_it_has_among_others(derived: DerivedFeatures) -> None:
    few = FewRecords(PROBLEM, derived, [fitted(derived, ENCODINGS[-1])])
    rows = accepted(train(12))

    [among] = few(rows)

    for at, row in enumerate(rows):
        [alone] = few([row])
        assert alone[0].tobytes() == among[at].tobytes()


def test_sparse_matrices_are_made_of_columns() -> None:
    contract = PROBLEM.model_dump(exclude_unset=True) | {
        "columns": {"Title": {"type": "text"}, "Age": {"type": "number"}}
    }
    problem = Problem.model_validate(contract)
    rows = [{"Title": "a red house", "Age": 1.0}, {"Title": "a blue house", "Age": None}] * 5
    columns = columns_from_records(problem, rows)
    encoder = Encoder.fit(problem, (), Encoding(words=10), columns)

    [matrix] = FewRecords(problem, DerivedFeatures(), [encoder])(rows)

    assert isinstance(matrix, sparse.csr_matrix)
    np.testing.assert_array_equal(matrix.toarray(), encoder.transform(columns).toarray())


def test_columns_are_made_of_nothing_that_can_be_read_from_the_record(derived: DerivedFeatures) -> None:
    """A derived feature gets what it reads, and a block what is not read from the record: no more is needed of them."""
    few = FewRecords(PROBLEM, derived.only(["BMI"]), [fitted(derived, Encoding(), "Gender", "Children", "BMI")])
    [record] = accepted(train(1))
    wanted = {name: record[name] for name in ("Weight", "Height", "Gender", "Children")}

    [matrix] = few([wanted])

    assert matrix.tolist() == [
        [wanted["Children"], wanted["Weight"] / wanted["Height"] ** 2, record["Gender"] == "Male"]
    ]
