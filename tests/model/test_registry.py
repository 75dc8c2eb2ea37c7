"""The registry: what it holds, how it says that it holds nothing or cannot be reached, and how a bundle is fetched."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from labline import pipeline
from labline.config import Config, load
from labline.config.section import Url
from labline.errors import BundleError, RegistryError
from labline.model.bundle import Bundle
from labline.model.registry import CHALLENGER, CHAMPION, Registry, Version


@pytest.fixture
def artifact(config: Config, tmp_path: Path) -> Path:
    """The champion's bundle in an artifact store of the test's own."""
    return Path(shutil.copytree(pipeline.champion(config, "obesity").folder, tmp_path / "store" / "bundle"))


@pytest.fixture
def registry(config: Config) -> Registry:
    """The registry of a problem that nothing is registered of."""
    return Registry(config.storage, "other")


@pytest.fixture
def register(config: Config, registry: Registry, artifact: Path):
    """Registers the artifact as the other problem's next version."""
    champion = Registry(config.storage, "obesity").champion()
    tags = {"labline.digest": champion.tags["labline.digest"]}
    return lambda: registry.register(champion.run_id, artifact.as_uri(), tags)


def at(config: Config, uri: str, problem: str = "obesity") -> Registry:
    return Registry(config.storage.model_copy(update={"tracking_uri": Url(uri)}), problem)


def test_an_empty_registry_says_so_with_its_address_and_the_command_to_fill_it(workspace: Path) -> None:
    config = load(workspace)
    registry = Registry(config.storage, "obesity")
    assert registry.versions() == []
    with pytest.raises(RegistryError) as caught:
        registry.champion()
    address = config.storage.tracking_uri.get_secret_value()
    mend = "labline train obesity, or correct storage.tracking_uri if it was trained elsewhere"
    assert str(caught.value) == f"{address}: the registry holds nothing of 'obesity'. Mend: {mend}"
    assert str(workspace) in address


def test_versions_without_a_champion_say_how_many_and_the_command_to_promote_one(
    registry: Registry, register, config: Config
) -> None:
    register()
    with pytest.raises(RegistryError) as caught:
        registry.champion()
    address = config.storage.tracking_uri.get_secret_value()
    assert str(caught.value) == f"{address}: 'other' has no champion among 1 version. Mend: labline promote other"
    register()
    with pytest.raises(RegistryError, match="no champion among 2 versions"):
        registry.champion()


def test_mlflow_out_of_reach_says_so_within_seconds_and_never_the_password(workspace: Path) -> None:
    registry = at(load(workspace), "http://ada:s3cret@127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(RegistryError) as caught:
        registry.champion()
    assert time.monotonic() - started < 30
    said = str(caught.value)
    assert said.startswith("http://ada:***@127.0.0.1:9: MLflow is out of reach: ")
    assert "LABLINE_STORAGE__TRACKING_URI" in said
    assert "s3cret" not in said
    assert "s3cret" not in registry.store.address


def test_a_store_that_cannot_be_written_is_out_of_reach_and_named(workspace: Path) -> None:
    (workspace / "file").touch()
    uri = f"sqlite:///{workspace}/file/mlflow.db"
    with pytest.raises(RegistryError, match=f"{uri}: MLflow is out of reach"):
        at(load(workspace), uri).versions()


def test_a_new_version_is_the_challenger_and_the_one_before_is_no_more(registry: Registry, register) -> None:
    first, second = register(), register()
    assert (first.number, first.aliases, second.number) == (1, (CHALLENGER,), 2)
    newest, oldest = registry.versions()
    assert (newest.number, newest.aliases) == (2, (CHALLENGER,))
    assert (oldest.number, oldest.aliases) == (1, ())
    assert newest == registry.version(2)


def test_a_crowned_version_is_the_champion_and_no_challenger_any_more(registry: Registry, register) -> None:
    registry.crown(register())
    assert registry.champion().number == 1
    assert registry.version(1).aliases == (CHAMPION,)
    registry.crown(register())
    assert registry.champion().number == 2
    assert [version.aliases for version in registry.versions()] == [(CHAMPION,), ()]


def test_crowning_an_older_version_leaves_the_challenger_what_it_is(registry: Registry, register) -> None:
    first, _ = register(), register()
    registry.crown(registry.version(first.number))
    assert [version.aliases for version in registry.versions()] == [(CHALLENGER,), (CHAMPION,)]


def test_a_version_that_is_not_there_is_named(registry: Registry, register) -> None:
    register()
    with pytest.raises(RegistryError, match=r"other has no version 99\. Mend: see labline registry other"):
        registry.version(99)


def test_annotations_are_read_back_with_the_version(registry: Registry, register) -> None:
    registry.annotate(register(), {"labline.decision": "refused", "labline.reason": "worse"})
    tags = registry.version(1).tags
    assert (tags["labline.decision"], tags["labline.reason"]) == ("refused", "worse")
    assert "labline.digest" in tags


def test_the_problems_of_one_store_do_not_see_each_others_versions(
    registry: Registry, register, config: Config
) -> None:
    register()
    assert [version.problem for version in registry.versions()] == ["other"]
    assert {version.problem for version in Registry(config.storage, "obesity").versions()} == {"obesity"}


def test_a_fetched_bundle_is_whole_and_the_one_that_was_registered(
    registry: Registry, register, artifact: Path, tmp_path: Path
) -> None:
    version = register()
    folder = registry.fetch(version, tmp_path / "cache")
    assert Bundle.load(folder).digest == Bundle.load(artifact).digest == version.tags["labline.digest"]
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_what_training_logged_can_be_fetched_on_a_machine_that_never_saw_it(config: Config, tmp_path: Path) -> None:
    registry = Registry(config.storage, "obesity")
    version = registry.champion()
    folder = registry.fetch(version, tmp_path / "cache")
    assert Bundle.load(folder).digest == version.tags["labline.digest"]


def test_a_second_fetch_does_not_ask_for_the_artifacts(
    registry: Registry, register, artifact: Path, tmp_path: Path
) -> None:
    version = register()
    first = registry.fetch(version, tmp_path / "cache")
    shutil.rmtree(artifact)
    assert registry.fetch(version, tmp_path / "cache") == first
    Bundle.load(first)


def test_a_bundle_that_is_not_whole_in_the_store_leaves_nothing_in_the_cache(
    registry: Registry, register, artifact: Path, tmp_path: Path
) -> None:
    version = register()
    (artifact / "members" / "0" / "lightgbm.txt").unlink()
    with pytest.raises(BundleError, match=r"lightgbm\.txt is missing"):
        registry.fetch(version, tmp_path / "cache")
    assert _names(tmp_path / "cache" / "other") == []


def test_another_bundle_in_the_place_of_the_registered_one_is_refused(
    registry: Registry, register, artifact: Path, tmp_path: Path
) -> None:
    version = replace(register(), tags={"labline.digest": "0" * 64})
    with pytest.raises(BundleError, match="not the bundle that was registered as other version 1"):
        registry.fetch(version, tmp_path / "cache")
    assert _names(tmp_path / "cache" / "other") == []
    Bundle.load(artifact)


def test_files_that_the_store_has_lost_are_told_with_the_version_and_their_address(
    registry: Registry, register, artifact: Path, tmp_path: Path
) -> None:
    version = register()
    shutil.rmtree(artifact)
    with pytest.raises(RegistryError, match="the bundle of other version 1 cannot be fetched") as caught:
        registry.fetch(version, tmp_path / "cache")
    assert artifact.as_uri() in str(caught.value)
    assert _names(tmp_path / "cache" / "other") == []


def test_those_who_fetch_at_the_same_time_all_get_the_whole_bundle(
    registry: Registry, register, tmp_path: Path
) -> None:
    version: Version = register()
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: registry.fetch(version, tmp_path / "cache"), range(8)))
    assert len(folders) == 1
    folder = folders.pop()
    assert set(_names(folder)) == {*Bundle.load(folder).manifest.files, "manifest.json"}
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_version_1_of_a_store_that_was_started_anew_is_not_taken_for_the_old_one(
    registry: Registry, register, tmp_path: Path
) -> None:
    version = register()
    other = replace(version, tags={"labline.digest": "f" * 64})
    assert registry.cached(version, tmp_path) != registry.cached(other, tmp_path)


def _names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
