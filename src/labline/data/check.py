"""The check: what in a frame breaks the contract, what else a person should know of it, and which rows are usable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import Problem
from labline.contract.written import names_in
from labline.data.holdout import row_hashes
from labline.data.sources.typed import retyped
from labline.data.violations import ROWS_SHOWN, Finding, Violation, violations
from labline.errors import DataError

RARE = 10  # rows; of a class with fewer, little is learned
RARE_SHOWN = 5
DROPPED_MAX = 0.5  # share of the rows; where more break the contract, it is wrong, or the file is


@dataclass(frozen=True)
class CheckReport:
    """What was found in a frame. `ok` when no finding is an error."""

    rows: int
    findings: tuple[Finding, ...] = ()
    classes: dict[str, int] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rows may be used."""
        return not any(finding.severity == "error" for finding in self.findings)

    def need_ok(self, where: str) -> None:
        """Refuse the rows if a finding is an error.

        Raises:
            DataError: names the first few.
        """
        errors = [finding for finding in self.findings if finding.severity == "error"]
        if errors:
            shown = "\n".join(f"  {finding}" for finding in errors[:ROWS_SHOWN])
            rest = f"\n  and {len(errors) - ROWS_SHOWN} more findings" if len(errors) > ROWS_SHOWN else ""
            raise DataError(f"the rows break the contract:\n{shown}{rest}", where=where)


def check_frame(frame: pd.DataFrame, problem: Problem, *, with_target: bool) -> CheckReport:
    """Hold a frame against the contract: columns, types, ranges, allowed values, missing; and its duplicates.

    Args:
        frame: rows as `read_frame` gives them.
        problem: the contract.
        with_target: whether the target must be there.
    """
    broken = list(violations(frame, problem, with_target=with_target))
    findings = [violation.finding for violation in broken]
    numbers = np.arange(1, len(frame) + 1)
    return _report(frame, problem, findings, numbers, with_target=with_target)


def usable(frame: pd.DataFrame, problem: Problem) -> tuple[pd.DataFrame, CheckReport]:
    """The rows to train on, and what was found in all of them.

    Where the contract says `invalid_rows: drop`, rows that break it are left out and their findings become warnings;
    findings about a whole column stay errors, and so do all if more than half of the rows would go.
    """
    broken = list(violations(frame, problem, with_target=True))
    if broken and problem.invalid_rows == "drop" and all(len(violation.positions) for violation in broken):
        frame, findings, numbers = _without(frame, problem, broken)
    else:
        findings, numbers = [violation.finding for violation in broken], np.arange(1, len(frame) + 1)
    report = _report(frame, problem, findings, numbers, with_target=True)
    present = [name for name, count in report.classes.items() if count]
    if report.ok and problem.task != "multilabel" and len(present) == 1:
        what = f"every row is of class {present[0]!r}: there is nothing to tell apart"
        alone = Finding("error", problem.target, what, "bring rows of the other classes")
        report = replace(report, findings=(alone, *report.findings))
    return frame, report


def _without(
    frame: pd.DataFrame, problem: Problem, broken: list[Violation]
) -> tuple[pd.DataFrame, list[Finding], NDArray[np.intp]]:
    """The rows that break nothing, what was found in the others, and the numbers of those that stay, from 1.

    Where too many would have to go, all of them, and the findings as errors.
    """
    errors = [violation.finding for violation in broken]
    kept, numbers = frame, np.arange(1, len(frame) + 1)
    findings: list[Finding] = []
    while broken:  # again: with a value out that was no number, the rest is numbers, and held to its range
        findings += [_left_out(violation, numbers) for violation in broken]
        stays = np.ones(len(kept), dtype=bool)
        stays[np.concatenate([violation.positions for violation in broken])] = False
        kept, numbers = retyped(kept[stays].reset_index(drop=True), problem), numbers[stays]
        if len(kept) < (1 - DROPPED_MAX) * len(frame):
            what = f"{len(frame) - len(kept):,} of {len(frame):,} rows break the contract: too many to leave out"
            many = Finding("error", "rows", what, "see whether the contract or the file is wrong")
            return frame, [many, *errors], np.arange(1, len(frame) + 1)
        broken = list(violations(kept, problem, with_target=True))
    return kept, findings, numbers


def _left_out(violation: Violation, numbers: NDArray[np.intp]) -> Finding:
    found = violation.finding
    rows = tuple(numbers[violation.positions[:ROWS_SHOWN]].tolist())
    what = f"{found.what}: {found.count:,} row{'s' * (found.count > 1)} left out"
    return replace(found, severity="warning", what=what, rows=rows)


def _report(
    frame: pd.DataFrame, problem: Problem, findings: list[Finding], numbers: NDArray[np.intp], *, with_target: bool
) -> CheckReport:
    """The report; `numbers` are those of the frame's rows, shape (rows,)."""
    if not any(finding.severity == "error" for finding in findings):
        findings = [*findings, *_duplicates(frame, problem, numbers, with_target=with_target)]
    classes = {}
    target = frame.get(problem.target)  # a frame itself where two columns have its name
    if with_target and problem.classes and isinstance(target, pd.Series):
        classes = _class_counts(target, problem)
        findings = [*findings, *_rare_classes(classes, problem)]
    known = {*problem.columns, problem.target, problem.id}
    return CheckReport(
        rows=len(frame),
        findings=tuple(findings),
        classes=classes,
        unused=tuple(str(name) for name in frame.columns if name not in known),
    )


def _class_counts(target: pd.Series[Any], problem: Problem) -> dict[str, int]:
    """Rows of each class; of multilabel, rows that have the label."""
    if problem.task == "multilabel":
        sets = target.value_counts()
        counts: Counter[str] = Counter()
        for written, count in sets.items():
            for name in names_in(written, problem.separator) or ():
                counts[name] += int(count)
        return {name: counts[name] for name in problem.classes}
    met = target.value_counts()
    return {name: int(met.get(name, 0)) for name in problem.classes}


def _rare_classes(classes: dict[str, int], problem: Problem) -> Iterator[Finding]:
    rare = {name: count for name, count in classes.items() if count < RARE}
    if len(rare) > RARE_SHOWN:
        shown = ", ".join(map(repr, list(rare)[:RARE_SHOWN]))
        what = f"{len(rare)} classes have fewer than {RARE} rows: {shown} and {len(rare) - RARE_SHOWN} more"
        yield Finding("warning", problem.target, what, "expect little of them, or bring more")
        return
    for name, count in rare.items():
        what = f"class {name!r} has {count} row{'s' * (count != 1)}"
        mend = "expect little of it, or bring more"
        if count == 1:
            mend = "one row cannot be both learned from and measured on: bring more, or take the class out"
        yield Finding("warning", problem.target, what, mend)


def _duplicates(
    frame: pd.DataFrame, problem: Problem, numbers: NDArray[np.intp], *, with_target: bool
) -> Iterator[Finding]:
    hashes = pd.Series(row_hashes(frame, problem))

    def finding(column: str, found: NDArray[np.bool_], what: str, mend: str) -> Iterator[Finding]:
        count = int(found.sum())
        if count:
            rows = tuple(numbers[found][:ROWS_SHOWN].tolist())
            yield Finding("warning", column, what.format(count=count), mend, count, rows)

    repeated = hashes.duplicated().to_numpy()
    yield from finding(
        "rows", repeated, "{count} rows repeat an earlier one in every feature", "see whether they are meant"
    )
    if with_target:
        alike = hashes.duplicated(keep=False).to_numpy()
        labels = frame[problem.target].reset_index(drop=True)[alike].groupby(hashes[alike]).transform("nunique")
        torn = alike.copy()
        torn[alike] = labels.to_numpy() > 1
        yield from finding(
            "rows",
            torn,
            "{count} rows are alike in every feature but not in the target",
            "no model can tell them apart",
        )
    if problem.id is not None and problem.id in frame:
        again = frame[problem.id].duplicated().to_numpy()
        yield from finding(problem.id, again, "names a row twice", "see which is right")
