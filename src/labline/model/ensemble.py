"""The ensemble: one member or several, each with its encoder, whose raw predictions are averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Columns, Repeated
from labline.features import Encoder, Matrix
from labline.model.families import Member, through_links


@dataclass(frozen=True)
class Part:
    """A member of an ensemble.

    Attributes:
        family: its name.
        encoder: gives the matrix that it wants.
        member: fitted.
        weight: above 0; those of all parts add up to one.
        seed: it was fitted with.
    """

    family: str
    encoder: Encoder
    member: Member
    weight: float
    seed: int = 0


class Ensemble:
    """Some members, by weight.

    Attributes:
        parts: the members.
        encoders: those that differ, one for all members that want the same matrix.

    Args:
        parts: at least one; those whose encoders have the same blocks, to the last bit, share their work.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self._groups: dict[str, list[Part]] = {}
        for part in parts:
            self._groups.setdefault(part.encoder.state.model_dump_json(include={"blocks"}), []).append(part)
        self.encoders = tuple(parts[0].encoder for parts in self._groups.values())

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the columns that its encoders need, contract's and derived."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.encoder.reads))

    @property
    def families(self) -> tuple[str, ...]:
        """Of its members, each once, the weightiest first."""
        weights: dict[str, float] = {}
        for part in self.parts:
            weights[part.family] = weights.get(part.family, 0.0) + part.weight
        return tuple(sorted(weights, key=lambda family: -weights[family]))

    @property
    def name(self) -> str:
        """The family, or the families that are blended."""
        return self.families[0] if len(self.families) == 1 else f"blend of {', '.join(self.families)}"

    @property
    def rounds(self) -> int:
        """Boosting rounds of the member that has most."""
        return max(part.member.rounds for part in self.parts)

    def on_one_thread(self) -> Ensemble:
        """The same, for callers that predict on several threads themselves."""
        return Ensemble([replace(part, member=part.member.on_one_thread()) for part in self.parts])

    def predict(self, columns: Columns, repeated: Mapping[str, Repeated] | None = None) -> NDArray[np.float64]:
        """Raw output for the task's `scores`, shape (rows, …), for columns with the derived ones among them.

        `repeated` are those of the columns whose distinct values are known.
        """
        return self.predict_matrices(encoder.transform(columns, repeated) for encoder in self.encoders)

    def predict_matrices(self, matrices: Iterable[Matrix]) -> NDArray[np.float64]:
        """Raw output for matrices of which each of the `encoders` has made one; one is asked for after the other."""
        if len(self.parts) == 1:  # times a weight of one would be the same, and a copy
            [matrix] = matrices
            return self.parts[0].member.predict(matrix)
        groups = self._groups.values()
        asked = zip(matrices, groups, strict=True)
        given = through_links([part.member.sums(matrix) for matrix, group in asked for part in group])
        total: Any = 0.0
        for part, one in zip(chain.from_iterable(groups), given, strict=True):
            total = total + part.weight * part.member.raw(one)
        return np.asarray(total)
