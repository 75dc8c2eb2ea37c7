"""Two million rows: read in seconds, and in memory that is of the size of what is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROWS = 2_000_000
# Prints rows, seconds, and the megabytes by which reading raised the peak of the process.
READ = """
import resource, sys, time
from labline.data import read_frame
from tests.data.contracts import make_problem
import pyarrow.compute, pyarrow.parquet
kinds = {"price": "number", "day": "datetime", "brand": "category"}
problem = make_problem(columns={name: {"type": kind} for name, kind in kinds.items()})
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before, start = peak(), time.perf_counter()
frame = read_frame(sys.argv[1], problem)
print(len(frame), time.perf_counter() - start, peak() - before, frame["day"].dtype, frame["price"].sum())
"""


def test_two_million_rows_are_read_in_seconds_and_never_whole_as_text(tmp_path: Path) -> None:
    block = "".join(f"{number}.25,2024-01-{number % 28 + 1:02},brand {number % 50},no\n" for number in range(1000))
    file = tmp_path / "large.csv"
    with file.open("w") as opened:
        opened.write("price,day,brand,y\n")
        for _ in range(ROWS // 1000):
            opened.write(block)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", READ, str(file)], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    rows, seconds, megabytes, kind, total = done.stdout.split()

    assert (int(rows), kind, float(total)) == (
        ROWS,
        "datetime64[us]",
        2000 * sum(number + 0.25 for number in range(1000)),
    )
    assert float(seconds) < 15
    # as Python strings the rows would take 430 MB; typed they are 80 MB, and twice that while they are joined
    assert int(megabytes) < 300
