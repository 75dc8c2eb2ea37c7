"""Generated questions for the StackOverflow problem: a stand-in for the Kaggle file where there is no network.

Nobody's data: every question is put together from the phrases, names and made-up code of vocabulary.yaml. A question
starts from one tag, drawn with the tag's share, and others come with it (jquery brings javascript along). The text
then talks of what goes with these tags. A tag is called by one of its names in the title or the body of some questions
only; in others just its subjects are mentioned, which several tags have in common, and one tag in ten is not hinted at.
One question in five mentions something foreign to its tags. So a tag can be learned, and cannot be read off.

Like the published bodies, these are HTML with paragraphs, links, inline code and blocks of code.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

TRAIN_ROWS = 12_000
CURRENT_ROWS = 3_000

TAGS_MOST = 5  # as many as the site allows
SECOND_SUBJECT = 0.10  # share of questions about two subjects that do not go together by themselves
UNHINTED = 0.10  # share of tags that nothing in the text hints at
NAMED = 0.22  # share of mentions that call a tag by its name
FOREIGN = 0.20  # share of questions that mention what is foreign to their tags
NO_BODY = 0.01


class _Tag(NamedTuple):
    """A tag: how often a question starts from it, what comes with it, how people talk about it."""

    share: float
    brings: Mapping[str, float]  # tag → chance
    names: Sequence[str]
    words: Sequence[str]
    code: str  # language of the code blocks


class _Period(NamedTuple):
    """What differs between the two files."""

    odds: Mapping[str, float]  # of tags, times their share
    with_code: float  # share of questions with a block of code
    with_link: float


TRAIN = _Period(odds={}, with_code=0.65, with_link=0.12)
CURRENT = _Period(
    odds={
        "swift": 6, "angularjs": 3, "node.js": 3, "laravel": 3, "pandas": 4, "python-3.x": 4, "python": 1.6,
        "twitter-bootstrap": 1.5, "mongodb": 2, "objective-c": 0.4, "winforms": 0.3, "iphone": 0.3, "wcf": 0.3,
        "ruby-on-rails-3": 0.2, "visual-studio-2010": 0.2, "vb.net": 0.4, "python-2.7": 0.4, "asp.net": 0.6,
    },
    with_code=0.75,
    with_link=0.2,
)  # fmt: skip


def train(seed: int) -> pd.DataFrame:
    """12,000 questions like the published Train.csv: Id, Title, Body and Tags, with spaces between; same for a seed."""
    rng = np.random.default_rng([seed, *b"train"])
    return _frame(rng, TRAIN, TRAIN_ROWS, first_id=1)


def current(seed: int) -> pd.DataFrame:
    """3,000 questions of a later time, with the same columns; the same for a seed.

    Swift, AngularJS, Node.js, Laravel, pandas and Python 3 are asked about two to five times as often; Objective-C,
    WinForms, WCF and old versions far less. More questions show code and have links. How people talk about a tag is
    the same.
    """
    rng = np.random.default_rng([seed, *b"current"])
    return _frame(rng, CURRENT, CURRENT_ROWS, first_id=TRAIN_ROWS + 1)


def _frame(rng: np.random.Generator, period: _Period, rows: int, first_id: int) -> pd.DataFrame:
    tags = _tags()
    shares = np.array([tag.share * period.odds.get(name, 1) for name, tag in tags.items()])
    names = list(tags)
    starts = [names[index] for index in rng.choice(len(names), rows, p=shares / shares.sum())]
    dice = _Dice(rng)
    questions = [_question(dice, period, start) for start in starts]
    frame = pd.DataFrame(
        {
            "Id": np.arange(first_id, first_id + rows),
            "Title": [title for title, _, _ in questions],
            "Body": [body for _, body, _ in questions],
            "Tags": [" ".join(chosen) for _, _, chosen in questions],
        }
    )
    return frame.astype({"Title": "str", "Body": "str", "Tags": "str"})


@cache
def _words() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8"))
    return content


@cache
def _tags() -> dict[str, _Tag]:
    return {
        name: _Tag(facts["share"], facts["with"], facts["names"], facts["words"], facts["code"])
        for name, facts in _words()["tags"].items()
    }


class _Dice:
    """Draws, one at a time and fast."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._numbers = self._uniform(rng)

    @staticmethod
    def _uniform(rng: np.random.Generator) -> Iterator[float]:
        while True:
            yield from rng.random(8192).tolist()

    def falls(self, chance: float) -> bool:
        """Whether something of this chance happens."""
        return next(self._numbers) < chance

    def one_of(self, options: Sequence[str]) -> str:
        """One of the options, each as likely."""
        return options[int(next(self._numbers) * len(options))]

    def number(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return low + int(next(self._numbers) * (high + 1 - low))


def _question(dice: _Dice, period: _Period, start: str) -> tuple[str, str | None, list[str]]:
    """Title, body and tags of a question that starts from a tag."""
    chosen = _with_others(dice, start)
    hinted = [name for name in chosen if not dice.falls(UNHINTED)]
    mentioned = _Mentions(dice, hinted)
    title = mentioned.fill(dice.one_of(_words()["titles"]))
    title = title[0].upper() + title[1:]
    body = None if dice.falls(NO_BODY) else _body(dice, period, mentioned, start)
    return title, body, chosen


def _with_others(dice: _Dice, start: str) -> list[str]:
    """The tag and those that come with it or with these, at most five; the most important first."""
    tags, chosen = _tags(), [start]
    if dice.falls(SECOND_SUBJECT):
        chosen.append(dice.one_of(list(tags)))
    for name in chosen:  # it grows while it is gone through
        chosen += [other for other, chance in tags[name].brings.items() if other not in chosen and dice.falls(chance)]
    return list(dict.fromkeys(chosen))[:TAGS_MOST]


class _Mentions:
    """What a question talks about: the subjects of its tags in turn, and now and then something foreign."""

    def __init__(self, dice: _Dice, hinted: Sequence[str]) -> None:
        self._dice = dice
        self._hinted = hinted
        self._foreign = dice.one_of(list(_tags())) if dice.falls(FOREIGN) else None
        self._turn = 0

    def _next(self) -> _Tag:
        """The next tag to talk about; of a question that hints at none, any."""
        tags = _tags()
        if not self._hinted or (self._foreign and self._dice.falls(FOREIGN)):
            return tags[self._foreign or self._dice.one_of(list(tags))]
        self._turn += 1
        return tags[self._hinted[(self._turn - 1) % len(self._hinted)]]

    def thing(self) -> str:
        """The name of the next tag, or one of its subjects."""
        tag = self._next()
        return self._dice.one_of(tag.names if self._dice.falls(NAMED) else tag.words)

    def fill(self, template: str) -> str:
        """The template with its gaps filled; a name is that of a tag of the question, where it hints at one."""
        words, dice = _words(), self._dice
        name = _tags()[dice.one_of(self._hinted)].names if self._hinted and dice.falls(0.5) else words["anywhere"]
        return template.format(
            thing=self.thing(),
            other=self.thing() if "{other}" in template else "",
            name=dice.one_of(name),
            verb=dice.one_of(words["verbs"]),
            fault=dice.one_of(words["faults"]),
            fail=dice.one_of(words["fails"]),
            state=dice.one_of(words["states"]),
        )


def _body(dice: _Dice, period: _Period, mentions: _Mentions, start: str) -> str:
    """HTML of paragraphs, with a block of code and a link in some."""
    words = _words()
    sentences = [dice.one_of(words["openings"])]
    sentences += [dice.one_of(words["middles"]) for _ in range(dice.number(0, 3))]
    texts = [escape(mentions.fill(sentence), quote=False) for sentence in sentences]
    if dice.falls(0.3):
        texts.append(f"It is about <code>{dice.one_of(words['identifiers'])}</code>.")
    if dice.falls(period.with_link):
        texts.append(f'I read <a href="https://docs.example/{dice.number(1, 999)}" rel="nofollow">this page</a>.')
    parts = [f"<p>{' '.join(texts)}</p>"]
    if dice.falls(period.with_code):
        parts.append(f"<pre><code>{escape(_code(dice, _tags()[start].code), quote=False)}\n</code></pre>")
    if dice.falls(0.6):
        parts.append(f"<p>{dice.one_of(words['closings'])}</p>")
    return "\n\n".join(parts) + "\n"


def _code(dice: _Dice, language: str) -> str:
    """A few made-up lines."""
    words = _words()
    return dice.one_of(words["code"][language]).format(
        a=dice.one_of(words["identifiers"]), b=dice.one_of(words["identifiers"]), n=dice.number(2, 99)
    )
