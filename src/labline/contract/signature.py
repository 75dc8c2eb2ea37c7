"""The MLflow signature, from the contract: what the logged model takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labline.contract.column import BooleanColumn, CategoryColumn, Column
from labline.contract.problem import Problem

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature(problem: Problem) -> ModelSignature:
    """Inputs: the contract's columns. Outputs: `prediction`, and a probability for each class where there are any."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    def kind(column: Column) -> DataType:
        if isinstance(column, CategoryColumn):
            return DataType.string
        return DataType.boolean if isinstance(column, BooleanColumn) else DataType.double

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind(column), name, required=column.missing == "refuse") for name, column in problem.columns.items()
    ]
    prediction = ColSpec(DataType.string if problem.classes else DataType.double, "prediction")
    return ModelSignature(
        inputs=Schema(inputs),
        outputs=Schema([prediction, *(ColSpec(DataType.double, name) for name in problem.classes)]),
    )
