"""The doctor: what would stand in the way, each with its mend."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from labline.config import Config
from labline.database import open_database
from labline.errors import LablineError

DISK_MIN = 2 * 2**30  # bytes: a training's run, its bundle and some report pages fit into far less
LOCK_FILE = "requirements.txt"


@dataclass(frozen=True)
class Finding:
    """One check's outcome; `mend` is empty when all is well."""

    check: str
    ok: bool
    said: str
    mend: str = ""


def examine(config: Config, problem: str) -> Iterator[Finding]:
    """Run every check; one that fails does not stop the others."""
    checks: dict[str, Callable[[Config, str], str]] = {
        "contract": _contract,
        "folders": _folders,
        "disk": _disk,
        "port": _port,
        "database": _database,
        "mlflow": _mlflow,
        "artifacts": _artifacts,
        "champion": _champion,
        "kaggle": _kaggle,
        "versions": _versions,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, True, check(config, problem))
        except LablineError as error:
            place = f"{error.where}: " if error.where else ""
            yield Finding(name, False, f"{place}{error.what}", error.mend or "")


def _contract(config: Config, problem: str) -> str:
    from labline.features import FEATURES_FILE, read_features
    from labline.pipeline.problem import open_problem

    contract = open_problem(config, problem)
    derived = read_features(config.settings.problems / problem / FEATURES_FILE, contract)
    return f"{len(contract.columns)} columns, {len(derived.names)} derived features"


def _folders(config: Config, _problem: str) -> str:
    for folder in (config.settings.data, config.settings.models, config.settings.reports):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise LablineError(
                f"cannot be written to: {error.strerror}",
                where=str(folder),
                mend="give its owner's rights to this user",
            ) from error
    return "data, models and reports can be written to"


def _disk(config: Config, _problem: str) -> str:
    free = shutil.disk_usage(config.settings.root).free
    if free < DISK_MIN:
        raise LablineError(f"{free / 2**30:.1f} GiB free", where=str(config.settings.root), mend="free some space")
    return f"{free / 2**30:.0f} GiB free"


def _port(config: Config, _problem: str) -> str:
    refuse_busy_port(config.serving.host, config.serving.port)
    return f"{config.serving.host}:{config.serving.port} is free"


def refuse_busy_port(host: str, port: int) -> None:
    """Say so before anything long is done when the API could not listen afterwards.

    Raises:
        LablineError: something listens there already, or the address is not this machine's.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name == "posix":  # elsewhere this would let two share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LablineError(
                f"the API cannot listen there: {error.strerror or error}",
                where=f"{host}:{port}",
                mend="stop what listens there, or choose another with --port or LABLINE_SERVING__PORT",
            ) from error


def _database(config: Config, _problem: str) -> str:
    url = config.storage.database_url
    try:
        with open_database(url.get_secret_value()).connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        raise LablineError(
            f"does not answer: {type(error).__name__}", where=str(url), mend="start it, or correct storage.database_url"
        ) from error
    return str(url)


def _mlflow(config: Config, problem: str) -> str:
    from labline.model.registry import Registry

    registry = Registry(config.storage, problem)
    return f"{registry.store.address}: {len(registry.versions())} versions of {problem}"


def _artifacts(config: Config, problem: str) -> str:
    from labline.model.mlflow_store import MlflowStore

    MlflowStore(config.storage).round_trip(problem)
    return "written and read back"


def _champion(config: Config, problem: str) -> str:
    from labline.pipeline.champion import load_champion

    number, bundle = load_champion(config, problem)
    made = f"{bundle.manifest.family}, trained on {bundle.manifest.data.kind} data"
    return f"version {number}, {made}, gives its golden answers"


def _kaggle(_config: Config, _problem: str) -> str:
    from labline.data.sources.kaggle import has_credentials

    return "credentials found" if has_credentials() else "no credentials: `auto` takes the generated sample"


def _versions(config: Config, _problem: str) -> str:
    lock = config.settings.root / LOCK_FILE
    if not lock.is_file():
        return f"no {LOCK_FILE} here to compare with"
    differing = list(_differing(lock))
    if differing:
        raise LablineError(
            f"other versions than locked: {', '.join(differing[:5])}{' …' * (len(differing) > 5)}",
            where=str(lock),
            mend="make setup",
        )
    return "as locked"


def _differing(lock: Path) -> Iterator[str]:
    from packaging.requirements import Requirement

    for line in lock.read_text(encoding="utf-8").splitlines():
        if "==" not in line or line.startswith(("#", " ")):
            continue
        wanted = Requirement(line.split(" \\")[0])
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            yield f"{wanted.name} (not installed)"
            continue
        if not wanted.specifier.contains(installed, prereleases=True):
            yield f"{wanted.name} {installed} (locked {wanted.specifier})"
