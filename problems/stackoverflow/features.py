"""Derived features of the StackOverflow problem: what can be counted in a question, whatever its words.

A parameter names a column of problem.yaml. Texts come as str with None for missing, and as a reader sees them: the
contract takes tags and code blocks out of the body before. What comes back is float64 of the same shape, (rows,), and
NaN where the text is missing. Questions answered yes or no give 1 or 0.
"""

import re

from numpy import array, nan

CODE_SIGNS = re.compile(r"[(){}\[\]<>=;$_&|\\]|::|->|\+\+")
DOTTED = re.compile(r"\b[A-Za-z_]\w*\.[A-Za-z_]\w*")  # asp.net, views.py, console.log
CAMEL_CASE = re.compile(r"\b\w*[a-z][A-Z]\w*\b")
VERSION = re.compile(r"\b\d+(?:\.\d+)+\b")
FAILURE = re.compile(r"\b(?:error|exception|fail(?:s|ed|ure)?|crash(?:es|ed)?|not working)\b", re.IGNORECASE)


def title_length(Title):
    """Length of the title, characters."""
    return _counted(len, Title)


def title_words(Title):
    """Words of the title, number of them."""
    return _counted(lambda text: len(text.split()), Title)


def title_asks(Title):
    """Whether the title has a question mark, 1 or 0."""
    return _counted(lambda text: "?" in text, Title)


def title_code_signs(Title):
    """Signs in the title that are rare in prose and frequent in code, number of them."""
    return _counted(_matches(CODE_SIGNS), Title)


def title_dotted_names(Title):
    """Names with a dot inside in the title, such as views.py, number of them."""
    return _counted(_matches(DOTTED), Title)


def title_camel_case(Title):
    """Words of the title with a capital after a small letter, such as ArrayList, number of them."""
    return _counted(_matches(CAMEL_CASE), Title)


def title_versions(Title):
    """Numbers of versions in the title, such as 2.7, number of them."""
    return _counted(_matches(VERSION), Title)


def title_tells_failure(Title):
    """Whether the title speaks of an error, 1 or 0."""
    return _counted(lambda text: bool(FAILURE.search(text)), Title)


def body_is_missing(Body):
    """Whether there is no body, or one without prose, 1 or 0."""
    return array([float(not (text or "").strip()) for text in Body])


def body_length(Body):
    """Length of the body's prose, characters."""
    return _counted(len, Body)


def body_questions(Body):
    """Question marks in the body's prose, number of them."""
    return _counted(lambda text: text.count("?"), Body)


def body_code_signs(Body):
    """Signs in the body's prose that are frequent in code, number of them: code within sentences."""
    return _counted(_matches(CODE_SIGNS), Body)


def body_camel_case(Body):
    """Words of the body's prose with a capital after a small letter, such as ArrayList, number of them."""
    return _counted(_matches(CAMEL_CASE), Body)


def body_tells_failure(Body):
    """How often the body's prose speaks of an error, number of times."""
    return _counted(_matches(FAILURE), Body)


def _matches(pattern):
    """A function that counts the pattern in a text."""
    return lambda text: len(pattern.findall(text))


def _counted(count, texts):
    """The count of each text, NaN where it is missing."""
    return array([nan if text is None else float(count(text)) for text in texts])
