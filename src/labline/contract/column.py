"""A column of the contract: its type, what values it may hold, and what happens to those it may not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from math import ceil
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from labline.contract.refusal import refusal

URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
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
    logged: bool = Field(
        default=True,
        description="false: its values are left out of the prediction log, as personal data may have to be.",
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


class _Names(_Column):
    """What columns of names have: those listed, or, where none are, whatever training meets."""

    values: tuple[str, ...] = Field(
        default=(),
        min_length=1,  # written, it is not empty: to allow any name, leave it out
        description="Every name allowed, in the order to show them; none listed: any name, training learns the usual.",
    )
    unknown: Literal["refuse", "missing"] = Field(
        default="refuse",
        description="refuse: a name not listed is an error; missing: it is treated as missing.",
    )

    @model_validator(mode="after")
    def _values_hold(self) -> Self:
        repeated = sorted({value for value in self.values if self.values.count(value) > 1})
        if repeated:
            raise refusal(f"{', '.join(map(repr, repeated))} stands twice", "name each value once", "values")
        if not self.values and "unknown" in self.model_fields_set:
            raise refusal("no name is listed, so none can be unknown", "list values, or take unknown out", "unknown")
        return self

    @property
    def is_open(self) -> bool:
        """Whether any name is allowed."""
        return not self.values

    @cached_property
    def known(self) -> dict[str, str]:
        """The names listed, each by itself."""
        return {name: name for name in self.values}


class CategoryColumn(_Names):
    """One name."""

    type: Literal["category"]
    example: str | None = Field(default=None, description="Shown in the API's page and form.")

    @model_validator(mode="after")
    def _example_holds(self) -> Self:
        if self.example is not None and self.values and self.example not in self.values:
            raise refusal(f"{self.example!r} is not one of values", "choose one of them", "example")
        return self


class LabelsColumn(_Names):
    """Any number of names."""

    type: Literal["labels"]
    separator: str = Field(default=",", min_length=1, description="Between the names, in files that hold no lists.")
    example: tuple[str, ...] | None = Field(default=None, description="Shown in the API's page and form.")

    @model_validator(mode="after")
    def _example_holds(self) -> Self:
        strange = [name for name in self.example or () if self.values and name not in self.values]
        if strange:
            raise refusal(f"{strange[0]!r} is not one of values", "choose some of them", "example")
        return self


class BooleanColumn(_Column):
    """True or false."""

    type: Literal["boolean"]
    example: bool | None = Field(default=None, description="Shown in the API's page and form.")


def _instant(value: Any) -> Any:
    """A date as YAML or JSON gives it; without a time zone it is UTC."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise refusal(f"{value!r} is no date", "write it like 2024-12-31 or 2024-12-31T23:59:59") from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _iso(moment: datetime) -> str:
    """The date alone where the time is midnight."""
    return moment.date().isoformat() if moment == datetime.combine(moment, datetime.min.time()) else moment.isoformat()


Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(_iso)]


class DateTimeColumn(_Column):
    """A day, or a moment; without a time zone it is taken for UTC."""

    type: Literal["datetime"]
    formats: tuple[str, ...] = Field(
        default=(), description="How it may be written besides ISO 8601, in the signs of strptime, e.g. %d.%m.%Y."
    )
    minimum: Instant | None = Field(default=None, description="Earliest moment allowed.")
    maximum: Instant | None = Field(default=None, description="Latest moment allowed.")
    out_of_range: Literal["refuse", "clip", "missing"] = Field(
        default="refuse",
        description="refuse: an error; clip: the nearest limit is taken; missing: the value is dropped.",
    )
    example: Instant | None = Field(default=None, description="Shown in the API's page and form.")

    @model_validator(mode="after")
    def _limits_hold(self) -> Self:
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and low >= high:
            raise refusal(f"minimum {_iso(low)} is not before maximum {_iso(high)}", "correct them", "minimum")
        if self.example is not None and ((low and self.example < low) or (high and self.example > high)):
            raise refusal(f"{_iso(self.example)} is outside minimum and maximum", "choose one inside", "example")
        for written in self.formats:
            try:
                datetime.strptime(datetime(2024, 12, 31, tzinfo=UTC).strftime(written), written)
            except ValueError as error:
                raise refusal(f"{written!r} is no format of strptime", "write it like %d.%m.%Y", "formats") from error
        return self


class TextColumn(_Column):
    """Free text, of which words and parts of words count."""

    type: Literal["text"]
    html: bool = Field(default=False, description="It is HTML: tags are stripped, and <pre> blocks (code) dropped.")
    urls: Literal["allow", "refuse", "remove"] = Field(
        default="allow", description="refuse: a text with a web address is an error; remove: addresses are cut out."
    )
    maximum_length: int = Field(default=100_000, ge=1, description="Most characters; a longer text is an error.")
    hashed: bool = Field(
        default=False,
        description="Words are hashed, not looked up in a vocabulary: for vocabularies too large to keep.",
    )
    example: str | None = Field(default=None, description="Shown in the API's page and form.")

    @model_validator(mode="after")
    def _example_holds(self) -> Self:
        if self.example is not None and len(self.example) > self.maximum_length:
            raise refusal(f"it has more than {self.maximum_length:,} characters", "shorten it", "example")
        if self.example is not None and self.urls == "refuse" and URL.search(self.example):
            raise refusal("it has a web address in it, which urls refuses", "take it out", "example")
        return self


Column = Annotated[
    NumberColumn | CategoryColumn | BooleanColumn | DateTimeColumn | TextColumn | LabelsColumn,
    Field(discriminator="type"),
]
