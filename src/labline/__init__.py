"""Labline: a research-to-production workspace for machine learning on tables and text."""

from importlib.metadata import version

__version__ = version("labline")
