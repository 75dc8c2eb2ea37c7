"""From a model's sums to what it gives: the link, and outputs that no booster has to learn because they never vary."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from labline.model.tasks import Link, Target, Task

TOGETHER_MAX = 10_000  # numbers; of more a copy costs more than the calls that it saves, and memory


class Sums(NamedTuple):
    """What a member works out for some rows, shape (rows, …), and the link it still goes through."""

    link: Link
    values: NDArray[Any]


def through_links(sums: Sequence[Sums]) -> list[NDArray[Any]]:
    """What the links make of several members' sums for the same rows; if few and alike, they go through together."""
    if sum(values.size for _, values in sums) > TOGETHER_MAX:
        return [apply_link(link, values) for link, values in sums]
    alike: dict[tuple[Link, tuple[int, ...], np.dtype[Any]], list[int]] = defaultdict(list)
    for at, (link, values) in enumerate(sums):
        alike[link, values.shape, values.dtype].append(at)
    given: dict[int, NDArray[Any]] = {}
    for (link, shape, _), places in alike.items():
        together = apply_link(link, np.concatenate([sums[at].values for at in places]))
        given.update(zip(places, together.reshape(len(places), *shape), strict=True))
    return [given[at] for at in range(len(sums))]


def apply_link(link: Link, sums: NDArray[Any]) -> NDArray[Any]:
    """Sums of shape (rows, outputs) as probabilities, or values; the bits of a row depend on no other row."""
    if link == "softmax":
        # SciPy's own looks into its arguments for longer than one row of it takes
        by_class = np.ascontiguousarray(sums.T)
        shares = np.exp(by_class - by_class.max(axis=0))
        return np.asarray(shares / added_up(shares)).T
    if link == "sigmoid":
        from scipy import special  # what serves other tasks starts sooner without it

        return np.asarray(special.expit(sums))
    return np.asarray(sums)


def added_up(steps: NDArray[Any]) -> NDArray[Any]:
    """The sum over the first axis of an array in C order, one step after the other, as libraries add up their trees.

    The same bits come out however many numbers a step has: NumPy goes through an array as it lies in memory, and adds
    in another order only along the axis whose numbers are neighbours there, which the first one is where a step is a
    single number. Of small steps `einsum` adds up twice as many as `numpy.sum` in the same time.
    """
    if steps[0].size == 1:
        return np.asarray(np.add.accumulate(steps, axis=0)[-1])
    return np.asarray(np.einsum("i...->...", steps))


@dataclass(frozen=True)
class Outputs:
    """Which outputs of a task a model gives, and what the others are.

    Attributes:
        constants: one an output, shape (outputs,); those that vary have 0.
        given: positions of the outputs that vary, ascending.
    """

    constants: tuple[float, ...]
    given: tuple[int, ...]
    file_name: ClassVar[str] = "outputs.json"

    @classmethod
    def of(cls, task: Task, target: Target) -> Self:
        """Those of a target: its classes, its labels, or the one value; of two classes the second."""
        if target.ndim == 2:
            shares = target.mean(axis=0)
            varying = np.flatnonzero((shares > 0) & (shares < 1))
            return cls(tuple(np.where((shares > 0) & (shares < 1), 0.0, shares).tolist()), tuple(varying.tolist()))
        if task.link == "identity":
            return cls((0.0,), (0,))
        met = np.unique(target)
        if task.link == "sigmoid":
            return cls((0.0,), (0,)) if len(met) == 2 else cls((float(met[0]),), ())
        if len(met) == 1:
            return cls(tuple(float(index == met[0]) for index in range(len(task.classes))), ())
        return cls((0.0,) * len(task.classes), tuple(met.tolist()))

    def narrowed(self, target: Target, task: Task) -> Target:
        """The target in terms of the outputs given: the labels that vary, or indices among the classes met."""
        if target.ndim == 2:
            return target[:, list(self.given)]
        return np.searchsorted(self.given, target) if task.link == "softmax" else target

    def widened(self, raw: NDArray[np.float64], *, vector: bool) -> NDArray[np.float64]:
        """What a model gave, shape (rows, given), with the constants beside it; a vector where the task wants one."""
        wide = raw
        if len(self.given) < len(self.constants):
            wide = np.tile(np.array(self.constants), (len(raw), 1))
            wide[:, list(self.given)] = raw
        return wide[:, 0] if vector else wide

    def save(self, folder: Path) -> None:
        """Write them into the folder."""
        (folder / self.file_name).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Those that were saved in the folder."""
        said = json.loads((folder / cls.file_name).read_text(encoding="utf-8"))
        return cls(tuple(said["constants"]), tuple(said["given"]))
