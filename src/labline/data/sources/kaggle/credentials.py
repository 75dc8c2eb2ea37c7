"""Where Kaggle credentials stand: looked for where the `kaggle` client looks, and in its order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from labline.contract.source import KaggleFile
from labline.errors import DataError

# Read off kaggle 2.2 and kagglesdk 0.1 (kaggle_env.py, kaggle_creds.py).
TOKEN_PAGE = "https://www.kaggle.com/settings"  # noqa: S105  (an address)
PAIR = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}


def has_credentials() -> bool:
    """Whether anyone has given Kaggle credentials here, in a variable or file that the `kaggle` client reads.

    Half or broken ones count too, so that `fetch` says what is wrong with them and nobody takes other data in silence.
    The client is not imported: that alone makes a folder in the user's home and may call Kaggle.
    """
    return bool(_token() or username_and_key() or _is_broken(key_file()) or _oauth_file())


def credentials_origin(source: KaggleFile) -> str:
    """Where the credentials stand that the client will use.

    Raises:
        DataError: there are none, only half, or such as no HTTP header can carry.
    """
    pair, file = username_and_key(), key_file()
    if token := _token():
        values, origin = {token[1]: token[0]}, token[1]
    elif len(pair) == len(PAIR):
        values = {PAIR[name]: value for name, value in pair.items()}
        origin = " and ".join(PAIR.values()) if all(map(os.environ.get, PAIR.values())) else str(file)
    elif pair:
        raise _half(pair, source)
    elif oauth := _oauth_file():
        values, origin = {}, str(oauth)
    else:
        raise _none(source, file)
    for name, value in values.items():
        if not value.isascii() or not value.isprintable() or " " in value:
            raise DataError(
                f"{name} holds a blank, a line break or a letter that no key has",
                where=str(source),
                mend=f"copy it again from {TOKEN_PAGE}",
            )
    return origin


def username_and_key() -> dict[str, str]:
    """Username and key, as far as the environment or kaggle.json gives them; an empty variable gives nothing."""
    file = _json_object(key_file()) or {}
    values = {name: os.environ.get(variable) or file.get(name) for name, variable in PAIR.items()}
    return {name: str(value) for name, value in values.items() if value}


def key_file() -> Path:
    """Where the client looks for kaggle.json, whether it is there or not."""
    named = os.environ.get("KAGGLE_CONFIG_DIR")
    if named:
        return Path(named) / "kaggle.json"
    if _home("").exists() or os.name == "nt":
        return _home("kaggle.json")
    xdg = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return Path(xdg) / "kaggle" / "kaggle.json"


def _home(name: str) -> Path:
    return Path(os.path.expanduser("~/.kaggle")) / name  # noqa: PTH111  (Path.expanduser raises where there is no home)


def _token() -> tuple[str, str] | None:
    """The access token and where it stands, if there is one."""
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") and os.environ.get("KAGGLE_DATA_PROXY_URL"):
        name = "KAGGLE_API_V1_TOKEN"  # inside a Kaggle notebook
        if token := _text(Path(os.environ.get(name, ""))):
            return token, name
    if given := os.environ.get("KAGGLE_API_TOKEN"):
        token = _text(Path(given)) if _exists(given) else given
        return (token, "KAGGLE_API_TOKEN") if token else None
    for file in (_home("access_token"), _home("access_token.txt")):
        if token := _text(file):
            return token, str(file)
    return None


def _oauth_file() -> Path | None:
    """What `kaggle auth login` writes."""
    file = _home("credentials.json")
    return file if (_json_object(file) or {}).get("refresh_token") else None


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a name: a token, not a path
        return False


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _json_object(file: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(_text(file))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_broken(file: Path) -> bool:
    return file.exists() and _json_object(file) is None


def _half(pair: dict[str, str], source: KaggleFile) -> DataError:
    (given,), (missing,) = pair, PAIR.keys() - pair
    file = key_file()
    there = f"{PAIR[given]} is set" if os.environ.get(PAIR[given]) else f"{file} has a {given}"
    return DataError(
        f"half of the Kaggle credentials is missing: {there}, but {PAIR[missing]} is not",
        where=str(source),
        mend=f"set {PAIR[missing]}, or write {missing!r} into {file}",
    )


def _none(source: KaggleFile, file: Path) -> DataError:
    if _is_broken(file):
        return DataError(
            f"{file} is not a readable JSON object", where=str(source), mend=f"download it again from {TOKEN_PAGE}"
        )
    return DataError(
        f"no Kaggle credentials: looked for KAGGLE_API_TOKEN, for KAGGLE_USERNAME with KAGGLE_KEY, for {file} and "
        f"for {_home('access_token')}",
        where=str(source),
        mend=f"make a token at {TOKEN_PAGE} and put it into one of them",
    )
