"""What a column's name tells: its unit, and whether it names rows, places, days or shares."""

from __future__ import annotations

import re

CURRENCIES = {"usd": "USD", "eur": "EUR", "gbp": "GBP", "chf": "CHF", "jpy": "JPY", "inr": "INR", "dollars": "USD"}
CURRENCIES |= {"$": "USD", "€": "EUR", "£": "GBP", "euro": "EUR", "euros": "EUR", "dollar": "USD"}
MEASURES = {
    **dict.fromkeys(("kg", "kgs", "kilograms"), "kg"),
    **dict.fromkeys(("lb", "lbs", "pounds"), "lb"),
    **dict.fromkeys(("cm", "centimeters", "centimetres"), "cm"),
    **dict.fromkeys(("km", "kms", "kilometers", "kilometres"), "km"),
    **dict.fromkeys(("mm", "millimeters", "millimetres"), "mm"),
    **dict.fromkeys(("meters", "metres"), "m"),
    **dict.fromkeys(("miles", "mile"), "miles"),
    **dict.fromkeys(("feet", "ft"), "ft"),
    **dict.fromkeys(("inch", "inches"), "in"),
    **dict.fromkeys(("sqft", "ft2", "sqfeet"), "sq ft"),
    **dict.fromkeys(("sqm", "m2", "m²", "qm"), "m²"),
    **dict.fromkeys(("m3", "m³"), "m³"),
    **dict.fromkeys(("pct", "percent", "percentage", "%"), "%"),
    **dict.fromkeys(("celsius", "degc", "°c"), "°C"),
    **dict.fromkeys(("fahrenheit", "degf", "°f"), "°F"),
    **dict.fromkeys(("kelvin",), "K"),
    **dict.fromkeys(("kmh", "kph", "km/h"), "km/h"),
    **dict.fromkeys(("mph",), "mph"),
    **dict.fromkeys(("litres", "liters", "litre", "liter"), "l"),
    **{unit: unit for unit in ("mg", "ml", "mmhg", "ppm", "ppb", "bpm", "rpm", "kcal", "gallons", "cc", "dpi", "px")},
    **{"mmhg": "mmHg", "mmol": "mmol", "kwh": "kWh", "kw": "kW", "hp": "hp", "hpa": "hPa", "kpa": "kPa", "psi": "psi"},
    **{"hz": "Hz", "khz": "kHz", "mhz": "MHz", "ghz": "GHz", "mb": "MB", "gb": "GB", "bytes": "bytes", "db": "dB"},
}
TIMES = {
    **dict.fromkeys(("years", "yrs", "yr"), "years"),
    **dict.fromkeys(("months", "mths"), "months"),
    **dict.fromkeys(("weeks", "wks"), "weeks"),
    **dict.fromkeys(("days",), "days"),
    **dict.fromkeys(("hours", "hrs", "hr"), "hours"),
    **dict.fromkeys(("minutes", "mins"), "minutes"),
    **dict.fromkeys(("seconds", "secs", "sec"), "seconds"),
    **dict.fromkeys(("ms", "msec", "milliseconds"), "ms"),
}
UNITS = {**CURRENCIES, **MEASURES, **TIMES}
# So short that they mean something else as often, unless they stand in brackets or after a quantity they measure.
SHORT = {"m": "m", "g": "g", "l": "l", "s": "s", "h": "h", "w": "W", "v": "V", "a": "A", "k": "K", "c": "°C", "f": "°F"}
SHORT |= {"in": "in", "min": "minutes", "t": "t", "y": "years"}
QUANTITIES = {
    **dict.fromkeys(("height", "length", "width", "depth", "distance", "altitude", "elevation"), ("m", "in")),
    **dict.fromkeys(("diameter", "radius", "size", "thickness"), ("m", "in")),
    **dict.fromkeys(("duration", "time", "delay", "latency", "runtime"), ("s", "h", "min")),
    **dict.fromkeys(("weight", "mass"), ("g", "t")),
    **dict.fromkeys(("volume", "capacity"), ("l",)),
    **dict.fromkeys(("temperature", "temp"), ("c", "f", "k")),
    **{"power": ("w",), "voltage": ("v",), "current": ("a",), "age": ("y",)},
}
IDS = frozenset(("id", "ids", "uuid", "guid", "key", "nr", "rowid", "pk"))
COUNTERS = frozenset(("index", "row", "rownum", "unnamed", "no", "number", "seq", "sequence"))
PLACES = frozenset(("zip", "zipcode", "postcode", "postal", "plz", "postalcode", "code", "phone", "telephone", "sku"))
LISTS = frozenset(("tags", "labels", "genres", "topics", "keywords", "categories", "skills", "ingredients", "hashtags"))
SHARES = frozenset(("share", "ratio", "rate", "fraction", "probability", "prob", "proportion"))
DAYS = frozenset(("date", "day", "dt", "datum", "ymd"))
ANSWERS = frozenset(("prediction", "predictions", "predicted", "pred", "forecast", "proba", "yhat"))

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")


def words(name: str) -> list[str]:
    """The words of a name, in lower case: weight_kg, WeightKg and "Weight (kg)" have the same."""
    return [word for word in re.split(r"[\s_\-.:/()\[\],]+", _CAMEL.sub(" ", name).lower()) if word]


def unit_in(name: str) -> str:
    """The unit that the name tells, else nothing: what stands in brackets, a last word that is one, years for age."""
    for inside in _BRACKETS.findall(name):
        written = inside.strip().removeprefix("in ").strip()
        known = {**SHORT, **UNITS}.get(written.lower())
        if known or re.fullmatch(r"[^\d\s]{1,4}(?:[/·][^\s]{1,6})|°\w|%", written):
            return known or written
    found = words(name)
    if not found:
        return ""
    last = found[-1]
    before = {short for word in found[:-1] for short in QUANTITIES.get(word, ())}
    if last in UNITS and (len(found) > 1 or last in {"percent", "percentage", "%"}):
        return UNITS[last]
    if last in before:
        return SHORT[last]
    return "years" if last == "age" and not before else ""


def says_unit(name: str) -> bool:
    """Whether the unit stands in brackets, so that it is said rather than guessed."""
    return _BRACKETS.search(name) is not None


def names_rows(name: str) -> bool:
    """Whether the name is that of a column which tells rows apart: id, customer_id, PassengerId, id_order."""
    found = words(name)
    return bool(found) and (found[-1] in IDS or found[0] in {"id", "uuid", "guid"})


def counts_rows(name: str) -> bool:
    """Whether the name is that of a column which numbers the rows, as a written index does."""
    found = words(name)
    return not found or found[0] in {"index", "unnamed"} or found[-1] in COUNTERS


def is_code(name: str) -> bool:
    """Whether numbers under this name are names: postcodes, telephone numbers, keys of other tables."""
    return names_rows(name) or bool(PLACES.intersection(words(name)))


def is_list(name: str) -> bool:
    """Whether the name says that there are several: tags, genres."""
    return bool(LISTS.intersection(words(name)))


def is_share(name: str) -> bool:
    """Whether the name is that of a share, from 0 to 1."""
    return bool(SHARES.intersection(words(name)))


def is_day(name: str) -> bool:
    """Whether the name is that of a date."""
    return bool(DAYS.intersection(words(name)))


def is_answer(name: str) -> bool:
    """Whether the name sounds like what a model said."""
    return bool(ANSWERS.intersection(words(name))) or name.lower() in {"y_hat", "y_pred"}
