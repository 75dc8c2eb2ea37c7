"""Where snapshots and report pages are kept: a folder of this machine, or one below an object store's address."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labline.atomic import replacing
from labline.config import Config
from labline.errors import DataError

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
# A store that is away should be named within seconds; s3fs and botocore would each try five times.
PATIENCE = {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 1}}
TRIES = 2
MEND = "see its address and credentials in the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …)"
PROBE, ROUND_TRIP = "labline-probe.txt", b"labline was here"
REFUSAL: tuple[type[Exception], ...] = (OSError, ValueError, TypeError, RuntimeError)  # of the store, or of an option
# Errors of the libraries that stores are reached through; they derive neither from OSError nor from ValueError.
FOREIGN = (
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("boto3.exceptions", "Boto3Error"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)


@dataclass(frozen=True)
class Folder:
    """A folder of whole files.

    Args:
        root: a local path, or an fsspec address without a secret in it.
        options: fsspec's, for addresses.
    """

    root: Path | str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __truediv__(self, name: str) -> Folder:
        return replace(self, root=self.root / name if isinstance(self.root, Path) else f"{self.root}/{name}")

    def __str__(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is no such file.
            DataError: the object store is away, or refuses.
        """
        if isinstance(self.root, Path):
            return (self.root / name).read_bytes()
        with _explained(self.root):
            content: bytes = self._filesystem().cat_file(f"{self.root}/{name}")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; the folder is made if need be, a bucket is not.

        Raises:
            OSError: this machine's disk does not take it.
            DataError: the object store is away, or refuses.
        """
        if isinstance(self.root, Path):
            self.root.mkdir(parents=True, exist_ok=True)
            with replacing(self.root / name) as unfinished:
                unfinished.write_bytes(content)
            return
        try:
            with _explained(self.root):
                self._filesystem().pipe_file(f"{self.root}/{name}", content)  # a store shows an object when it is whole
        except FileNotFoundError:
            raise _no_bucket(self.root) from None

    def take(self, file: Path, name: str) -> None:
        """Put a whole file of this machine there under a name, in pieces that memory has room for.

        A local folder takes the file itself, which has to be on the same disk.

        Raises:
            OSError: this machine's disk does not take it.
            DataError: the object store is away, or refuses.
        """
        if isinstance(self.root, Path):
            file.chmod(0o644)
            file.replace(self.root / name)
            return
        try:
            with _explained(self.root):
                self._filesystem().put_file(str(file), f"{self.root}/{name}")
        except FileNotFoundError:
            raise _no_bucket(self.root) from None

    def _filesystem(self) -> Any:
        import fsspec

        patience = {"config_kwargs": PATIENCE} if str(self.root).startswith("s3") else {}
        filesystem, _ = fsspec.core.url_to_fs(self.root, **{**patience, **self.options})
        if hasattr(filesystem, "retries"):
            filesystem.retries = TRIES
        return filesystem


def data_folder(config: Config) -> Folder:
    """Where the snapshots of all problems are kept."""
    return _kept(config, "data", config.settings.data)


def reports_folder(config: Config) -> Folder:
    """Where the report pages of all problems are kept."""
    return _kept(config, "reports", config.settings.reports)


def _kept(config: Config, name: str, own: Path) -> Folder:
    root = config.storage.root
    if root is None:
        return Folder(own)
    return Folder(root.rstrip("/") if "://" in root else Path(root), config.storage.object_store) / name


def probe(config: Config) -> str:
    """Write a small file where snapshots are kept, and read it back; returns where that is.

    Raises:
        DataError: what comes back is not what was written, or nothing does.
    """
    folder = data_folder(config)
    try:
        folder.write(PROBE, ROUND_TRIP)
        back = folder.read(PROBE)
    except OSError as error:
        raise DataError(
            f"cannot be written to: {error.strerror or error}", where=str(folder), mend="see who may write there"
        ) from error
    if back != ROUND_TRIP:
        raise DataError("what is written comes back altered", where=str(folder), mend="see the store's own log")
    return str(folder)


def foreign() -> tuple[type[Exception], ...]:
    """The kinds of `FOREIGN` that can occur: those of libraries that were imported."""
    found = [getattr(sys.modules.get(module), name, None) for module, name in FOREIGN]
    return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))


def said(error: BaseException | str) -> str:
    """What a store's library says, on one line and without addresses, which may be signed."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r":? *[\"']?\w+://[^\s\"']+[\"']?", "", text)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if re.search(r"(bucket|container) does not exist", str(error), re.IGNORECASE):
            raise _no_bucket(address) from None
        raise
    except ImportError as error:
        extra = EXTRAS.get(address.partition("://")[0])
        mend = f'pip install "labline[{extra}]"' if extra else "install fsspec's driver for it"
        raise DataError(f"its driver is missing: {error}", where=address, mend=mend) from None
    except PermissionError as error:
        raise DataError(
            f"the object store refuses: {said(error)}",
            where=address,
            mend="see whose credentials are in the environment (AWS_ACCESS_KEY_ID, …), and what they may do",
        ) from None
    except (*REFUSAL, *foreign()) as error:
        # not chained: its text may hold a signed address, which lets anyone in
        raise DataError(
            f"the object store cannot be used: {said(error)}",
            where=address,
            mend=f"{MEND}, storage.root and storage.object_store",
        ) from None


def _no_bucket(address: str) -> DataError:
    return DataError(
        "there is no such bucket", where=address, mend="make it, or correct storage.root (LABLINE_STORAGE__ROOT)"
    )
