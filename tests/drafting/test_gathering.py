"""What is gathered chunk by chunk is what the whole would give."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from labline.drafting.gathering import ROWS_KEPT, Reservoir, gather
from labline.drafting.numbers import USUAL

ROWS = 60_000


def chunks(frame: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    return (frame.iloc[start : start + rows] for start in range(0, len(frame), rows))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(4)
    written = pd.DataFrame(
        {
            "own": [f"r{i}" for i in range(ROWS)],
            "twice": [f"r{i % (ROWS - 1)}" for i in range(ROWS)],
            "number": random.normal(size=ROWS).round(6),
            "kind": random.choice(["a", "b", None], ROWS),
        }
    )
    return written.astype("str").where(written.notna())


@pytest.mark.parametrize("rows", [ROWS, 7000])
def test_facts_do_not_depend_on_the_chunks(frame: pd.DataFrame, rows: int) -> None:
    found = gather(chunks(frame, rows), USUAL, "kind", seed=1)
    numbers = frame["number"].astype(float)
    assert found.rows == ROWS
    assert (found.facts["number"].span.low, found.facts["number"].span.high) == (numbers.min(), numbers.max())
    assert found.facts["own"].is_unique
    assert not found.facts["twice"].is_unique  # the one that comes again stands in the first chunk and the last
    assert found.facts["kind"].counts == frame["kind"].value_counts().to_dict()
    assert found.missing("kind") == frame["kind"].isna().sum()


def test_the_sample_is_bounded_in_order_and_from_all_over(frame: pd.DataFrame) -> None:
    sample = gather(chunks(frame, 7000), USUAL, "kind", seed=1).sample
    places = sample["own"].str.removeprefix("r").astype(int).to_numpy()
    assert len(places) == ROWS_KEPT[1]
    assert (np.diff(places) > 0).all()
    shares = np.histogram(places, bins=6, range=(0, ROWS))[0] / len(places)
    assert shares == pytest.approx(1 / 6, abs=0.02)


def test_a_reservoir_never_holds_more_than_twice_its_size_and_a_chunk() -> None:
    reservoir = Reservoir(100, np.random.default_rng(0))
    for _ in range(50):
        reservoir.take(pd.DataFrame({"x": range(300)}))
        assert reservoir.held <= 500
    assert len(reservoir.rows()) == 100
