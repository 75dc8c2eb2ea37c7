"""Predictions as bytes of the kind that is wanted, a block at a time, and what a file needs around them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow.parquet import ParquetWriter

from labline.contract import as_list
from labline.data.sources.files import ENDINGS
from labline.errors import DataError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
WHOLE = r"^(?:0|-?[1-9][0-9]{0,17})$"  # what is the same as a number and as text
TEXT_CELLS = 2**24  # that become text at once: an Arrow array holds 2 GiB of it
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
    if kind not in SEPARATORS:
        return b""
    fields = _quoted(pa.array(names, pa.string()), SEPARATORS[kind]).to_pylist()
    return f"{SEPARATORS[kind].join(fields)}\n".encode()


def rendered(table: pa.Table, kind: str) -> bytes:
    """The rows in the kind's own bytes; of Parquet, which is written by columns, Arrow's message of them."""
    if not len(table):
        return b""
    [rows] = table.combine_chunks().to_batches()
    if kind not in {*SEPARATORS, ".jsonl"}:
        return bytes(rows.serialize())
    step = max(1, TEXT_CELLS // rows.num_columns)
    return b"".join(_text(rows.slice(at, step), kind) for at in range(0, len(rows), step))


def _text(rows: pa.RecordBatch, kind: str) -> bytes:
    return _delimited(_lists_as_text(rows), SEPARATORS[kind]) if kind in SEPARATORS else _json_lines(rows)


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


def _delimited(rows: pa.RecordBatch, separator: str) -> bytes:
    """Lines of fields, quoted where they must be (RFC 4180); numbers stand last."""
    is_number = [pa.types.is_floating(kind) for kind in rows.schema.types]
    texts = [_quoted(column, separator) for column, number in zip(rows.columns, is_number, strict=True) if not number]
    numbers = [column for column, number in zip(rows.columns, is_number, strict=True) if number]
    lines = _lines_of_numbers(numbers, separator)
    return _one_after_the_other(pc.binary_join_element_wise(*texts, lines, separator, null_handling="replace"))


def _quoted(texts: pa.Array, separator: str) -> pa.Array:
    """The texts as fields."""
    signs = ('"', "\r", "\n", separator)
    content = _one_after_the_other(texts)
    if not any(sign.encode() in content for sign in signs):
        return texts
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(texts, f"[{''.join(signs)}]"), quoted, texts)


def _lines_of_numbers(columns: Sequence[pa.Array], separator: str) -> pa.Array:
    """A line of the numbers in each row, in the fewest digits that tell a number from every other."""
    numbers = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
    if not np.isfinite(numbers).all():  # JSON has no words for the others
        lines = pc.binary_join_element_wise(*(pc.cast(column, pa.string()) for column in columns), separator)
        return pc.binary_join_element_wise(lines, "\n", "")
    # [[1.5,2.5],[3.5,4.5]]: what a row begins with ends in two signs of the next
    written = bytearray(orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
    signs = np.frombuffer(written, dtype=np.uint8)
    begins = np.flatnonzero(signs == ord("["))[1:] + 1
    signs[np.append(begins[1:], len(written)) - 3] = ord("\n")
    if separator != ",":
        signs[signs == ord(",")] = ord(separator)
    return _parts(written, begins, 2)


def _parts(written: bytes | bytearray, begins: NDArray[np.intp], behind: int) -> pa.Array:
    """The texts that begin at some places of what was written; so many signs behind each belong to none."""
    limits = np.append(begins, len(written)).astype(np.int32)
    texts = pa.Array.from_buffers(pa.binary(), len(begins), [None, pa.py_buffer(limits), pa.py_buffer(written)])
    return pc.binary_slice(texts, 0, -behind).cast(pa.string())


def _one_after_the_other(texts: pa.Array) -> bytes:
    """The texts without anything between them, as they lie in memory."""
    _, offsets, content = texts.buffers()
    if content is None:
        return b""
    first, end = np.frombuffer(offsets, dtype=np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    return content.slice(first, end - first).to_pybytes()  # type: ignore[no-any-return]


def _lists_as_text(rows: pa.RecordBatch) -> pa.RecordBatch:
    at = rows.schema.get_field_index("prediction")
    if not pa.types.is_list(rows.schema.types[at]):
        return rows
    texts = [as_list(names) for names in rows.column(at).to_pylist()]
    return rows.set_column(at, "prediction", pa.array(texts, pa.string()))


def _json_lines(rows: pa.RecordBatch) -> bytes:
    parts: list[Any] = []
    for at, (name, column) in enumerate(zip(rows.schema.names, rows.columns, strict=True)):
        parts += [f"{',' if at else '{'}{json.dumps(name, ensure_ascii=False)}:", _json(column, numbers=at == 0)]
    return _one_after_the_other(pc.binary_join_element_wise(*parts, "}\n", ""))


def _json(column: pa.Array, *, numbers: bool) -> pa.Array:
    """Each value in JSON; `numbers` says that a text which is written like a whole number is one."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)
        written = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)  # [1.5,null,2.5]
        return _parts(written, np.append(0, np.flatnonzero(np.frombuffer(written, np.uint8) == ord(","))) + 1, 1)
    if pa.types.is_integer(column.type):
        return pc.fill_null(pc.cast(column, pa.string()), "null")
    if pa.types.is_list(column.type) or pc.any(pc.match_substring_regex(column, TO_ESCAPE)).as_py():
        return pa.array([json.dumps(value, ensure_ascii=False) for value in column.to_pylist()], pa.string())
    quoted = pc.binary_join_element_wise('"', column, '"', "")
    if numbers:
        quoted = pc.if_else(pc.match_substring_regex(column, WHOLE), column, quoted)
    return pc.fill_null(quoted, "null")
