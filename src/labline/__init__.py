"""Labline: a research-to-production workspace for machine learning on tables."""

import os
from importlib.metadata import version

__version__ = version("labline")

# OpenMP reads this when a booster's library is loaded, and never again: idle threads sleep instead of spinning,
# without which fits of half a second take many on cores that are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
