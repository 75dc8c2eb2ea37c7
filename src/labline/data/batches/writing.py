"""Predictions as bytes of the kind that is wanted, a block at a time, and what a file needs around them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow.parquet import ParquetWriter

from labline.contract import as_list
from labline.data.sources.files import ENDINGS
from labline.errors import DataError

WHOLE = r"^(?:0|-?[1-9][0-9]{0,17})$"  # what is the same as a number and as text
TO_ESCAPE = r'["\\\x00-\x1f]'
GROUP_ROWS = 1_000_000  # of a Parquet file's row group; memory has to hold that many predictions


def kind_of(address: str) -> str:
    """The kind of file to write, by the name's ending.

    Raises:
        DataError: it is none of `ENDINGS`.
    """
    for ending in ENDINGS:
        if address.lower().endswith(ending):
            return ending
    raise DataError(f"its name ends in none of {', '.join(ENDINGS)}", where=address, mend="end the name in one of them")


def head(kind: str, names: Sequence[str]) -> bytes:
    """What stands before the first row."""
    if kind not in {".csv", ".tsv"}:
        return b""
    return _delimited(pa.table({name: pa.array([], pa.float64()) for name in names}), kind, header=True)


def rendered(table: pa.Table, kind: str) -> bytes:
    """The rows in the kind's own bytes; of Parquet, which is written by columns, Arrow's message of them."""
    if kind in {".csv", ".tsv"}:
        return _delimited(_lists_as_text(table), kind, header=False)
    if kind == ".jsonl":
        return _json_lines(table)
    [batch] = table.combine_chunks().to_batches()
    return bytes(batch.serialize())


def are_whole(ids: pa.Array) -> bool:
    """Whether all ids are whole numbers that are written as such."""
    return bool(pa.types.is_integer(ids.type) or pc.all(pc.match_substring_regex(ids, WHOLE)).as_py())


def write_parquet(messages: Path, schema: pa.Schema, target: Path, *, whole_ids: bool) -> None:
    """The Parquet file of what `rendered` gave, in order; a first column of text that holds whole numbers becomes one.

    Raises:
        OSError: it cannot be written.
    """
    final = schema.set(0, pa.field(schema[0].name, pa.int64())) if whole_ids else schema
    with pa.OSFile(str(messages)) as file, ParquetWriter(target, final, use_dictionary=["prediction"]) as writer:
        group: list[pa.RecordBatch] = []
        while file.tell() < file.size():
            group.append(pa.ipc.read_record_batch(pa.ipc.read_message(file), schema))
            if sum(map(len, group)) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(group).cast(final))
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group).cast(final))


def _delimited(table: pa.Table, kind: str, *, header: bool) -> bytes:
    for quoting in ("none", "needed"):
        out = io.BytesIO()
        options = arrow_csv.WriteOptions(
            include_header=header, delimiter="\t" if kind == ".tsv" else ",", quoting_style=quoting
        )
        try:
            arrow_csv.write_csv(table, out, options)
        except pa.ArrowInvalid:  # something has to be quoted
            if quoting == "needed":
                raise
        else:
            return out.getvalue()
    raise AssertionError("the second way writes anything")


def _lists_as_text(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("prediction")
    if not pa.types.is_list(table.schema.types[at]):
        return table
    texts = [as_list(names) for names in table.column(at).to_pylist()]
    return table.set_column(at, "prediction", pa.array(texts, pa.string()))


def _json_lines(table: pa.Table) -> bytes:
    if not len(table):
        return b""
    parts: list[Any] = []
    for at, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        parts += [f"{',' if at else '{'}{json.dumps(name, ensure_ascii=False)}:", _json(column, numbers=at == 0)]
    lines = pc.binary_join_element_wise(*parts, "}\n", "")
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines.combine_chunks()), "")
    return bytes(whole[0].as_py().encode())


def _json(column: pa.ChunkedArray, *, numbers: bool) -> pa.ChunkedArray:
    """Each value in JSON; `numbers` says that a text which is written like a whole number is one."""
    if pa.types.is_floating(column.type):
        known = pc.if_else(pc.is_finite(column), column, None)
        return pc.fill_null(pc.cast(known, pa.string()), "null")
    if pa.types.is_integer(column.type):
        return pc.fill_null(pc.cast(column, pa.string()), "null")
    if pa.types.is_list(column.type) or pc.any(pc.match_substring_regex(column, TO_ESCAPE)).as_py():
        texts = [json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    quoted = pc.binary_join_element_wise('"', column, '"', "")
    if numbers:
        quoted = pc.if_else(pc.match_substring_regex(column, WHOLE), column, quoted)
    return pc.fill_null(quoted, "null")
