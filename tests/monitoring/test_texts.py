"""What is measured of texts."""

from __future__ import annotations

import numpy as np
import pytest

from labline.monitoring.texts import MEASURES, familiar_words, measures_of_texts


def test_words_their_length_capitals_other_signs_and_familiar_ones_are_measured() -> None:
    familiar = familiar_words(["good shoes", "good as new", None])
    found = measures_of_texts(["Good SHOES!!"], familiar)
    assert {name: values.tolist() for name, values in found.items()} == {
        "words": [2],
        "letters a word": [4.5],
        "capitals": [pytest.approx(6 / 9)],
        "other signs": [pytest.approx(2 / 12)],
        "familiar words": [0.5],  # good stands in two texts, shoes in one
    }


def test_the_language_does_not_matter() -> None:
    found = measures_of_texts(["Größe 38, fast neu", "новые туфли"], familiar_words(["новые", "новые вещи"]))
    assert found["words"].tolist() == [4, 2]
    assert found["familiar words"].tolist() == [0, 0.5]


def test_of_nothing_nothing_is_measured_and_of_signs_alone_no_words() -> None:
    found = measures_of_texts([None, "", "?!"], frozenset())
    assert set(found) == set(MEASURES)
    for name, values in found.items():
        assert np.isnan(values[:2]).all(), name
    assert found["words"][2] == 0
    assert np.isnan(found["letters a word"][2])
    assert measures_of_texts([], frozenset())["words"].shape == (0,)
