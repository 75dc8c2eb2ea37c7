"""The request model: one record of the problem, typed from the contract, as the API takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from labline.contract.column import (
    URL,
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from labline.contract.examples import example_record, example_value
from labline.contract.problem import Problem
from labline.contract.written import moment

NAME_LENGTH_MAX = 1000
LABELS_MAX = 1000


def request_model(problem: Problem) -> type[BaseModel]:
    """A pydantic model of one record: field types, limits and examples from the contract.

    Unknown fields are refused; the problem's id column may be given and is kept with the prediction.
    Field names are made up, so that a column may be called anything; the alias is the column's name.
    """
    fields: dict[str, Any] = {
        f"column_{index}": _field(name, column) for index, (name, column) in enumerate(problem.columns.items())
    }
    if problem.id is not None:
        limits = Field(ge=-(2**63), lt=2**63)  # else 1,001 digits would pass as a number
        number = Annotated[int, limits, BeforeValidator(_no_boolean_or_text)]
        text = Annotated[str, Field(max_length=NAME_LENGTH_MAX)]
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
    kind = KINDS[column.type](column)
    unit = f" [{column.unit}]" if isinstance(column, NumberColumn) and column.unit else ""
    options: dict[str, Any] = {
        "alias": name,
        "title": name,
        "description": f"{column.description}{unit}",
        "examples": [example_value(column)],
    }
    if column.missing == "allow":
        return kind | None, Field(default=None, **options)
    return kind, Field(**options)


def _number(column: NumberColumn) -> Any:
    # Strict: "21" or true are not numbers. A whole number may be written 2 or 2.0.
    kind: Any = Annotated[float, Field(strict=True, allow_inf_nan=False)]
    limits: dict[str, Any] = {}
    if column.out_of_range == "refuse":
        limits = {"ge": column.minimum, "le": column.maximum}
    if column.type == "integer":
        limits["multiple_of"] = 1  # for the schema: it forgives a billionth, which is one half at 500 million
    kind = Annotated[kind, Field(**limits)] if limits else kind
    return Annotated[kind, AfterValidator(_whole)] if column.type == "integer" else kind


def _no_boolean_or_text(value: Any) -> Any:
    if isinstance(value, bool | str):  # a text of digits stays one: 007 is not 7
        raise PydanticCustomError("int_type", "Input should be a whole number")
    return value


def _whole(number: float) -> float:
    if not number.is_integer():
        raise PydanticCustomError("multiple_of", "Input should be a multiple of 1")
    return number


def _boolean(_column: BooleanColumn) -> Any:
    return Annotated[bool, Field(strict=True)]


def _name(column: CategoryColumn | LabelsColumn) -> Any:
    """A known name, or any where any is allowed or unknown ones are taken for missing."""
    if column.values and column.unknown == "refuse":
        return Literal[column.values]
    known = {"known": list(column.values)} if column.values else {}
    return Annotated[str, Field(max_length=NAME_LENGTH_MAX, json_schema_extra=known)]  # type: ignore[arg-type]


def _names(column: LabelsColumn) -> Any:
    return Annotated[list[_name(column)], Field(max_length=LABELS_MAX)]  # type: ignore[misc]


def _moment(column: DateTimeColumn) -> Any:
    """A moment as text; it stays text, as the prediction log and the golden rows keep it."""

    def readable(written: str) -> str:
        found = moment(written, column)
        if found is None:
            raise PydanticCustomError("datetime_format", "is no date like 2024-12-31T23:59:59")
        low, high = column.minimum, column.maximum
        if column.out_of_range == "refuse" and ((low and found < low) or (high and found > high)):
            raise PydanticCustomError("datetime_range", "is out of range")
        return written

    extra = {"format": "date-time"} if not column.formats else {}
    kind = Field(max_length=NAME_LENGTH_MAX, json_schema_extra=extra)  # type: ignore[arg-type]
    return Annotated[str, kind, AfterValidator(readable)]


def _text(column: TextColumn) -> Any:
    kind: Any = Annotated[str, Field(max_length=column.maximum_length)]
    if column.urls != "refuse":
        return kind

    def without_url(text: str) -> str:
        if URL.search(text):
            raise PydanticCustomError("text_url", "has a web address in it, which is not allowed")
        return text

    return Annotated[kind, AfterValidator(without_url)]


KINDS: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "category": _name,
    "labels": _names,
    "datetime": _moment,
    "text": _text,
}
