"""Binary and multiclass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Problem
from labline.features import Encoding
from labline.model.tasks.base import Answer, Baseline, ClassFigures, Link, Scores, Tables, Target, Task

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

    def _metrics(self, target: Target, scores: Scores) -> dict[str, Callable[[], float]]:
        """Accuracy, weighted and macro F1, log loss (in nats); for binary also ROC AUC and average precision."""
        from sklearn import metrics

        labels = np.arange(len(self.classes))
        chosen = scores.argmax(axis=1)
        f1 = partial(metrics.f1_score, target, chosen, labels=labels, zero_division=0.0)
        found: dict[str, Callable[[], float]] = {
            # scikit-learn's takes fifty times as long for the same, and a bootstrap asks for it a thousand times
            "accuracy": lambda: float(np.mean(chosen == target)),
            "f1_weighted": partial(f1, average="weighted"),
            "f1_macro": partial(f1, average="macro"),
            "log_loss": partial(metrics.log_loss, target, scores, labels=labels),
        }
        if len(self.classes) == 2:
            found["roc_auc"] = partial(metrics.roc_auc_score, target, scores[:, 1])
            found["average_precision"] = partial(metrics.average_precision_score, target, scores[:, 1])
        return found

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
        from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

        labels = np.arange(len(self.classes))
        chosen = scores.argmax(axis=1)
        columns = precision_recall_fscore_support(target, chosen, labels=labels, zero_division=0.0)
        per_class = tuple(
            ClassFigures(name, float(precision), float(recall), float(f1), int(rows))
            for name, precision, recall, f1, rows in zip(self.classes, *columns, strict=True)
        )
        return Tables(per_class, confusion_matrix(target, chosen, labels=labels))

    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """The confusion matrix, and how far confidence can be believed."""
        from labline.model.plots import calibration_plot, confusion_plot

        return {
            "confusion_matrix.png": confusion_plot(self.classes, self.tables(target, scores).confusion),
            "calibration.png": calibration_plot(scores.max(axis=1), scores.argmax(axis=1) == target),
        }
