"""Two small problems made of text, dates, lists and open names, with several labels or a price to predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from labline import pipeline
from labline.config import Config, load
from labline.contract import Problem
from labline.data.sources.files import read_frame
from labline.model.bundle import Bundle
from labline.pipeline.training import Trained

TRAIN_ROWS, CURRENT_ROWS = 500, 250
TOPICS = {
    "billing": ["invoice", "charged twice", "refund", "card declined"],
    "login": ["password", "cannot sign in", "locked out", "two factor"],
    "crash": ["stack trace", "segfault", "dies at once", "core dump"],
    "speed": ["slow", "takes minutes", "timeout", "hangs"],
}
FILLER = ["please", "help", "since", "update", "our", "team", "sees", "this", "every", "day", "machine", "why"]
MAKERS = {"acme": 3.0, "bolt": 3.6, "core": 4.2}
THINGS = {"lamp": 0.0, "chair": 0.4, "desk": 0.9, "sofa": 1.3}

TICKETS: dict[str, Any] = {
    "name": "tickets",
    "title": "Topics of a ticket",
    "task": "multilabel",
    "target": "topics",
    "classes": ["crash", "speed", "login", "billing"],
    "separator": "|",
    "unlisted": "ignore",
    "metric": "f1_weighted",
    "id": "number",
    "columns": {
        "title": {"type": "text", "example": "refund for an invoice charged twice"},
        "body": {"type": "text", "html": True, "missing": "allow"},
        "opened": {"type": "datetime", "minimum": "2020-01-01", "formats": ["%d.%m.%Y"]},
        "products": {"type": "labels", "values": ["app", "web", "api"], "missing": "allow"},
        "customer": {"type": "category"},
    },
}
ADVERTS: dict[str, Any] = {
    "name": "adverts",
    "title": "Price of an advert",
    "task": "regression",
    "target": "price",
    "value": {"unit": "EUR", "minimum": 1, "maximum": 5000, "log": True, "interval": 0.8},
    "metric": "rmsle",
    "id": "number",
    "invalid_rows": "drop",
    "baseline_by": ["brand", "new"],
    "columns": {
        "name": {"type": "text", "maximum_length": 200, "urls": "refuse"},
        "brand": {"type": "category", "missing": "allow"},
        "listed": {"type": "datetime", "missing": "allow", "maximum": "2030-01-01", "out_of_range": "clip"},
        "extras": {"type": "labels", "values": ["box", "manual"], "unknown": "missing", "missing": "allow"},
        "new": {"type": "boolean"},
    },
}
FEATURES = {
    "tickets": '''
import numpy as np


def urgency(title):
    """How often the title says so."""
    return np.array([float((text or "").count("!")) for text in title])
''',
    "adverts": '''
import numpy as np


def thing(name):
    """The last word of the name."""
    return np.array([text.split()[-1] if text else None for text in name], dtype=object)
''',
}


def tickets(rows: int, seed: int) -> pd.DataFrame:
    """Tickets whose words tell their topics; a few have none, or one that the contract does not list."""
    random = np.random.default_rng(seed)
    numbers = random.choice([0, 1, 2], rows, p=[0.1, 0.6, 0.3])
    topics = [sorted(random.choice(list(TOPICS), number, replace=False)) for number in numbers]
    written = [[*names, "praise"] if random.random() < 0.05 else names for names in topics]

    def said(names: list[str]) -> str:
        told = [str(random.choice(TOPICS[name])) for name in names if random.random() < 0.8]
        words = told + random.choice(FILLER, 6).tolist()
        return " ".join(random.permutation(words))

    bodies = [f"<p>{said(names)}</p><pre><code>{random.integers(1e9)}</code></pre>" for names in topics]
    days = np.datetime64("2021-01-01") + random.integers(0, 900, rows)
    return pd.DataFrame(
        {
            "number": np.arange(rows) + 1000 * seed,
            "title": [said(names) for names in topics],
            "body": np.where(random.random(rows) < 0.2, None, np.array(bodies, dtype=object)),
            "opened": days.astype(str),
            "products": random.choice(np.array(["app", "app,web", "api,web", "[]", None], dtype=object), rows),
            "customer": random.choice([f"customer {n}" for n in range(8)], rows),
            "topics": ["|".join(names) or "[]" for names in written],
        }
    )


def adverts(rows: int, seed: int) -> pd.DataFrame:
    """Adverts whose words and makers tell the price; some makers and days are missing."""
    random = np.random.default_rng(seed)
    brand, thing = random.choice(list(MAKERS), rows), random.choice(list(THINGS), rows)
    new, leather = random.random(rows) < 0.4, random.random(rows) < 0.3
    level = [MAKERS[maker] + THINGS[what] for maker, what in zip(brand, thing, strict=True)]
    level = np.array(level) + 0.4 * new + 0.5 * leather + random.normal(0, 0.25, rows)
    first = np.where(leather, "leather ", "")
    names = [f"{soft}{random.choice(FILLER)} {what}" for soft, what in zip(first, thing, strict=True)]
    days = (np.datetime64("2022-01-01T00:00") + random.integers(0, 60 * 24 * 700, rows)).astype(str).astype(object)
    return pd.DataFrame(
        {
            "number": np.arange(rows) + 1000 * seed,
            "name": names,
            "brand": np.where(random.random(rows) < 0.2, None, brand.astype(object)),
            "listed": np.where(random.random(rows) < 0.1, None, days),
            "extras": random.choice(np.array(["box", "box,manual", "[]", None], dtype=object), rows),
            "new": new,
            "price": np.exp(level).round(2),
        }
    )


@dataclass(frozen=True)
class Way:
    """A workspace in which a problem was taken the whole way to a champion."""

    config: Config
    problem: Problem
    trained: Trained

    @property
    def served(self) -> pipeline.Served:
        """The champion as this machine serves it."""
        return pipeline.champion(self.config, self.problem.name)

    @property
    def bundle(self) -> Bundle:
        """The champion's bundle."""
        return Bundle.load(self.served.folder)

    @property
    def current(self) -> pd.DataFrame:
        """The rows met in production, as Labline reads them."""
        file = self.config.settings.problems / self.problem.name / "current.csv"
        return read_frame(str(file), self.problem)

    def records(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Rows as a client would send them."""
        plain = frame[list(self.problem.columns)].astype(object)
        rows: list[dict[str, Any]] = plain.where(frame.notna(), None).to_dict("records")  # type: ignore[assignment]
        return [{name: _sent(value) for name, value in row.items()} for row in rows]


def _sent(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, str) and value.startswith("["):
        return yaml.safe_load(value)
    return value


MAKE: dict[str, tuple[dict[str, Any], Callable[[int, int], pd.DataFrame]]] = {
    "tickets": (TICKETS, tickets),
    "adverts": (ADVERTS, adverts),
}


def take_the_way(root: Path, name: str) -> Way:
    """Write the problem and its rows into the workspace, train and promote."""
    contract, rows = MAKE[name]
    folder = root / "problems" / name
    folder.mkdir(parents=True)
    train = rows(TRAIN_ROWS, 1)
    if name == "adverts":
        train.loc[:3, "price"] = 0  # breaks the contract, and is dropped
    train.to_csv(folder / "train.csv", index=False)
    rows(CURRENT_ROWS, 2).to_csv(folder / "current.csv", index=False)
    sources = {"train": {"file": "train.csv"}, "current": {"csv": "current.csv"}}
    (folder / "problem.yaml").write_text(yaml.safe_dump(contract | {"sources": sources}, sort_keys=False), "utf-8")
    (folder / "features.py").write_text(FEATURES[name], "utf-8")
    (root / "labline.yaml").write_text("training: {folds: 2, budget_seconds: 6}\n", encoding="utf-8")
    config = load(root)
    problem = pipeline.open_problem(config, name)
    pipeline.prepare(config, problem)
    trained = pipeline.train(config, problem)
    pipeline.promote(config, problem)
    return Way(config, problem, trained)
