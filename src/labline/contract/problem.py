"""The problem: what is predicted from what. Everything that must know the columns derives from this."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labline.contract.column import BooleanColumn, CategoryColumn, Column, NumberColumn
from labline.contract.refusal import refusal
from labline.contract.source import Sources

TaskName = Literal["binary", "multiclass", "multilabel", "regression"]

# Names as in scikit-learn's scorers, without the "neg_": direction is the task's business.
METRICS: dict[TaskName, tuple[str, ...]] = {
    "multiclass": ("accuracy", "f1_weighted", "f1_macro", "log_loss"),
    "binary": ("accuracy", "f1_weighted", "f1_macro", "log_loss", "roc_auc", "average_precision"),
    "multilabel": ("f1_weighted", "f1_micro", "f1_macro", "jaccard", "log_loss"),
    "regression": ("rmse", "mae", "r2", "rmsle"),
}
CLASSES_MAX = 1000
# How many classes a task takes.
CLASSES: dict[TaskName, tuple[int, int]] = {
    "regression": (0, 0),
    "binary": (2, 2),
    "multiclass": (2, CLASSES_MAX),
    "multilabel": (1, CLASSES_MAX),
}


class Value(BaseModel):
    """What is said of the target of a regression."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    unit: str = Field(default="", description="Unit of the target, as a person would write it.")
    minimum: float | None = Field(default=None, description="Smallest value allowed in training rows.")
    maximum: float | None = Field(default=None, description="Largest value allowed in training rows.")
    log: bool = Field(default=False, description="Spread over magnitudes: models learn log(1 + target).")
    interval: float | None = Field(
        default=None, gt=0, lt=1, description="Answers come with an interval that covers this share of cases."
    )

    @model_validator(mode="after")
    def _limits_hold(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise refusal(f"minimum {self.minimum:g} is not below maximum {self.maximum:g}", "correct them", "minimum")
        if self.log and (self.minimum is None or self.minimum < 0):
            raise refusal("log needs a minimum of 0 or more", "give one, or take log out", "log")
        return self


class Problem(BaseModel):
    """The contract of one problem, as `problem.yaml` says it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,63}$",
        description="Name on the command line and in the registry; the folder's name.",
    )
    title: str = Field(min_length=1, description="Name for people.")
    description: str = Field(default="", description="What the prediction is for, and what it is not for.")
    task: TaskName
    target: str = Field(min_length=1, description="The column to predict.")
    classes: tuple[str, ...] = Field(
        default=(),
        description="The target's values, in the order to show them; for binary, the positive one last.",
    )
    value: Value = Field(default=Value(), description="Of a regression: the target's unit, range, scale, interval.")
    separator: str = Field(
        default=",", min_length=1, description="Of multilabel: between the labels, in files that hold no lists."
    )
    unlisted: Literal["refuse", "ignore"] = Field(
        default="refuse",
        description="Of multilabel: refuse: a label that classes does not list is an error; ignore: it is left out.",
    )
    invalid_rows: Literal["refuse", "drop"] = Field(
        default="refuse",
        description="Training rows that break the contract: refuse: training stops; drop: they are left out, and told.",
    )
    baseline_by: tuple[str, ...] = Field(
        default=(),
        description="Columns of a rule to beat: the median target, or commonest class, of rows alike in all of these.",
    )
    segments: tuple[str, ...] = Field(
        default=(),
        description="Columns by which figures are shown separately, and by which promotion looks for losers: "
        "categories, booleans, and numbers, which are cut at their bands, or else at quartiles.",
    )
    reference_rows: Literal["drawn", "kept"] = Field(
        default="drawn",
        description="Rows that monitoring tells windows of traffic from. drawn: the bundle has synthetic ones, and no "
        "training row; kept: 1,000 training rows, made coarse: of numbers a sixteenth of the ranks, common names, no "
        "value, and no column that is not logged.",
    )
    id: str | None = Field(default=None, description="A column that names the row; never a feature.")
    metric: str = Field(description="What the leaderboard sorts by and promotion compares.")
    sources: Sources
    columns: dict[str, Column] = Field(min_length=1, description="The features, by the name they have in the files.")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.metric not in METRICS[self.task]:
            mend = f"use one of {', '.join(METRICS[self.task])}"
            raise refusal(f"{self.metric!r} does not fit task {self.task}", mend, "metric")
        for role, name in (("target", self.target), ("id", self.id)):
            if name in self.columns:
                raise refusal(f"it is the {role}, and cannot be a feature", "take it out", "columns", name)
        if self.id == self.target:
            raise refusal("it is the target", "name another column, or take it out", "id")
        fewest, most = CLASSES[self.task]
        if not fewest <= len(self.classes) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise refusal(f"{len(self.classes)} given", f"task {self.task} takes {wanted}: list them", "classes")
        if len(set(self.classes)) < len(self.classes):
            raise refusal("a value stands twice", "name each once", "classes")
        if self.task != "regression" and self.value != Value():
            raise refusal(f"task {self.task} predicts no value", "take it out", "value")
        if self.metric == "rmsle" and (self.value.minimum is None or self.value.minimum < 0):
            raise refusal("rmsle needs targets of 0 or more", "say so: value: {minimum: 0}", "metric")
        for name in self.baseline_by:
            if name not in self.columns:
                raise refusal(f"there is no column {name!r}", "name columns of the contract", "baseline_by")
        if self.baseline_by and self.task == "multilabel":
            raise refusal("there is no such rule for multilabel", "take it out", "baseline_by")
        return self

    @model_validator(mode="after")
    def _segments_hold(self) -> Self:
        for name in self.segments:
            column = self.columns.get(name)
            if column is None:
                raise refusal(f"there is no column {name!r}", "name columns of the contract", "segments")
            if not isinstance(column, CategoryColumn | BooleanColumn | NumberColumn):
                mend = "name columns of type category, boolean, number or integer"
                raise refusal(f"{name!r} is of type {column.type}, which makes no segments", mend, "segments")
        if len(set(self.segments)) < len(self.segments):
            raise refusal("a column stands twice", "name each once", "segments")
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns a prediction is made from."""
        return tuple(self.columns)
