"""When a window of traffic counts as different from the training data."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from labline.config.section import Section, Url


class Monitoring(Section):
    """Window sizes in rows, and the limits of the drift decision."""

    window: int = Field(ge=1)
    rows_min: int = Field(ge=2)
    rows_max: int = Field(ge=100)
    alpha: float = Field(gt=0, lt=1)
    effect_floor: float = Field(ge=0, le=1)
    drift_share: float = Field(gt=0, le=1)
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
