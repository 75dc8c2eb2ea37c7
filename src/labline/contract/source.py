"""Where a problem's rows come from, as the contract says it."""

from __future__ import annotations

import codecs
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


class SqlQuery(_Source):
    """Rows of a database."""

    query: str = Field(min_length=1, description="A SELECT.")
    url_variable: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="Environment variable that holds the database's URL, which has no place in a tracked file.",
    )


class Dialect(_Source):
    """How a text file writes what it holds; what is not said is as usual."""

    separator: str | None = Field(default=None, min_length=1, max_length=1, description="Between fields.")
    decimal: str = Field(default=".", min_length=1, max_length=1, description="Before the decimals of a number.")
    thousands: str | None = Field(default=None, min_length=1, max_length=1, description="Between groups of digits.")
    encoding: str = Field(default="utf-8", description="Of the characters, by Python's names, e.g. latin-1.")
    missing: tuple[str, ...] = Field(default=(), description="Also taken for missing, besides what usually is.")

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.decimal in {self.separator, self.thousands}:
            raise refusal(f"{self.decimal!r} cannot stand for two things", "correct it", "decimal")
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise refusal(f"there is no encoding {self.encoding!r}", "use utf-8, latin-1, …", "encoding") from error
        return self


PLACES = ("kaggle", "file", "csv", "parquet", "sql")


class Source(_Source):
    """One source of rows: exactly one of kaggle, file, csv, parquet and sql is given."""

    kaggle: KaggleFile | None = Field(default=None, description="A file of a Kaggle competition or dataset.")
    file: str | None = Field(
        default=None,
        description="Path or fsspec address of a file: .csv, .tsv, .jsonl, .parquet or .xlsx; also .gz, .zip, .7z.",
    )
    csv: str | None = Field(default=None, description="Path or fsspec address of a CSV file.")
    parquet: str | None = Field(default=None, description="Path or fsspec address of a Parquet file.")
    sql: SqlQuery | None = Field(default=None, description="A query of a database.")
    dialect: Dialect = Field(default=Dialect(), description="How a text file writes what it holds.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in PLACES if getattr(self, name) is not None]
        if len(given) != 1:
            raise refusal(f"{len(given)} places named", f"name exactly one of {', '.join(PLACES)}")
        return self

    @property
    def address(self) -> str | None:
        """Path or address of the file, where the source is one."""
        return self.file or self.csv or self.parquet


class ExtraSource(Source):
    """Rows to learn from that are not the problem's own."""

    weight: float = Field(default=1.0, gt=0, le=100, description="How many of the problem's own rows one counts as.")


class Sources(_Source):
    """The rows to train on, and, where there are some, rows met in production, and rows to learn from besides."""

    train: Source
    current: Source | None = None
    extra: ExtraSource | None = Field(
        default=None,
        description="More rows with the target, from elsewhere: learned from, and never measured on.",
    )
