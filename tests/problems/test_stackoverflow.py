"""The StackOverflow problem: its contract, derived features and generated questions."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labline.contract import columns_from_records, read_problem, settle
from labline.contract.examples import example_record
from labline.contract.records import request_model
from labline.contract.written import names_in
from labline.data import check_frame, read_frame, write_frame
from labline.data.sources.files import frame_of_chunks
from labline.data.sources.sample import generate
from labline.features import read_features

FOLDER = Path(__file__).parents[2] / "problems" / "stackoverflow"
PROBLEM = read_problem(FOLDER / "problem.yaml")
FEATURES = read_features(FOLDER / "features.py", PROBLEM)


def feature(name, title="How to sort?", body="<p>I call sort.</p>"):
    """The feature's value for one question."""
    return FEATURES.only([name])(columns_from_records(PROBLEM, [{"Title": title, "Body": body}]))[name].item()


@cache
def rows(role="train", seed=0):
    return generate(FOLDER, role, seed)


def tags_of(frame):
    return [names_in(written, PROBLEM.separator) for written in frame["Tags"]]


def frequencies(role="train"):
    return pd.Series([tag for tags in tags_of(rows(role)) for tag in tags]).value_counts() / len(rows(role))


# The contract


def test_the_contract_is_that_of_the_issue():
    assert (PROBLEM.task, PROBLEM.metric, PROBLEM.target, PROBLEM.id) == ("multilabel", "f1_weighted", "Tags", "Id")
    assert len(PROBLEM.classes) == 100
    assert {"c#", "c++", ".net", "node.js", "python-3.x"} <= set(PROBLEM.classes)
    assert (PROBLEM.separator, PROBLEM.unlisted) == (" ", "ignore")
    assert PROBLEM.columns["Body"].html
    assert PROBLEM.columns["Body"].missing == "allow"


def test_a_question_without_a_body_is_taken_and_one_without_a_title_is_not():
    record = request_model(PROBLEM)
    record.model_validate(example_record(PROBLEM) | {"Body": None})
    with pytest.raises(ValueError, match="Title"):
        record.model_validate(example_record(PROBLEM) | {"Title": None})


# Derived features


def test_title_features():
    assert feature("title_length", title="abc def") == 7
    assert feature("title_words", title="abc  def") == 2
    assert feature("title_asks", title="why?") == 1
    assert feature("title_asks", title="because") == 0
    assert feature("title_code_signs", title="if (a[0] == b) { x->y; }") == 10
    assert feature("title_code_signs", title="sort a list, please") == 0
    assert feature("title_dotted_names", title="asp.net and views.py. And 2.7") == 2
    assert feature("title_camel_case", title="ArrayList or getElementById in Java") == 2
    assert feature("title_versions", title="python 2.7 or 3.4.1, not 3") == 2
    assert feature("title_tells_failure", title="It CRASHES") == 1
    assert feature("title_tells_failure", title="failover works") == 0


def test_body_features_count_prose_and_leave_code_blocks_out():
    body = "<p>Is <code>a[0]</code> an ArrayList? Error!</p><pre><code>if (x) { fooBar(); } // error?</code></pre>"
    assert feature("body_length", body=body) == len("Is a[0] an ArrayList? Error!")
    assert feature("body_questions", body=body) == 1
    assert feature("body_code_signs", body=body) == 2
    assert feature("body_camel_case", body=body) == 1
    assert feature("body_tells_failure", body=body) == 1
    assert feature("body_is_missing", body=body) == 0


def test_a_missing_body_gives_missing_counts_and_an_empty_one_zeros():
    counts = [name for name in FEATURES.names if name.startswith("body_") and name != "body_is_missing"]
    assert len(counts) == 5
    for name in counts:
        assert np.isnan(feature(name, body=None)), name
        assert feature(name, body="") == 0, name
    for body in (None, "", "<p> </p>", "<pre><code>x = 1</code></pre>"):
        assert feature("body_is_missing", body=body) == 1, body


@pytest.mark.parametrize("name", [name for name in FEATURES.names if name.startswith("title_")])
def test_an_empty_title_gives_zeros(name):
    assert feature(name, title="") == 0


texts = st.text(max_size=60) | st.sampled_from(["<p>a &lt; b</p>", "x = getElementById('a'); error?", "C++ 4.2.1 ß"])


@given(st.lists(st.fixed_dictionaries({"Title": texts, "Body": st.none() | texts}), min_size=1, max_size=6))
@example([{"Title": "a", "Body": "b"}, {"Title": "", "Body": None}])
@settings(max_examples=100)
def test_one_question_gives_what_it_gives_within_a_batch(batch):
    together = FEATURES(columns_from_records(PROBLEM, batch))
    for index, record in enumerate(batch):
        alone = FEATURES(columns_from_records(PROBLEM, [record]))
        for name in FEATURES.names:
            assert alone[name].tobytes() == together[name][index : index + 1].tobytes(), name


def test_no_rows_give_no_values():
    for name, values in FEATURES(columns_from_records(PROBLEM, [])).items():
        assert values.shape == (0,), name


# Generated questions


@pytest.mark.parametrize(("role", "count"), [("train", 12_000), ("current", 3_000)])
def test_rows_have_the_published_columns(role, count):
    assert list(rows(role).columns) == ["Id", "Title", "Body", "Tags"]
    assert len(rows(role)) == count
    assert rows(role)["Id"].is_unique


@pytest.mark.parametrize("role", ["train", "current"])
def test_a_seed_gives_the_same_rows_again_and_another_seed_others(role):
    first = generate(FOLDER, role, 7)
    pd.testing.assert_frame_equal(first, generate(FOLDER, role, 7))
    assert (first["Title"] != generate(FOLDER, role, 8)["Title"]).mean() > 0.9


@pytest.mark.parametrize("role", ["train", "current"])
def test_rows_obey_the_contract(role):
    frame = frame_of_chunks([rows(role)], PROBLEM, PROBLEM.sources.train.dialect)
    found = check_frame(frame, PROBLEM, with_target=True)
    assert [finding for finding in found.findings if finding.severity == "error"] == []


def test_rows_come_back_from_a_file_with_the_same_tags(tmp_path):
    write_frame(rows("current"), tmp_path / "Train.csv")
    found = read_frame(str(tmp_path / "Train.csv"), PROBLEM)
    assert tags_of(found) == tags_of(rows("current"))
    assert found["Body"].equals(rows("current")["Body"])


def test_every_tag_of_the_contract_occurs_often_enough_to_be_learned():
    assert frequencies()[list(PROBLEM.classes)].min() * len(rows()) > 35


def test_some_tags_are_skewed_and_some_are_none_of_the_contract():
    shares = frequencies()
    assert shares["c#"] > 20 * shares["loops"]
    outside = set(shares.index) - set(PROBLEM.classes)
    assert len(outside) >= 5
    assert 0.02 < shares[list(outside)].sum() < 0.1


def test_questions_have_one_to_five_tags():
    counts = pd.Series([len(tags) for tags in tags_of(rows())])
    assert set(counts) == {1, 2, 3, 4, 5}
    assert counts.is_monotonic_increasing is False
    assert 1.7 < counts.mean() < 2.3


@pytest.mark.parametrize(
    ("tag", "brings", "low"),
    [("jquery", "javascript", 0.8), ("pandas", "python", 0.9), ("spring-mvc", "java", 0.8), ("mysql", "php", 0.5)],
)
def test_tags_come_together(tag, brings, low):
    having = [tags for tags in tags_of(rows()) if tag in tags]
    assert sum(brings in tags for tags in having) / len(having) > low


def test_bodies_are_html_with_paragraphs_code_and_links():
    bodies = rows()["Body"].dropna()
    assert 0.005 < rows()["Body"].isna().mean() < 0.02
    assert bodies.str.contains("<p>").all()
    assert 0.6 < bodies.str.contains("<pre><code>").mean() < 0.7
    assert 0.08 < bodies.str.contains("<a href=").mean() < 0.16
    prose = settle(PROBLEM, {name: rows()[name].to_numpy() for name in PROBLEM.columns})["Body"]
    assert not any(re.search(r"</?(?:p|pre|code|a)\b", text) for text in prose if text)


def test_current_differs_from_train_as_its_docstring_says():
    ratio = frequencies("current") / frequencies()
    assert (ratio[["swift", "angularjs", "node.js", "laravel", "pandas", "python-3.x"]] > 1.8).all()
    assert (ratio[["objective-c", "winforms", "wcf", "visual-studio-2010"]] < 0.8).all()


@pytest.mark.thorough
def test_tags_can_be_learned_and_not_read_off():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    frequent = [
        "c#",
        "javascript",
        "java",
        "php",
        "python",
        "jquery",
        "swift",
        "css",
        "mysql",
        "arrays",
        "csv",
        "regex",
    ]
    truth = np.array([[tag in tags for tag in frequent] for tags in tags_of(rows())])
    prose = settle(PROBLEM, {name: rows()[name].to_numpy() for name in PROBLEM.columns})
    text = [f"{title} {body or ''}".lower() for title, body in zip(prose["Title"], prose["Body"], strict=True)]
    words = TfidfVectorizer(token_pattern=r"[\w.#+-]+", ngram_range=(1, 2), min_df=3).fit_transform(text)
    learned = np.column_stack(
        [
            LogisticRegression(C=10, solver="liblinear").fit(words[:9000], y[:9000]).predict_proba(words[9000:])[:, 1]
            for y in truth.T
        ]
    )
    named = [[bool(re.search(rf"(?<!\w){re.escape(tag)}(?![\w#+])", one)) for tag in frequent] for one in text[9000:]]
    by_model = f1_score(truth[9000:], learned > 0.3, average="weighted")
    by_name = f1_score(truth[9000:], np.array(named), average="weighted")
    assert 0.65 < by_model < 0.9
    assert by_name < by_model - 0.15
