"""The request model: one record of the problem, typed from the contract, as the API takes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from labline.contract.column import CategoryColumn, Column, NumberColumn
from labline.contract.examples import example_record, example_value
from labline.contract.problem import Problem

TEXT_LENGTH_MAX = 1000


def request_model(problem: Problem) -> type[BaseModel]:
    """A pydantic model of one record: field types, limits and examples from the contract.

    Unknown fields are refused; the problem's id column may be given and is kept with the prediction.
    Field names are made up, so that a column may be called anything; the alias is the column's name.
    """
    fields: dict[str, Any] = {
        f"column_{index}": _field(name, column) for index, (name, column) in enumerate(problem.columns.items())
    }
    if problem.id is not None:
        number = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # else 1,001 digits would pass as a number
        text = Annotated[str, Field(max_length=TEXT_LENGTH_MAX)]
        fields["row_id"] = (
            number | text | None,
            Field(default=None, alias=problem.id, description="Names the row; not used by the model."),
        )
    return create_model(
        "Record",
        __doc__=f"One record to predict {problem.target} for.",
        __config__=ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [example_record(problem)]}),
        **fields,
    )


def _field(name: str, column: Column) -> tuple[Any, Any]:
    kind: Any
    limits: dict[str, Any] = {}
    description = column.description
    if isinstance(column, NumberColumn):
        # Strict: "21" or true are not numbers. A whole number may be written 2 or 2.0.
        kind = Annotated[float, Field(strict=True, allow_inf_nan=False)]
        if column.out_of_range == "refuse":
            limits = {"ge": column.minimum, "le": column.maximum}
        if column.type == "integer":
            limits["multiple_of"] = 1  # for the schema: it forgives a billionth, which is one half at 500 million
        if column.unit:
            description = f"{description} [{column.unit}]"
    elif isinstance(column, CategoryColumn):
        if column.unknown == "refuse":
            kind = Literal[column.values]
        else:
            kind = Annotated[str, Field(max_length=TEXT_LENGTH_MAX, json_schema_extra={"known": list(column.values)})]
    else:
        kind = Annotated[bool, Field(strict=True)]
    kind = Annotated[kind, Field(**limits)] if limits else kind
    kind = Annotated[kind, AfterValidator(_whole)] if "multiple_of" in limits else kind
    options: dict[str, Any] = {
        "alias": name,
        "title": name,
        "description": description,
        "examples": [example_value(column)],
    }
    if column.missing == "allow":
        return kind | None, Field(default=None, **options)
    return kind, Field(**options)


def _whole(number: float) -> float:
    if not number.is_integer():
        raise PydanticCustomError("multiple_of", "Input should be a multiple of 1")
    return number
