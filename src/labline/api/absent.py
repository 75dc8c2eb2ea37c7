"""What a process that answers requests does without, though it is installed: pandas, scikit-learn and MLflow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

ABSENT = frozenset({"mlflow", "pandas", "sklearn"})


class _Absent:
    """A finder (PEP 451) that lets none of them be found.

    No answer needs them. The boosters' libraries import pandas and scikit-learn for other uses, where they find them.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Nothing to say of any other module.

        Raises:
            ModuleNotFoundError: as if it were not installed.
        """
        del path, target
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name} is not imported in a process that answers requests", name=name)


def keep_absent() -> None:
    """From now on they cannot be imported in this process; what is imported already stays."""
    if _Absent not in sys.meta_path:
        sys.meta_path.insert(0, _Absent)
