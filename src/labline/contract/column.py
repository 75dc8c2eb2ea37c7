"""A column of the contract: its type, what values it may hold, and what happens to those it may not."""

from __future__ import annotations

from math import ceil
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labline.contract.refusal import refusal

# How true and false may be written in files, in any case.
BOOLEANS = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}


class _Column(BaseModel):
    """What every column has."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    description: str = Field(default="", description="What a person should know to fill it in.")
    missing: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="refuse: a missing value is an error; allow: the model sees it as missing.",
    )


class NumberColumn(_Column):
    """A measured or counted quantity."""

    type: Literal["number", "integer"]
    unit: str = Field(default="", description="Unit of measurement, as a person would write it.")
    minimum: float | None = Field(default=None, description="Smallest value allowed.")
    maximum: float | None = Field(default=None, description="Largest value allowed.")
    out_of_range: Literal["refuse", "clip", "missing"] = Field(
        default="refuse",
        description="refuse: an error; clip: the nearest limit is taken; missing: the value is dropped.",
    )
    log: bool = Field(default=False, description="Spread over magnitudes: families that scale take log(1 + x).")
    bands: tuple[float, ...] = Field(default=(), description="Where families that want bands cut it, ascending.")
    example: float | None = Field(default=None, description="Shown in the API's page and form.")

    @model_validator(mode="after")
    def _limits_hold(self) -> Self:
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and low >= high:
            raise refusal(f"minimum {low:g} is not below maximum {high:g}", "swap or correct them", "minimum")
        if self.type == "integer" and low is not None and high is not None and ceil(low) > high:
            raise refusal(f"no whole number from {low:g} to {high:g}", "widen them, or take type number", "minimum")
        if self.log and (low is None or low < 0):
            raise refusal("log needs a minimum of 0 or more", "give one, or take log out", "log")
        if list(self.bands) != sorted(set(self.bands)):
            raise refusal("the limits do not ascend", "sort them, each once", "bands")
        if self.example is not None and not (
            (low is None or self.example >= low) and (high is None or self.example <= high)
        ):
            raise refusal(f"{self.example:g} is outside minimum and maximum", "choose one inside", "example")
        if self.type == "integer" and self.example is not None and not self.example.is_integer():
            raise refusal(f"{self.example:g} is not a whole number", "choose one that is", "example")
        return self


class CategoryColumn(_Column):
    """One of a known set of names."""

    type: Literal["category"]
    values: tuple[str, ...] = Field(min_length=1, description="Every value allowed; names in the order to show them.")
    unknown: Literal["refuse", "missing"] = Field(
        default="refuse",
        description="refuse: a value not listed is an error; missing: it is treated as missing.",
    )
    example: str | None = Field(default=None, description="Shown in the API's page and form.")

    @model_validator(mode="after")
    def _values_hold(self) -> Self:
        repeated = sorted({value for value in self.values if self.values.count(value) > 1})
        if repeated:
            raise refusal(f"{', '.join(map(repr, repeated))} stands twice", "name each value once", "values")
        if self.example is not None and self.example not in self.values:
            raise refusal(f"{self.example!r} is not one of values", "choose one of them", "example")
        return self


class BooleanColumn(_Column):
    """True or false."""

    type: Literal["boolean"]
    example: bool | None = Field(default=None, description="Shown in the API's page and form.")


Column = Annotated[NumberColumn | CategoryColumn | BooleanColumn, Field(discriminator="type")]
