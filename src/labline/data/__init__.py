"""Data: sources, snapshots, the check against the contract, and the hold-out split."""

from labline.data.check import CheckReport, check_frame, usable
from labline.data.holdout import Split, split
from labline.data.snapshot import Snapshot, Snapshots
from labline.data.sources.files import read_frame, write_frame
from labline.data.violations import Finding

__all__ = [
    "CheckReport",
    "Finding",
    "Snapshot",
    "Snapshots",
    "Split",
    "check_frame",
    "read_frame",
    "split",
    "usable",
    "write_frame",
]
