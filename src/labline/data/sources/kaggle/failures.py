"""What went wrong with a download, in words that say what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from labline.contract.source import KaggleFile
from labline.data.sources.kaggle.credentials import TOKEN_PAGE
from labline.errors import DataError


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    if response is None:
        return None
    # Kaggle also says no with status 200 and the code in the JSON.
    return int(response.status_code if response.status_code >= 400 else response.json()["code"])


def brief(error: BaseException) -> str:
    """The error in a few words that hold no address and no secret."""
    status = _status(error)
    return type(error).__name__ if status is None else f"Kaggle answers {status}"


def is_unknown(error: BaseException) -> bool:
    """Whether Kaggle has no file of that name."""
    return _status(error) == 404


def may_pass(error: BaseException) -> bool:
    """Whether the error may be gone when the download is tried again."""
    from requests import exceptions

    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    if isinstance(error, exceptions.RequestException):
        network = (exceptions.ConnectionError, exceptions.Timeout, exceptions.ChunkedEncodingError)
        return isinstance(error, network) and not isinstance(error, exceptions.SSLError)
    # A ValueError is the client's word for a download that is not of the size announced.
    return not isinstance(error, SystemExit)


def explained(error: BaseException, source: KaggleFile, origin: str) -> DataError:
    """What the client's error means, and what to do about it; `origin` is where the credentials stand."""
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


def disk_error(error: OSError, path: Path) -> DataError:
    """What the error of a file or folder means, and what to do about it."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DataError("the disk is full", where=str(path.parent), mend="free some space there and repeat")
    return DataError(
        f"cannot be read or written: {error.strerror or type(error).__name__}",
        where=str(path),
        mend="see that the folder is there and may be written to",
    )
