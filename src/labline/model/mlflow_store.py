"""The one door to MLflow: reaches the tracking server or the embedded store, and says so when it cannot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labline.config.section import masked
from labline.config.storage import Storage
from labline.database import open_database
from labline.errors import RegistryError, first_line
from labline.store import MEND, foreign, said

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow, and what it reaches artifacts with, read these when they are imported; what the user has set stays.
MLFLOW_DEFAULTS = {
    # A dead server should be named within seconds; MLflow's own defaults try for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "AWS_MAX_ATTEMPTS": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",  # its lines go where ours go
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # there is one already
    "MLFLOW_UV_AUTO_DETECT": "false",  # a model is no place for the workspace's lock file
}
for _name, _value in MLFLOW_DEFAULTS.items():
    os.environ.setdefault(_name, _value)  # before anything can import MLflow

ROUND_TRIP = "labline was here"
REFUSALS = {"PERMISSION_DENIED", "UNAUTHENTICATED"}  # an object store's, in MLflow's words
DRIVERS = {"boto3": "s3", "botocore": "s3", "google": "gcs", "azure": "azure"}  # packages, and the extra they are in


class MlflowStore:
    """MLflow at the configured address.

    Args:
        storage: tracking address, and where the embedded store keeps artifacts.
    """

    def __init__(self, storage: Storage) -> None:
        self.uri = storage.tracking_uri.get_secret_value()
        self.address = str(storage.tracking_uri)
        self._artifact_root = storage.artifact_root

    @property
    def is_embedded(self) -> bool:
        """Whether runs are kept in a local SQLite file, and not by a server."""
        return self.uri.startswith("sqlite:")

    @property
    def artifacts(self) -> str:
        """Where artifacts are, as it may be shown: a server does not say, so it is its own address."""
        return self.address if self.is_server else masked(self._artifact_root)

    @property
    def is_server(self) -> bool:
        """Whether a tracking server is asked, over HTTP."""
        return self.uri.startswith(("http:", "https:"))

    @contextmanager
    def client(self) -> Iterator[MlflowClient]:
        """MLflow's client; global state of MLflow is set to the same address.

        Raises:
            RegistryError: nothing answers there, or not where artifacts are kept.
        """
        import mlflow
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        try:
            if not self.is_server:
                # MLflow asks a database that does not answer for a minute; this asks once, and sets SQLite to WAL
                probe = open_database(self.uri)
                probe.dispose()  # a connection of the pool would answer for a database that is gone
                probe.connect().close()
            yield mlflow.MlflowClient(self.uri, self.uri)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"}:
                raise
            if error.error_code in REFUSALS and not self.is_server:
                raise self._no_artifacts(error) from None
            raise self._unreachable(first_line(error)) from error
        except (SQLAlchemyError, OSError) as error:
            raise self._unreachable(first_line(error)) from error
        except ImportError as error:
            extra = DRIVERS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            raise self._no_artifacts(error, mend=f'pip install "labline[{extra}]"') from None
        except (*foreign(),) as error:
            raise self._no_artifacts(error) from None  # its text may hold a signed address

    def experiment(self, client: MlflowClient, name: str) -> str:
        """The id of the problem's experiment, made if there is none."""
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None
        if not self.is_server:
            root = self._artifact_root
            location = f"{root if '://' in root else Path(root).resolve().as_uri()}/{name}"
        return str(client.create_experiment(name, artifact_location=location))

    def round_trip(self, name: str) -> None:
        """Write a small artifact and read it back, in a run of its own that is deleted afterwards.

        Raises:
            RegistryError: what comes back is not what was written, or nothing does.
        """
        with self.client() as client, tempfile.TemporaryDirectory() as scratch:
            run = client.create_run(self.experiment(client, name), run_name="round trip").info.run_id
            try:
                client.log_text(run, ROUND_TRIP, "probe.txt")
                back = Path(client.download_artifacts(run, "probe.txt", scratch)).read_text(encoding="utf-8")
            finally:
                client.delete_run(run)
        if back != ROUND_TRIP:
            raise RegistryError(
                "an artifact comes back altered", where=self.address, mend="see the server's artifact store"
            )

    def _no_artifacts(self, error: Exception, mend: str = MEND) -> RegistryError:
        return RegistryError(f"the artifact store is away or refuses: {said(error)}", where=self.artifacts, mend=mend)

    def _unreachable(self, why: str) -> RegistryError:
        why = why.replace(self.uri.rstrip("/"), self.address.rstrip("/"))  # MLflow repeats a password that stands there
        return RegistryError(
            f"MLflow is out of reach: {why}",
            where=self.address,
            mend=(
                "see that its folder can be written to"
                if self.is_embedded
                else "start it, or correct storage.tracking_uri (LABLINE_STORAGE__TRACKING_URI)"
            ),
        )
