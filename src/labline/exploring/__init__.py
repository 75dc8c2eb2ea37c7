"""Exploring: what notebooks show of rows, whatever their columns and their task are."""

from labline.exploring.association import associations, mutual_information
from labline.exploring.corners import corners
from labline.exploring.plots import legend, legend_profile, panels, show, show_against, show_profile
from labline.exploring.views import announce, view, view_all, view_answers, view_target

__all__ = [
    "announce",
    "associations",
    "corners",
    "legend",
    "legend_profile",
    "mutual_information",
    "panels",
    "show",
    "show_against",
    "show_profile",
    "view",
    "view_all",
    "view_answers",
    "view_target",
]
