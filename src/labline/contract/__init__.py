"""The contract: reads and checks `problem.yaml`, and derives from it all that must know the columns."""

from labline.contract.column import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from labline.contract.columns import (
    Columns,
    Repeated,
    apply_policies,
    as_given,
    columns_from_records,
    is_as_given,
    is_missing,
    records_reader,
    settle,
    settle_column,
)
from labline.contract.problem import Problem
from labline.contract.reading import CONTRACT_FILE, read_problem
from labline.contract.source import KaggleFile, Source
from labline.contract.written import as_list, names_in

__all__ = [
    "CONTRACT_FILE",
    "BooleanColumn",
    "CategoryColumn",
    "Column",
    "Columns",
    "DateTimeColumn",
    "KaggleFile",
    "LabelsColumn",
    "NumberColumn",
    "Problem",
    "Repeated",
    "Source",
    "TextColumn",
    "apply_policies",
    "as_given",
    "as_list",
    "columns_from_records",
    "is_as_given",
    "is_missing",
    "names_in",
    "read_problem",
    "records_reader",
    "settle",
    "settle_column",
]
