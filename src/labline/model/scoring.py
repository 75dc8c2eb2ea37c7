"""Scores as an Arrow table: what a file of predictions holds."""

from __future__ import annotations

import pyarrow as pa

from labline.contract.signature import INTERVAL
from labline.model.bundle import Bundle
from labline.model.tasks import Scores


def predictions_schema(bundle: Bundle, *, with_id: bool) -> pa.Schema:
    """The columns of `predictions_table`: the id as text, `prediction`, one a class or the ends of the interval."""
    kinds = {"multilabel": pa.list_(pa.string()), "regression": pa.float64()}
    figures = bundle.task.classes or (INTERVAL if bundle.problem.value.interval else ())
    return pa.schema(
        [
            *([(bundle.problem.id, pa.string())] if with_id else []),
            ("prediction", kinds.get(bundle.problem.task, pa.string())),
            *((name, pa.float64()) for name in figures),
        ]
    )


def predictions_table(bundle: Bundle, scores: Scores, ids: pa.Array | None) -> pa.Table:
    """One row a score, in order.

    Args:
        bundle: that gave the scores.
        scores: shape (rows, classes) or (rows,).
        ids: of the rows; None: without them.
    """
    schema = predictions_schema(bundle, with_id=ids is not None)
    decisions = bundle.task.decisions(scores)
    numbers = scores if bundle.task.classes else bundle.task.intervals(scores)
    figures = [] if numbers is None else list(numbers.T)
    columns = [decisions, *figures]
    with_id = [] if ids is None else [ids.cast(pa.string())]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types[len(with_id) :], strict=True)]
    return pa.table([*with_id, *arrays], schema=schema)
