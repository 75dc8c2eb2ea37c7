"""How long a bundle takes for one row."""

from __future__ import annotations

import time

import numpy as np

from labline.contract.examples import example_records
from labline.model.bundle import Bundle

ROWS = 50
WARM_UP = 5  # the first answers also load what is loaded when it is first needed


def one_row_ms(bundle: Bundle) -> float:
    """The median time of a prediction for one record, in milliseconds, over made-up records that the contract accepts.

    It is what the model itself takes: reading the request and writing the prediction log come on top.
    """
    seconds = []
    for record in example_records(bundle.problem, WARM_UP + ROWS):
        started = time.perf_counter()
        bundle.predict([record])
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds[WARM_UP:]))
