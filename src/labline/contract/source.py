"""Where a problem's rows come from, as the contract says it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labline.contract.refusal import refusal


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KaggleFile(_Source):
    """A file of a Kaggle competition or dataset."""

    competition: str | None = Field(default=None, description="The competition's name, as in its page's address.")
    dataset: str | None = Field(default=None, description="owner/name of the dataset, as in its page's address.")
    file: str = Field(description="Name of the file there.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.competition is None) == (self.dataset is None):
            raise refusal("the place is not clear", "name either a competition or a dataset")
        if self.dataset is not None and self.dataset.count("/") != 1:
            raise refusal(
                f"{self.dataset!r} is not of the form owner/name",
                "copy it from the page's address",
                "dataset",
            )
        return self

    @property
    def page(self) -> str:
        """Address of the page where a person finds the file and its rules."""
        if self.competition is not None:
            return f"https://www.kaggle.com/competitions/{self.competition}"
        return f"https://www.kaggle.com/datasets/{self.dataset}"

    def __str__(self) -> str:
        return f"kaggle:{self.competition or self.dataset}/{self.file}"


class Source(_Source):
    """One source of rows: exactly one of its fields is given."""

    kaggle: KaggleFile | None = Field(default=None, description="A file of a Kaggle competition or dataset.")
    csv: str | None = Field(default=None, description="Path or fsspec address of a CSV file.")
    parquet: str | None = Field(default=None, description="Path or fsspec address of a Parquet file.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise refusal(f"{len(given)} places named", f"name exactly one of {', '.join(type(self).model_fields)}")
        return self


class Sources(_Source):
    """The rows to train on, and, where there are some, rows met in production."""

    train: Source
    current: Source | None = None
