"""The MLflow signature, from the contract: what the logged model takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labline.contract.column import BooleanColumn, CategoryColumn, Column, DateTimeColumn, LabelsColumn, TextColumn
from labline.contract.problem import Problem

INTERVAL = ("low", "high")  # ends of a value's interval

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature(problem: Problem) -> ModelSignature:
    """Inputs: the contract's columns. Outputs: the columns of `pyfunc.predictions_frame`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array

    def kind(column: Column) -> DataType | Array:
        if isinstance(column, CategoryColumn | TextColumn):
            return DataType.string
        if isinstance(column, LabelsColumn):
            return Array(DataType.string)
        if isinstance(column, DateTimeColumn):
            return DataType.datetime
        return DataType.boolean if isinstance(column, BooleanColumn) else DataType.double

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind(column), name, required=column.missing == "refuse") for name, column in problem.columns.items()
    ]
    names: dict[str, DataType | Array] = {"multilabel": Array(DataType.string), "regression": DataType.double}
    prediction = ColSpec(names.get(problem.task, DataType.string), "prediction")
    figures = problem.classes or (INTERVAL if problem.value.interval else ())
    return ModelSignature(
        inputs=Schema(inputs),
        outputs=Schema([prediction, *(ColSpec(DataType.double, name) for name in figures)]),
    )
