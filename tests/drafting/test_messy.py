"""Files as they come: each gives a problem that reads its own rows, or one clear line and nothing on disk."""

from __future__ import annotations

import gzip
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labline.contract import CategoryColumn, DateTimeColumn, LabelsColumn, NumberColumn
from labline.contract.source import SqlQuery
from labline.data import usable
from labline.data.sources import take
from labline.errors import LablineError
from labline.pipeline.drafting import Drafted, draft
from tests.drafting.workshop import ROWS, Workshop, guess_of

RANDOM = random.Random(11)


def lines(*header: str, sign: str = ",", rows: int = ROWS, **columns: Any) -> str:
    """A file of rows made by functions of the row's number."""
    made = [sign.join(str(columns[name](i)) for name in header) for i in range(rows)]
    return "\n".join([sign.join(header), *made]) + "\n"


def noise(_i: int) -> float:
    return round(RANDOM.gauss(20, 5), 3)


def answer(i: int) -> str:
    return ("yes", "no")[(i * i) % 7 % 2]


def fits(workshop: Workshop, drafted: Drafted) -> None:
    """The rows, read as training reads them, are usable under the drafted contract."""
    taken = take(drafted.problem, "train", "auto", workshop.config)
    assert taken is not None
    frame, report = usable(taken.frame, drafted.problem)
    assert report.ok, [str(finding) for finding in report.findings]
    assert len(frame) >= 0.9 * len(taken.frame)


PLAIN = lines("a", "name", "y", a=noise, name=lambda i: ("Zoë", "Jürgen", "Ana")[i % 3], y=answer)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-8"),
        ("latin-1", "latin-1"),
        ("utf-16-le", "utf-16-le"),
    ],
)
def test_encodings_are_found_and_said_only_where_they_must_be(workshop: Workshop, encoding: str, said: str) -> None:
    drafted = workshop.draft(PLAIN.encode(encoding))
    assert drafted.problem.sources.train.dialect.encoding == said
    column = drafted.problem.columns["name"]
    assert isinstance(column, CategoryColumn)
    assert column.values == ("Ana", "Jürgen", "Zoë")
    fits(workshop, drafted)


def test_curly_quotes_tell_windows_1252_from_latin_1(workshop: Workshop) -> None:
    drafted = workshop.draft(PLAIN.replace("Ana", "“Ana”").encode("cp1252"))
    assert drafted.problem.sources.train.dialect.encoding == "cp1252"
    assert "cp1252" in drafted.draft.notes[0]


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_separators_are_found(workshop: Workshop, sign: str) -> None:
    drafted = workshop.draft(PLAIN.replace(",", sign))
    assert drafted.problem.sources.train.dialect.separator == sign
    fits(workshop, drafted)


def test_signs_in_the_names_do_not_hide_the_separator(workshop: Workshop) -> None:
    drafted = workshop.draft(PLAIN.replace(",", ";").replace("name", "one, two, three, four"))
    assert list(drafted.problem.columns) == ["a", "one, two, three, four"]


def test_a_usual_file_needs_no_dialect(workshop: Workshop) -> None:
    drafted = workshop.draft(PLAIN)
    assert "dialect" not in (drafted.folder / "problem.yaml").read_text(encoding="utf-8")
    tsv = workshop.draft(PLAIN.replace(",", "\t"), file="rows.tsv", name="tabs")
    assert tsv.problem.sources.train.dialect.separator is None


def test_decimal_commas_and_thousands_points_are_numbers(workshop: Workshop) -> None:
    def german(i: int) -> str:
        return f"{(i * 7919 % 100003) / 7:,.2f}".translate(str.maketrans(",.", ".,"))

    drafted = workshop.draft(lines("a", "b", "y", sign=";", a=german, b=lambda i: f"{i * 31 % 97},5", y=answer))
    dialect = drafted.problem.sources.train.dialect
    assert (dialect.separator, dialect.decimal, dialect.thousands) == (";", ",", ".")
    assert isinstance(drafted.problem.columns["a"], NumberColumn)
    fits(workshop, drafted)


def test_thousands_commas_that_show_only_far_down_are_numbers(workshop: Workshop) -> None:
    def grown(i: int) -> str:
        return f'"{i * 37 % 900 if i < 30_000 else i:,}"'

    drafted = workshop.draft(lines("a", "b", "y", rows=31_000, a=grown, b=noise, y=answer))
    assert drafted.problem.sources.train.dialect.thousands == ","
    column = drafted.problem.columns["a"]
    assert isinstance(column, NumberColumn)
    assert (column.maximum or 0) >= 30_999
    fits(workshop, drafted)


def test_telephone_numbers_do_not_make_spaces_a_sign_between_thousands(workshop: Workshop) -> None:
    drafted = workshop.draft(lines("a", "b", "y", a=noise, b=lambda i: f"555 {100 + i % 40} 456", y=answer))
    assert drafted.problem.sources.train.dialect.thousands is None
    assert isinstance(drafted.problem.columns["b"], CategoryColumn)


AWKWARD = ["first name", "größe", "class", "2nd", "a:b", "#", "no", "x\ty", "prediction", "'q'", "-", "label y"]


def test_awkward_names_stay_as_they_are(workshop: Workshop) -> None:
    frame = pd.DataFrame({name: [noise(i) for i in range(ROWS)] for name in AWKWARD})
    drafted = workshop.draft(frame.assign(**{"null": [answer(i) for i in range(ROWS)]}), "null")
    assert list(drafted.problem.columns) == AWKWARD
    assert drafted.problem.target == "null"
    fits(workshop, drafted)


def test_quoted_line_breaks_and_separators_belong_to_the_text(workshop: Workshop) -> None:
    drafted = workshop.draft(
        lines("a", "t", "y", a=noise, t=lambda i: f'"one, two\nthree {i} ""four"" five"', y=answer)
    )
    assert drafted.problem.columns["t"].type == "text"
    fits(workshop, drafted)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty"),
        ("a,y\n", "it has no rows"),
        ("a,y\n1,yes\n2,no\n", "2 rows have it: too few"),
        (PLAIN + "1,2,3,4,5\n" + PLAIN[PLAIN.index("\n") + 1 :], "row 121 has 5 fields"),
        (PLAIN.replace("name", "a", 1), "two columns have the name 'a'"),
        (lines("y", y=answer), "no column is left"),
        (lines("a", "y", a=lambda i: 1, y=answer), "no column is left"),
        (lines("leak", "y", leak=lambda i: len(answer(i)) + i / 1000, y=answer), "no column is left"),
    ],
)
def test_what_cannot_work_gets_one_line_and_no_folder(workshop: Workshop, content: str, said: str) -> None:
    with pytest.raises(LablineError, match=said) as caught:
        workshop.draft(content)
    assert "rows.csv" in str(caught.value) or "target y" in str(caught.value)
    assert caught.value.mend
    assert "\n" not in str(caught.value)
    assert list((workshop.root / "problems").glob("*")) == []


def test_a_file_that_is_not_there_and_a_kind_that_is_not_known_are_said(workshop: Workshop) -> None:
    with pytest.raises(LablineError, match="no such file"):
        draft(workshop.config, "mine", str(workshop.root / "none.csv"), target="y")
    with pytest.raises(LablineError, match="ends in none of"):
        workshop.draft("x", file="rows.docx")


def test_a_problem_that_is_there_is_not_written_over(workshop: Workshop) -> None:
    first = workshop.draft(PLAIN)
    before = (first.folder / "problem.yaml").read_bytes()
    with pytest.raises(LablineError, match="there is a problem 'mine' already"):
        workshop.draft(PLAIN.replace("Ana", "Eva"))
    assert (first.folder / "problem.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["Churn", "2fast", "a b", "../x", ""])
def test_names_that_are_no_folder_are_refused_with_one_that_is(workshop: Workshop, name: str) -> None:
    with pytest.raises(LablineError, match="not the name of a problem"):
        workshop.draft(PLAIN, name=name)


def typed_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "count": pd.array([None if i % 9 == 0 else i % 40 for i in range(ROWS)], dtype="Int64"),
            "price": [noise(i) for i in range(ROWS)],
            "when": pd.date_range("2023-01-01", periods=ROWS, freq="D"),
            "kind": [("a", "b")[i * i % 5 % 2] for i in range(ROWS)],
            "done": [i * 7 % 11 > 4 for i in range(ROWS)],
            "y": [i * i % 13 % 2 for i in range(ROWS)],
        }
    )


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "xlsx", "csv.gz"])
def test_other_kinds_of_files_keep_their_types(workshop: Workshop, kind: str) -> None:
    file = workshop.root / f"rows.{kind}"
    frame = typed_frame()
    if kind == "parquet":
        frame.to_parquet(file)
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True, date_format="iso")
    elif kind == "xlsx":
        frame.to_excel(file, index=False)
    else:
        file.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    drafted = draft(workshop.config, "mine", str(file), target="y")
    types = {name: column.type for name, column in drafted.problem.columns.items()}
    assert types == {"count": "integer", "price": "number", "when": "datetime", "kind": "category", "done": "boolean"}
    assert drafted.problem.classes == ("0", "1")
    fits(workshop, drafted)


def test_lists_in_json_lines_are_labels_and_a_multilabel_target(workshop: Workshop) -> None:
    names = ["red", "green", "blue"]
    frame = pd.DataFrame(
        {
            "a": [noise(i) for i in range(ROWS)],
            "colours": [RANDOM.sample(names, 1 + i % 2) for i in range(ROWS)],
            "tags": [RANDOM.sample(names, i % 3) for i in range(ROWS)],
        }
    )
    frame.to_json(workshop.root / "rows.jsonl", orient="records", lines=True)
    drafted = draft(workshop.config, "mine", str(workshop.root / "rows.jsonl"), target="tags")
    assert drafted.problem.task == "multilabel"
    assert isinstance(drafted.problem.columns["colours"], LabelsColumn)
    fits(workshop, drafted)


def test_rows_of_a_database_by_a_query(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = workshop.root / "shop.db"
    with sqlite3.connect(file) as connection:
        typed_frame().to_sql("orders", connection, index=False)
    connection.close()
    monkeypatch.setenv("SHOP_DATABASE", f"sqlite:///{file}")
    query = SqlQuery(query='SELECT "count", price, kind, "when", y FROM orders', url_variable="SHOP_DATABASE")
    drafted = draft(workshop.config, "mine", query, target="y")
    assert drafted.problem.sources.train.sql == query
    assert isinstance(drafted.problem.columns["when"], DateTimeColumn)
    assert str(file) not in (drafted.folder / "problem.yaml").read_text(encoding="utf-8")
    fits(workshop, drafted)


def test_the_file_is_named_from_the_folder_in_the_workspace_and_in_full_elsewhere(
    workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert workshop.draft(PLAIN).problem.sources.train.file == "../../rows.csv"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "rows.csv"
    elsewhere.write_text(PLAIN, encoding="utf-8")
    assert draft(workshop.config, "far", str(elsewhere), target="y").problem.sources.train.file == str(elsewhere)


def test_a_password_in_an_address_is_refused_and_not_shown(workshop: Workshop) -> None:
    with pytest.raises(LablineError, match="password") as caught:
        draft(workshop.config, "mine", "https://me:hidden@example.org/rows.csv", target="y")
    assert "hidden" not in str(caught.value)


def test_the_drafted_tests_pass_until_the_rows_stop_fitting(workshop: Workshop) -> None:
    workshop.draft(PLAIN, name="fitting")
    workshop.draft(PLAIN, name="torn", file="torn.csv")
    workshop.write(PLAIN.replace("Ana", "Eva"), "torn.csv")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(workshop.root / "problems")]
    done = subprocess.run(command, cwd=workshop.root, capture_output=True, text=True, check=False)
    assert "1 failed, 3 passed" in done.stdout
    assert "FAILED problems/torn/test_torn.py::test_training_rows_fit" in done.stdout


def test_the_worked_example_runs_when_its_comment_signs_are_taken_out(workshop: Workshop) -> None:
    from labline.features.derived import read_features

    drafted = workshop.draft(lines("a", "b", "y", a=noise, b=noise, y=answer))
    file = drafted.folder / "features.py"
    assert read_features(file, drafted.problem).names == ()
    head, example = file.read_text(encoding="utf-8").split("# For example:\n")
    code = "\n".join(line.removeprefix("#").removeprefix(" ") for line in example.splitlines())
    file.write_text(head + code, encoding="utf-8")
    assert read_features(file, drafted.problem).names == ("a_per_b",)


def test_the_readme_says_what_was_guessed_and_what_comes_next(workshop: Workshop) -> None:
    drafted = workshop.draft(lines("age", "k", "y", age=noise, k=lambda i: 1, y=answer))
    text = (drafted.folder / "README.md").read_text(encoding="utf-8")
    assert "`age`: the unit is guessed from the name" in text
    assert "`k`: it is '1' in every row" in text
    assert "labline up mine" in text


@pytest.mark.thorough
def test_3000_columns_are_drafted(workshop: Workshop) -> None:
    frame = pd.DataFrame({f"c{k}": [RANDOM.random() for _ in range(60)] for k in range(3000)})
    drafted = workshop.draft(frame.assign(y=[answer(i) for i in range(60)]))
    assert len(drafted.problem.columns) == 3000


def test_mixed_types_in_a_workbook_column_are_names(workshop: Workshop, tmp_path: Path) -> None:
    frame = typed_frame()
    frame["mixed"] = [i % 9 if i % 2 else f"n{i % 9}" for i in range(ROWS)]
    frame.to_excel(tmp_path / "rows.xlsx", index=False)
    drafted = draft(workshop.config, "mine", str(tmp_path / "rows.xlsx"), target="y")
    assert guess_of(drafted, "mixed").kind == "category"
    fits(workshop, drafted)
