"""The fast way and the long way of reading a block agree; what breaks the contract never passes the fast one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.data.batches import reading, text_sources
from labline.data.batches.judging import judged
from labline.data.batches.reading import Source, open_source
from labline.model.pyfunc import columns_of
from tests.data.contracts import COLUMNS, make_problem

TEXT = """id,price,pieces,brand,sold,day,note,tags,more
1,1.5,3,Ångström,yes,2024-01-31,"a, ""b""\nc",x;y,1
2, 2e3 ,-4.0,NA,FALSE,31.12.2023,,"[""x""]",2
3,NaN,,"  ",,NULL,plain,,3
4,0.1,7,Ångström,1.0,2024-01-31T12:00:00+02:00,plain,y,4
"""


def both(source: Source, problem: Problem, start: int = 0) -> None:
    """Each block's columns are the same, to the last bit, however it is read."""
    seen = 0
    for block in source.blocks(start):
        batch = source.batch(block)
        assert batch is not None
        found = judged(source.frame(block, 0), problem, skip=False)
        assert not found.broken
        wanted = columns_of(problem, found.kept)
        assert batch.rows == len(found.kept)
        for name, values in wanted.items():
            assert batch.columns[name].dtype == values.dtype, name
            if values.dtype == object:
                assert batch.columns[name].tolist() == values.tolist(), name
            else:
                np.testing.assert_array_equal(batch.columns[name], values, name)
            if name in batch.repeated:
                assert len(batch.repeated[name].plain()) == batch.rows
        seen += batch.rows
    assert seen


@pytest.mark.parametrize("size", [1, 80, 10_000])
def test_text_is_read_alike_whatever_its_columns_hold(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_sources, "SIZE", size)
    problem = make_problem()
    (tmp_path / "rows.csv").write_text(TEXT, encoding="utf-8")
    with open_source(str(tmp_path / "rows.csv"), problem) as source:
        both(source, problem)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_files_with_types_of_their_own_are_read_alike(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_sources, "SIZE", 100)
    monkeypatch.setattr(reading, "ROWS", 2)
    problem = make_problem()
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "price": [1.5, None, 0.1],
            "pieces": [3.0, 4.0, None],
            "brand": ["Ångström", None, "NA"],
            "sold": [True, False, None],
            "day": ["2024-01-31", "31.12.2023", None],
            "note": ["a", "", "b\nc"],
            "tags": ["x;y", None, '["x"]'],
        }
    )
    file = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        frame.assign(day=pd.to_datetime(["2024-01-31T01:00", None, "2020-02-29T12:00"])).to_parquet(
            file, row_group_size=2
        )
    else:
        frame.to_json(file, orient="records", lines=True)
    with open_source(str(file), problem) as source:
        both(source, problem)


def test_a_column_that_may_be_missing_may_be_absent(tmp_path: Path) -> None:
    problem = make_problem()
    (tmp_path / "rows.csv").write_text("price\n1\n2\n", encoding="utf-8")
    with open_source(str(tmp_path / "rows.csv"), problem) as source:
        both(source, problem)


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("price", {"missing": "refuse"}, ""),
    ("price", {}, "cheap"),
    ("price", {}, "inf"),
    ("price", {"maximum": 10}, "10.5"),
    ("price", {"minimum": 0}, "-1"),
    ("pieces", {}, "1.5"),
    ("brand", {"missing": "refuse"}, "NA"),
    ("brand", {"values": ["x"]}, "z"),
    ("sold", {}, "maybe"),
    ("sold", {"missing": "refuse"}, ""),
    ("day", {}, "soon"),
    ("day", {"minimum": "2020-01-01"}, "2019-12-31"),
    ("day", {"maximum": "2020-01-01"}, "2021-12-31"),
    ("note", {"maximum_length": 3}, "long"),
    ("note", {"urls": "refuse"}, "see www.a.org"),
    ("tags", {}, "[x"),
    ("tags", {"values": ["x"]}, "x;z"),
]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("name", "rules", "value"), BROKEN)
def test_what_breaks_the_contract_takes_the_long_way_and_is_told_there(
    tmp_path: Path, kind: str, name: str, rules: dict[str, Any], value: str
) -> None:
    problem = make_problem(columns={name: COLUMNS[name] | rules})
    file = tmp_path / f"rows.{kind}"
    value_or_none = None if value in {"", "NA"} else value
    if kind == "csv":
        file.write_text(f'{name},id\n"{value}",1\n', encoding="utf-8")
    elif kind == "jsonl":
        file.write_text(json.dumps({name: value_or_none}) + "\n", encoding="utf-8")
    else:
        pd.DataFrame({name: pd.Series([value_or_none], dtype="str"), "id": [1]}).to_parquet(file)
    with open_source(str(file), problem) as source:
        [block] = source.blocks(0)
        assert source.batch(block) is None
        found = judged(source.frame(block, 0), problem, skip=False)
    assert [violation.finding.column for violation in found.broken] == [name]


@pytest.mark.parametrize(("policy", "wanted"), [("clip", 10.0), ("missing", np.nan)])
def test_policies_are_those_of_single_requests(tmp_path: Path, policy: str, wanted: float) -> None:
    problem = make_problem(columns={"price": COLUMNS["price"] | {"maximum": 10, "out_of_range": policy}})
    (tmp_path / "rows.csv").write_text("price\n11\n", encoding="utf-8")
    with open_source(str(tmp_path / "rows.csv"), problem) as source:
        [block] = source.blocks(0)
        batch = source.batch(block)
    assert batch is not None
    np.testing.assert_array_equal(batch.columns["price"], [wanted])
