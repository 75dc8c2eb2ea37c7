"""What worker processes have in common, loaded once by the process that they are forked from: memory and seconds."""

import gc
import sys
from importlib import import_module

sys.path[:] = filter(None, sys.path)  # Python 3.11 looks into the working folder first, where any file may be
for name in ("labline.pipeline", "mlflow"):  # in this order: the first says how the other is to behave
    import_module(name)
gc.freeze()  # what is never looked through again stays one copy for all
