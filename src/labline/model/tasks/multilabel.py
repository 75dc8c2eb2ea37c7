"""Multilabel: any number of the labels at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Problem, names_in
from labline.features import Encoding
from labline.model.tasks.base import (
    Answer,
    AnswerRule,
    Baseline,
    Link,
    Scores,
    Tables,
    Target,
    Task,
    class_figures,
)
from labline.model.tasks.drawn import Answered, MeanOf, Metric

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

UNTAUGHT = 0.5
THRESHOLDS = np.round(np.arange(0.02, 0.9, 0.02), 2)
POSITIVES_MIN = 20  # a label with fewer has too few to find a threshold of its own
BY_LABEL = frozenset({"f1_weighted", "f1_macro"})  # sums over labels: the best threshold of each makes the best sum


class Multilabel(Task):
    """Scores are one probability a label, in the contract's order; the rule says from which on a label is given."""

    link: Link = "sigmoid"

    def __init__(self, problem: Problem) -> None:
        self.classes = problem.classes
        self._metric = problem.metric
        self._separator = problem.separator
        self._names = np.array(problem.classes, dtype=object)

    def encode(self, target: pd.Series[Any]) -> Target:
        """0 or 1 a label, int8 of shape (rows, labels); a label that is no class is left out."""
        indices = {name: index for index, name in enumerate(self.classes)}
        encoded = np.zeros((len(target), len(self.classes)), dtype=np.int8)
        for row, written in enumerate(target):
            for name in names_in(written, self._separator) or ():
                if name in indices:
                    encoded[row, indices[name]] = 1
        return encoded

    def truth(self, target: pd.Series[Any]) -> NDArray[Any]:
        """Tuples of labels; a label that is no class is left out."""
        return self._tuples(self.encode(target), np.ones(len(self.classes)))

    def strata(self, target: Target) -> NDArray[np.intp]:
        """The rarest label that the row has, so that rare ones stand on both sides of a split; 0 where it has none."""
        counts = target.sum(axis=0)
        order = np.argsort(counts, kind="stable")
        first = target[:, order].argmax(axis=1)
        strata: NDArray[np.intp] = np.where(target.any(axis=1), order[first] + 1, 0)
        return strata

    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """As they are."""
        return raw

    def estimated(self, estimator: Any, matrix: Any) -> Scores:
        """Each label's probability."""
        shares = estimator.predict(matrix)
        return np.asarray(shares, dtype=np.float64).reshape(len(shares), len(self.classes))

    def baselines(self, seed: int) -> dict[str, Baseline]:
        """How common each label is, whatever the row; and a single tree."""
        from sklearn.dummy import DummyRegressor
        from sklearn.tree import DecisionTreeRegressor

        # regressors on zeros and ones: their means are the labels' shares
        tree = DecisionTreeRegressor(min_samples_leaf=20, max_leaf_nodes=200, random_state=seed)
        return {
            "majority": Baseline(DummyRegressor(), Encoding()),
            "tree": Baseline(tree, Encoding(categories="onehot", scale=True, words=300)),
        }

    def learn_rule(self, target: Target, scores: Scores) -> AnswerRule:
        """Thresholds that serve the problem's metric best; a rare label takes the one that is best for all."""
        if self._metric == "log_loss":
            return AnswerRule(thresholds=(UNTAUGHT,) * len(self.classes))
        found = [self._with(threshold).metric(self._metric, target, scores) for threshold in THRESHOLDS]
        common = float(THRESHOLDS[int(np.argmax(found))])
        thresholds = np.full(len(self.classes), common)
        if self._metric in BY_LABEL:
            often = target.sum(axis=0) >= POSITIVES_MIN
            best = THRESHOLDS[_f1_by_label(target, scores).argmax(axis=0)]
            thresholds = np.where(often, best, common)
        return AnswerRule(thresholds=tuple(thresholds.tolist()))

    def _with(self, threshold: float) -> Multilabel:
        return self.ruled_by(AnswerRule(thresholds=(float(threshold),) * len(self.classes)))

    def _given(self, scores: Scores) -> NDArray[np.bool_]:
        """Which labels are given, shape (rows, labels)."""
        return np.asarray(scores >= np.array(self.rule.thresholds or (UNTAUGHT,)))

    def _metrics(self, target: Target, scores: Scores) -> dict[str, Metric]:
        """F1 weighted by the labels' frequency, over all decisions, and over labels; mean Jaccard; log loss in nats."""
        from scipy.sparse import csr_array

        true, given = target.astype(bool), self._given(scores)
        answered = Answered(lambda: (csr_array(true), csr_array(given)))
        return {
            "f1_weighted": partial(answered.f1, "weighted"),
            "f1_micro": partial(answered.f1, "micro"),
            "f1_macro": partial(answered.f1, "macro"),
            "jaccard": MeanOf(lambda: _jaccards(true, given)),
            "log_loss": MeanOf(lambda: _log_losses(target, scores)),
        }

    def believed(self, target: Target, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The probability of every label of every row, and whether the row has it."""
        return scores.ravel(), target.ravel().astype(bool)

    def answers(self, scores: Scores) -> list[Answer]:
        """The labels given, the most probable first, and every label's probability."""
        return [
            Answer(list(given), dict(zip(self.classes, row, strict=True)))
            for given, row in zip(self.decisions(scores), scores.tolist(), strict=True)
        ]

    def decisions(self, scores: Scores) -> NDArray[Any]:
        """Tuples of labels, the most probable first."""
        return self._tuples(scores, np.array(self.rule.thresholds or (UNTAUGHT,)))

    def _tuples(self, scores: NDArray[Any], thresholds: NDArray[np.float64]) -> NDArray[Any]:
        """The labels whose scores reach the thresholds, the highest first, shape (rows,)."""
        found = np.empty(len(scores), dtype=object)
        for index, row in enumerate(scores):
            given = np.flatnonzero(row >= thresholds)
            found[index] = tuple(self._names[given[np.argsort(-row[given], kind="stable")]].tolist())
        return found

    def tables(self, target: Target, scores: Scores) -> Tables:
        """Precision, recall and F1 of each label; a confusion matrix there is none."""
        return Tables(class_figures(self.classes, *_counts(target, self._given(scores))))

    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """F1 of each label, and how far probabilities can be believed."""
        from labline.model.plots import calibration_plot, labels_plot

        return {
            "labels.png": labels_plot(self.tables(target, scores).per_class),
            "calibration.png": calibration_plot(*self.believed(target, scores)),
        }


def _counts(target: Target, given: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """By label: rightly given, given, and true; scikit-learn's F1 takes a hundred times as long for the same."""
    true = target.astype(bool)
    return (true & given).sum(axis=0), given.sum(axis=0), true.sum(axis=0)


def _f1_by_label(target: Target, scores: Scores) -> NDArray[np.float64]:
    """F1 of every label at every threshold, shape (thresholds, labels)."""
    rows = []
    for threshold in THRESHOLDS:
        right, chosen, true = _counts(target, scores >= threshold)
        rows.append(2 * right / np.maximum(chosen + true, 1))
    return np.array(rows)


def _jaccards(true: NDArray[np.bool_], given: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Labels in both over labels in either, of each row, shape (rows,); 1 where a row has none in either."""
    either = (true | given).sum(axis=1)
    return np.where(either > 0, (true & given).sum(axis=1) / np.maximum(either, 1), 1.0)


def _log_losses(target: Target, scores: Scores) -> NDArray[np.float64]:
    """The mean over labels of the negative log-likelihood, of each row, shape (rows,)."""
    epsilon = np.finfo(np.float64).eps
    bounded = np.clip(scores, epsilon, 1 - epsilon)
    losses: NDArray[np.float64] = -np.mean(np.where(target == 1, np.log(bounded), np.log1p(-bounded)), axis=1)
    return losses
