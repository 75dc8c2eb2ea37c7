"""Binary and multiclass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Problem
from labline.features import Encoding
from labline.model.tasks.base import Answer, Baseline, Link, Scores, Tables, Target, Task, class_figures
from labline.model.tasks.drawn import Answered, MeanOf, Metric, Ranked, indicators, mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Classification(Task):
    """Binary and multiclass: scores are one probability a class, in the contract's order."""

    def __init__(self, problem: Problem) -> None:
        self.classes = problem.classes
        self.link: Link = "sigmoid" if len(self.classes) == 2 else "softmax"
        self._baseline_by = problem.baseline_by
        self._names = np.array(problem.classes, dtype=object)

    def encode(self, target: pd.Series[Any]) -> Target:
        """Class indices, shape (rows,); every value must be one of the contract's classes."""
        indices = {name: index for index, name in enumerate(self.classes)}
        return np.array([indices[value] for value in target], dtype=np.intp)

    def strata(self, target: Target) -> NDArray[np.intp]:
        """The class itself."""
        return target

    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """Two columns where the booster gives the positive class alone."""
        return np.column_stack([1.0 - raw, raw]) if raw.ndim == 1 else raw

    def estimated(self, estimator: Any, matrix: Any) -> Scores:
        """Probabilities; zero for a class the estimator never saw."""
        scores = np.zeros((matrix.shape[0], len(self.classes)))
        scores[:, estimator.classes_.astype(int)] = estimator.predict_proba(matrix)
        return scores

    def baselines(self, seed: int) -> dict[str, Baseline]:
        """The most frequent class, the contract's own rule, and a single tree."""
        from sklearn.dummy import DummyClassifier
        from sklearn.tree import DecisionTreeClassifier

        from labline.model.tasks.by_group import UsualByGroup

        tree = DecisionTreeClassifier(min_samples_leaf=20, random_state=seed)
        rule = {"rule": Baseline(UsualByGroup(classes=True), None, self._baseline_by)} if self._baseline_by else {}
        return {
            "majority": Baseline(DummyClassifier(strategy="prior"), Encoding()),
            **rule,
            "tree": Baseline(tree, Encoding(categories="onehot", scale=True, words=300)),
        }

    def _metrics(self, target: Target, scores: Scores) -> dict[str, Metric]:
        """Accuracy, weighted and macro F1, log loss (in nats); for binary also ROC AUC and average precision."""
        chosen = scores.argmax(axis=1)
        count = len(self.classes)
        answered = Answered(lambda: (indicators(target, count), indicators(chosen, count)))
        found: dict[str, Metric] = {
            "accuracy": partial(mean, chosen == target),
            "f1_weighted": partial(answered.f1, "weighted"),
            "f1_macro": partial(answered.f1, "macro"),
            "log_loss": MeanOf(lambda: _log_losses(target, scores)),
        }
        if count == 2:
            ranked = Ranked(target == 1, scores[:, 1])
            found |= {"roc_auc": ranked.roc_auc, "average_precision": ranked.average_precision}
        return found

    def believed(self, target: Target, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The probability of the class chosen, and whether it is the true one."""
        return scores.max(axis=1), scores.argmax(axis=1) == target

    def answers(self, scores: Scores) -> list[Answer]:
        """The most probable class, and every class's probability."""
        chosen = scores.argmax(axis=1)
        return [
            Answer(self.classes[index], dict(zip(self.classes, row, strict=True)))
            for index, row in zip(chosen, scores.tolist(), strict=True)
        ]

    def decisions(self, scores: Scores) -> NDArray[Any]:
        """The most probable class's name."""
        chosen: NDArray[Any] = self._names[scores.argmax(axis=1)]
        return chosen

    def tables(self, target: Target, scores: Scores) -> Tables:
        """Precision, recall and F1 of each class, and the counts of true against predicted."""
        count = len(self.classes)
        pairs = count * target + scores.argmax(axis=1)
        confusion = np.bincount(pairs, minlength=count**2).reshape(count, count)
        per_class = class_figures(self.classes, confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))
        return Tables(per_class, confusion)

    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """The confusion matrix, and how far confidence can be believed."""
        from labline.model.plots import calibration_plot, confusion_plot

        return {
            "confusion_matrix.png": confusion_plot(self.classes, self.tables(target, scores).confusion),
            "calibration.png": calibration_plot(*self.believed(target, scores)),
        }


def _log_losses(target: Target, scores: Scores) -> NDArray[np.float64]:
    """The negative log-likelihood of each row, shape (rows,); a probability of zero counts as the smallest above it."""
    epsilon = np.finfo(np.float64).eps
    return -np.log(np.clip(scores[np.arange(len(target)), target], epsilon, 1 - epsilon))
