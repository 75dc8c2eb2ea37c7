"""Derived features: the pure functions of `features.py`, found, ordered and run over plain columns."""

from __future__ import annotations

import ast
import difflib
import inspect
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Columns, Problem
from labline.errors import ContractError

FEATURES_FILE = "features.py"
# What code with a mistake in it raises: the problem's own code is not ours to trust.
MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError),
    *(TypeError, ValueError),
)


@dataclass(frozen=True)
class DerivedFeature:
    """One function of `features.py`: its name is the feature's, its parameters are the columns it reads."""

    name: str
    reads: tuple[str, ...]
    function: Callable[..., NDArray[Any]]
    where: str

    def __call__(self, columns: Columns) -> NDArray[Any]:
        """The feature's values, shape (rows,): float64, or object of str and None where it gives names.

        Raises:
            ContractError: the function fails, or gives another shape or something other than numbers or names.
        """
        inputs = [columns[name] for name in self.reads]
        try:
            with np.errstate(all="ignore"):  # NaN for missing is meant; a test looks for NaN elsewhere
                values = _plain(np.asarray(self.function(*inputs)))
        except MISTAKES as error:
            raise ContractError(
                f"{self.name} fails: {error}", where=self.where, mend="it gets numpy arrays, one value a row"
            ) from error
        if values.shape != inputs[0].shape:
            raise ContractError(
                f"{self.name} gives shape {values.shape} for inputs of shape {inputs[0].shape}",
                where=self.where,
                mend="return one number or name a row",
            )
        return values


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Names as object of str and None; everything else as float64."""
    if values.dtype.kind in "UT":
        return values.astype(object)
    if values.dtype.kind == "O" and all(value is None or isinstance(value, str) for value in values.flat):
        return values
    if values.dtype.kind in "mM":
        raise TypeError("it gives times; divide by timedelta64(1, 'D') for days")
    return values.astype(np.float64)


class DerivedFeatures:
    """All derived features of a problem, in an order in which each finds what it reads.

    Args:
        features: in any order; they may read columns of the contract and each other.
    """

    def __init__(self, features: tuple[DerivedFeature, ...] = ()) -> None:
        by_name = {feature.name: feature for feature in features}
        sorter = TopologicalSorter({f.name: [name for name in f.reads if name in by_name] for f in features})
        try:
            self._features = tuple(by_name[name] for name in sorter.static_order())
        except CycleError as error:
            names = error.args[1]
            raise ContractError(
                f"these features read each other in a circle: {' → '.join(names)}",
                where=by_name[names[0]].where,
                mend="let one of them read columns only",
            ) from error
        self.names = tuple(feature.name for feature in features)

    def __iter__(self) -> Iterator[DerivedFeature]:
        """Each feature, after those that it reads."""
        return iter(self._features)

    def only(self, names: Iterable[str]) -> DerivedFeatures:
        """Those of the names that are derived features, and what these read."""
        by_name = {feature.name: feature for feature in self._features}
        wanted, queue = set(), [name for name in names if name in by_name]
        while queue:
            name = queue.pop()
            wanted.add(name)
            queue += [read for read in by_name[name].reads if read in by_name and read not in wanted]
        return DerivedFeatures(tuple(feature for feature in self._features if feature.name in wanted))

    def __call__(self, columns: Columns) -> Columns:
        """The columns with the derived ones added; the same for one row and for a million."""
        complete = dict(columns)
        for feature in self._features:
            complete[feature.name] = feature(complete)
        return complete


def read_features(file: Path, problem: Problem) -> DerivedFeatures:
    """The derived features of `file`; none if there is no such file.

    Every public function defined there is a feature.

    Raises:
        ContractError: the file does not run, a function reads what is not there, or takes a column's name.
    """
    if not file.is_file():
        return DerivedFeatures()
    # Not imported: the file lives outside the package, and a bundle brings its own copy of it.
    module = types.ModuleType(f"labline_features_{problem.name.replace('-', '_')}")
    module.__file__ = str(file)
    try:
        source = file.read_text(encoding="utf-8-sig")
        lines = {node.name: node.lineno for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102 - the problem's own code
    except SyntaxError as error:
        raise ContractError(f"not Python: {error.msg}", where=f"{file}:{error.lineno}", mend="correct it") from error
    except MISTAKES as error:
        raise ContractError(f"does not run: {error}", where=str(file), mend="run it with python to see") from error
    public = {name: module.__dict__[name] for name in lines if not name.startswith("_")}
    features = []
    for name, function in public.items():
        feature = DerivedFeature(name, tuple(inspect.signature(function).parameters), function, f"{file}:{lines[name]}")
        _refuse_unreadable(feature, problem, set(public))
        features.append(feature)
    return DerivedFeatures(tuple(features))


def _refuse_unreadable(feature: DerivedFeature, problem: Problem, features: set[str]) -> None:
    taken = {*problem.columns, problem.target, problem.id}
    if feature.name in taken:
        raise ContractError(
            f"{feature.name} is the name of a column already", where=feature.where, mend="name the feature otherwise"
        )
    if not feature.reads:
        raise ContractError(f"{feature.name} reads no column", where=feature.where, mend="name columns as parameters")
    for name in feature.reads:
        if name not in problem.columns and name not in features:
            near = difflib.get_close_matches(name, [*problem.columns, *features], 1)
            raise ContractError(
                f"{feature.name} reads {name!r}, which is no column of the contract",
                where=feature.where,
                mend=f"did you mean {near[0]!r}?" if near else "name a column of problem.yaml",
            )
