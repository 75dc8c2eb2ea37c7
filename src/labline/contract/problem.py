"""The problem: what is predicted from what. Everything that must know the columns derives from this."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labline.contract.column import Column
from labline.contract.refusal import refusal
from labline.contract.source import Sources

TaskName = Literal["binary", "multiclass", "regression"]

# Names as in scikit-learn's scorers, without the "neg_": direction is the task's business.
METRICS: dict[TaskName, tuple[str, ...]] = {
    "multiclass": ("accuracy", "f1_weighted", "f1_macro", "log_loss"),
    "binary": ("accuracy", "f1_weighted", "f1_macro", "log_loss", "roc_auc", "average_precision"),
    "regression": ("rmse", "mae", "r2"),
}
CLASSES_MAX = 1000


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
        fewest, most = {"regression": (0, 0), "binary": (2, 2), "multiclass": (2, CLASSES_MAX)}[self.task]
        if not fewest <= len(self.classes) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise refusal(f"{len(self.classes)} given", f"task {self.task} takes {wanted}: list them", "classes")
        if len(set(self.classes)) < len(self.classes):
            raise refusal("a value stands twice", "name each once", "classes")
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns a prediction is made from."""
        return tuple(self.columns)
