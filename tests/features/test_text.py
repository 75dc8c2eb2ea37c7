"""Texts: what counts as a word, and TF-IDF against scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from labline.features.text import HASH_BITS, TextBlock, Unit, characters, words

TEXTS = [
    "How do I sort a list of lists in C++?",
    "Sort, sort and sort again: a list, a list of lists!",
    "node.js and asp.net on one server",
    "asp.net server: sort a C# list",
    "the list the list",
    "",
    "Größe prüfen: größe der liste",
    "größe and prüfen in node.js",
]


def texts(values: list[str | None]) -> dict[str, np.ndarray]:
    return {"said": np.array(values, dtype=object)}


def fitted(unit: Unit = "words", tokens_max: int = 1000, of: list[str] = TEXTS) -> TextBlock:
    return TextBlock.fit("said", unit, of, tokens_max)


# Tokens


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("C++ and C#", ["c++", "and", "c#"]),
        ("ASP.NET, node.js.", ["asp.net", "node.js"]),
        ("don't stop-gap snake_case", ["don't", "stop-gap", "snake_case"]),
        ("Größe 12,5 %", ["größe", "12", "5"]),
        ("v1.2.3 (draft)", ["v1.2.3", "draft"]),
        ("-- ... __ ++ #", []),
        ("", []),
    ],
)
def test_words_are_letters_and_digits_joined_by_a_sign_with_the_signs_of_names_such_as_c_plus_plus(
    text: str, single: list[str]
) -> None:
    assert words(text)[: len(single)] == single
    assert len(words(text)) == max(2 * len(single) - 1, 0)


def test_every_pair_of_neighbours_is_a_token_too() -> None:
    assert words("Sort a list")[3:] == ["sort a", "a list"]


@pytest.mark.parametrize("text", ["Sort a list!", "a", "ab abc abcd abcde abcdef", "Größe\n\tprüfen", "", " "])
def test_parts_of_words_are_those_of_scikit_learns_char_wb(text: str) -> None:
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).build_analyzer()
    assert sorted(characters(text)) == sorted(theirs(text))


# TF-IDF


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_weights_are_those_of_scikit_learn(unit: Unit) -> None:
    tokens = {"words": words, "characters": characters}[unit]
    theirs = TfidfVectorizer(analyzer=tokens, sublinear_tf=True, min_df=2)
    expected = theirs.fit_transform(TEXTS)
    block = fitted(unit)

    assert list(block.tokens) == theirs.get_feature_names_out().tolist()
    unseen = ["sort C++ lists, sort", "nothing of this", "größe"]
    for ours, reference in (
        (block.transform(texts(TEXTS)), expected),
        (block.transform(texts(unseen)), theirs.transform(unseen)),
    ):
        np.testing.assert_allclose(ours.toarray(), reference.toarray(), rtol=0, atol=1e-12)


def test_a_token_of_a_single_row_is_not_kept_however_often_the_row_says_it() -> None:
    assert fitted(of=["once once once", "twice", "twice"]).tokens == ("twice",)


def test_the_tokens_that_most_rows_have_are_kept_when_there_are_more_than_may_be() -> None:
    rows = ["a", "a", "a", "b", "b", "b", "c", "c"]
    assert fitted(tokens_max=2, of=rows).tokens == ("a", "b")


def test_missing_texts_are_no_rows_of_the_weights_and_give_a_row_of_zeros() -> None:
    holes: list[str | None] = [None, *TEXTS, None]
    block = TextBlock.fit("said", "words", holes, 1000)

    assert block == fitted()
    matrix = block.transform(texts(holes)).toarray()
    assert not matrix[[0, -1]].any()
    np.testing.assert_array_equal(matrix[1:-1], block.transform(texts(TEXTS)).toarray())


@pytest.mark.parametrize("text", [None, "", "   ", "?!", "unheard"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_text_without_a_known_token_is_a_row_of_zeros_and_leaves_its_neighbours_alone(
    text: str | None, place: int
) -> None:
    rows: list[str | None] = ["sort a list", "asp.net server"]
    alone = fitted().transform(texts(rows)).toarray()
    rows.insert(place, text)
    matrix = fitted().transform(texts(rows)).toarray()

    assert not matrix[place].any()
    np.testing.assert_array_equal(np.delete(matrix, place, axis=0), alone)


def test_every_other_row_has_length_one() -> None:
    for block in (fitted(), fitted("characters"), TextBlock(column="said", unit="words", hashed=True)):
        lengths = sparse.linalg.norm(block.transform(texts(TEXTS)), axis=1)
        np.testing.assert_allclose(lengths, [0 if not text else 1 for text in TEXTS], atol=1e-12)


def test_no_training_text_with_a_token_at_all_gives_no_columns() -> None:
    block = fitted(of=["", "?"])
    assert block.tokens == ()
    assert block.transform(texts(TEXTS)).shape == (len(TEXTS), 0)


@pytest.mark.parametrize("options", [{}, {"hashed": True}], ids=["vocabulary", "hashed"])
def test_a_text_gets_the_same_bits_alone_and_among_others(options: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    many = [" ".join(random.choice([f"w{n}" for n in range(300)], random.integers(0, 60))) for _ in range(300)]
    block = TextBlock(column="said", unit="words", **options) if options else fitted(of=many)
    together = block.transform(texts(many))

    for row, text in enumerate(many):
        alone = block.transform(texts([text]))
        np.testing.assert_array_equal(alone.indices, together[row].indices)
        assert alone.data.tobytes() == together[row].data.tobytes()


def test_the_order_of_words_does_not_touch_the_sums() -> None:
    single = fitted(of=["x y z", "z y x"])
    assert single.tokens == ("x", "y", "z")
    first, second = (single.transform(texts([text])) for text in ("x y y z", "z y x y"))
    assert first.toarray().tobytes() == second.toarray().tobytes()


def test_hashed_words_have_columns_without_a_vocabulary_the_same_in_every_process() -> None:
    block = TextBlock(column="said", unit="words", hashed=True)
    matrix = block.transform(texts(["C++", "never heard before", "c++"]))

    assert matrix.shape == (3, 2**HASH_BITS) == (3, block.width) == (3, len(block.names))
    assert matrix[0].indices.tolist() == matrix[2].indices.tolist() == [0x6F1CA842 % 2**18]  # the CRC-32 of "c++"
    assert matrix[1].nnz == 5  # three words and two pairs


def test_hashed_counts_are_damped_by_the_logarithm() -> None:
    matrix = TextBlock(column="said", unit="words", hashed=True).transform(texts(["a b a"]))
    counts = sorted([1 + np.log(2), 1, 1, 1])  # a; b, a b, b a
    np.testing.assert_allclose(np.sort(matrix.data), np.array(counts) / np.linalg.norm(counts))


def test_columns_are_named_after_what_they_count() -> None:
    assert "said has 'c#'" in fitted(of=["C#", "c#"]).names
    assert TextBlock(column="said", unit="characters", hashed=True).names[7] == "said characters hash 7"
