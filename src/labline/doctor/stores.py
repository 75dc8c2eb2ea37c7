"""Checks of where things are kept: database, object store, MLflow and its artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from labline.config import Config
from labline.database import address, open_database
from labline.doctor.finding import Advice
from labline.errors import DatabaseError, RegistryError

if TYPE_CHECKING:
    from requests import Response

    from labline.model.mlflow_store import MlflowStore

WRONG_PASSWORD = "password authentication failed"  # noqa: S105  (PostgreSQL's words)
WRONG_HOST = "Invalid Host header"  # MLflow's words


def database(config: Config, _problem: str) -> str:
    """Whether the database is there, migrated, and takes a row."""
    from labline.migrations import REVISION
    from labline.monitoring.prediction_log import PredictionLog

    engine = open_database(config.storage.database_url.get_secret_value())
    try:
        PredictionLog(engine).try_writing()
    except DatabaseError as error:
        if WRONG_PASSWORD not in error.what:
            raise
        raise DatabaseError(
            error.what,
            where=error.where,
            mend=(
                "if .env was made anew after the volume was, put the old password back, or give the new one to "
                f"PostgreSQL: ALTER ROLE {engine.url.username} PASSWORD '…'"
            ),
        ) from error
    return f"{address(engine)}: revision {REVISION}, can be written to"


def object_store(config: Config, _problem: str) -> str:
    """Whether what is written to the common root comes back."""
    from labline.store import probe

    if config.storage.root is None:
        return "none; data and reports are in the workspace"
    return f"{probe(config)}: written and read back"


def tracking(config: Config, _problem: str) -> str:
    """Whether MLflow is there, and a server not older than its client."""
    from labline.model.mlflow_store import MlflowStore

    store = MlflowStore(config.storage)
    if not store.is_server:
        with store.client() as client:
            client.search_experiments(max_results=1)
        return f"{'embedded, ' if store.is_embedded else ''}{store.address}"

    import mlflow
    from packaging.version import InvalidVersion, Version

    answer = _ask(store, "/version")  # like /health, it is answered whatever the Host header says
    if answer.status_code == 404:
        raise Advice(
            "the server does not say its version", where=store.address, mend=f"run MLflow {mlflow.__version__}"
        )
    if answer.status_code != 200:
        raise _refused(store, answer)
    try:
        server, own = Version(answer.text.strip()), Version(mlflow.__version__)
    except InvalidVersion:
        raise RegistryError(
            "what answers there is no MLflow",
            where=store.address,
            mend="correct storage.tracking_uri (LABLINE_STORAGE__TRACKING_URI)",
        ) from None
    if server < own or server.major != own.major:
        raise Advice(
            f"the server is MLflow {server}, the client here {own}",
            where=store.address,
            mend=f"run MLflow {own} there: docker compose build mlflow",
        )
    return f"{store.address}: MLflow {server}"


def hosts(config: Config, _problem: str) -> str:
    """Whether the server answers under the name by which it is asked, and to this user."""
    from labline.model.mlflow_store import MlflowStore

    store = MlflowStore(config.storage)
    if not store.is_server:
        return "no server is asked"
    name = urlsplit(store.uri).netloc.rpartition("@")[2]
    answer = _ask(store, "/api/2.0/mlflow/experiments/search?max_results=1")
    if answer.status_code == 403 and WRONG_HOST in answer.text:
        raise RegistryError(
            f"the server does not answer to the name {name}",
            where=store.address,
            mend=f"add {name} to the server's MLFLOW_SERVER_ALLOWED_HOSTS; do not switch the protection off",
        )
    if answer.status_code != 200:
        raise _refused(store, answer)
    return f"the server answers to {name}"


def artifacts(config: Config, problem: str) -> str:
    """Whether an artifact comes back as it was written."""
    from labline.model.mlflow_store import MlflowStore

    store = MlflowStore(config.storage)
    store.round_trip(problem)
    return f"{store.artifacts}: written and read back"


def _ask(store: MlflowStore, path: str) -> Response:
    """What the server answers, asked as MLflow's own client asks: with its credentials, certificates and patience."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    with store.client():
        credentials = get_default_host_creds(store.uri)  # type: ignore[no-untyped-call]
        answer: Response = http_request(credentials, path, "GET", raise_on_status=False)  # type: ignore[no-untyped-call]
        return answer


def _refused(store: MlflowStore, answer: Response) -> RegistryError:
    """The server is there, and says no or is broken."""
    return RegistryError(
        f"the server answers {answer.status_code} {answer.reason}",
        where=store.address,
        mend=(
            "see MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            if answer.status_code in {401, 403}
            else "see the server's own log"
        ),
    )
