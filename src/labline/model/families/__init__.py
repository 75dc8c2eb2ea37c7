"""Families: kinds of models a member can be of."""

from labline.model.families.base import Family, Fit, Member
from labline.model.families.lightgbm import LightGBM
from labline.model.families.linear import Linear

FAMILIES: dict[str, Family] = {family.name: family for family in (Linear(), LightGBM())}

__all__ = ["FAMILIES", "Family", "Fit", "LightGBM", "Linear", "Member"]
