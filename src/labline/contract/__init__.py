"""The contract: reads and checks `problem.yaml`, and derives from it all that must know the columns."""

from labline.contract.column import BooleanColumn, CategoryColumn, Column, NumberColumn
from labline.contract.columns import Columns, as_given, columns_from_records, settle
from labline.contract.problem import Problem
from labline.contract.reading import CONTRACT_FILE, read_problem
from labline.contract.source import KaggleFile, Source

__all__ = [
    "CONTRACT_FILE",
    "BooleanColumn",
    "CategoryColumn",
    "Column",
    "Columns",
    "KaggleFile",
    "NumberColumn",
    "Problem",
    "Source",
    "as_given",
    "columns_from_records",
    "read_problem",
    "settle",
]
