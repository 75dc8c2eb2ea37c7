"""Other kinds of sources: JSON lines, Excel, packed files, signed addresses, databases."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
import traceback
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import py7zr
import pytest

from labline.config import load
from labline.contract.columns import MOMENT
from labline.contract.source import Dialect, KaggleFile, SqlQuery
from labline.data import check_frame, read_frame, write_frame
from labline.data.sources.kaggle.unpacking import unpacked
from labline.data.sources.raw import chunks, query_chunks
from labline.data.sources.taking import take
from labline.errors import DataError
from tests.data.contracts import make_problem

RECORDS: list[dict[str, Any]] = [
    {"price": 1.5, "pieces": 2, "brand": "é", "sold": True, "day": "2024-01-31", "tags": ["b", "a"], "y": "no"},
    {"price": None, "pieces": None, "brand": 7, "note": "two\nlines", "tags": [], "y": "yes", "more": {"k": [1]}},
]
SECRET = "abc123"
TSV = 'price\tnote\ty\n1.5\ta "quoted" word, and a comma\tno\n'


def text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


# JSON lines


def test_json_lines_are_read_by_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "shop.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    frame = read_frame(str(file), make_problem())

    assert frame["price"].tolist()[0] == 1.5
    assert np.isnan(frame["pieces"][1])
    assert frame["brand"].tolist() == ["é", "7"]
    assert frame["sold"].tolist() == [True, None]
    assert frame["day"].dtype == MOMENT
    assert frame["tags"].tolist() == ['["a", "b"]', "[]"]
    assert frame["more"].dropna().tolist() == ['{"k": [1]}']
    assert check_frame(frame, make_problem(), with_target=True).ok


def test_a_name_that_only_later_lines_have_is_missing_before(tmp_path: Path) -> None:
    file = tmp_path / "shop.ndjson"
    file.write_text('{"y": "no"}\n' * 3 + '{"y": "yes", "price": 2, "extra": "x"}\n')
    parts = list(chunks(str(file), Dialect(), rows=3))

    assert [list(part) for part in parts] == [["y"], ["y", "price", "extra"]]
    frame = read_frame(str(file), make_problem())
    assert frame["price"].tolist()[3] == 2.0
    assert frame["extra"].isna().tolist() == [True] * 3 + [False]


# Excel


def test_excel_is_read_in_its_own_types(tmp_path: Path) -> None:
    file = tmp_path / "shop.xlsx"
    frame = pd.DataFrame(
        {
            "price": [1.5, "2kg", None],
            "pieces": [1, 2, None],
            "brand": [1, "NA", "x"],
            "day": [datetime(2024, 1, 31, 10, 30), "31.01.2024", None],
            "y": ["no", "yes", "no"],
        }
    )
    frame.to_excel(file, index=False)
    read = read_frame(str(file), make_problem())

    assert read["price"].tolist()[:2] == ["1.5", "2kg"]
    assert read["pieces"].tolist()[:2] == [1.0, 2.0]
    assert read["brand"].tolist()[0] == "1"
    assert read["brand"].isna().tolist() == [False, True, False]
    assert read["day"].tolist()[:2] == [pd.Timestamp("2024-01-31 10:30"), pd.Timestamp("2024-01-31")]


def test_an_empty_workbook_and_a_header_alone_are_refused(tmp_path: Path) -> None:
    for columns, what in (([], "it is empty"), (["price", "y"], "it has no rows")):
        pd.DataFrame(columns=columns).to_excel(tmp_path / "shop.xlsx", index=False)
        with pytest.raises(DataError, match=what):
            read_frame(str(tmp_path / "shop.xlsx"), make_problem())


def test_a_value_beside_the_header_is_refused_by_its_row(tmp_path: Path) -> None:
    pd.DataFrame([["price", "y", None], [1, "no", None], [2, "yes", 3]]).to_excel(
        tmp_path / "shop.xlsx", index=False, header=False
    )
    with pytest.raises(DataError, match="row 2 has a value where the header has no name"):
        read_frame(str(tmp_path / "shop.xlsx"), make_problem())


# Packed


def packed(file: Path, *members: str) -> str:
    """A file of that name with TSV in it, under the names of the members."""
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(TSV.encode()))
    elif file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for member in members:
                archive.writestr(member, TSV)
    else:
        with py7zr.SevenZipFile(file, "w") as archive7:
            for member in members:
                archive7.writestr(TSV, member)
    return str(file)


@pytest.mark.parametrize("name", ["train.tsv.7z", "train.tsv.zip", "train.tsv.gz"])
def test_a_packed_tsv_is_read_quotes_and_commas_and_all(name: str, tmp_path: Path) -> None:
    frame = read_frame(packed(tmp_path / name, "train.tsv"), make_problem())

    assert frame[["price", "note", "y"]].iloc[0].tolist() == [1.5, 'a "quoted" word, and a comma', "no"]


@pytest.mark.parametrize("packing", [".zip", ".7z"])
def test_of_many_packed_files_the_one_that_is_meant_is_read_or_all_are_named(packing: str, tmp_path: Path) -> None:
    clear = packed(tmp_path / f"train.tsv{packing}", "docs/readme.md", "data/train.tsv", "data/test.tsv")
    only = packed(tmp_path / f"all{packing}", "readme.md", "people.tsv")
    unclear = packed(tmp_path / f"both{packing}", "train.tsv", "test.tsv")

    assert len(read_frame(clear, make_problem())) == len(read_frame(only, make_problem())) == 1
    with pytest.raises(DataError, match=r"not clear; there is: .*train\.tsv"):
        read_frame(unclear, make_problem())


@pytest.mark.parametrize("served_as", ["train.tsv.7z", "train.tsv.zip"])
def test_what_kaggle_serves_packed_is_unpacked_under_the_contracts_name(served_as: str, tmp_path: Path) -> None:
    source = KaggleFile(competition="shop", file="train.tsv")
    served = Path(packed(tmp_path / served_as, "train.tsv"))

    assert unpacked(served, source).read_text() == TSV
    assert unpacked(served, source.model_copy(update={"file": served_as})) == served


def test_a_damaged_7z_from_kaggle_is_told_as_damage(tmp_path: Path) -> None:
    served = Path(packed(tmp_path / "train.tsv.7z", "train.tsv"))
    served.write_bytes(served.read_bytes()[:-30])

    with pytest.raises(DataError, match="what Kaggle served is damaged"):
        unpacked(served, KaggleFile(competition="shop", file="train.tsv"))


# Signed addresses


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if "expired" in self.path:
            self.send_error(403)
        else:
            super().do_GET()


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_signature_is_used_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    (tmp_path / "shop.csv").write_text("price,y\n1,no\n")
    (tmp_path / "bad.csv").write_text("price,y\n1,no,2\n")
    workspace = tmp_path / "workspace"
    (workspace / "problems").mkdir(parents=True)
    with web_server(tmp_path) as url:
        signed = f"{url}/shop.csv?X-Signature={SECRET}"
        taken = take(make_problem(), "train", "auto", load(workspace), signed)
        assert taken is not None
        assert taken.frame["price"].tolist() == [1.0]
        assert taken.origin == f"{url}/shop.csv"
        for name in ("nobody.csv", "bad.csv", "expired.csv", "shop.docx"):
            with pytest.raises(DataError) as caught:
                read_frame(f"{url}/{name}?X-Signature={SECRET}", make_problem())
            assert caught.value.where == f"{url}/{name}"
            assert SECRET not in text_of(caught.value)


# Databases


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE sales (price REAL, pieces INTEGER, brand TEXT, y TEXT)")
        rows = [(1.5, 2, "NA", "no"), (None, None, None, "yes"), (3.0, 4, "100% :new", "no")]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", rows)
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{file}")
    return file


def sql(query: str, variable: str = "SHOP_URL") -> SqlQuery:
    return SqlQuery(query=query, url_variable=variable)


def test_a_query_gives_frames_of_few_rows_in_its_own_types(database: Path) -> None:
    first, second = query_chunks(sql("SELECT * FROM sales ORDER BY rowid"), rows=2)

    assert list(first) == ["price", "pieces", "brand", "y"]
    assert first["pieces"].dtype == "Int64"
    assert first["price"].dtype == np.float64
    assert (len(first), len(second)) == (2, 1)


def test_per_cent_signs_and_colons_of_a_query_are_its_own(database: Path) -> None:
    [frame] = query_chunks(sql("SELECT * FROM sales WHERE brand LIKE '100% :n%'"))

    assert frame["price"].tolist() == [3.0]


def test_the_query_of_a_contract_is_taken_and_its_variable_named(database: Path, tmp_path: Path) -> None:
    (tmp_path / "workspace" / "problems").mkdir(parents=True)
    query = {"query": "SELECT * FROM sales", "url_variable": "SHOP_URL"}
    problem = make_problem(sources={"train": {"sql": query}})
    taken = take(problem, "train", "auto", load(tmp_path / "workspace"))

    assert taken is not None
    assert (taken.kind, taken.origin) == ("file", "sql:SHOP_URL")
    assert taken.frame["pieces"].dropna().tolist() == [2.0, 4.0]
    assert taken.frame["brand"].tolist()[0] == "NA"  # a database says itself what is missing
    assert check_frame(taken.frame, problem, with_target=True).ok


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("SELECT * FROM nowhere", "the query fails: no such table: nowhere"),
        ("SELECT price, y AS price FROM sales", "two columns have the name 'price'"),
        ("SELECT * FROM sales WHERE price > 99", "the query finds no rows"),
        ("DELETE FROM sales", "the query gives no rows"),
    ],
)
def test_a_query_that_is_wrong_is_told_in_one_line(query: str, what: str, database: Path) -> None:
    with pytest.raises(DataError) as caught:
        list(query_chunks(sql(query)))

    assert caught.value.what == what
    assert "\n" not in str(caught.value)
    assert len(pd.concat(query_chunks(sql("SELECT * FROM sales")))) == 3  # and nothing was deleted


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (None, "not set"),
        ("hocus pocus secret", "not the address of a database"),
        ("postgresql+psycopg2cffi://ada:secret@127.0.0.1:1/shop", "driver"),
        ("sqlite:////no/such/folder/secret/../x.db", "the query fails: unable to open"),
    ],
)
def test_a_database_out_of_reach_is_told_without_its_password(
    url: str | None, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("SHOP_URL", url)
    with pytest.raises(DataError) as caught:
        list(query_chunks(sql("SELECT 1")))

    assert what in caught.value.what
    assert "ada:secret" not in text_of(caught.value)
    assert "SHOP_URL" in str(caught.value.where)
    assert caught.value.mend


# Writing


def test_lists_of_labels_are_written_as_json_in_text_and_as_lists_in_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2], "prediction": [("a", "é"), ()]})
    for name in ("out.csv", "out.tsv", "out.jsonl", "out.parquet"):
        write_frame(frame, tmp_path / name)

    assert pd.read_csv(tmp_path / "out.csv")["prediction"].tolist() == ['["a", "é"]', "[]"]
    assert pd.read_csv(tmp_path / "out.tsv", sep="\t")["prediction"].tolist() == ['["a", "é"]', "[]"]
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"id": 1, "prediction": ["a", "é"]}
    assert [list(names) for names in pd.read_parquet(tmp_path / "out.parquet")["prediction"]] == [["a", "é"], []]
