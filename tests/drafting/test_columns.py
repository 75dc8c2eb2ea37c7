"""What columns are taken for, from files in which they stand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from labline.contract import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from tests.drafting.workshop import ROWS, Answers, Workshop, guess_of

RANDOM = random.Random(3)
NUMBERS = [round(RANDOM.uniform(3, 88), 2) for _ in range(ROWS)]
OTHERS = [round(RANDOM.gauss(9, 2), 2) for _ in range(ROWS)]
TARGET = ["yes" if RANDOM.random() < 0.4 else "no" for _ in range(ROWS)]
WORDS = ["red", "blue", "warm", "cold", "house", "garden", "old", "new", "small", "bright", "river", "stone"]


def some(*values: Any) -> list[Any]:
    return [RANDOM.choice(values) for _ in range(ROWS)]


def table(values: Sequence[Any], name: str = "x") -> dict[str, Sequence[Any]]:
    return {"other": OTHERS, name: values, "y": TARGET}


def column(workshop: Workshop, values: Sequence[Any], name: str = "x") -> Column:
    return workshop.draft(table(values, name)).problem.columns[name]


def reason(workshop: Workshop, values: Sequence[Any], name: str = "x") -> str:
    guess = guess_of(workshop.draft(table(values, name)), name)
    assert guess.column is None
    return guess.why


def test_fractions_are_numbers_with_a_round_range_that_holds_what_was_seen(workshop: Workshop) -> None:
    found = column(workshop, NUMBERS)
    assert isinstance(found, NumberColumn)
    assert (found.type, found.missing) == ("number", "refuse")
    assert found.minimum is not None and found.maximum is not None
    assert 0 <= found.minimum <= min(NUMBERS) and max(NUMBERS) <= found.maximum
    assert found.minimum % 5 == found.maximum % 5 == 0
    assert sorted(NUMBERS)[50] <= (found.example or 0) <= sorted(NUMBERS)[70]


def test_a_range_of_what_is_never_negative_begins_at_0(workshop: Workshop) -> None:
    found = column(workshop, [RANDOM.uniform(0.5, 80) for _ in range(ROWS)])
    assert isinstance(found, NumberColumn)
    assert found.minimum == 0


def test_whole_numbers_are_integers_also_where_some_are_missing(workshop: Workshop) -> None:
    found = column(workshop, [None if i % 9 == 0 else float(i * 37 % 500) for i in range(ROWS)])
    assert isinstance(found, NumberColumn)
    assert (found.type, found.missing) == ("integer", "allow")


def test_0_and_1_stay_an_integer_from_0_to_1(workshop: Workshop) -> None:
    found = column(workshop, some(0, 1))
    assert isinstance(found, NumberColumn)
    assert (found.type, found.minimum, found.maximum) == ("integer", 0, 1)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("weight_kg", "kg"),
        ("Height (cm)", "cm"),
        ("price_usd", "USD"),
        ("income_eur", "EUR"),
        ("age", "years"),
        ("PatientAge", "years"),
        ("humidity_pct", "%"),
        ("Temperature [°C]", "°C"),
        ("height_m", "m"),
        ("check_in", ""),
        ("message", ""),
        ("x", ""),
    ],
)
def test_the_unit_is_in_the_name(workshop: Workshop, name: str, unit: str) -> None:
    found = column(workshop, NUMBERS, name)
    assert isinstance(found, NumberColumn)
    assert found.unit == unit


def test_per_cents_go_from_0_to_100_and_shares_from_0_to_1(workshop: Workshop) -> None:
    found = column(workshop, [RANDOM.uniform(12, 71) for _ in range(ROWS)], "humidity_pct")
    assert isinstance(found, NumberColumn)
    assert (found.minimum, found.maximum) == (0, 100)


def test_what_spreads_over_magnitudes_is_seen_on_a_logarithm(workshop: Workshop) -> None:
    found = column(workshop, [round(10 ** RANDOM.uniform(0, 5), 2) for _ in range(ROWS)])
    assert isinstance(found, NumberColumn)
    assert found.log


def test_few_names_are_listed_and_another_is_refused(workshop: Workshop) -> None:
    found = column(workshop, some("b", "a", "c"))
    assert isinstance(found, CategoryColumn)
    assert (found.values, found.unknown) == (("a", "b", "c"), "refuse")


def test_more_names_are_listed_and_another_counts_as_missing(workshop: Workshop) -> None:
    found = column(workshop, [f"k{i % 40}" for i in range(ROWS)])
    assert isinstance(found, CategoryColumn)
    assert len(found.values) == 40
    assert found.unknown == "missing"


def test_many_names_are_an_open_category(workshop: Workshop) -> None:
    rows = 1200
    names = [f"town{i % 400}" for i in range(rows)]
    drafted = workshop.draft({"x": names, "y": [TARGET[i % ROWS] for i in range(rows)]})
    found = drafted.problem.columns["x"]
    assert isinstance(found, CategoryColumn)
    assert found.is_open


def test_yes_and_no_are_names_and_true_and_false_a_boolean(workshop: Workshop) -> None:
    drafted = workshop.draft({"a": some("yes", "no"), "b": some("TRUE", "false"), "c": some(True, False), "y": TARGET})
    found = drafted.problem.columns
    assert isinstance(found["a"], CategoryColumn)
    assert found["a"].values == ("no", "yes")
    assert isinstance(found["b"], BooleanColumn)
    assert isinstance(found["c"], BooleanColumn)


@pytest.mark.parametrize("name", ["postcode", "x"])
def test_numbers_that_begin_with_0_are_names(workshop: Workshop, name: str) -> None:
    found = column(workshop, [f"{i % 40:05}" for i in range(ROWS)], name)
    assert isinstance(found, CategoryColumn)
    assert found.values[0] == "00000"


def test_numbers_too_large_to_be_told_apart_are_names(workshop: Workshop) -> None:
    found = column(workshop, [str(2**60 + i % 15) for i in range(ROWS)])
    assert isinstance(found, CategoryColumn)
    assert str(2**60 + 1) in found.values


def test_keys_of_another_table_are_names(workshop: Workshop) -> None:
    found = column(workshop, [1000 + i % 60 for i in range(ROWS)], "shop_id")
    assert isinstance(found, CategoryColumn)


def test_a_column_that_names_the_rows_is_the_id(workshop: Workshop) -> None:
    drafted = workshop.draft(table([f"K{i * 7919 % 10007}" for i in range(ROWS)], "customer_id"))
    assert drafted.problem.id == "customer_id"
    assert "customer_id" not in drafted.problem.columns


def test_a_second_id_and_a_written_index_are_left_out(workshop: Workshop) -> None:
    rows = table([f"K{i}" for i in range(ROWS)], "customer_id") | {
        "": list(range(ROWS)),
        "uuid": [f"{i * 7919:x}-{i}" for i in range(ROWS)],
    }
    drafted = workshop.draft(rows)
    assert drafted.problem.id == "customer_id"
    assert set(drafted.problem.columns) == {"other"}
    assert guess_of(drafted, "uuid").why == "it names the rows as well as 'customer_id'"
    assert guess_of(drafted, "Unnamed: 3").why == "it counts the rows"


def test_other_codes_of_which_each_row_has_its_own_are_left_out(workshop: Workshop) -> None:
    assert "value of its own" in reason(workshop, [f"{i * 7919 % 10007:x}Q" for i in range(ROWS)])


def test_constants_and_what_is_all_missing_are_left_out_and_said_in_the_contract(workshop: Workshop) -> None:
    drafted = workshop.draft(table(["same"] * ROWS) | {"nothing": [None] * ROWS})
    assert set(drafted.problem.columns) == {"other"}
    text = (drafted.folder / "problem.yaml").read_text(encoding="utf-8")
    assert "# x: it is 'same' in every row" in text
    assert "# nothing: all its values are missing" in text


def test_a_column_like_another_one_is_left_out(workshop: Workshop) -> None:
    assert reason(workshop, OTHERS) == "it is the same as 'other'"


def test_sentences_are_text(workshop: Workshop) -> None:
    found = column(workshop, [" ".join(RANDOM.choices(WORDS, k=RANDOM.randrange(4, 12))) for _ in range(ROWS)])
    assert isinstance(found, TextColumn)
    assert not found.html
    assert found.example


def test_text_with_tags_is_html(workshop: Workshop) -> None:
    found = column(workshop, [f"<p>{' '.join(RANDOM.choices(WORDS, k=8))}</p>" for _ in range(ROWS)])
    assert isinstance(found, TextColumn)
    assert found.html


@pytest.mark.parametrize("sign", ["|", ";", ","])
def test_labels_with_a_sign_between_them_are_lists(workshop: Workshop, sign: str) -> None:
    found = column(workshop, [sign.join(RANDOM.sample(WORDS[:8], RANDOM.randrange(1, 4))) for _ in range(ROWS)])
    assert isinstance(found, LabelsColumn)
    assert found.separator == sign


def test_a_town_and_its_country_are_one_name(workshop: Workshop) -> None:
    found = column(workshop, some("Paris, France", "Lyon, France", "Rome, Lazio, Italy", "Oslo, Norway"))
    assert isinstance(found, CategoryColumn)


def test_iso_dates_need_no_format(workshop: Workshop) -> None:
    found = column(workshop, [f"2023-{1 + i % 12:02}-{1 + i % 28:02} 10:{i % 60:02}:00" for i in range(ROWS)])
    assert isinstance(found, DateTimeColumn)
    assert found.formats == ()
    assert found.example is not None


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("%d.%m.%Y", [f"{1 + i % 28:02}.{1 + i % 12:02}.2023" for i in range(ROWS)]),
        ("%m/%d/%Y", [f"{1 + i % 12}/{1 + i % 28}/2023" for i in range(ROWS)]),
        ("%d/%m/%Y", [f"{1 + i % 28}/{1 + i % 12}/2023" for i in range(ROWS)]),
        ("%d %b %Y", [f"{1 + i % 28} Mar 202{i % 4}" for i in range(ROWS)]),
        ("%B %d, %Y", [f"October {1 + i % 28}, 202{i % 4}" for i in range(ROWS)]),
        ("%d.%m.%Y %H:%M", [f"{1 + i % 28}.{1 + i % 12}.2023 {i % 24:02}:15" for i in range(ROWS)]),
        ("%m/%d/%Y %I:%M %p", [f"{1 + i % 12}/{1 + i % 28}/2023 {1 + i % 12}:15 PM" for i in range(ROWS)]),
    ],
)
def test_other_dates_are_read_by_their_format(workshop: Workshop, form: str, written: list[str]) -> None:
    found = column(workshop, written)
    assert isinstance(found, DateTimeColumn)
    assert found.formats == (form,)


def test_dates_in_three_formats_are_all_listed(workshop: Workshop) -> None:
    forms = ("{y}-{m:02}-{d:02}", "{d:02}.{m:02}.{y}", "{m:02}/{d:02}/{y}")
    written = [forms[i % 3].format(y=2020 + i % 4, m=1 + i % 12, d=1 + i % 28) for i in range(ROWS)]
    found = column(workshop, written)
    assert isinstance(found, DateTimeColumn)
    assert set(found.formats) == {"%d.%m.%Y", "%m/%d/%Y"}


def test_dates_among_many_other_words_are_names(workshop: Workshop) -> None:
    found = column(workshop, ["soon" if i % 9 == 0 else f"2023-01-{1 + i % 9:02}" for i in range(ROWS)])
    assert isinstance(found, CategoryColumn)


def test_a_slip_among_many_dates_costs_its_row(workshop: Workshop) -> None:
    written = [f"2023-01-{1 + i % 28:02}" for i in range(ROWS)]
    drafted = workshop.draft(table([*written[:-1], "2023-02-30"]))
    assert isinstance(drafted.problem.columns["x"], DateTimeColumn)
    assert drafted.problem.invalid_rows == "drop"


def test_days_in_eight_digits_are_dates_by_their_name_only(workshop: Workshop) -> None:
    written = [f"2023{1 + i % 12:02}{1 + i % 28:02}" for i in range(ROWS)]
    drafted = workshop.draft({"order_date": written, "count": written[::-1], "y": TARGET})
    assert isinstance(drafted.problem.columns["order_date"], DateTimeColumn)
    assert isinstance(drafted.problem.columns["count"], NumberColumn)


def test_the_order_of_day_and_month_is_asked_where_no_value_tells(workshop: Workshop) -> None:
    written = [f"{1 + i % 12:02}/{1 + i % 11:02}/2023" for i in range(ROWS)]
    answers = Answers("day first")
    drafted = workshop.draft(table(written), ask=answers)
    found = drafted.problem.columns["x"]
    assert isinstance(found, DateTimeColumn)
    assert found.formats == ("%d/%m/%Y",)
    assert [question.choices for question in answers.asked] == [("day first", "month first")]


def test_another_column_of_the_file_tells_the_order_of_day_and_month(workshop: Workshop) -> None:
    open_ = [f"{1 + i % 12:02}/{1 + i % 11:02}/2023" for i in range(ROWS)]
    told = [f"{1 + i % 28:02}/{1 + i % 12:02}/2022" for i in range(ROWS)]
    drafted = workshop.draft(table(open_) | {"told": told}, ask=Answers())
    found = drafted.problem.columns["x"]
    assert isinstance(found, DateTimeColumn)
    assert found.formats == ("%d/%m/%Y",)


@pytest.mark.parametrize("word", ["?", "-", "unknown", "n.d."])
def test_a_word_among_numbers_stands_for_missing(workshop: Workshop, word: str) -> None:
    drafted = workshop.draft(table([word if i % 11 == 0 else i * 31 % 97 for i in range(ROWS)]))
    found = drafted.problem.columns["x"]
    assert isinstance(found, NumberColumn)
    assert found.missing == "allow"
    assert drafted.problem.sources.train.dialect.missing == (word,)


def test_numbers_mixed_with_many_names_are_names_and_said_so(workshop: Workshop) -> None:
    drafted = workshop.draft(table([f"n{i % 7}" if i % 2 else i % 20 for i in range(ROWS)]))
    assert isinstance(drafted.problem.columns["x"], CategoryColumn)
    assert "50%" in guess_of(drafted, "x").look[0]


def test_a_slip_among_many_numbers_costs_its_row(workshop: Workshop) -> None:
    values: list[Any] = [round(RANDOM.gauss(5, 2), 3) for _ in range(ROWS)]
    values[17] = "5,,3"
    drafted = workshop.draft(table(values))
    assert isinstance(drafted.problem.columns["x"], NumberColumn)
    assert drafted.problem.invalid_rows == "drop"
    assert "5,,3" in guess_of(drafted, "x").look[-1]


def test_a_leak_is_left_out_and_named_unless_a_person_keeps_it(workshop: Workshop) -> None:
    leak = [{"yes": RANDOM.uniform(5, 9), "no": RANDOM.uniform(1, 4)}[value] for value in TARGET]
    answers = Answers("keep")
    assert "x" in workshop.draft(table(leak), name="kept", ask=answers).problem.columns
    assert answers.asked[0].guess == "leave out"
    assert "alone predicts the target" in reason(workshop, leak)


def test_a_column_named_like_an_answer_is_pointed_at(workshop: Workshop) -> None:
    guess = guess_of(workshop.draft(table(some(0.1, 0.4, 0.7), "prediction")), "prediction")
    assert guess.column is not None
    assert "a model said" in guess.look[0]
