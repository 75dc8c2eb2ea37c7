"""How good `labline train` gets in 1, 5 and 15 minutes on real rows, beside LightGBM's defaults and FLAML.

Run it as `python benchmarks/quality.py [--budgets 60,300,900] [--aside labline|random]` on a machine with nothing else
to do; LABLINE_REAL_DATA names the folder with `obesity/train.csv` and `obesity/current.csv`.

A fifth of the rows (stratified, seed 7) is only scored at the end: the hold-out that Labline sets aside by itself
(`holdout_share: 0.2`), or with `random` a part drawn before Labline sees anything, which then divides the rest again.
All competitors get the same rows to learn from: the rest, and the survey's rows as well. FLAML and AutoGluon are asked
where they are installed (`pip install "flaml[automl]"`, `pip install autogluon.tabular[all]`): for the same wall-clock
seconds on the same cores, and the CPU seconds that each took are in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from labline.config import load
from labline.pipeline.data import split_of
from labline.pipeline.problem import open_problem

ROOT = Path(__file__).parent.parent
SEED = 7
SHARE = 0.2
RESAMPLES = 2000
TARGET = "NObeyesdad"


ENVIRONMENT: dict[str, str] = {}
"""What Labline's commands are told besides."""


class Rows(NamedTuple):
    """Rows to learn from, more of them from elsewhere, and those put aside."""

    train: pd.DataFrame
    extra: pd.DataFrame
    aside: pd.DataFrame
    given: pd.DataFrame  # to Labline: all of them, where it sets the same ones aside by itself


class Result(NamedTuple):
    """What one competitor says of the rows put aside: probabilities, shape (rows, classes); and what it took."""

    name: str
    probabilities: pd.DataFrame
    seconds: float
    cpu_seconds: float


def rows(how: str) -> Rows:
    """Read and divided."""
    folder = Path(os.environ["LABLINE_REAL_DATA"]) / "obesity"
    frame, extra = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "current.csv")
    if how == "random":
        train, aside = train_test_split(frame, test_size=SHARE, stratify=frame[TARGET], random_state=SEED)
        return Rows(train, extra, aside, train)
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "problems", Path(scratch) / "problems")
        config = load(Path(scratch))
        training = config.training.model_copy(update={"holdout_share": SHARE, "seed": SEED})
        problem = open_problem(config, "obesity")
        divided = split_of(config.model_copy(update={"training": training}), problem, frame)
    return Rows(frame.iloc[divided.train], extra, frame.iloc[divided.holdout], frame)


def timed(name: str, work: Callable[[], pd.DataFrame]) -> Result:
    """Do the work; CPU seconds are this process's and those of the processes it began."""
    before = _cpu()
    started = time.perf_counter()
    probabilities = work()
    return Result(name, probabilities, time.perf_counter() - started, _cpu() - before)


def _cpu() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def labline(given: Rows, budget: int) -> Result:
    """`labline train` as a user types it, in a workspace of its own, then `labline predict` with what it found."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        shutil.copytree(ROOT / "problems", root / "problems")
        given.given.to_csv(root / "train.csv", index=False)
        given.extra.to_csv(root / "extra.csv", index=False)
        given.aside.drop(columns=TARGET).to_csv(root / "aside.csv", index=False)
        _run(root, "data", "obesity", "--train", str(root / "train.csv"), "--extra", str(root / "extra.csv"))
        before, started = _cpu(), time.perf_counter()
        said = json.loads(_run(root, "train", "obesity", "--budget", f"{budget}s", "--json"))
        seconds, cpu = time.perf_counter() - started, _cpu() - before
        _run(root, "promote", "obesity")
        _run(root, "predict", str(root / "aside.csv"), str(root / "answers.csv"), "--problem", "obesity")
        answers = pd.read_csv(root / "answers.csv")
    print(f"  labline {budget} s: {said['family']}; its own hold-out: {said['holdout']}", flush=True)
    names = [name for name in answers if name.startswith("probability_") or name in set(given.aside[TARGET])]
    found = answers[names].rename(columns=lambda name: name.removeprefix("probability_"))
    return Result(f"labline, {budget} s", found, seconds, cpu)


def _run(root: Path, *command: str) -> str:
    environment = os.environ | {"LABLINE_SETTINGS__ROOT": str(root)} | ENVIRONMENT
    done = subprocess.run(
        [sys.executable, "-m", "labline", *command], env=environment, check=True, stdout=-1, stderr=-1, text=True
    )
    return done.stdout


def _features(given: Rows) -> tuple[pd.DataFrame, pd.Series[Any], pd.DataFrame]:
    """Features and target of all rows to learn from, and features of those put aside; names as categories."""
    learned = pd.concat([given.train, given.extra], ignore_index=True)
    together = pd.concat([learned, given.aside], ignore_index=True).drop(columns=["id", TARGET])
    for name in together.select_dtypes(exclude="number"):
        together[name] = together[name].astype("category")
    return together[: len(learned)], learned[TARGET], together[len(learned) :]


def lightgbm_defaults(given: Rows) -> Result:
    """LightGBM as it comes."""
    from lightgbm import LGBMClassifier

    features, target, aside = _features(given)

    def work() -> pd.DataFrame:
        model = LGBMClassifier(random_state=SEED, verbose=-1).fit(features, target)
        return pd.DataFrame(model.predict_proba(aside), columns=model.classes_)

    return timed("LightGBM's defaults", work)


def flaml(given: Rows, budget: int) -> Result:
    """FLAML, on log loss."""
    from flaml import AutoML

    features, target, aside = _features(given)

    def work() -> pd.DataFrame:
        model = AutoML()
        model.fit(features, target, task="classification", metric="log_loss", time_budget=budget, seed=SEED, verbose=0)
        return pd.DataFrame(model.predict_proba(aside), columns=model.classes_)

    return timed(f"FLAML, {budget} s", work)


def autogluon(given: Rows, budget: int) -> Result:
    """AutoGluon with its defaults, on log loss."""
    from autogluon.tabular import TabularPredictor

    features, target, aside = _features(given)

    def work() -> pd.DataFrame:
        with tempfile.TemporaryDirectory() as scratch:
            model = TabularPredictor(TARGET, eval_metric="log_loss", path=scratch, verbosity=0)
            model.fit(features.assign(**{TARGET: target}), time_limit=budget)
            found: pd.DataFrame = model.predict_proba(aside)
        return found

    return timed(f"AutoGluon, {budget} s", work)


def losses(result: Result, target: pd.Series[Any]) -> np.ndarray:
    """Log loss of each row, in nats, shape (rows,)."""
    columns = {name: at for at, name in enumerate(result.probabilities)}
    chosen = result.probabilities.to_numpy()[np.arange(len(target)), [columns[name] for name in target]]
    return -np.log(np.clip(chosen, 1e-15, 1))


def table(results: list[Result], target: pd.Series[Any]) -> None:
    """Print accuracy and log loss of each, and how much less it loses than LightGBM's defaults on the same rows."""
    simple = losses(results[0], target)
    random = np.random.default_rng(SEED)
    drawn = random.integers(0, len(target), (RESAMPLES, len(target)))
    print(f"\n{len(target):,} rows put aside (stratified, seed {SEED}); gain: paired bootstrap, 95 %\n")
    print("| | accuracy | log loss | gain in log loss | wall s | CPU s |\n|---|---|---|---|---|---|")
    for result in results:
        loss = losses(result, target)
        said = result.probabilities.columns.to_numpy()[result.probabilities.to_numpy().argmax(axis=1)]
        low, high = np.quantile((simple - loss)[drawn].mean(axis=1), [0.025, 0.975])
        gain = f"{(simple - loss).mean():+.4f} [{low:+.4f}, {high:+.4f}]" if result is not results[0] else ""
        took = f"{result.seconds:.0f} | {result.cpu_seconds:.0f}"
        print(f"| {result.name} | {np.mean(said == target):.4f} | {loss.mean():.4f} | {gain} | {took} |", flush=True)


def main() -> None:
    """All competitors, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", default="60,300,900", help="seconds, with commas between")
    parser.add_argument("--aside", choices=["labline", "random"], default="labline", help="which rows are scored")
    said = parser.parse_args()
    budgets = [int(part) for part in said.budgets.split(",")]
    given = rows(said.aside)
    if said.aside == "labline":
        ENVIRONMENT["LABLINE_TRAINING__HOLDOUT_SHARE"] = str(SHARE)
    results = [lightgbm_defaults(given), *(labline(given, budget) for budget in budgets)]
    for name, compete in (("flaml", flaml), ("autogluon", autogluon)):
        if find_spec(name) is None:
            print(f"{name} is not installed, so it was not measured")
            continue
        results += [compete(given, budget) for budget in budgets]
    table(results, given.aside[TARGET])


if __name__ == "__main__":
    main()
