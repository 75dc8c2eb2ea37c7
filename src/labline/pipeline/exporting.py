"""Export the prediction log into a file that other tools read, however long it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from labline.atomic import replacing
from labline.config import Config
from labline.contract import BooleanColumn, Column, LabelsColumn, NumberColumn, Problem, as_list
from labline.database import open_database
from labline.errors import DataError
from labline.monitoring.prediction_log import Logged, PredictionLog

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = (".csv", ".jsonl", ".parquet")


def export_log(
    config: Config,
    problem: Problem,
    target: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    version: int | None = None,
) -> int:
    """Write the problem's predictions, in the order they arrived; gives how many there are.

    A row has `prediction_id`, `at`, `version`, `row_id`, the contract's columns as they were sent (empty where they are
    not logged), `prediction`, and `probability_<class>` for each class. In CSV, lists are written as JSON.

    Raises:
        DataError: the name's ending is none of `KINDS`, or the file cannot be written.
        DatabaseError: the database is away.
    """
    kind = target.suffix.lower()
    if kind not in KINDS:
        raise DataError(
            f"its name ends in none of {', '.join(KINDS)}", where=str(target), mend="end the name in one of them"
        )
    log = PredictionLog(open_database(config.storage.database_url.get_secret_value()))
    schema = _schema(problem)
    rows = 0
    try:
        with replacing(target) as unfinished, _writing(kind, unfinished, schema) as write:
            for page in log.pages(problem.name, since=since, until=until, version=version):
                write.write_table(_table(page, schema, problem, lists_as_text=kind == ".csv"))
                rows += len(page)
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror}", where=str(target), mend="see that the folder is there"
        ) from error
    return rows


def _writing(kind: str, file: Path, schema: pa.Schema) -> Any:
    """A context manager that takes tables by `write_table`."""
    if kind == ".parquet":
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(file, schema)
    if kind == ".csv":
        from pyarrow.csv import CSVWriter

        return CSVWriter(str(file), _flat(schema))
    return _JsonLines(file)


class _JsonLines:
    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")

    def __enter__(self) -> _JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write_table(self, table: pa.Table) -> None:
        """A line a row."""
        self._file.writelines(to_json(row) + b"\n" for row in table.to_pylist())


def _schema(problem: Problem) -> pa.Schema:
    import pyarrow as pa

    names = pa.list_(pa.string())
    said = {"regression": pa.float64(), "multilabel": names}.get(problem.task, pa.string())

    def kind(column: Column) -> pa.DataType:
        if isinstance(column, NumberColumn):
            return pa.float64()
        if isinstance(column, BooleanColumn):
            return pa.bool_()
        return names if isinstance(column, LabelsColumn) else pa.string()

    fields = [("prediction_id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("version", pa.int32())]
    fields += [("row_id", pa.string()), *((name, kind(column)) for name, column in problem.columns.items())]
    fields += [("prediction", said), *((f"probability_{name}", pa.float64()) for name in problem.classes)]
    return pa.schema(fields)


def _flat(schema: pa.Schema) -> pa.Schema:
    """The schema with lists as text."""
    import pyarrow as pa

    return pa.schema([(one.name, pa.string() if pa.types.is_list(one.type) else one.type) for one in schema])


def _table(page: Sequence[Logged], schema: pa.Schema, problem: Problem, *, lists_as_text: bool) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in page] for name in ("prediction_id", "at", "version", "row_id")
    }
    columns |= {name: [row.input.get(name) for row in page] for name in problem.columns}
    columns["prediction"] = [row.prediction for row in page]
    columns |= {f"probability_{name}": [row.probabilities.get(name) for row in page] for name in problem.classes}
    if lists_as_text:
        lists = [one.name for one in schema if pa.types.is_list(one.type)]
        columns |= {name: [None if value is None else as_list(value) for value in columns[name]] for name in lists}
        schema = _flat(schema)
    return pa.table(columns, schema)
