"""Tallies: what is counted of rows, that parts add up to the whole, and that bytes keep it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from labline.contract import Problem, as_given, settle
from labline.errors import DataError
from labline.monitoring.profile import ANSWER, Measure, Profile, make_profile, profile_numbers, profile_of
from labline.monitoring.tally import MANY_NAMES, NameCounts, NumberCounts, Tally, count, counts_of, tally, width
from tests.model.test_tasks import BINARY

PROBLEM = Problem.model_validate(
    {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "target": "y",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {
            "x": {"type": "number", "minimum": -4, "maximum": 4, "out_of_range": "clip", "missing": "allow"},
            "grade": {"type": "integer"},
            "name": {"type": "category", "values": ["a", "b", "c"], "unknown": "missing", "missing": "allow"},
            "tags": {"type": "labels"},
            "said": {"type": "text", "missing": "allow"},
        },
    }
)


def sent(rows: int, seed: int) -> dict[str, list[object]]:
    """Rows as they are asked, a few of them beyond what the contract allows."""
    random = np.random.default_rng(seed)
    words = ["some", "words", "that", "Are", "said", "often!"]
    return {
        "x": [None if value > 3 else 2 * value for value in random.normal(size=rows).tolist()],
        "grade": random.integers(1, 4, rows).tolist(),
        "name": random.choice(["a", "b", "c", "strange"], rows, p=[0.5, 0.3, 0.15, 0.05]).tolist(),
        "tags": [["red"] * n + ["blue"] for n in random.integers(0, 2, rows).tolist()],
        "said": [" ".join(random.choice(words, n)) or None for n in random.integers(0, 6, rows).tolist()],
    }


def counted(profile: Profile, rows: dict[str, list[object]]) -> Tally:
    answers = np.array(["yes" if grade == 3 else "no" for grade in rows["grade"]], dtype=object)
    return tally(profile, PROBLEM, settle(PROBLEM, rows), answers, given=as_given(PROBLEM, rows))


@pytest.fixture(scope="module")
def profile() -> Profile:
    scores = BINARY.scores(np.random.default_rng(0).uniform(size=500))
    return make_profile(PROBLEM, settle(PROBLEM, sent(3000, 0)), BINARY, scores, {})


@pytest.fixture(scope="module")
def rows() -> dict[str, list[object]]:
    return sent(400, 1)


def test_both_sides_of_the_distribution_at_each_knot_can_be_read_off(profile: Profile) -> None:
    values = np.random.default_rng(3).normal(size=1000).round(1)
    reference = profile_numbers(np.random.default_rng(4).normal(size=5000).round(1))
    found = count(reference, values)
    assert isinstance(found, NumberCounts)
    below, upto = np.cumsum(found.slots)[0:-1:2], np.cumsum(found.slots)[1::2]
    for knot, less, no_more in zip(reference.knots, below, upto, strict=True):
        assert less == (values < knot).sum()
        assert no_more == (values <= knot).sum()
    assert found.sums.sum() == pytest.approx(values.sum())
    assert found.sums[0] == pytest.approx(values[values <= reference.knots[0]].sum())


def test_every_column_is_counted_with_what_is_missing_and_what_the_contract_does_not_allow(
    profile: Profile, rows: dict[str, list[object]]
) -> None:
    found = counts_of(profile, counted(profile, rows))
    x, name, tags = (found[Measure(column)] for column in ("x", "name", "tags"))
    assert isinstance(x, NumberCounts)
    assert isinstance(name, NameCounts)
    assert isinstance(tags, NameCounts)
    known = [value for value in rows["x"] if isinstance(value, float)]
    assert (x.rows, x.missing, x.known) == (400, 400 - len(known), len(known))
    assert x.outside == sum(abs(value) > 4 for value in known) > 0
    strange = rows["name"].count("strange")
    assert (name.missing, name.outside, name.strangers) == (strange, strange, {"strange": strange})
    assert name.counts == {letter: rows["name"].count(letter) for letter in "abc"}
    assert (tags.rows, tags.known) == (400, sum(len(row) for row in rows["tags"]))  # type: ignore[arg-type]
    assert found[Measure("said", "words")].rows == 400
    answers = found[ANSWER]
    assert isinstance(answers, NameCounts)
    assert answers.counts["yes"] == rows["grade"].count(3)


def test_parts_add_up_to_the_whole(profile: Profile, rows: dict[str, list[object]]) -> None:
    whole = counted(profile, rows)
    parts = [
        counted(profile, {name: values[start:end] for name, values in rows.items()})
        for start, end in ((0, 1), (1, 150), (150, 150), (150, 400))
    ]
    total = Tally.total(profile, [part.dump() for part in parts])
    assert (total.rows, total.strangers) == (whole.rows, whole.strangers)
    np.testing.assert_allclose(total.figures, whole.figures, rtol=1e-12)


def test_it_goes_through_bytes_and_few_rows_take_few(profile: Profile, rows: dict[str, list[object]]) -> None:
    whole = counted(profile, rows)
    again = Tally.load(whole.dump())
    assert (again.rows, again.strangers) == (whole.rows, whole.strangers)
    assert again.figures.tolist() == whole.figures.tolist()
    one = counted(profile, {name: values[:1] for name, values in rows.items()})
    assert len(one.dump()) < 800


def test_a_column_that_is_not_known_leaves_the_others_as_they_were(
    profile: Profile, rows: dict[str, list[object]]
) -> None:
    columns = settle(PROBLEM, rows)
    answers = np.array(["no"] * 400, dtype=object)
    whole = counts_of(profile, tally(profile, PROBLEM, columns, answers))
    del columns["said"], columns["x"]
    found = counts_of(profile, tally(profile, PROBLEM, columns, answers))
    assert {measure for measure, one in found.items() if not one.rows} == {
        measure for measure in profile.references if measure.column in ("said", "x")
    }
    assert found[Measure("tags")] == whole[Measure("tags")]
    assert found[Measure("name")] == whole[Measure("name")]


def test_a_tally_against_another_profile_is_not_added(profile: Profile, rows: dict[str, list[object]]) -> None:
    other = profile.model_copy(update={"categories": {}})
    with pytest.raises(DataError, match="another profile"):
        Tally.total(profile, [counted(profile, rows).dump(), Tally(1, np.zeros(width(other))).dump()])


def test_of_a_number_with_few_values_new_ones_are_named() -> None:
    found = count(profile_numbers(np.array([1.0, 2, 3] * 500)), np.array([1.0, 2, 7, 7]))
    assert found.strangers == {"7": 2}


def test_very_many_names_are_counted_alike_whether_they_are_few_objects_or_many() -> None:
    random = np.random.default_rng(0)
    few = np.array(["a", "b", None, "new"], dtype=object)[random.integers(0, 4, MANY_NAMES)]
    reference = profile_of(np.array(["a", "b", "c"] * 500, dtype=object))
    copies = few.copy()
    copies[:] = [name if name is None else (name + "-")[:-1] for name in few.tolist()]
    expected = Counter(few.tolist())
    for names in (few, copies, np.repeat(few, 2)[::2]):
        found = count(reference, names)
        assert isinstance(found, NameCounts)
        assert found.counts == {"a": expected["a"], "b": expected["b"], "c": 0}
        assert (found.missing, found.strangers) == (expected[None], {"new": expected["new"]})
