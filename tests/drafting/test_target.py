"""Which task and metric a target is taken for, and which targets nothing can be learnt from."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from labline.errors import DataError
from tests.drafting.workshop import ROWS, Answers, Workshop

RANDOM = random.Random(5)


def rows(target: list[Any]) -> dict[str, list[Any]]:
    return {
        "a": [round(RANDOM.gauss(0, 1), 3) for _ in target],
        "b": [RANDOM.choice("pqr") for _ in target],
        "y": target,
    }


def some(*values: Any, count: int = ROWS) -> list[Any]:
    return [RANDOM.choice(values) for _ in range(count)]


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (("no", "yes"), "yes"),
        (("Yes", "No"), "Yes"),
        ((1, 0), "1"),
        ((1, 2), "2"),
        ((True, False), "True"),
        (("churned", "stayed"), "churned"),
        (("spam", "ham"), "spam"),
        (("not fraud", "fraud"), "fraud"),
    ],
)
def test_two_values_are_binary_and_words_tell_the_positive_one(
    workshop: Workshop, values: tuple[Any, ...], positive: str
) -> None:
    problem = workshop.draft(rows(some(*values)), ask=Answers()).problem
    assert (problem.task, problem.metric) == ("binary", "roc_auc")
    assert problem.classes[1] == positive


def test_where_words_do_not_tell_the_rarer_one_is_positive_or_a_person_says_so(workshop: Workshop) -> None:
    table = rows(["north"] * 80 + ["south"] * 40)
    assert workshop.draft(table).problem.classes == ("north", "south")
    answers = Answers("north")
    assert workshop.draft(table, name="asked", ask=answers).problem.classes == ("south", "north")
    assert answers.asked[0].guess == "south"


def test_a_rare_positive_class_is_judged_by_average_precision(workshop: Workshop) -> None:
    problem = workshop.draft(rows(["yes"] * 6 + ["no"] * 300)).problem
    assert problem.metric == "average_precision"


def test_few_names_are_multiclass_and_few_whole_numbers_too(workshop: Workshop) -> None:
    problem = workshop.draft(rows(some("a", "b", "c"))).problem
    assert (problem.task, problem.metric, problem.classes) == ("multiclass", "accuracy", ("a", "b", "c"))
    drafted = workshop.draft(rows(some(10, 2, 3, 4)), name="grades")
    assert (drafted.problem.task, drafted.problem.classes) == ("multiclass", ("2", "3", "4", "10"))
    assert "regression" in drafted.draft.target.look[0]


def test_uneven_classes_are_judged_by_macro_f1(workshop: Workshop) -> None:
    assert workshop.draft(rows(["a"] * 90 + ["b"] * 20 + ["c"] * 10)).problem.metric == "f1_macro"


def test_many_numbers_are_a_regression(workshop: Workshop) -> None:
    problem = workshop.draft(rows([round(RANDOM.gauss(0, 9), 2) for _ in range(ROWS)])).problem
    assert (problem.task, problem.metric, problem.classes, problem.value.log) == ("regression", "rmse", (), False)


def test_a_target_over_magnitudes_is_learnt_as_a_logarithm(workshop: Workshop) -> None:
    table = rows([round(RANDOM.lognormvariate(4, 1.3), 2) for _ in range(400)])
    table["price_usd"] = table.pop("y")
    problem = workshop.draft(table, "price_usd").problem
    assert (problem.task, problem.metric) == ("regression", "rmsle")
    assert (problem.value.log, problem.value.minimum, problem.value.unit) == (True, 0, "USD")


@pytest.mark.parametrize("written", ["|".join, ",".join, json.dumps, lambda names: "<" + "><".join(names) + ">"])
def test_lists_of_labels_are_multilabel(workshop: Workshop, written: Any) -> None:
    names = ["red", "blue", "green", "old", "new"]
    table = rows([written(RANDOM.sample(names, RANDOM.randrange(1, 4))) for _ in range(ROWS)])
    problem = workshop.draft(table).problem
    assert (problem.task, problem.metric) == ("multilabel", "f1_weighted")
    assert set(problem.classes) == set(names)
    assert problem.unlisted == "refuse"


def test_words_are_labels_where_the_name_says_so_and_rare_ones_are_ignored(workshop: Workshop) -> None:
    lists = [" ".join(RANDOM.sample(["java", "c#", "html", "css"], RANDOM.randrange(1, 4))) for _ in range(ROWS)]
    lists[3] += " cobol"
    table = rows(lists)
    table["tags"] = table.pop("y")
    problem = workshop.draft(table, "tags").problem
    assert (problem.task, problem.separator, problem.unlisted) == ("multilabel", " ", "ignore")
    assert set(problem.classes) == {"java", "c#", "html", "css"}


def test_rows_without_a_target_are_left_out_of_training(workshop: Workshop) -> None:
    drafted = workshop.draft(rows([None if i % 10 == 0 else i % 2 for i in range(ROWS)]))
    assert drafted.problem.invalid_rows == "drop"
    assert "12 rows have no target" in (drafted.folder / "problem.yaml").read_text(encoding="utf-8")


def test_a_class_with_one_row_is_left_out(workshop: Workshop) -> None:
    drafted = workshop.draft(rows([*some("a", "b", "c"), "lonely"]))
    assert drafted.problem.classes == ("a", "b", "c")
    assert drafted.problem.invalid_rows == "drop"
    assert "'lonely'" in drafted.draft.target.look[0]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (["same"] * ROWS, "'same' in every row"),
        ([None] * ROWS, "every value is missing"),
        ([f"c{i * 7919 % 1009}" for i in range(ROWS)], "a value of its own"),
        (["a sentence of words number " + str(i) for i in range(ROWS)], "a value of its own"),
        ([f"2023-01-{1 + i % 28:02}" for i in range(ROWS)], "it is a date"),
        (["a", "b"], "2 rows have it: too few"),
        (["a"] * 40 + ["b"], "no two of its values come twice"),
    ],
)
def test_what_nothing_can_be_learnt_from_gets_one_line_and_no_folder(
    workshop: Workshop, target: list[Any], said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        workshop.draft(rows(target))
    assert caught.value.mend
    assert "\n" not in str(caught.value)
    assert list((workshop.root / "problems").glob("*")) == []


def test_a_target_that_is_not_there_is_refused_with_what_may_be_meant(workshop: Workshop) -> None:
    with pytest.raises(DataError, match="did you mean 'y'"):
        workshop.draft(rows(some("a", "b")), "Y")


def test_without_a_target_the_columns_are_listed(workshop: Workshop) -> None:
    with pytest.raises(DataError, match="one of a, b, y") as caught:
        workshop.draft(rows(some("a", "b")), None)
    assert "--target" in str(caught.value)
    assert workshop.draft(rows(some("a", "b")), None, ask=Answers("y", "b")).problem.target == "y"
