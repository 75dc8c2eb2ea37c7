"""When a window of traffic counts as different from the training data."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from labline.config.section import Section, Url

When = Literal[
    "columns drifted",
    "predictions drifted",
    "values missing",
    "new categories",
    "out of range",
    "columns together",
    "performance fell",
    "estimate fell",
]
BY = frozenset({"performance fell", "estimate fell"})
COUNTED = frozenset({"columns drifted", "values missing", "new categories", "out of range"})


class Rule(Section):
    """One rule of the status: what must be found in a window, and what the status then is at least.

    Attributes:
        name: what the page calls it.
        when: what is looked at.
        columns: so many columns at least; one if nothing is said.
        share: or so large a share of the columns.
        by: of performance: by how large a share of the hold-out's figure it has to be worse.
        status: `warn` or `drift`.
    """

    name: str = Field(min_length=1)
    when: When
    columns: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    by: float | None = Field(default=None, gt=0)
    status: Literal["warn", "drift"]

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (self.by is not None) != (self.when in BY):
            raise ValueError(f"rule {self.name!r}: `by` belongs to {' and '.join(sorted(BY))}, which need it")
        if (self.columns or self.share) and self.when not in COUNTED:
            raise ValueError(f"rule {self.name!r}: `columns` and `share` belong to {', '.join(sorted(COUNTED))}")
        if self.columns and self.share:
            raise ValueError(f"rule {self.name!r}: either `columns` or `share`, not both")
        return self


class Monitoring(Section):
    """Window sizes in rows, the limits of the drift decision, and the rules of the status."""

    window: int = Field(ge=1)
    rows_min: int = Field(ge=2)
    rows_max: int = Field(ge=100)
    alpha: float = Field(gt=0, lt=1)
    effect_floor: float = Field(ge=0, le=1)
    share_floor: float = Field(ge=0, le=1)
    together_alpha: float = Field(gt=0, lt=1)
    together_rows: int = Field(ge=100)
    rules: tuple[Rule, ...]
    watch_seconds: float = Field(ge=1)
    history_days: int = Field(ge=1)
    webhook_url: Url | None
    webhook_secret: SecretStr | None
    webhook_windows: int = Field(ge=1)
    webhook_tries: int = Field(ge=1)
    webhook_seconds: float = Field(gt=0)
    retrain_new_labels: int | None = Field(ge=1)
    retrain_labels_min: int = Field(ge=2)
    retrain_cooldown_hours: float = Field(ge=0)
    retrain_weight: float = Field(gt=0, le=100)

    @model_validator(mode="after")
    def _webhook_is_signed(self) -> Self:
        if self.webhook_url is None:
            return self
        if not self.webhook_url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("webhook_url must begin with https:// or http://")
        if self.webhook_secret is None:
            raise ValueError("a webhook is signed: give LABLINE_MONITORING__WEBHOOK_SECRET too")
        return self
