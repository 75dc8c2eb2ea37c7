"""Traffic for tests: the champion's answers to rows of the training data, in the prediction log at chosen times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from labline import pipeline
from labline.config import Config
from labline.contract import Problem
from labline.database import open_database
from labline.model.bundle import PROFILE_FILE, Bundle
from labline.monitoring.prediction_log import Logged, PredictionLog, new_prediction_id
from labline.monitoring.profile import Profile
from labline.monitoring.tally_store import Counting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Traffic:
    """A champion, the log it answers into, and rows to ask it."""

    served: pipeline.Served
    bundle: Bundle
    engine: Engine
    frame: pd.DataFrame

    @classmethod
    def of(cls, config: Config, frame: pd.DataFrame, url: str | None = None) -> Traffic:
        served = pipeline.champion(config, "obesity")
        engine = open_database(url or config.storage.database_url.get_secret_value())
        PredictionLog(engine)
        return cls(served, Bundle.load(served.folder), engine, frame)

    @property
    def problem(self) -> Problem:
        return self.bundle.problem

    @property
    def counting(self) -> Counting:
        profile = Profile.model_validate_json((self.served.folder / PROFILE_FILE).read_bytes())
        return Counting(self.problem, self.served.version, profile, self.bundle.digest)

    def rows(self, count: int, begin: datetime = NOON, minutes: float = 1.0, **changed: Any) -> list[Logged]:
        """Answers to so many rows, one every so many minutes; columns may be changed."""
        drawn = self.frame[list(self.problem.columns)].sample(count, replace=True, random_state=count)
        records = drawn.assign(**changed).replace({np.nan: None}).to_dict("records")
        answers = self.bundle.predict(records)
        return [
            Logged(
                new_prediction_id(),
                begin + timedelta(minutes=minutes * index),
                self.problem.name,
                self.served.version,
                {name: value for name, value in record.items() if value is not None},
                answer.prediction,
                answer.probabilities,
            )
            for index, (record, answer) in enumerate(zip(records, answers, strict=True))
        ]

    def log(self, rows: Sequence[Logged]) -> list[Logged]:
        """Write them."""
        PredictionLog(self.engine).add(rows)
        return list(rows)
