"""Drafts a problem from its rows: guesses what every column and the target are, and writes the problem's folder."""

from labline.drafting.amending import amended
from labline.drafting.dialect import Sniffed, sniff
from labline.drafting.draft import Decision, Draft, guess_columns
from labline.drafting.gathering import Gathered, gather
from labline.drafting.questions import Ask, Question, take_guess
from labline.drafting.seen import see
from labline.drafting.target import guess_target
from labline.drafting.writing import need_free, unfinished

__all__ = [
    "Ask",
    "Decision",
    "Draft",
    "Gathered",
    "Question",
    "Sniffed",
    "amended",
    "gather",
    "guess_columns",
    "guess_target",
    "need_free",
    "see",
    "sniff",
    "take_guess",
    "unfinished",
]
