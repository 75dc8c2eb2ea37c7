"""Files of Kaggle competitions and datasets: fetched with the `kaggle` package, kept under their checksum."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import lzma
import os
import shutil
import struct
import zipfile
import zlib
from contextlib import redirect_stdout
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any
from urllib.parse import unquote

from loguru import logger

from labline.config.kaggle import Kaggle
from labline.contract.source import KaggleFile
from labline.errors import DataError

TOKEN_PAGE = "https://www.kaggle.com/settings"  # noqa: S105  (an address)
PAIR = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}
SILENCE_SECONDS = 60.0  # the client itself would wait for a silent server for ever
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
ZIPS_BY_NATURE = {".zip", ".xlsx", ".ods", ".npz"}
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError)


def has_credentials() -> bool:
    """Whether anyone has given Kaggle credentials here, in a variable or file that the `kaggle` client reads.

    Half or broken ones count too, so that `fetch` says what is wrong with them and nobody takes other data in silence.
    The client is not imported: that alone makes a folder in the user's home and may call Kaggle.
    """
    return bool(_token() or _pair() or _is_broken(_key_file()) or _oauth_file())


def fetch(source: KaggleFile, folder: Path, settings: Kaggle) -> Path:
    """The path of the file under `folder`, downloaded unless it is there and agrees with the `.sha256` beside it.

    A zip is unpacked. A file that was there and differs is kept as `<file>.kept-<start of its checksum>`.

    Args:
        source: the competition or dataset, and the file's name there.
        folder: where to put it; made if need be.
        settings: how often to try, and how long to wait between tries.

    Raises:
        DataError: credentials are lacking or refused, the rules are not accepted, there is no such file, Kaggle is out
            of reach, the download is damaged, or the disk is full.
    """
    path = folder / _safe_name(source)
    try:
        if _is_whole(path):
            logger.debug("{}: already there, {}", source, path)
            return path
        origin = _credentials(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that moving to the final name is one step: a kill leaves nothing half under it.
        with TemporaryDirectory(prefix=".unfinished-", dir=path.parent, ignore_cleanup_errors=True) as unfinished:
            start = perf_counter()
            served = _download(source, Path(unfinished), settings, origin)
            seconds = perf_counter() - start
            file = _unzipped(served, source)
            _refuse_web_page(file, source)
            logger.info("{}: {} bytes in {:.1f} s", source, served.stat().st_size, seconds)
            _put(file, path)
    except OSError as error:
        raise _disk_error(error, path) from error
    return path


def _safe_name(source: KaggleFile) -> Path:
    if _leads_outside(source.file) or not PurePosixPath(source.file).name or not source.file.isprintable():
        raise DataError(
            f"{source.file!r} is not a file name", where=str(source), mend=f"copy it from {source.page}/data"
        )
    return Path(source.file)


def _leads_outside(name: str) -> bool:
    path = PureWindowsPath(name)  # knows both separators, and drives
    return bool(path.anchor) or ".." in path.parts


# --- Credentials: looked for where kaggle 2.2 and kagglesdk 0.1 (kaggle_env.py, kaggle_creds.py) look, in their order.


def _home(name: str) -> Path:
    return Path(os.path.expanduser("~/.kaggle")) / name  # noqa: PTH111  (Path.expanduser raises where there is no home)


def _key_file() -> Path:
    named = os.environ.get("KAGGLE_CONFIG_DIR")
    if named:
        return Path(named) / "kaggle.json"
    if _home("").exists() or os.name == "nt":
        return _home("kaggle.json")
    xdg = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return Path(xdg) / "kaggle" / "kaggle.json"


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


def _pair() -> dict[str, str]:
    """Username and key, as far as the environment or kaggle.json gives them; an empty variable gives nothing."""
    file = _json_object(_key_file()) or {}
    values = {name: os.environ.get(variable) or file.get(name) for name, variable in PAIR.items()}
    return {name: str(value) for name, value in values.items() if value}


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


def _credentials(source: KaggleFile) -> str:
    """Where the credentials stand that the client will use.

    Raises:
        DataError: there are none, only half, or such as no HTTP header can carry.
    """
    pair, file = _pair(), _key_file()
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


def _half(pair: dict[str, str], source: KaggleFile) -> DataError:
    (given,), (missing,) = pair, PAIR.keys() - pair
    file = _key_file()
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


# --- The download.


def _download(source: KaggleFile, folder: Path, settings: Kaggle, origin: str) -> Path:
    """The file as Kaggle serves it; tried again where waiting may help."""
    api_class = _api_class(source)
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    wait = settings.wait_seconds
    for attempt in count(1):
        try:
            with redirect_stdout(io.StringIO()):  # it prints, and with VERBOSE set even the key
                return _attempt(_signed_in(api_class, source, origin), source, folder / str(attempt))
        except (RequestException, HTTPError, ValueError, SystemExit) as error:
            if attempt >= settings.attempts or not _may_pass(error):
                # Not chained: the client's own text may hold the signed address, which lets anyone download.
                raise _explained(error, source, origin) from None
            logger.warning("{}: {}; asking again in {:g} s", source, _brief(error), wait)
        sleep(wait)
        wait *= 2
    raise AssertionError  # for mypy: count() does not end


def _api_class(source: KaggleFile) -> Any:
    """The client's class. Importing it makes its configuration folder, and signs in once on its own."""
    try:
        with redirect_stdout(io.StringIO()):
            from kaggle.api.kaggle_api_extended import KaggleApi
    except ImportError as error:
        missing = (error.name or "kaggle").partition(".")[0]
        package = "'labline[research]'" if missing == "kaggle" else missing
        raise DataError(
            f"the Kaggle client cannot be loaded without the package {missing!r}",
            where=str(source),
            mend=f"pip install {package}",
        ) from error
    except OSError as error:
        raise DataError(
            f"the Kaggle client cannot make its folder {str(_key_file().parent)!r}: {error.strerror}",
            where=str(source),
            mend="name a folder that can be written in KAGGLE_CONFIG_DIR",
        ) from error
    return KaggleApi


def _signed_in(api_class: Any, source: KaggleFile, origin: str) -> Any:
    from requests.exceptions import RequestException

    api = api_class()
    # The class settled its folder when it was imported; the one that counts is the one `has_credentials` looks in.
    api.config_dir, api.config = str(_key_file().parent), str(_key_file())
    # Its own tries would wait a minute and more, on a full disk too; how often to try is for the settings to say.
    api.download_file = partial(api.download_file, max_retries=0)
    api.build_kaggle_client = partial(_impatient, api.build_kaggle_client)
    try:
        api.authenticate()
    except RequestException:  # an OSError too, but the network's
        raise
    except OSError as error:
        # Not chained: the client tries a token as a path first, so that the error's text may hold it.
        raise DataError(
            f"the Kaggle client cannot use the credentials in {origin}: {error.strerror}",
            where=str(source),
            mend=f"make a new token at {TOKEN_PAGE}",
        ) from None
    api.config_values.update(_pair())  # an empty variable hides kaggle.json from the client
    return api


def _impatient(build: Any) -> Any:
    """A client of the SDK that gives up on a silent server, and asks for bytes as they are."""
    client = build()
    client.http_client().__enter__()  # opens its session  # pylint: disable=unnecessary-dunder-call
    session = getattr(client.http_client(), "_session", None)
    if session is not None:
        session.send = partial(session.send, timeout=SILENCE_SECONDS)
        # KaggleApi compares the unpacked size with the packed Content-Length and would refuse a gzipped answer.
        session.headers["Accept-Encoding"] = "identity"
    return client


def _attempt(api: Any, source: KaggleFile, folder: Path) -> Path:
    options = {"path": str(folder), "force": True, "quiet": True}
    if source.competition is not None:
        api.competition_download_file(source.competition, source.file, **options)
    else:
        api.dataset_download_file(source.dataset, source.file, **options)
    # The client names it after the last part of the address it was sent to, not after the name asked for.
    return next(file for file in folder.iterdir() if file.suffix != ".kaggle-partial")


# --- What went wrong.


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    if response is None:
        return None
    # Kaggle also says no with status 200 and the code in the JSON.
    return int(response.status_code if response.status_code >= 400 else response.json()["code"])


def _brief(error: BaseException) -> str:
    status = _status(error)
    return type(error).__name__ if status is None else f"Kaggle answers {status}"


def _may_pass(error: BaseException) -> bool:
    from requests import exceptions

    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    if isinstance(error, exceptions.RequestException):
        network = (exceptions.ConnectionError, exceptions.Timeout, exceptions.ChunkedEncodingError)
        return isinstance(error, network) and not isinstance(error, exceptions.SSLError)
    # A ValueError is the client's word for a download that is not of the size announced.
    return not isinstance(error, SystemExit)


def _explained(error: BaseException, source: KaggleFile, origin: str) -> DataError:
    from requests.exceptions import RequestException, SSLError

    status = 401 if isinstance(error, SystemExit) else _status(error)  # it exits when a token is not known
    if status is not None:
        what, mend = _refusal(status, source, origin)
    elif isinstance(error, SSLError):
        what = "Kaggle's certificate is not trusted here"
        mend = "name the file with your network's certificates in REQUESTS_CA_BUNDLE"
    elif isinstance(error, ValueError) and not isinstance(error, RequestException):
        what, mend = "the download is not of the size that Kaggle announced", "repeat it"
    else:
        what = f"Kaggle cannot be reached ({type(error).__name__})"
        mend = "see that the network is up and, behind a proxy, that HTTPS_PROXY names it"
    return DataError(what, where=str(source), mend=mend)


def _refusal(status: int, source: KaggleFile, origin: str) -> tuple[str, str]:
    """What an answer of Kaggle's means, and what to do about it."""
    compare = f"compare the names with {source.page}/data"
    if status == 403 and source.competition is not None:
        return (
            "Kaggle does not give out the file (403): the competition's rules are not accepted yet",
            f"accept them at {source.page}/rules with the account of {origin}; if you have, see that the name is right",
        )
    if status >= 500:
        return f"Kaggle has trouble of its own ({status})", "repeat it later"
    known = {
        401: (f"Kaggle does not accept the credentials in {origin} (401)", f"make a new token at {TOKEN_PAGE}"),
        403: (
            "Kaggle does not give out the file (403): the dataset is private, or has terms to agree to",
            f"see whether {source.page} lets the account of {origin} download it",
        ),
        404: (f"Kaggle knows no such file (404): {source.file!r}", compare),
        429: ("Kaggle wants fewer requests (429)", "wait a few minutes and repeat"),
    }
    return known.get(status, (f"Kaggle does not take the request ({status})", compare))


def _disk_error(error: OSError, path: Path) -> DataError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DataError("the disk is full", where=str(path.parent), mend="free some space there and repeat")
    return DataError(
        f"cannot be read or written: {error.strerror or type(error).__name__}",
        where=str(path),
        mend="see that the folder is there and may be written to",
    )


# --- The file.


def _unzipped(served: Path, source: KaggleFile) -> Path:
    """The wanted file out of the zip, or what was served when that is no zip."""
    wanted = PurePosixPath(source.file)
    with served.open("rb") as file:
        is_zip = file.read(4) in ZIP_STARTS
    if not is_zip or (wanted.suffix.lower() in ZIPS_BY_NATURE and unquote(served.name) == wanted.name):
        return served
    unzipped = served.with_name(f"{served.name}.unzipped")
    try:
        with zipfile.ZipFile(served) as archive:
            member = _member(archive, wanted, source)
            with archive.open(member) as packed, unzipped.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # not a seek to where a damaged zip points
            raise
        raise DataError(
            f"the zip that Kaggle served is damaged: {error}", where=str(source), mend="repeat the download"
        ) from error
    return unzipped


def _member(archive: zipfile.ZipFile, wanted: PurePosixPath, source: KaggleFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        if _leads_outside(member.filename):
            raise DataError(
                f"the zip that Kaggle served has a member that leads outside of it: {member.filename!r}",
                where=str(source),
                mend=f"do not use it; tell its owner at {source.page}",
            )
    whole = [member for member in members if member.filename == str(wanted)]
    found = whole or [member for member in members if PurePosixPath(member.filename).name == wanted.name]
    if len(found) != 1:
        names = ", ".join(member.filename for member in members[:5]) or "nothing"
        raise DataError(
            f"the zip that Kaggle served has {len(found) or 'no'} {wanted.name!r}; there is: {names}",
            where=str(source),
            mend=f"compare the name with {source.page}/data",
        )
    return found[0]


def _refuse_web_page(file: Path, source: KaggleFile) -> None:
    with file.open("rb") as opened:
        start = opened.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and PurePosixPath(source.file).suffix not in {".html", ".htm"}:
        raise DataError(
            "a web page came in place of the file", where=str(source), mend="see whether a proxy wants a sign-in first"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _is_whole(path: Path) -> bool:
    if not path.is_file() or not _sidecar(path).is_file():
        return False
    words = _sidecar(path).read_text(encoding="utf-8", errors="replace").split(maxsplit=1)
    return bool(words) and words[0].lower() == _sha256(path)


def _put(new: Path, path: Path) -> None:
    """Move the new file to its name, and what was there aside; then write its checksum as `sha256sum` does."""
    digest = _sha256(new)
    if path.exists():
        old = _sha256(path)
        if old != digest:
            kept = _free_name(path.with_name(f"{path.name}.kept-{old[:8]}"))
            path.rename(kept)
            logger.warning("{} did not agree with its checksum; it is kept as {}", path, kept.name)
    checksum = new.with_name("sha256")
    checksum.write_text(f"{digest}  {path.name}\n", encoding="utf-8", newline="\n")
    new.replace(path)
    checksum.replace(_sidecar(path))


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}-{number}") if number > 1 else path for number in count(1))
    return next(name for name in names if not name.exists())
