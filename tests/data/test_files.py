"""CSV and Parquet files: how they are read, and that writing is all or nothing."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.data import check_frame, read_frame, write_frame
from labline.errors import DataError

PROBLEM = Problem.model_validate(
    {
        "name": "people",
        "title": "People",
        "task": "binary",
        "target": "ill",
        "classes": ["0", "1"],
        "id": "id",
        "metric": "accuracy",
        "sources": {"train": {"csv": "people.csv"}},
        "columns": {
            "Weight": {"type": "number"},
            "Children": {"type": "integer", "missing": "allow"},
            "Diet": {"type": "category", "values": ["NA", "None", "vegan"], "missing": "allow"},
            "Smokes": {"type": "boolean", "missing": "allow"},
        },
    }
)
HEADER = "id,Weight,Children,Diet,Smokes,ill\n"
ROWS = HEADER + "1,60.5,2,vegan,yes,0\n2,70,0,NA,no,1\n"
PACKED = gzip.compress(ROWS.encode() * 100, mtime=0)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("people.csv", ROWS)
    return file.getvalue()


Read = Callable[[str], pd.DataFrame]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(text: str) -> pd.DataFrame:
        (tmp_path / "people.csv").write_text(text, encoding="utf-8")
        return read_frame(str(tmp_path / "people.csv"), PROBLEM)

    return read


def refusal(call: Callable[[], Any]) -> DataError:
    with pytest.raises(DataError) as caught:
        call()
    assert caught.value.where
    assert caught.value.mend
    return caught.value


def missing(frame: pd.DataFrame, name: str) -> list[bool]:
    return frame[name].isna().tolist()


# CSV


def test_each_column_has_the_type_of_the_contract(read: Read) -> None:
    frame = read(ROWS)

    assert frame["Weight"].dtype == frame["Children"].dtype == np.float64
    assert frame["Weight"].tolist() == [60.5, 70.0]
    assert frame["Diet"].tolist() == ["vegan", "NA"]
    assert frame["Smokes"].tolist() == [True, False]
    assert frame["ill"].tolist() == ["0", "1"]  # classes are names, whatever they look like
    assert frame["id"].tolist() == [1, 2]
    assert check_frame(frame, PROBLEM, with_target=True).ok


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(ROWS.encode("utf-8-sig"))

    assert read_frame(str(tmp_path / "people.csv"), PROBLEM).columns[0] == "id"


def test_na_is_a_name_where_the_contract_lists_it_and_missing_elsewhere(read: Read) -> None:
    frame = read(HEADER + "NA,NA,NA,NA,NA,0\n2,NaN,null,None,,1\n3,1,1,null,no,0\n4,1,1,,no,NA\n")

    assert frame["Diet"].tolist()[:2] == ["NA", "None"]
    assert missing(frame, "Diet") == [False, False, True, True]
    assert missing(frame, "Weight") == missing(frame, "Children") == missing(frame, "Smokes")
    assert missing(frame, "Weight") == [True, True, False, False]
    assert missing(frame, "ill") == [False, False, False, True]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("yes,no", [True, False]),
        ("TRUE,False", [True, False]),
        ("1,0", [True, False]),
        ("1,,0", [True, None, False]),
        ("true,", [True, None]),
    ],
)
def test_booleans_may_be_written_in_several_ways(written: str, read_as: list[bool | None], read: Read) -> None:
    frame = read(HEADER + "".join(f"1,1,1,vegan,{value},0\n" for value in written.split(",")))

    assert [None if pd.isna(value) else bool(value) for value in frame["Smokes"]] == read_as
    assert check_frame(frame, PROBLEM, with_target=True).ok


def test_a_value_that_is_no_number_is_left_as_written_for_the_check_to_name(read: Read) -> None:
    frame = read(HEADER + "1,60kg,1,vegan,yes,0\n2,70,1,vegan,perhaps,1\n")

    assert frame["Weight"].tolist() == ["60kg", "70"]
    assert frame["Smokes"].tolist() == ["yes", "perhaps"]
    assert not check_frame(frame, PROBLEM, with_target=True).ok


def test_one_name_late_in_a_long_column_of_numbers_leaves_the_column_of_one_type(read: Read) -> None:
    rows = "1,60,1,vegan,yes,0\n" * 150_000
    frame = read(HEADER + rows + "1,sixty,1,vegan,yes,0\n" + rows)

    assert set(frame["Weight"].map(type)) == {str}


def test_a_float_is_read_bit_for_bit_as_json_reads_it(read: Read) -> None:
    rng = np.random.default_rng(0)
    numbers = [0.1, 1e-308, 5e-324, 1.7976931348623157e308, -0.0, 2.2250738585072011e-308, 9007199254740993.0]
    numbers += [
        number for number in (struct.unpack("d", rng.bytes(8))[0] for _ in range(2000)) if math.isfinite(number)
    ]
    frame = read(HEADER + "".join(f"1,{number!r},1,vegan,yes,0\n" for number in numbers))

    assert frame["Weight"].to_numpy().tobytes() == np.array(numbers).tobytes()


def test_names_with_commas_line_breaks_and_any_letters_are_read(read: Read) -> None:
    frame = read(HEADER + '1,1,1,"vegan, mostly\nraw",yes,0\n2,1,1,große Menge,yes,0\n')

    assert frame["Diet"].tolist() == ["vegan, mostly\nraw", "große Menge"]


def test_a_comma_at_the_end_of_each_row_does_not_shift_the_columns(read: Read) -> None:
    frame = read(HEADER + "1,60.5,2,vegan,yes,0,\n")

    assert frame.iloc[0].tolist() == [1, 60.5, 2.0, "vegan", True, "0"]


def test_rows_with_more_fields_than_the_header_are_refused(read: Read) -> None:
    row = "1,60.5,2,vegan,yes,0"
    assert refusal(lambda: read(f"{HEADER}{row},5\n")).what == "row 1 has 7 fields, the header has 6"
    assert refusal(lambda: read(f"{HEADER}{row}\n{row},5\n")).what == "row 2 has 7 fields, the header has 6"


def test_a_row_cut_short_is_refused_and_not_filled_up(read: Read) -> None:
    error = refusal(lambda: read(ROWS + "3,70,0\n"))

    assert error.what == "row 3 has 3 fields, the header has 6"


def test_a_ragged_row_far_down_is_named_by_its_number(read: Read) -> None:
    rows = "1,60.5,2,vegan,yes,0\n"

    assert "row 1702 has 5 fields" in refusal(lambda: read(HEADER + rows * 1701 + "1,60.5,2,vegan,yes\n")).what


def test_names_that_two_columns_have_are_refused_and_all_named(read: Read) -> None:
    assert "two columns have the name 'Weight'" in refusal(lambda: read("Weight,Weight,ill\n1,2,0\n")).what
    assert "'ill' and 'note'" in refusal(lambda: read("note,ill,ill,note\n1,2,0,3\n")).what


@pytest.mark.parametrize("ending", [".csv.gz", ".CSV"])
def test_a_csv_may_be_packed_and_its_ending_be_in_capitals(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"people{ending}"
    file.write_bytes(gzip.compress(ROWS.encode()) if ending.endswith("gz") else ROWS.encode())

    assert len(read_frame(str(file), PROBLEM)) == 2


# What cannot be read


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("people.csv", "people.parquet"):
        error = refusal(lambda name=name: read_frame(str(tmp_path / name), PROBLEM))
        assert (error.what, error.where) == ("there is no such file", str(tmp_path / name))


UNREADABLE = {
    "empty": ("a.csv", b"", "it is empty"),
    "blank": ("a.csv", b"\n \n", "it is empty"),
    "header only": ("a.csv", HEADER.encode(), "it has no rows"),
    "Latin-1": ("a.csv", ROWS.replace("vegan", "végan").encode("latin-1"), "it is not written in UTF-8"),
    "UTF-16 without its mark": ("a.csv", ROWS.encode("utf-16-le") + b"\xff", "it is not written in UTF-8"),
    "a quote never closed": ("a.csv", b'Weight,Diet\n1,"vegan\n', "a quote is opened and never closed"),
    "a quote never closed at the end": ("a.csv", b'Weight,Diet\n1,"vegan', "a quote is opened and never closed"),
    "no 7z": ("a.csv.7z", ROWS.encode(), "not a readable 7z archive"),
    "no workbook": ("a.xlsx", ROWS.encode(), "cannot be read: not an Excel workbook"),
    "a zip that is no workbook": ("a.xlsx", zipped(), "cannot be read: not an Excel workbook"),
    "no JSON": ("a.jsonl", b'{"Weight": 1}\n{"Weight": }\n', "line 2 is no JSON"),
    "JSON, but no object": ("a.jsonl", b"[1, 2]\n", "line 1 is no JSON object"),
    "JSON lines in Latin-1": ("a.jsonl", '{"a": "é"}'.encode("latin-1"), "it is not written in UTF-8"),
    "no JSON lines": ("a.jsonl", b"", "it has no rows"),
    "no gzip": ("a.csv.gz", ROWS.encode(), "cannot be read: Not a gzipped file"),
    "gzip cut off": ("a.csv.gz", PACKED[:-20], "cannot be read: Compressed file ended"),
    "gzip damaged": ("a.csv.gz", PACKED[:10] + b"\xff" * 40, "cannot be read: Error -3 while decompressing"),
    "no zip": ("a.csv.zip", ROWS.encode(), "cannot be read: File is not a zip file"),
    "empty Parquet": ("a.parquet", b"", "cannot be read: "),
    "no Parquet": ("a.parquet", ROWS.encode(), "cannot be read: "),
    "another ending": ("a.docx", ROWS.encode(), "its name ends in none of .csv, .tsv"),
    "no ending": ("a", ROWS.encode(), "its name ends in none of .csv, .tsv"),
    "no ending but a packing's": ("a.gz", PACKED, "its name ends in none of .csv, .tsv"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_its_file(kind: str, tmp_path: Path) -> None:
    name, content, what = UNREADABLE[kind]
    (tmp_path / name).write_bytes(content)
    error = refusal(lambda: read_frame(str(tmp_path / name), PROBLEM))

    assert error.what.startswith(what)
    assert error.where == str(tmp_path / name)


def test_a_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()

    assert "directory" in refusal(lambda: read_frame(str(tmp_path / "a.csv"), PROBLEM)).what


def test_a_parquet_file_cut_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.parquet"
    pd.DataFrame({"Weight": np.arange(1000.0)}).to_parquet(file)
    file.write_bytes(file.read_bytes()[:-100])

    assert refusal(lambda: read_frame(str(file), PROBLEM)).what.startswith("cannot be read: ")


# Parquet, and other places


def test_parquet_of_any_types_is_read_as_csv_is(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "Weight": pd.array([60, None], dtype="Int64"),
            "Children": np.array([2, 0], dtype=np.int8),
            "Diet": pd.Categorical(["vegan", None]),
            "Smokes": pd.array([True, None], dtype="boolean"),
            "ill": np.array([0, 1]),
        }
    )
    frame.to_parquet(tmp_path / "people.parquet")
    read = read_frame(str(tmp_path / "people.parquet"), PROBLEM)

    assert read["Weight"].dtype == read["Children"].dtype == np.float64
    assert read["Weight"][0] == 60.0
    assert [missing(read, name) for name in ("Weight", "Diet", "Smokes")] == [[False, True]] * 3
    assert read["ill"].tolist() == ["0", "1"]
    assert read["Diet"][0] == "vegan"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet", ".pq"])
def test_what_is_written_is_read_again(ending: str, tmp_path: Path, read: Read) -> None:
    frame = read(ROWS)
    write_frame(frame, tmp_path / f"again{ending}")

    pd.testing.assert_frame_equal(read_frame(str(tmp_path / f"again{ending}"), PROBLEM), frame)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_is_read_at_an_address_that_fsspec_knows(ending: str, tmp_path: Path) -> None:
    address = f"memory://{tmp_path.as_posix()}/people{ending}"
    write_frame(pd.DataFrame({"Weight": [1, 2], "ill": ["0", "1"]}), tmp_path / f"people{ending}")
    with fsspec.open(address, "wb") as file:
        file.write((tmp_path / f"people{ending}").read_bytes())

    assert read_frame(address, PROBLEM)["Weight"].tolist() == [1.0, 2.0]
    assert read_frame(address, PROBLEM, {"skip_instance_cache": True})["Weight"].tolist() == [1.0, 2.0]
    error = refusal(lambda: read_frame(address.replace("people", "nobody"), PROBLEM))
    assert (error.what, error.where) == ("there is no such file", address.replace("people", "nobody"))


def test_an_address_of_no_known_kind_is_refused() -> None:
    assert "cannot be read" in refusal(lambda: read_frame("nonsense://bucket/people.csv", PROBLEM)).what


# Writing


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz", "a.json"])
def test_other_endings_are_not_written(name: str, tmp_path: Path) -> None:
    error = refusal(lambda: write_frame(pd.DataFrame({"a": [1]}), tmp_path / name))

    assert error.what == "its name ends in none of .csv, .tsv, .jsonl, .parquet, .pq"
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_written_where_there_is_no_folder(tmp_path: Path) -> None:
    error = refusal(lambda: write_frame(pd.DataFrame({"a": [1]}), tmp_path / "no" / "a.csv"))

    assert "cannot be written" in error.what
    assert list(tmp_path.iterdir()) == []


class Unprintable:
    """A value that fails while it is written."""

    def __str__(self) -> str:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("name", "value"), [("a.csv", Unprintable()), ("a.csv", "\ud800"), ("a.parquet", "one"), ("a.parquet", "\ud800")]
)
def test_a_write_that_fails_in_the_middle_leaves_what_was_there_and_nothing_else(
    name: str, value: object, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"before")
    frame = pd.DataFrame({"a": pd.Series([1, value], dtype=object)})

    assert "cannot be written" in refusal(lambda: write_frame(frame, tmp_path / name)).what
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, b"before")]


def test_a_file_that_was_there_is_replaced_when_all_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"before")
    write_frame(pd.DataFrame({"a": [1]}), tmp_path / "a.csv")

    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.csv", "a\n1\n")]
