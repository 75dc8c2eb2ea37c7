"""The `kaggle` client: loaded, signed in, made patient with the network but not without end."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from functools import partial
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

from loguru import logger

from labline.config.kaggle import Kaggle
from labline.contract.source import KaggleFile
from labline.data.sources.kaggle.credentials import TOKEN_PAGE, key_file, username_and_key
from labline.data.sources.kaggle.failures import brief, explained, is_unknown, may_pass
from labline.errors import DataError

PACKINGS = (".7z", ".zip")  # how competitions list a file that they hold packed only
SILENCE_SECONDS = 60.0  # the client itself would wait for a silent server for ever


def download(source: KaggleFile, folder: Path, settings: Kaggle, origin: str) -> Path:
    """The file as Kaggle serves it, under `folder`; tried again where waiting may help.

    A file that a competition does not know is looked for under its packed names too.

    Raises:
        DataError: Kaggle refuses, cannot be reached, or its client cannot be used.
    """
    api_class = _api_class(source)
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    wait = settings.wait_seconds
    packed = [source.model_copy(update={"file": source.file + packing}) for packing in PACKINGS]
    asked, others = source, packed if source.competition and not source.file.endswith(PACKINGS) else []
    for attempt in count(1):
        try:
            with redirect_stdout(io.StringIO()):  # it prints, and with VERBOSE set even the key
                return _attempt(_signed_in(api_class, source, origin), asked, folder / str(attempt))
        except (RequestException, HTTPError, ValueError, SystemExit) as error:
            if is_unknown(error) and others:
                asked = others.pop(0)
                continue
            if attempt >= settings.attempts or not may_pass(error):
                # Not chained: the client's own text may hold the signed address, which lets anyone download.
                raise explained(error, source, origin) from None
            logger.warning("{}: {}; asking again in {:g} s", source, brief(error), wait)
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
            f"the Kaggle client cannot make its folder {str(key_file().parent)!r}: {error.strerror}",
            where=str(source),
            mend="name a folder that can be written in KAGGLE_CONFIG_DIR",
        ) from error
    return KaggleApi


def _signed_in(api_class: Any, source: KaggleFile, origin: str) -> Any:
    from requests.exceptions import RequestException

    api = api_class()
    # The class settled its folder when it was imported; the one that counts is the one `has_credentials` looks in.
    api.config_dir, api.config = str(key_file().parent), str(key_file())
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
    api.config_values.update(username_and_key())  # an empty variable hides kaggle.json from the client
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
