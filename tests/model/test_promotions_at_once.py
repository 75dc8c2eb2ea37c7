"""Promotions that meet, or are killed half way: one wins, and the ledger and the registry tell one story."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from labline import pipeline
from labline.config import Config, load
from labline.contract import Problem
from labline.database import open_database
from labline.errors import RegistryError
from labline.migrations import migrate
from labline.model.bundle import MANIFEST_FILE, Bundle, bundle_digest, read_manifest
from labline.model.ledger import Entry, Ledger
from labline.model.registry import Registry, Version
from tests.forked import FORKED

Again = Callable[[], Version]


@pytest.fixture
def registry(config: Config) -> Registry:
    return Registry(config.storage, "obesity")


@pytest.fixture
def again(config: Config, registry: Registry, tmp_path: Path) -> Again:
    """Registers the first version's bundle again, as another one that answers alike."""
    first = registry.version(1)
    source = pipeline.served_from(config, registry, first).folder

    def registered() -> Version:
        folder = tmp_path / "store" / str(len(registry.versions()) + 1)
        shutil.copytree(source, folder)
        made = read_manifest(folder).model_copy(update={"made_at": datetime.now(UTC)})
        (folder / MANIFEST_FILE).write_text(made.model_dump_json(indent=1), encoding="utf-8")
        return registry.register(first.run_id, folder.as_uri(), {"labline.digest": bundle_digest(folder)})

    return registered


def without_champion(registry: Registry) -> None:
    with registry.store.client() as client:
        client.delete_registered_model_alias("obesity", "champion")


def wait_for(others: Barrier) -> None:
    """All have loaded what they need when the first begins."""
    others.wait(120)


def promote_at(root: Path, number: int, force: bool = False) -> tuple[bool, str]:
    config = load(root)
    try:
        outcome = pipeline.promote(config, pipeline.open_problem(config, "obesity"), number=number, force=force)
    except RegistryError as error:
        return False, str(error)
    return outcome.promoted, outcome.reason


def both(root: Path, *calls: tuple[int, bool]) -> list[tuple[bool, str]]:
    """Promotions in processes of their own, at the same time."""
    barrier = FORKED.Barrier(len(calls))
    with ProcessPoolExecutor(len(calls), FORKED, initializer=wait_for, initargs=(barrier,)) as pool:
        running = [pool.submit(promote_at, root, *call) for call in calls]
        return [one.result(240) for one in running]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the ledger is: embedded, or at a server that several machines may ask."""
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres"))
        migrate(open_database(url))
        monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", url)
    return str(request.param)


def test_of_two_promotions_at_once_the_second_meets_the_champion_that_the_first_made(
    database: str, trained: Path, registry: Registry, again: Again
) -> None:
    first, second = again().number, again().number
    without_champion(registry)  # so that either of them, alone, would be promoted
    outcomes = both(trained, (first, False), (second, False))

    assert sorted(promoted for promoted, _ in outcomes) == [False, True]
    winner, loser = (first, second) if outcomes[0][0] else (second, first)
    (refused,) = [reason for promoted, reason in outcomes if not promoted]
    assert refused.startswith("the challenger is not better on the same")
    assert "difference +0.0000" in refused
    config = load(trained)
    ledger = pipeline.history(config, pipeline.open_problem(config, "obesity"))[1]
    assert [(entry.action, entry.version, entry.other) for entry in ledger[:2]] == [
        ("kept", winner, loser),
        ("promoted", winner, None),
    ]
    assert registry.champion().number == winner
    assert database in {"sqlite", "postgresql"}


@pytest.mark.thorough
def test_of_two_forced_promotions_at_once_one_wins_and_the_other_is_told(
    trained: Path, config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    numbers = [again().number, again().number]
    outcomes = both(trained, *((number, True) for number in numbers))
    ledger = pipeline.history(config, problem)[1]
    promoted = [entry.version for entry in ledger if entry.version in numbers]
    if all(done for done, _ in outcomes):  # the second began when the first was done
        assert [entry.other for entry in ledger[:2]] == [ledger[1].version, 1]
    else:
        (told,) = [said for done, said in outcomes if not done]
        assert f"another promotion or rollback was faster: the champion is version {promoted[0]}" in told
        assert len(promoted) == 1
    assert registry.champion().number == ledger[0].version


def kill_at(root: Path, where: str, number: int) -> None:
    """A promotion or rollback whose process is killed before it does what is named."""

    def killed(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    owner = Ledger if where == "add" else Registry
    setattr(owner, where, killed)
    config = load(root)
    problem = pipeline.open_problem(config, "obesity")
    if number:
        pipeline.promote(config, problem, number=number, force=True)
    else:
        pipeline.rollback(config, problem, "it answers nonsense")


def killed_before(root: Path, where: str, number: int) -> None:
    process = FORKED.Process(target=kill_at, args=(root, where, number))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def test_a_promotion_killed_before_it_was_written_down_is_written_by_the_next_command_with_its_reasons(
    trained: Path, config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    second = again().number
    killed_before(trained, "add", second)
    assert registry.champion().number == second
    versions, entries = pipeline.history(config, problem)
    assert [entry.version for entry in entries] == [1]
    remark = pipeline.remark(config, problem, versions, entries)
    assert remark is not None
    assert f"champion is version {second}, the ledger's 1" in remark

    assert not pipeline.promote(config, problem, number=second).promoted  # it is champion already
    versions, entries = pipeline.history(config, problem)
    assert [(entry.action, entry.version, entry.other) for entry in entries] == [
        ("promoted", second, 1),
        ("promoted", 1, None),
    ]
    assert entries[0].reason.startswith("forced, although the challenger is not better")
    assert entries[0].reason.endswith("written down later: the command was interrupted")
    assert pipeline.remark(config, problem, versions, entries) is None
    assert registry.champion().tags["labline.decision"] == "promoted"
    assert pipeline.rollback(config, problem).champion == registry.version(1)


@pytest.mark.thorough
def test_a_promotion_killed_before_the_alias_moved_has_changed_nothing(
    trained: Path, config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    second = again().number
    killed_before(trained, "crown", second)
    assert registry.champion().number == 1
    assert pipeline.promote(config, problem, number=second, force=True).promoted
    assert [entry.version for entry in pipeline.history(config, problem)[1]] == [second, 1]


@pytest.mark.thorough
def test_a_rollback_killed_before_it_was_written_down_is_written_as_a_rollback(
    trained: Path, config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    second = again().number
    pipeline.promote(config, problem, number=second, force=True)
    killed_before(trained, "add", 0)
    assert registry.champion().number == 1
    with pytest.raises(RegistryError, match="no champion before version 1"):
        pipeline.rollback(config, problem)
    entry = pipeline.history(config, problem)[1][0]
    assert (entry.action, entry.version, entry.other) == ("rolled back", 1, second)
    assert entry.reason.startswith("it answers nonsense; written down later")


def test_a_champion_that_someone_set_by_hand_is_written_down_as_found(
    config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    second = again()
    registry.crown(second)
    pipeline.promote(config, problem, number=1)
    actions = [(entry.action, entry.version, entry.other) for entry in pipeline.history(config, problem)[1]]
    assert actions == [("kept", second.number, 1), ("found", second.number, 1), ("promoted", 1, None)]


def test_an_interrupted_promotion_whose_entry_is_there_is_only_tagged(
    config: Config, problem: Problem, registry: Registry
) -> None:
    registry.annotate(registry.champion(), {"labline.decision": "promoting"})
    pipeline.promote(config, problem, number=1)
    assert registry.champion().tags["labline.decision"] == "promoted"
    assert len(pipeline.history(config, problem)[1]) == 1


def test_who_when_and_why_stand_in_the_versions_tags_too(config: Config, problem: Problem, again: Again) -> None:
    again()
    pipeline.promote(config, problem)
    versions, entries = pipeline.history(config, problem)
    for version, entry, decision in zip(versions, entries, ("refused", "promoted"), strict=True):
        assert version.tags["labline.decision"] == decision
        assert version.tags["labline.reason"] == entry.reason
        assert version.tags["labline.who"] == entry.who
        assert version.tags["labline.at"] == entry.at.isoformat(timespec="seconds")
        assert float(version.tags["labline.latency_ms"]) > 0


def limited(config: Config, **limits: float) -> Config:
    return config.model_copy(update={"promotion": config.promotion.model_copy(update=limits)})


def test_a_first_version_that_is_too_slow_or_too_large_is_refused_and_leaves_no_champion(
    config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    second = again().number
    without_champion(registry)
    refused = pipeline.promote(limited(config, latency_ms_max=1e-6, bundle_mb_max=1e-6), problem)
    assert (refused.promoted, refused.champion, refused.card) == (False, None, None)
    assert [" ms, more than " in refused.reasons[0], " MB, more than " in refused.reasons[1]] == [True, True]
    with pytest.raises(RegistryError, match="no champion among 2 versions"):
        registry.champion()
    entry = pipeline.history(config, problem)[1][0]
    assert (entry.action, entry.version, entry.other) == ("refused", second, None)

    forced = pipeline.promote(limited(config, bundle_mb_max=1e-6), problem, force=True)
    assert forced.champion == registry.champion()
    assert forced.reasons[0].startswith("forced, although the bundle has")
    assert pipeline.history(config, problem)[1][0].action == "promoted"


def test_up_says_why_there_is_still_no_champion(config: Config, problem: Problem, registry: Registry) -> None:
    second = registry.version(1)
    registry.register(second.run_id, second.source, dict(second.tags))
    without_champion(registry)
    (config.settings.models / "cache" / "obesity" / "champion.json").unlink()
    with pytest.raises(RegistryError, match=r"not promoted: one row takes .* labline promote obesity --force"):
        pipeline.bring_up(limited(config, latency_ms_max=1e-6), problem)


def test_a_better_challenger_that_is_too_slow_is_refused(
    config: Config, problem: Problem, registry: Registry, again: Again
) -> None:
    again()
    refused = pipeline.promote(limited(config, latency_ms_max=1e-6), problem)
    assert not refused.promoted
    assert refused.reasons[1].startswith("one row takes")
    assert registry.champion().number == 1
    assert Bundle.load(pipeline.served_from(config, registry, registry.version(2)).folder)


def test_a_version_that_only_the_ledger_refused_was_never_champion(tmp_path: Path) -> None:
    ledger = Ledger(open_database(f"sqlite:///{tmp_path}/ledger.db"))
    entry = Entry(problem="p", action="refused", version=1, other=None, reason="", who="ada", at=datetime.now(UTC))
    ledger.add(entry)
    assert ledger.champion("p") is None
    ledger.add(entry.model_copy(update={"action": "promoted", "version": 2}))
    assert ledger.champion("p") == 2
    assert ledger.previous_champion("p", 2) is None
