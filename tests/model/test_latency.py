"""How long a bundle takes for one row."""

from __future__ import annotations

import time
from typing import Any

from labline import pipeline
from labline.config import Config
from labline.contract.examples import example_records
from labline.model.bundle import Bundle
from labline.model.latency import ROWS, WARM_UP, one_row_ms


class Slow:
    """Takes so long for each of its answers, one after the other."""

    def __init__(self, bundle: Bundle, seconds: list[float]) -> None:
        self.problem = bundle.problem
        self.asked: list[Any] = []
        self._seconds = seconds

    def predict(self, records: list[Any]) -> None:
        self.asked += records
        time.sleep(self._seconds[len(self.asked) - 1])


def test_it_is_the_median_of_single_rows_once_warm(config: Config) -> None:
    bundle = Bundle.load(pipeline.champion(config, "obesity").folder)
    slow = Slow(bundle, [0.1] * WARM_UP + [0.004] * (ROWS - 10) + [0.05] * 10)
    assert 4 <= one_row_ms(slow) < 12  # type: ignore[arg-type]
    assert slow.asked == example_records(bundle.problem, WARM_UP + ROWS)


def test_a_small_model_answers_a_row_within_milliseconds(config: Config) -> None:
    assert 0 < one_row_ms(Bundle.load(pipeline.champion(config, "obesity").folder)) < 50
