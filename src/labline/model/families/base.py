"""What every family says of itself, and what its fitted members can do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding, Matrix
from labline.model.families.outputs import Sums, apply_link
from labline.model.tasks import Target, Task

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Device = Literal["cpu", "gpu"]
ROUNDS_MAX = 2000
PATIENCE = 50  # rounds without a better one, after which boosting stops


class Member(ABC):
    """A fitted model of a family."""

    @property
    @abstractmethod
    def rounds(self) -> int:
        """Boosting rounds it uses; 0 where there are none."""

    @abstractmethod
    def sums(self, matrix: Matrix) -> Sums:
        """What it works out for the rows, before its link."""

    @abstractmethod
    def raw(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw output for the task's `scores`, from what the link gave.

        Returns:
            Probabilities of shape (rows, classes) or, binary, (rows,); or values of shape (rows,).
        """

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        """Raw output for rows of shape (rows, features)."""
        sums = self.sums(matrix)
        return self.raw(apply_link(sums.link, sums.values))

    def on_one_thread(self) -> Self:
        """The same, but its library begins no threads of its own, however many rows it gets; most never do."""
        return self

    @abstractmethod
    def importances(self) -> NDArray[np.float64]:
        """How much each feature matters, shape (features,), in the family's own measure."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write it into the folder, in its native format."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """The one that was saved in the folder; it gives the same answers to the last bit."""


@dataclass(frozen=True)
class Fit:
    """One fit that is asked for.

    Attributes:
        task: gives the objective.
        matrix: shape (rows, features).
        target: as the task fits it: shape (rows,), or (rows, labels).
        categorical: positions of category codes in the matrix.
        seed: fixes what is drawn; with it the fit is the same on every run that no deadline cuts short.
        parameters: of the family, in place of its defaults.
        weights: of the rows, shape (rows,); None: all alike.
        validation: rows to stop early on; without them all `rounds` are fitted.
        rounds: most boosting rounds; None: the family's own limit.
        deadline: on the monotonic clock, in seconds; after it no round is added.
        threads: how many may work at it; None: as many as the family thinks best.
        device: `gpu` for families that can use one.
    """

    task: Task
    matrix: Matrix
    target: Target
    categorical: tuple[int, ...]
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights: NDArray[np.float64] | None = None
    validation: tuple[Matrix, Target] | None = None
    rounds: int | None = None
    deadline: float | None = None
    threads: int | None = None
    device: Device = "cpu"

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() > self.deadline


class Family(ABC):
    """A kind of model: what encoding it wants, its defaults, which parameters are worth tuning, how it is fitted.

    Attributes:
        quick: parameters for fits that only have to be compared with each other.
        keeps_deadlines: a fit ends in time, with what it has by then.
    """

    name: ClassVar[str]
    encoding: ClassVar[Encoding]
    defaults: ClassVar[dict[str, Any]]
    member: ClassVar[type[Member]]
    quick: ClassVar[dict[str, Any]] = {}
    keeps_deadlines: ClassVar[bool] = False

    def affordable(self, seconds: float, labels: int) -> bool:  # pylint: disable=no-self-use  # others ask themselves
        """Whether one fit has a chance to be of use in that time; `labels` is 1 but for multilabel."""
        del seconds, labels
        return True

    def finds_gpu(self) -> bool:  # pylint: disable=no-self-use  # others look
        """Whether it can use a GPU, and there is one."""
        return False

    @abstractmethod
    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """Parameters that the trial suggests; the defaults lie within what it may."""

    @abstractmethod
    def fit(self, fit: Fit) -> Member:
        """A fitted member."""
