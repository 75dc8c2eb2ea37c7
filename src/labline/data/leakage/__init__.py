"""The leakage doctor: what gives the target away, or lets a hold-out look better than new rows will."""

from labline.data.leakage.determining import determining_columns
from labline.data.leakage.leak import Leak
from labline.data.leakage.search import find_leaks, leaking_columns
from labline.data.leakage.twins import overlap

__all__ = ["Leak", "determining_columns", "find_leaks", "leaking_columns", "overlap"]
