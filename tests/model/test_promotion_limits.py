"""What a version has to show to become champion: a gain, no losing segment, and what it may cost."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from labline.config.promotion import Promotion
from labline.model.evaluation import Judged
from labline.model.promotion import Decision, compare, costs
from tests.model.test_tasks import BINARY, REGRESSION

LIMITS = Promotion(minimum_gain=0, segment_loss_max=0.1, latency_ms_max=50, bundle_mb_max=200, resamples=300)
ROWS = 600
YOUNG = np.arange(ROWS) < 200


def sure(confidence: NDArray[np.float64], rows: int = ROWS) -> Judged:
    """A model that gives the true class this probability in each row."""
    target = np.arange(rows) % 2
    return Judged(BINARY, target, BINARY.scores(np.where(target == 1, confidence, 1 - confidence)))


def decided(challenger: Judged, champion: Judged, segments: dict[str, NDArray[np.bool_]], **limits: float) -> Decision:
    return compare("log_loss", challenger, champion, segments, 7, LIMITS.model_copy(update=limits))


def spread(middle: float, width: float = 0.1) -> NDArray[np.float64]:
    return middle + np.random.default_rng(0).uniform(-width, width, ROWS)


def test_a_better_challenger_that_fails_one_segment_is_refused_with_its_name_and_figures() -> None:
    challenger = sure(np.where(YOUNG, spread(0.5), spread(0.89)))
    decision = decided(challenger, sure(spread(0.7)), {"young": YOUNG, "old": ~YOUNG})
    assert decision.gap is not None
    assert decision.gap.high < 0  # a smaller loss over all rows
    assert not decision.promote
    loser, better = decision.reasons
    assert re.fullmatch(
        r"the segment “young” of 200 rows loses more than 10%: "
        r"log_loss 0\.\d{4} against 0\.\d{4}, \+\S+% \[\+\S+%, \+\S+%\]",
        loser,
    )
    assert better.startswith("the challenger is better on the same 600 held-out rows: log_loss")


def test_a_segment_that_loses_less_than_the_limit_for_sure_refuses_nothing() -> None:
    challenger = sure(np.where(YOUNG, spread(0.69), spread(0.8)))
    decision = decided(challenger, sure(spread(0.7)), {"young": YOUNG, "old": ~YOUNG})
    assert decision.promote
    assert "none of 2 segments loses more than 10% in log_loss for sure (the most: “young” +" in decision.reason
    assert not decided(challenger, sure(spread(0.7)), {"young": YOUNG}, segment_loss_max=0.01).promote


def test_noise_in_a_small_segment_refuses_nothing() -> None:
    random = np.random.default_rng(2)
    few = np.arange(ROWS) < 40
    challenger, champion = (sure(np.where(few, random.uniform(0.05, 0.95, ROWS), base)) for base in (0.9, 0.8))
    decision = decided(challenger, champion, {"few": few})
    grown = float(re.search(r"“few” ([+-]\S+)%", decision.reason).group(1))  # type: ignore[union-attr]
    assert grown > 10  # more than the limit, and yet no more than chance
    assert decision.promote


def test_a_segment_of_too_few_rows_is_not_judged() -> None:
    challenger = sure(np.where(np.arange(ROWS) < 29, 0.01, 0.9))
    decision = decided(challenger, sure(np.full(ROWS, 0.5)), {"few": np.arange(ROWS) < 29})
    assert decision.promote
    assert "segment" not in decision.reason


def test_a_gain_that_is_wanted_has_to_be_exceeded_and_a_tie_keeps_the_champion() -> None:
    ours, theirs = sure(np.full(ROWS, 0.8)), sure(np.full(ROWS, 0.7))
    assert decided(ours, theirs, {}, minimum_gain=0.1).promote  # log(0.8 / 0.7) is 0.1335
    refused = decided(ours, theirs, {}, minimum_gain=0.14)
    assert not refused.promote
    assert "is not better by more than 0.14 on the same" in refused.reason
    assert not decided(ours, ours, {}).promote


def test_of_values_segments_are_compared_in_the_unit_of_the_target() -> None:
    target = np.arange(float(ROWS))
    ours = Judged(REGRESSION, target, target + np.where(YOUNG, 3.0, 0.5))
    theirs = Judged(REGRESSION, target, target + 2.0)
    decision = compare("mae", ours, theirs, {"young": YOUNG}, 7, LIMITS)
    assert "rmse 3.0000 against 2.0000, +50.0% [+50.0%, +50.0%]" in decision.reason


@pytest.mark.parametrize(
    ("latency", "size", "passed", "said"),
    [
        (50, 200, [True, True], ["one row takes 50 ms (at most 50)", "the bundle has 200 MB (at most 200)"]),
        (50.1, 12.345, [False, True], ["one row takes 50.1 ms, more than 50", "the bundle has 12.3 MB (at most 200)"]),
        (0.5, 201, [True, False], ["one row takes 0.5 ms (at most 50)", "the bundle has 201 MB, more than 200"]),
    ],
)
def test_a_version_may_take_so_long_and_be_so_large(
    latency: float, size: float, passed: list[bool], said: list[str]
) -> None:
    checks = costs(latency, size, LIMITS)
    assert [check.passed for check in checks] == passed
    assert [check.said for check in checks] == said


def test_a_forced_decision_says_all_that_spoke_against_it() -> None:
    decision = Decision.by(costs(60, 300, LIMITS)).forced()
    assert decision.promote
    assert decision.reasons == (
        "forced, although one row takes 60 ms, more than 50",
        "forced, although the bundle has 300 MB, more than 200",
    )
