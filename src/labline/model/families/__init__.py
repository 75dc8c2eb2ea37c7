"""Families: kinds of models a member can be of."""

from labline.model.families.base import Device, Family, Fit, Member
from labline.model.families.catboost import CatBoost
from labline.model.families.lightgbm import LightGBM
from labline.model.families.linear import Linear
from labline.model.families.outputs import through_links
from labline.model.families.trees import DecisionTree, RandomForest
from labline.model.families.xgboost import XGBoost

# Simple ones first: whatever the budget, there is something in hand early.
FAMILIES: dict[str, Family] = {
    family.name: family for family in (Linear(), DecisionTree(), LightGBM(), XGBoost(), CatBoost(), RandomForest())
}

__all__ = [
    "FAMILIES",
    "CatBoost",
    "DecisionTree",
    "Device",
    "Family",
    "Fit",
    "LightGBM",
    "Linear",
    "Member",
    "RandomForest",
    "XGBoost",
    "through_links",
]
