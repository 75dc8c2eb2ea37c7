"""The registry: versions of a problem's bundle in MLflow, and the aliases `champion` and `challenger`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labline.config.storage import Storage
from labline.errors import BundleError, RegistryError
from labline.model.bundle import bundle_digest, check_whole
from labline.model.mlflow_store import MlflowStore
from labline.store import said

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
LOGGED_MODEL = "models:/"  # how the address of a model that MLflow keeps begins; its id follows
ARTIFACT = "bundle"  # the name under which the run logs the model


@dataclass(frozen=True)
class Version:
    """A version in the registry."""

    problem: str
    number: int
    run_id: str
    source: str
    aliases: tuple[str, ...]
    tags: dict[str, str]

    def __str__(self) -> str:
        return f"{self.problem} version {self.number}"


class Registry:
    """The versions of one problem.

    Args:
        storage: where MLflow is.
        problem: the registered model's name.
    """

    def __init__(self, storage: Storage, problem: str) -> None:
        self.store = MlflowStore(storage)
        self.problem = problem

    def register(self, run_id: str, model_uri: str, tags: dict[str, str]) -> Version:
        """A new version from a run's model, which becomes the challenger."""
        with self.store.client() as client:
            _create_model(client, self.problem)
            # a tracking server wants to be told which logged model the source is; the embedded store does not ask
            model_id = model_uri.removeprefix(LOGGED_MODEL) if model_uri.startswith(LOGGED_MODEL) else None
            made = client.create_model_version(self.problem, model_uri, run_id, tags=tags, model_id=model_id)
            client.set_registered_model_alias(self.problem, CHALLENGER, made.version)
            return _version(client.get_model_version(self.problem, made.version))

    def versions(self) -> list[Version]:
        """All versions, the newest first; none when the problem was never registered."""
        with self.store.client() as client:
            # a search leaves the aliases out on some stores: they stand with the registered model
            aliases: dict[str, list[str]] = {}
            for model in client.search_registered_models(f"name = '{self.problem}'"):
                for alias, number in model.aliases.items():
                    aliases.setdefault(str(number), []).append(alias)
            found = client.search_model_versions(f"name = '{self.problem}'", max_results=1000)
            versions = [_version(version, tuple(sorted(aliases.get(str(version.version), ())))) for version in found]
        return sorted(versions, key=lambda version: -version.number)

    def version(self, number: int) -> Version:
        """One version.

        Raises:
            RegistryError: there is none of this number.
        """
        for version in self.versions():
            if version.number == number:
                return version
        raise RegistryError(
            f"{self.problem} has no version {number}",
            where=self.store.address,
            mend=f"see labline registry {self.problem}",
        )

    def champion(self) -> Version:
        """The version that has the alias `champion`; raises as `holder` does."""
        return self.holder(CHAMPION, mend=f"labline promote {self.problem}")

    def challenger(self) -> Version:
        """The version that has the alias `challenger`; raises as `holder` does."""
        named = f"labline promote {self.problem} --version N"
        return self.holder(CHALLENGER, mend=f"labline train {self.problem}, or name a version: {named}")

    def holder(self, alias: str, *, mend: str) -> Version:
        """The version that has the alias.

        Raises:
            RegistryError: none has, or the registry is empty or out of reach; three different messages.
        """
        from mlflow.exceptions import MlflowException

        with self.store.client() as client:
            try:
                return _version(client.get_model_version_by_alias(self.problem, alias))
            except MlflowException as error:
                if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise
        raise self.nobody(alias, len(self.versions()), mend=mend)

    def nobody(self, alias: str, count: int, *, mend: str) -> RegistryError:
        """What is said when none of so many versions has the alias; of an empty registry, that it is."""
        if not count:
            return RegistryError(
                f"the registry holds nothing of {self.problem!r}",
                where=self.store.address,
                mend=f"labline train {self.problem}, or correct storage.tracking_uri if it was trained elsewhere",
            )
        return RegistryError(
            f"{self.problem!r} has no {alias} among {count} version{'s' * (count > 1)}",
            where=self.store.address,
            mend=mend,
        )

    def crown(self, version: Version) -> None:
        """Make the version the champion; a challenger stops being one."""
        with self.store.client() as client:
            client.set_registered_model_alias(self.problem, CHAMPION, str(version.number))
            if CHALLENGER in version.aliases:
                client.delete_registered_model_alias(self.problem, CHALLENGER)

    def annotate(self, version: Version, tags: dict[str, str]) -> None:
        """Write tags to the version."""
        with self.store.client() as client:
            for key, value in tags.items():
                client.set_model_version_tag(self.problem, str(version.number), key, value)

    def cached(self, version: Version, cache: Path) -> Path:
        """The folder in the cache that is the version's bundle's, whether or not it is there yet."""
        return cache / self.problem / f"{version.number}-{version.tags.get('labline.digest', '')[:12]}"

    def fetch(self, version: Version, cache: Path) -> Path:
        """The folder of the version's bundle in a local cache; fetched whole or not at all.

        Raises:
            RegistryError: MLflow is out of reach, or has lost the version's files.
            BundleError: what MLflow keeps is not whole, or not what was registered.
        """
        folder = self.cached(version, cache)
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self.store.client(), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
            model = _download(version, scratch)
            bundle = next((file.parent for file in model.rglob("manifest.json")), model)
            check_whole(bundle)
            if bundle_digest(bundle) != version.tags.get("labline.digest", bundle_digest(bundle)):
                raise BundleError(
                    f"this is not the bundle that was registered as {version}", where=version.source, mend="train again"
                )
            try:
                bundle.rename(folder)
            except OSError:  # another process was faster; its copy is the same
                if not folder.is_dir():
                    raise
        return folder


def _download(version: Version, folder: str) -> Path:
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=version.source, dst_path=folder))
    except MlflowException as error:
        lost = error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
        if not lost and "failures occurred while downloading" not in error.message:
            raise  # MLflow itself is out of reach
        why = "its files are not there" if lost else said(error.message.splitlines()[-1])
        raise RegistryError(
            f"the bundle of {version} cannot be fetched: {why}",
            where=version.source,
            mend="see MLflow's artifact store, or train again",
        ) from error


def _create_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(found: Any, aliases: tuple[str, ...] | None = None) -> Version:
    return Version(
        problem=str(found.name),
        number=int(found.version),
        run_id=str(found.run_id),
        source=str(found.source),
        aliases=tuple(found.aliases) if aliases is None else aliases,
        tags=dict(found.tags),
    )
