"""Derived features of the Mercari problem: what a category's name holds, and what can be counted in the texts.

A parameter names a column of problem.yaml or another feature of this file. Numbers come as float64 with NaN for
missing, names and texts as str with None for missing. What comes back has the same shape, (rows,): names with None, or
float64 with NaN, where an input is missing. Questions answered yes or no give 1 or 0.
"""

import re

from numpy import array, empty, nan

LEVELS = 3
NO_DESCRIPTION = "no description yet"  # what the marketplace writes where the seller wrote nothing
REMOVED_PRICE = "[rm]"  # what stands in the published texts where a price stood
PIECES = re.compile(
    r"\b(?:lot|set|bundle|pack) of (\d{1,3})\b|\b(\d{1,3})[ -]?(?:pack|pcs|pieces?|pc)\b|\b(\d{1,3}) items\b",
    re.IGNORECASE,
)
GIGABYTES = re.compile(r"\b(\d{1,4}) ?gb\b", re.IGNORECASE)
UNUSED = re.compile(
    r"\b(?:b?nwt|nib|bnib|nwot|brand new|new (?:with|without) tags|new in (?:box|package)|sealed)\b", re.IGNORECASE
)


def category_department(category_name):
    """First level of the category, a name, e.g. "Women"."""
    return _names([_level(name, 0) for name in category_name])


def category_middle(category_name):
    """Second level of the category, a name, e.g. "Athletic Apparel"; missing where the category has one level."""
    return _names([_level(name, 1) for name in category_name])


def category_kind(category_name):
    """Third level of the category and all below it, a name; missing where the category has fewer."""
    return _names([_level(name, 2) for name in category_name])


def brand_is_missing(brand_name):
    """Whether no brand is given, 1 or 0."""
    return array([float(brand is None) for brand in brand_name])


def brand_in_name(brand_name, name):
    """Whether the name holds the brand, whatever the case, 1 or 0; missing where no brand is given."""
    pairs = zip(brand_name, name, strict=True)
    return _numbers([_both(brand, text, lambda b, t: b.casefold() in t.casefold()) for brand, text in pairs])


def name_length(name):
    """Length of the name, characters."""
    return _counted(len, name)


def name_capitals(name):
    """Share of capitals among the letters of the name, 0 to 1; 0 where it has no letters."""
    return _counted(_capitals, name)


def description_is_missing(item_description):
    """Whether the seller wrote no description, 1 or 0: none, an empty one, or the marketplace's own words for it."""
    return array([float(not _description(text)) for text in item_description])


def description_length(item_description):
    """Length of what the seller wrote, characters; 0 where that is nothing."""
    return array([float(len(_description(text))) for text in item_description])


def description_words(item_description):
    """Words of what the seller wrote, number of them; 0 where that is nothing."""
    return array([float(len(_description(text).split())) for text in item_description])


def removed_prices(item_description):
    """Prices that were taken out of the description before it was published, number of them."""
    return _counted(lambda text: text.count(REMOVED_PRICE), item_description)


def pieces(name, item_description):
    """Pieces offered together, number of them, as the name says or else the description; 1 where neither does."""
    return _numbers([_both(*texts, _pieces) for texts in zip(name, item_description, strict=True)])


def storage(name, item_description):
    """Storage of a device, gigabytes, as the name says or else the description; missing where neither does."""
    return _numbers([_both(*texts, _gigabytes) for texts in zip(name, item_description, strict=True)])


def says_unused(name, item_description):
    """Whether name or description call the goods unused (new with tags, sealed, …), 1 or 0."""
    return _numbers([_both(*texts, _says_unused) for texts in zip(name, item_description, strict=True)])


def _names(values):
    """An array of names; numpy would make one of fixed width of a list."""
    names = empty(len(values), dtype=object)
    names[:] = values
    return names


def _numbers(values):
    return array([nan if value is None else float(value) for value in values])


def _counted(count, texts):
    """The count of each text, NaN where it is missing."""
    return _numbers([None if text is None else count(text) for text in texts])


def _both(one, other, function):
    """The function of two values; None where one is missing."""
    return None if one is None or other is None else function(one, other)


def _level(category, index):
    """The level of a category, counted from 0; the last one keeps the slashes that are left."""
    levels = [] if category is None else [level.strip() for level in category.split("/", LEVELS - 1)]
    return levels[index] or None if index < len(levels) else None


def _description(text):
    """What the seller wrote."""
    text = (text or "").strip()
    return "" if text.casefold() == NO_DESCRIPTION else text


def _capitals(text):
    letters = [sign for sign in text if sign.isalpha()]
    return sum(letter.isupper() for letter in letters) / len(letters) if letters else 0.0


def _said(pattern, texts, lowest):
    """The first number that the pattern finds in the texts, from `lowest` up; None where there is none."""
    found = (next(filter(None, match.groups())) for text in texts for match in pattern.finditer(text))
    return next((float(number) for number in found if float(number) >= lowest), None)


def _pieces(name, description):
    return _said(PIECES, (name, description), 2) or 1.0


def _gigabytes(name, description):
    return _said(GIGABYTES, (name, description), 1)


def _says_unused(name, description):
    return bool(UNUSED.search(name) or UNUSED.search(description))
