"""Families: kinds of models a member can be of."""

from labline.model.families.lightgbm import LightGBM, LightGBMMember

FAMILIES = {family.name: family for family in (LightGBM(),)}
MEMBERS = {LightGBM.name: LightGBMMember}

__all__ = ["FAMILIES", "MEMBERS", "LightGBM", "LightGBMMember"]
