"""The model card: complete, honest about sample data and few rows, and safe whatever stands in the contract."""

from __future__ import annotations

import html.parser
import re
from dataclasses import replace
from pathlib import Path

import pytest

from labline import pipeline
from labline.config import Config
from labline.contract import Problem
from labline.model.card import Card, markdown, page
from labline.model.registry import Registry
from labline.pipeline.data import columns_of
from labline.pipeline.divided import holdout_frame

VOID = {"meta", "link", "br"}
NASTY = '<script>alert(1)</script> | a *b* `c` [d](http://e)\n# f & "g"'


class Parsed(html.parser.HTMLParser):
    """Sees that every element ends where it should, and collects text and what would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture
def card(config: Config, problem: Problem) -> Card:
    return pipeline.card(config, problem)


def about(card: Card, **changes: object) -> Card:
    """The same card, of a bundle whose contract says otherwise."""
    bundle = card.bundle
    other = type(bundle).__new__(type(bundle))
    other.__dict__ |= bundle.__dict__ | {"problem": bundle.problem.model_copy(update=changes)}
    return replace(card, bundle=other)


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The lines of the first table after a heading, without its head."""
    lines = text.partition(f"{heading}\n")[2].splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("|"))
    table = lines[first : next((i for i in range(first, len(lines)) if not lines[i].startswith("|")), len(lines))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def test_figures_are_those_of_the_held_out_rows_with_their_intervals_beside_the_baseline(
    card: Card, config: Config, problem: Problem
) -> None:
    frame = holdout_frame(config, card.bundle)
    scores = card.bundle.scores(columns_of(problem, frame))
    right = (card.bundle.task.decisions(scores) == frame[problem.target].to_numpy()).mean()
    found = {row[0]: row[1:] for row in rows_of(markdown(card), "## Figures on the hold-out")}
    assert found.keys() == {"accuracy (decides)", "f1_weighted", "f1_macro", "log_loss"}
    value, between, baseline, better = found["accuracy (decides)"]
    assert value == f"{right:.4f}"
    low, high = (float(end) for end in between.split(" to "))
    assert low < right < high
    assert float(baseline) < right
    assert (better, found["log_loss"][3]) == ("higher", "lower")


def test_segments_and_classes_have_tables_and_too_few_rows_are_called_that(card: Card, problem: Problem) -> None:
    text = markdown(card)
    segments = {row[0]: row[1:] for row in rows_of(text, "### By segment")}
    by_column = [sum(int(row[0]) for name, row in segments.items() if name.startswith(of)) for of in problem.segments]
    assert by_column == [card.bundle.manifest.data.holdout_rows] * 2
    for name, (rows, headline, *_) in segments.items():
        assert (int(rows) < 30) == (headline == "too few rows") == (f"{name} (" in text.partition("## Limits")[2])
    assert any(headline == "too few rows" for _, headline, *_ in segments.values())
    assert [row[0] for row in rows_of(text, "### By class")] == list(problem.classes)


def test_what_is_accepted_and_what_becomes_of_anything_else_is_told_of_every_column(card: Card) -> None:
    found = {row[0]: row[1:] for row in rows_of(markdown(card), "## Limits")}
    assert found.keys() == card.bundle.problem.columns.keys()
    assert found["Age"] == ["number from 14 to 100 years", "refused", "refused"]
    assert found["CALC"][0] == "one of no, Sometimes, Frequently, Always"


def test_the_decision_stands_there_with_its_reasons_who_and_when(card: Card) -> None:
    text = markdown(card).partition("## Promotion")[2]
    (entry,) = card.entries
    assert f"{entry.at:%Y-%m-%d %H:%M} UTC, {entry.who}: promoted; champion 1" in text
    assert "  - there was no champion\n  - one row takes" in text


def test_the_page_says_what_the_markdown_says_and_fetches_nothing(card: Card) -> None:
    parsed = Parsed(page(card))
    assert parsed.fetched == ["data:,"]
    assert not {"script", "img", "iframe"} & set(parsed.seen)
    figures = re.findall(r"\d\.\d{3,4}", markdown(card))
    assert len(figures) > 40
    assert [figure for figure in figures if figure not in parsed.text] == []
    assert parsed.seen.count("circle") == len(card.evaluation.calibration.points)  # type: ignore[union-attr]
    assert "prefers-color-scheme: dark" in page(card)


def test_nothing_in_the_contract_can_write_more_than_text(card: Card) -> None:
    bad = about(card, title=NASTY, description=NASTY)
    parsed = Parsed(page(bad))
    assert "script" not in parsed.seen
    assert parsed.text.count("<script>alert(1)</script>") == 3
    text = markdown(bad)
    assert "\n# f" not in text
    assert "<script>" not in text.replace(r"\<", "")
    assert r"\| a \*b\* \`c\` [d]\(http://e)" in text


def test_a_card_of_sample_data_says_so_loudly(card: Card) -> None:
    manifest = card.bundle.manifest
    assert "GENERATED SAMPLE DATA" not in markdown(card) + page(card)
    sample = about(card)
    sample.bundle.manifest = manifest.model_copy(update={"data": manifest.data.model_copy(update={"kind": "sample"})})
    for text in (markdown(sample), Parsed(page(sample)).text):
        assert "GENERATED SAMPLE DATA" in text[:600]
        assert "not for real use" in text


def test_without_the_held_out_rows_the_card_has_the_figures_and_says_what_is_missing(
    config: Config, problem: Problem, card: Card
) -> None:
    for file in (config.settings.data / "obesity").rglob("*.parquet"):
        file.unlink()
    bare = pipeline.card(config, problem)
    assert bare.evaluation is None
    for text in (markdown(bare), Parsed(page(bare)).text):
        assert f"{card.bundle.manifest.holdout['accuracy']:.4f}" in text
        assert "held-out rows are not on the machine" in text


def test_without_segments_the_card_says_that_nobody_looked(card: Card) -> None:
    assert card.evaluation is not None
    plain = replace(card, evaluation=replace(card.evaluation, segments=(), calibration=None))
    assert "nobody has looked for groups" in markdown(plain)
    assert "### Calibration" not in markdown(plain)
    Parsed(page(plain))


def test_a_version_that_was_never_proposed_has_a_card_too(card: Card) -> None:
    new = replace(card, entries=(), baseline=None)
    assert "It was not proposed as champion yet." in markdown(new)
    assert "not proposed" in Parsed(page(new)).text


def test_a_promotion_keeps_the_card_among_the_reports_and_in_the_run(config: Config, problem: Problem) -> None:
    registry = Registry(config.storage, "obesity")
    folder = config.settings.reports / "obesity"
    kept = (folder / "model-card-1.md").read_text(encoding="utf-8")
    assert "  - there was no champion" in kept
    Parsed((folder / "model-card-1.html").read_text(encoding="utf-8"))
    with registry.store.client() as client:
        names = {file.path for file in client.list_artifacts(registry.version(1).run_id, "card")}
    assert names >= {"card/model-card-1.md", "card/model-card-1.html"}  # other tests' copies log into the same run


def test_a_card_that_cannot_be_kept_does_not_undo_the_promotion(
    config: Config, problem: Problem, tmp_path: Path
) -> None:
    registry = Registry(config.storage, "obesity")
    first = registry.version(1)
    registry.register(first.run_id, first.source, dict(first.tags))
    (tmp_path / "file").touch()
    settings = config.settings.model_copy(update={"reports": tmp_path / "file"})
    outcome = pipeline.promote(config.model_copy(update={"settings": settings}), problem, force=True)
    assert (outcome.promoted, outcome.card) == (True, None)
    assert registry.champion().number == 2


def test_the_ledger_gives_a_card_all_that_happened_to_its_version(config: Config, problem: Problem) -> None:
    registry = Registry(config.storage, "obesity")
    first = registry.version(1)
    registry.register(first.run_id, first.source, dict(first.tags))
    pipeline.promote(config, problem)  # refused: it is the same bundle
    pipeline.promote(config, problem, number=2, force=True)
    pipeline.rollback(config, problem, "it answers nonsense")
    told = [[entry.action for entry in pipeline.card(config, problem, number).entries] for number in (1, 2)]
    assert told == [["rolled back", "promoted", "promoted"], ["rolled back", "promoted", "kept"]]


def test_many_rows_are_written_with_separators(card: Card) -> None:
    assert card.evaluation is not None
    large = replace(card.evaluation.segments[0], rows=1_234_567)
    text = markdown(replace(card, evaluation=replace(card.evaluation, segments=(large,))))
    assert rows_of(text, "### By segment")[0][1] == "1,234,567"
