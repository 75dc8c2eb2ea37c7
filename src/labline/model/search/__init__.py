"""The search: from a baseline outwards, within a budget, to members that are worth their time."""

from labline.model.search.baselines import FittedBaseline
from labline.model.search.clock import Clock
from labline.model.search.folds import Folds
from labline.model.search.journal import Journal
from labline.model.search.rows import TrainingRows
from labline.model.search.search import Fitted, Search, Watcher
from labline.model.search.tried import Candidate, Stage, Tried

__all__ = [
    "Candidate",
    "Clock",
    "Fitted",
    "FittedBaseline",
    "Folds",
    "Journal",
    "Search",
    "Stage",
    "TrainingRows",
    "Tried",
    "Watcher",
]
