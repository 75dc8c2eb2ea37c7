"""How monitoring judges on real rows: false alarms, power, wild values, estimates, CPU beside Evidently, latency.

Run it as `python benchmarks/monitoring.py [--windows 200] [--only alarms,…] [--kept]`; LABLINE_REAL_DATA
names the folder with `obesity/train.csv`. A LightGBM learned from some rows answers the others; 5,000 of those are the
reference, windows are drawn from the rest, without replacement. The table says how many windows were looked at.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import monitoring_latency
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from labline.config import load
from labline.config.monitoring import Monitoring
from labline.contract import Columns, NumberColumn, Problem, read_problem
from labline.model.tasks import Task, task_of
from labline.monitoring.estimation import fit_estimator
from labline.monitoring.judging import ColumnSummary, judge_columns
from labline.monitoring.profile import Profile, make_profile
from labline.monitoring.tally import Tally, estimates_of, tally
from labline.monitoring.together import Together, columns_together
from labline.pipeline.data import columns_of

ROOT = Path(__file__).parent.parent
SEED = 7
REFERENCE = 5000
LEARNED = 4000
SIZES = (100, 300, 1000, 5000)
PLAIN = 0.05
MTRANS = ["Automobile", "Bike", "Motorbike", "Public_Transportation", "Walking"]


@dataclass(frozen=True)
class Rows:
    """Rows as columns, what a model answers for them, and the truth."""

    columns: Columns
    scores: NDArray[np.float64]
    target: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp], **changes: NDArray[Any]) -> Rows:
        """Some of the rows, with columns changed; the answers stay."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Rows(columns | changes, self.scores[rows], self.target[rows])


class Bench:
    """The real rows, divided, and a model's answers for those it has not learned from."""

    def __init__(self, reference_rows: str) -> None:
        frame = pd.read_csv(Path(os.environ["LABLINE_REAL_DATA"]) / "obesity" / "train.csv")
        problem = read_problem(ROOT / "problems" / "obesity" / "problem.yaml")
        self.problem: Problem = problem.model_copy(update={"reference_rows": reference_rows})
        self.task: Task = task_of(self.problem)
        self.settings: Monitoring = load(ROOT).monitoring
        order = np.random.default_rng(SEED).permutation(len(frame))
        learned, rest = frame.iloc[order[:LEARNED]], frame.iloc[order[LEARNED:]]
        everything = Rows(
            columns_of(self.problem, rest), self._answers(learned, rest), self.task.encode(rest[self.problem.target])
        )
        self.reference = everything.take(np.arange(REFERENCE))
        self.pool = everything.take(np.arange(REFERENCE, len(rest)))
        out_of_fold = self._out_of_fold(learned)
        estimator = fit_estimator(self.problem, self.task, self.task.encode(learned[self.problem.target]), out_of_fold)
        self.profile = self.profiled(self.reference).model_copy(update={"estimator": estimator})

    def profiled(self, rows: Rows) -> Profile:
        """The profile of some rows."""
        return make_profile(self.problem, rows.columns, self.task, rows.scores, {})

    def _features(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns = columns_of(self.problem, frame)
        return pd.DataFrame(
            {
                name: values
                if values.dtype.kind == "f"
                else pd.Categorical(values, categories=getattr(self.problem.columns[name], "values", None))
                for name, values in columns.items()
            }
        )

    def _answers(self, learned: pd.DataFrame, asked: pd.DataFrame) -> NDArray[np.float64]:
        from lightgbm import LGBMClassifier

        model = LGBMClassifier(n_estimators=80, num_leaves=15, random_state=SEED, verbose=-1, n_jobs=1)
        model.fit(self._features(learned), self.task.encode(learned[self.problem.target]))
        return np.asarray(model.predict_proba(self._features(asked)))

    def _out_of_fold(self, learned: pd.DataFrame) -> NDArray[np.float64]:
        from sklearn.model_selection import StratifiedKFold

        found = np.empty((len(learned), len(self.problem.classes)))
        folds = StratifiedKFold(4, shuffle=True, random_state=SEED)
        for train, test in folds.split(learned, learned[self.problem.target]):
            found[test] = self._answers(learned.iloc[train], learned.iloc[test])
        return found

    def window(self, size: int, seed: int) -> Rows:
        """Rows of the same distribution."""
        drawn = np.random.default_rng([SEED, size, seed]).choice(len(self.pool.target), size, replace=False)
        return self.pool.take(drawn)

    def tally(self, rows: Rows, profile: Profile | None = None) -> Tally:
        """Counted."""
        profile = profile or self.profile
        answers = self.task.decisions(rows.scores)
        return tally(profile, self.problem, rows.columns, answers, scores=rows.scores)

    def judged(self, rows: Rows, profile: Profile | None = None) -> Judged:
        """Judged, and the columns together as well."""
        profile = profile or self.profile
        columns = judge_columns(self.problem, profile, self.tally(rows, profile), self.settings)
        together = columns_together(profile, self.problem, rows.columns, self.settings)
        assert together is not None
        return Judged({row.column: row for row in columns}, together)


@dataclass(frozen=True)
class Judged:
    """What was said of a window."""

    rows: Mapping[str, ColumnSummary]
    together: Together

    @property
    def by_pairs(self) -> bool:
        """Whether a pair of columns goes together otherwise."""
        return self.together.pairs is not None and self.together.pairs.alarm

    @property
    def by_classifier(self) -> bool:
        """Whether the domain classifier tells the window from the reference."""
        return self.together.classifier is not None and self.together.classifier.alarm

    @cached_property
    def flagged(self) -> list[str]:
        """Columns with an alarm."""
        return [name for name, row in self.rows.items() if row.alarms]

    def by_p_values(self, limit: float, *, corrected: bool) -> bool:
        """Whether plain tests of the distributions would flag a column, with no floor."""
        p_values = [row.p_value for row in self.rows.values() if row.test != "none"]
        found = stats.false_discovery_control(p_values) if corrected else np.array(p_values)
        return bool((found <= limit).any())

    @property
    def by_evidently(self) -> bool:
        """Whether Evidently's defaults would."""
        return any(row.evidently is not None and row.evidently.drifted for row in self.rows.values())


def alarms(bench: Bench, windows: int) -> None:
    """Windows of the same distribution in which some column is flagged."""
    print(f"\nFalse alarms: share of {windows} windows in which some column, or the prediction, is flagged")
    heads = ("columns", "pairs", "classifier", "all", "plain 0.05", "BH 0.05", "Evidently")
    print(f"{'rows':>6} " + " ".join(f"{head:>10}" for head in heads))
    for size in SIZES:
        found = [bench.judged(bench.window(size, seed)) for seed in range(windows)]
        shares = [
            np.mean([bool(one.flagged) for one in found]),
            np.mean([one.by_pairs for one in found]),
            np.mean([one.by_classifier for one in found]),
            np.mean([bool(one.flagged) or one.together.alarm for one in found]),
            np.mean([one.by_p_values(PLAIN, corrected=False) for one in found]),
            np.mean([one.by_p_values(PLAIN, corrected=True) for one in found]),
            np.mean([one.by_evidently for one in found]),
        ]
        print(f"{size:>6} " + " ".join(f"{share:>10.1%}" for share in shares))


def _swapped(values: NDArray[Any], names: list[str], share: float, seed: int) -> NDArray[Any]:
    """A share of the values takes another of the names, each as likely."""
    random = np.random.default_rng(seed)
    found = values.copy()
    for row in random.choice(len(values), round(share * len(values)), replace=False):
        found[row] = str(random.choice([name for name in names if name != values[row]]))
    return found


def _within(rows: Rows, name: str, by: str, seed: int) -> NDArray[Any]:
    """Values permuted among rows alike in another column."""
    random, found = np.random.default_rng(seed), rows.columns[name].copy()
    for value in sorted(set(rows.columns[by].tolist())):
        here = rows.columns[by] == value
        found[here] = random.permutation(found[here])
    return found


def _replaced(values: NDArray[np.float64], place: int, value: float) -> NDArray[np.float64]:
    return np.where(np.arange(len(values)) == place, value, values)


Change = Callable[[Rows, int], dict[str, NDArray[Any]]]
SHIFTS: dict[str, tuple[str, Change]] = {
    "Age + 5 years": ("Age", lambda rows, _: {"Age": rows.columns["Age"] + 5}),
    "Weight × 1.1": ("Weight", lambda rows, _: {"Weight": rows.columns["Weight"] * 1.1}),
    "10 % of MTRANS to any other": (
        "MTRANS",
        lambda rows, seed: {"MTRANS": _swapped(rows.columns["MTRANS"], MTRANS, 0.1, seed)},
    ),
    "10 % of MTRANS to one met": (
        "MTRANS",
        lambda rows, seed: {
            "MTRANS": _swapped(rows.columns["MTRANS"], sorted(set(rows.columns["MTRANS"].tolist())), 0.1, seed)
        },
    ),
    "30 % of Age missing": (
        "Age",
        lambda rows, seed: {
            "Age": np.where(np.random.default_rng(seed).random(len(rows.target)) < 0.3, np.nan, rows.columns["Age"])
        },
    ),
    "Weight permuted": (
        "",
        lambda rows, seed: {"Weight": np.random.default_rng(seed).permutation(rows.columns["Weight"])},
    ),
    "FAF permuted": ("", lambda rows, seed: {"FAF": np.random.default_rng(seed).permutation(rows.columns["FAF"])}),
    "Weight permuted within sex": ("", lambda rows, seed: {"Weight": _within(rows, "Weight", "Gender", seed)}),
}


def power(bench: Bench, windows: int, size: int = 300) -> None:
    """Windows with a shift in which it is flagged; of one that no column shows, by what it was caught."""
    print(f"\nCaught in {windows} windows of {size} rows")
    for name, (column, change) in SHIFTS.items():
        found = []
        for seed in range(windows):
            rows = bench.window(size, seed)
            found.append(bench.judged(Rows(rows.columns | change(rows, seed), rows.scores, rows.target)))
        caught = np.mean([column in one.flagged if column else one.together.alarm for one in found])
        pairs, told = (np.mean([getattr(one, by) for one in found]) for by in ("by_pairs", "by_classifier"))
        print(f"  {name:<26} {caught:>7.1%}   pairs {pairs:>7.1%}   classifier {told:>7.1%}")


def wild(bench: Bench, windows: int, size: int = 300) -> None:
    """One Age of 100,000, in the window or in the reference."""
    print(f"\nOne Age of 100,000: {windows} windows of {size} rows; Age flagged")
    columns = bench.reference.columns | {"Age": _replaced(bench.reference.columns["Age"], 0, 1e5)}
    spoilt = bench.profiled(Rows(columns, bench.reference.scores, bench.reference.target))
    for place, profile in (("window", bench.profile), ("reference", spoilt)):
        outcomes: dict[str, list[bool]] = {"alike": [], "Age + 5": []}
        evidently: dict[str, list[bool]] = {"alike": [], "Age + 5": []}
        for seed in range(windows):
            rows = bench.window(size, seed)
            for name, years in (("alike", 0), ("Age + 5", 5)):
                age = rows.columns["Age"] + years
                age = _replaced(age, 0, 1e5) if place == "window" else age
                row = bench.judged(Rows(rows.columns | {"Age": age}, rows.scores, rows.target), profile).rows["Age"]
                outcomes[name].append(bool(row.alarms))
                evidently[name].append(row.evidently is not None and row.evidently.drifted)
        for name, flags in outcomes.items():
            theirs = np.mean(evidently[name])
            print(f"  in the {place:<10} {name:<8} ours {np.mean(flags):>7.1%}   Evidently {theirs:>7.1%}")


def estimate(bench: Bench, windows: int, size: int = 500) -> None:
    """Estimated and true accuracy of windows of the same distribution."""
    gaps, noise, inside = [], [], []
    whole = bench.task.metric("accuracy", bench.pool.target, bench.pool.scores)
    for seed in range(windows):
        rows = bench.window(size, seed)
        found = estimates_of(bench.profile, bench.tally(rows))["accuracy"]
        true = bench.task.metric("accuracy", rows.target, rows.scores)
        gaps.append(found.value - true)
        noise.append(true - whole)
        inside.append(found.low is not None and found.high is not None and found.low <= true <= found.high)
    size_of = np.abs(gaps)
    print(f"\nAccuracy without labels, {windows} windows of {size} rows; true accuracy {whole:.4f}")
    print(f"  mean absolute error {size_of.mean():.4f}, mean error {np.mean(gaps):+.4f}")
    print(f"  within 0.02: {np.mean(size_of <= 0.02):.0%}, within its interval: {np.mean(inside):.0%}")
    print(f"  of the true accuracy itself, by chance: mean absolute deviation {np.mean(np.abs(noise)):.4f}")


def cpu(bench: Bench, rows: int = 1_000_000) -> None:
    """A million rows of twenty columns, resampled from real ones, against Evidently's preset in the same run."""
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import Report
    from evidently.presets import DataDriftPreset

    problem, columns = _wider(bench.problem, bench.reference.columns)
    random = np.random.default_rng(SEED)
    window = {name: values[random.integers(0, REFERENCE, rows)] for name, values in columns.items()}
    for name in ("Age", "Height", "Weight"):  # real values repeat; new rows would have others
        window[name] = window[name] + random.normal(0, 0.001, rows)
    scores = bench.reference.scores[random.integers(0, REFERENCE, rows)]
    answers = bench.task.decisions(scores)
    profile = make_profile(problem, columns, bench.task, bench.reference.scores, {})
    judge_columns(bench.problem, bench.profile, bench.tally(bench.window(100, 0)), bench.settings)  # imports and caches
    started = time.process_time()
    judge_columns(problem, profile, tally(profile, problem, window, answers), bench.settings)
    ours = time.process_time() - started
    current, reference = pd.DataFrame(window), pd.DataFrame(columns)
    started = time.process_time()
    Report([DataDriftPreset()]).run(current, reference).dict()
    theirs = time.process_time() - started
    print(f"\nCPU for {rows:,} rows × {len(columns)} columns: ours {ours:.2f} s (with the prediction's), ", end="")
    print(f"Evidently's drift preset {theirs:.1f} s: 1/{theirs / ours:.0f}")


def _wider(problem: Problem, columns: Columns) -> tuple[Problem, Columns]:
    """Four more numbers, so that there are twenty columns."""
    more = {
        "BMI": columns["Weight"] / columns["Height"] ** 2,
        "Meals and water": columns["NCP"] * columns["CH2O"],
        "Weight by age": columns["Weight"] / columns["Age"],
        "Active time": columns["FAF"] - columns["TUE"],
    }
    added = {name: NumberColumn(type="number") for name in more}
    return problem.model_copy(update={"columns": {**problem.columns, **added}}), columns | more


def main() -> None:
    """All parts, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--only", default="alarms,power,wild,estimate,cpu,latency")
    parser.add_argument("--kept", action="store_true", help="let the profile keep coarse rows")
    asked = parser.parse_args()
    bench = Bench("kept" if asked.kept else "drawn")
    parts: dict[str, Callable[[], None]] = {
        "alarms": lambda: alarms(bench, asked.windows),
        "power": lambda: power(bench, asked.windows),
        "wild": lambda: wild(bench, asked.windows),
        "estimate": lambda: estimate(bench, asked.windows),
        "cpu": lambda: cpu(bench),
        "latency": monitoring_latency.main,
    }
    for name in asked.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
