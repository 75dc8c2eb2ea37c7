"""Promotion: the better one on the same held-out rows, a reason that can be read later, and the way back."""

from __future__ import annotations

import getpass
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from labline import pipeline
from labline.config import Config, load
from labline.config.promotion import Promotion as Limits
from labline.contract import Problem
from labline.database import open_database
from labline.errors import BundleError, ContractError, DataError, RegistryError
from labline.model.bundle import Bundle, Contents, bundle_digest, finish_bundle, write_bundle
from labline.model.ensemble import Ensemble
from labline.model.evaluation import Judged
from labline.model.ledger import Action, Entry, Ledger
from labline.model.promotion import Decision, compare
from labline.model.registry import CHALLENGER, CHAMPION, Registry, Version
from labline.model.tasks import task_of
from labline.pipeline.data import columns_of
from labline.pipeline.divided import holdout_frame
from tests.model.test_bundle import seal, shortened
from tests.model.test_tasks import BINARY, REGRESSION
from tests.model.test_tasks import problem as problem_of

Register = Callable[[int], Version]


@pytest.fixture
def registry(config: Config) -> Registry:
    return Registry(config.storage, "obesity")


@pytest.fixture
def register(config: Config, problem: Problem, registry: Registry, tmp_path: Path) -> Register:
    """Registers a challenger: the champion's bundle made again with only so many of its boosting rounds."""
    champion = Bundle.load(pipeline.champion(config, "obesity").folder)
    run_id = registry.champion().run_id

    def registered(rounds: int) -> Version:
        folder = tmp_path / "store" / str(len(registry.versions()) + 1)
        folder.parent.mkdir(exist_ok=True)
        (part,) = champion.ensemble.parts
        ensemble = Ensemble([replace(part, member=shortened(part.member, rounds))])
        made = champion.manifest.model_copy(update={"made_at": datetime.now(UTC)})
        source = config.settings.problems / problem.name
        bundle = write_bundle(folder, Contents(source, ensemble, champion.task.rule, made))
        bundle = finish_bundle(bundle, (champion.folder / "profile.json").read_text(encoding="utf-8"), {})
        return registry.register(run_id, folder.as_uri(), {"labline.digest": bundle.digest})

    return registered


@pytest.fixture
def rounds(config: Config) -> int:
    """As many rounds as the champion has."""
    return Bundle.load(pipeline.champion(config, "obesity").folder).ensemble.rounds


def accuracy(config: Config, problem: Problem, registry: Registry, number: int) -> float:
    """A version's accuracy on its hold-out, worked out without the code under test."""
    bundle = Bundle.load(pipeline.served_from(config, registry, registry.version(number)).folder)
    frame = holdout_frame(config, bundle)
    answers = bundle.task.decisions(bundle.scores(columns_of(problem, frame)))
    return float((answers == frame[problem.target].to_numpy()).mean())


def test_the_first_version_becomes_champion_because_there_was_none(config: Config, problem: Problem) -> None:
    versions, ledger = pipeline.history(config, problem)
    assert [(version.number, version.aliases) for version in versions] == [(1, (CHAMPION,))]
    (entry,) = ledger
    assert (entry.action, entry.version, entry.other) == ("promoted", 1, None)
    assert (entry.who, entry.problem) == (getpass.getuser(), "obesity")
    first, latency, size = entry.reason.split("; ")
    assert first == "there was no champion"
    assert re.fullmatch(r"one row takes \S+ ms \(at most 50\)", latency)
    assert re.fullmatch(r"the bundle has \S+ MB \(at most 200\)", size)
    assert timedelta(0) < datetime.now(UTC) - entry.at < timedelta(hours=1)


def test_a_worse_challenger_is_refused_with_the_figures(
    config: Config, problem: Problem, registry: Registry, register: Register
) -> None:
    register(2)
    result = pipeline.promote(config, problem)
    assert not result.promoted
    assert result.champion.number == registry.champion().number == 1
    ours, theirs = accuracy(config, problem, registry, 2), accuracy(config, problem, registry, 1)
    said = re.fullmatch(
        r"the challenger is not better on the same (\d+) held-out rows: accuracy (\S+) against (\S+), "
        r"difference (\S+) \[(\S+), (\S+)\]",
        result.reasons[0],
    )
    assert said is not None
    bundle = Bundle.load(pipeline.served(config, "obesity").folder)  # type: ignore[union-attr]
    assert int(said[1]) == bundle.manifest.data.holdout_rows
    figures = [float(figure) for figure in said.groups()[1:]]
    assert figures[:3] == pytest.approx([ours, theirs, ours - theirs], abs=6e-5)
    assert figures[3] < figures[2] < figures[4] < 0


def test_a_better_challenger_is_promoted_and_the_machine_serves_it(
    config: Config, problem: Problem, registry: Registry, register: Register, rounds: int
) -> None:
    register(2)
    pipeline.promote(config, problem, force=True)
    register(rounds)
    result = pipeline.promote(config, problem)
    assert result.promoted
    assert (result.champion.number, result.previous and result.previous.number) == (3, 2)
    assert "challenger is better on the same" in result.reason
    assert registry.champion().number == 3
    assert CHALLENGER not in registry.champion().aliases
    served = pipeline.served(config, "obesity")
    assert served is not None
    assert served.version == 3
    assert Bundle.load(served.folder).digest == registry.version(3).tags["labline.digest"]


def test_the_champions_own_bundle_registered_again_is_kept_out(
    config: Config, problem: Problem, registry: Registry
) -> None:
    champion = registry.champion()
    registry.register(champion.run_id, champion.source, {"labline.digest": champion.tags["labline.digest"]})
    result = pipeline.promote(config, problem)
    assert not result.promoted
    assert result.reasons == ("challenger and champion are the same bundle",)
    assert registry.champion().number == 1


def test_a_challenger_as_good_as_the_champion_leaves_it_in_its_place(
    config: Config, problem: Problem, register: Register, rounds: int
) -> None:
    register(rounds)
    result = pipeline.promote(config, problem)
    assert not result.promoted
    assert "not better" in result.reason
    assert "difference +0.0000 [+0.0000, +0.0000]" in result.reason


def test_a_forced_promotion_says_that_it_was_forced_and_against_what(
    config: Config, problem: Problem, registry: Registry, register: Register
) -> None:
    register(2)
    result = pipeline.promote(config, problem, force=True)
    assert result.promoted
    assert registry.champion().number == 2
    assert result.reason.startswith("forced, although the challenger is not better on the same")
    assert pipeline.history(config, problem)[1][0].reason == result.reason


def test_any_version_can_be_named_and_is_compared_like_a_challenger(
    config: Config, problem: Problem, registry: Registry, register: Register, rounds: int
) -> None:
    register(2)
    register(3)
    refused = pipeline.promote(config, problem, number=2)
    assert not refused.promoted
    assert (registry.champion().number, refused.champion.number) == (1, 1)
    pipeline.promote(config, problem, number=2, force=True)
    assert registry.champion().number == 2
    assert registry.version(3).aliases == (CHALLENGER,)
    assert pipeline.promote(config, problem, number=1).promoted
    with pytest.raises(RegistryError, match="obesity has no version 9"):
        pipeline.promote(config, problem, number=9)


def test_the_champion_named_again_changes_nothing_and_is_not_written_down(config: Config, problem: Problem) -> None:
    before = pipeline.history(config, problem)
    result = pipeline.promote(config, problem, number=1)
    assert not result.promoted
    assert result.reason == "version 1 is the champion already"
    assert pipeline.history(config, problem) == before


def test_without_a_challenger_there_is_nothing_to_promote(config: Config, problem: Problem) -> None:
    with pytest.raises(RegistryError, match=r"'obesity' has no challenger.*labline promote obesity --version N"):
        pipeline.promote(config, problem)


def test_where_nothing_is_registered_nothing_is_promoted_and_nothing_rolled_back(
    config: Config, problem: Problem
) -> None:
    other = problem.model_copy(update={"name": "other"})
    for action in (pipeline.promote, pipeline.rollback):
        with pytest.raises(RegistryError, match=r"the registry holds nothing of 'other'. Mend: labline train other"):
            action(config, other)


def test_a_challenger_whose_bundle_does_not_load_is_not_crowned(
    config: Config, problem: Problem, registry: Registry, register: Register, tmp_path: Path
) -> None:
    register(2)
    (tmp_path / "store" / "2" / "golden.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"golden\.json was altered"):
        pipeline.promote(config, problem, force=True)
    assert registry.champion().number == 1
    assert len(pipeline.history(config, problem)[1]) == 1


def test_a_first_version_whose_bundle_does_not_load_is_not_crowned_either(
    config: Config, problem: Problem, registry: Registry, register: Register, tmp_path: Path
) -> None:
    version = register(2)
    folder = tmp_path / "store" / "2"
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    golden["scores"][0].reverse()
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    seal(folder)
    registry.annotate(version, {"labline.digest": bundle_digest(folder)})
    with registry.store.client() as client:
        client.delete_registered_model_alias("obesity", CHAMPION)
    with pytest.raises(BundleError, match=r"does not give the answers of golden\.json"):
        pipeline.promote(config, problem, force=True)
    with pytest.raises(RegistryError, match="no champion among 2 versions"):
        registry.champion()


def test_without_the_rows_to_compare_on_the_champion_stays(
    config: Config, problem: Problem, registry: Registry, register: Register
) -> None:
    register(2)
    shutil.rmtree(config.settings.data)
    with pytest.raises(DataError, match=r"the snapshot is not in this workspace.*data/obesity"):
        pipeline.promote(config, problem)
    assert registry.champion().number == 1


def test_a_rollback_brings_the_champion_before_back_and_a_second_one_goes_further(
    config: Config, problem: Problem, registry: Registry, register: Register
) -> None:
    for count in (2, 3):
        register(count)
        pipeline.promote(config, problem, force=True)
    assert registry.champion().number == 3
    first = pipeline.rollback(config, problem, "it answers nonsense")
    assert (first.champion.number, first.previous and first.previous.number) == (2, 3)
    assert registry.champion().number == 2
    assert pipeline.served(config, "obesity").version == 2  # type: ignore[union-attr]
    pipeline.rollback(config, problem)
    assert registry.champion().number == 1
    with pytest.raises(RegistryError, match="'obesity' has had no champion before version 1"):
        pipeline.rollback(config, problem)
    assert registry.champion().number == 1
    ledger = pipeline.history(config, problem)[1]
    assert [(entry.action, entry.version, entry.other, entry.reason) for entry in ledger[:2]] == [
        ("rolled back", 1, 2, "asked for"),
        ("rolled back", 2, 3, "it answers nonsense"),
    ]


def test_a_refused_challenger_is_no_champion_to_roll_back_to(
    config: Config, problem: Problem, registry: Registry, register: Register
) -> None:
    register(2)
    pipeline.promote(config, problem)
    with pytest.raises(RegistryError, match="no champion before version 1"):
        pipeline.rollback(config, problem)
    assert registry.champion().number == 1


def test_the_ledger_and_the_registrys_tags_tell_the_same_story(
    config: Config, problem: Problem, register: Register
) -> None:
    register(2)
    refused = pipeline.promote(config, problem)
    register(3)
    forced = pipeline.promote(config, problem, force=True)
    versions, ledger = pipeline.history(config, problem)
    tags = {version.number: version.tags for version in versions}
    assert [(entry.action, entry.version, entry.other, entry.reason) for entry in ledger] == [
        ("promoted", 3, 1, forced.reason),
        ("kept", 1, 2, refused.reason),
        ("promoted", 1, None, ledger[-1].reason),
    ]
    assert {number: found["labline.decision"] for number, found in tags.items()} == {
        1: "promoted",
        2: "refused",
        3: "promoted",
    }
    assert [tags[number]["labline.reason"] for number in (3, 2, 1)] == [entry.reason for entry in ledger]
    (champion,) = [version.number for version in versions if CHAMPION in version.aliases]
    assert champion == ledger[0].version


def story(ledger: Ledger, *steps: tuple[Action, int], current: int | None = None) -> int | None:
    """What the ledger says was the champion before, after the steps; `current` where the registry says otherwise."""
    for action, version in steps:
        ledger.add(
            Entry(problem="p", action=action, version=version, other=None, reason="", who="ada", at=datetime.now(UTC))
        )
    return ledger.previous_champion("p", current or (steps[-1][1] if steps else 1))


@pytest.mark.parametrize(
    ("steps", "previous"),
    [
        ([], None),
        ([("promoted", 1)], None),
        ([("promoted", 1), ("promoted", 2)], 1),
        ([("promoted", 1), ("kept", 1), ("promoted", 2), ("kept", 2)], 1),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1)], None),
        ([("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled back", 2)], 1),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1), ("promoted", 3)], 1),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1), ("promoted", 2)], 1),
        ([("promoted", 1), ("promoted", 2), ("promoted", 1)], 2),
    ],
)
def test_the_champion_before_is_found_whatever_happened(
    tmp_path: Path, steps: list[tuple[Action, int]], previous: int | None
) -> None:
    ledger = Ledger(open_database(f"sqlite:///{tmp_path}/ledger.db"))
    assert story(ledger, *steps) == previous
    assert ledger.previous_champion("another problem", 1) is None


def test_a_champion_that_the_ledger_does_not_know_is_rolled_back_to_the_last_one_it_does(tmp_path: Path) -> None:
    ledger = Ledger(open_database(f"sqlite:///{tmp_path}/ledger.db"))
    assert story(ledger, ("promoted", 1), ("promoted", 2), current=3) == 2  # an alias that was set by hand
    assert story(ledger, current=1) is None


def test_the_ledger_is_there_the_next_day(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    story(Ledger(open_database(url)), ("promoted", 1), ("promoted", 2))
    entries = Ledger(open_database(url)).entries("p")
    assert [entry.version for entry in entries] == [2, 1]
    assert all(entry.at.tzinfo is UTC for entry in entries)


LIMITS = Limits(minimum_gain=0, segment_loss_max=0.1, latency_ms_max=50, bundle_mb_max=200, resamples=200)


def compared(metric: str, challenger: Judged, champion: Judged, **limits: float) -> Decision:
    """Judged without segments."""
    return compare(metric, challenger, champion, {}, 7, LIMITS.model_copy(update=limits))


def test_in_a_loss_the_smaller_one_wins() -> None:
    target = np.arange(40.0)
    near, far = target + 0.1, target + np.tile([1.0, 2.0], 20)
    nearer, farther = Judged(REGRESSION, target, near), Judged(REGRESSION, target, far)
    assert compared("rmse", nearer, farther).promote
    assert not compared("rmse", farther, nearer).promote


def test_what_wins_depends_on_the_contracts_metric() -> None:
    target = np.array([0, 0, 0, 1] * 10)
    # ranks without a fault, and calls everyone "yes"; and the other way round
    bold = Judged(BINARY, target, BINARY.scores(np.where(target == 1, 0.99, 0.51)))
    shy = Judged(BINARY, target, BINARY.scores(np.tile([0.1, 0.2, 0.3, 0.15], 10)))
    assert not compared("accuracy", bold, shy).promote
    assert compared("roc_auc", bold, shy).promote


def test_each_side_is_judged_by_its_own_order_of_classes() -> None:
    reversed_ = task_of(problem_of("binary", "yes", "no"))
    target, scores = np.array([0, 1] * 20), BINARY.scores(np.tile([0.2, 0.9], 20))
    turned = Judged(reversed_, 1 - target, scores[:, ::-1])
    assert compared("accuracy", turned, Judged(BINARY, target, scores)).reason.endswith("[+0.0000, +0.0000]")


SAMPLE = """
import numpy as np
import pandas as pd


def train(seed):
    random = np.random.default_rng(seed)
    x, z = random.normal(size=400), random.normal(size=400)
    return pd.DataFrame({"x": x, "z": z, "y": np.where(x + z + 0.3 * random.normal(size=400) > 0.5, "yes", "no")})
"""


def total(workspace: Path, **changes: object) -> tuple[Config, Problem]:
    """A small problem in the workspace whose rows are generated: whether x and z together are large."""
    folder = workspace / "problems" / "total"
    folder.mkdir(exist_ok=True)
    contract = {
        "name": "total",
        "title": "Large total",
        "task": "binary",
        "target": "y",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"kaggle": {"competition": "none", "file": "none.csv"}}},
        "columns": {"x": {"type": "number"}, "z": {"type": "number"}},
    }
    (folder / "problem.yaml").write_text(yaml.safe_dump(contract | changes), encoding="utf-8")
    (folder / "sample.py").write_text(SAMPLE, encoding="utf-8")
    config = load(workspace)
    return config, pipeline.open_problem(config, "total")


def hasty(config: Config) -> Config:
    """Training is over before it has begun: what comes of it is worth little."""
    settings = {"budget_seconds": 1e-6, "families": ("lightgbm",)}
    return config.model_copy(update={"training": config.training.model_copy(update=settings)})


def test_versions_are_compared_by_their_own_contracts_whatever_the_workspace_says_now(workspace: Path) -> None:
    config, problem = total(workspace)
    pipeline.prepare(config, problem, source="sample")
    first = pipeline.train(config, problem)
    assert first.evaluation.metrics["accuracy"] > 0.8
    pipeline.promote(config, problem)
    held = holdout_frame(config, first.bundle)

    config, problem = total(workspace, classes=["yes", "no"])
    assert holdout_frame(config, first.bundle).equals(held)
    worse = pipeline.train(hasty(config), problem)
    decision = pipeline.promote(config, problem)
    assert not decision.promoted
    figures = f"accuracy {worse.evaluation.metrics['accuracy']:.4f} against {first.evaluation.metrics['accuracy']:.4f}"
    assert f"not better on the same {len(held)} held-out rows: {figures}" in decision.reason

    config, problem = total(workspace, columns={"x": {"type": "number"}})
    assert holdout_frame(config, first.bundle).equals(held)
    pipeline.train(hasty(config), problem)
    with pytest.raises(ContractError, match=r"breaks clients of version 1.*z: the column is gone"):
        pipeline.promote(config, problem)
    decision = pipeline.promote(config, problem, accept_breaking=True)
    assert not decision.promoted  # without z the same rows are held out
    assert f"not better on the same {len(held)} held-out rows" in decision.reason

    held[["x", "y"]].to_csv(workspace / "without.csv", index=False)  # rows on which the champion cannot answer
    pipeline.prepare(config, problem, files={"train": str(workspace / "without.csv")})
    pipeline.train(hasty(config), problem)
    decision = pipeline.promote(config, problem, accept_breaking=True)
    assert not decision.promoted
    assert decision.reasons[0].endswith("be compared on the same rows: the rows lack z, which the champion reads")
    assert pipeline.promote(config, problem, accept_breaking=True, force=True).promoted


def test_the_leaderboard_and_the_registry_agree_and_sample_data_is_called_that(workspace: Path) -> None:
    config, problem = total(workspace)
    pipeline.prepare(config, problem, source="sample")

    good = pipeline.train(config, problem)
    pipeline.promote(config, problem)
    bad = pipeline.train(hasty(config), problem)
    assert not pipeline.promote(config, problem).promoted

    rows = pipeline.leaderboard(config, problem)
    assert [row.mean for row in rows] == sorted((row.mean for row in rows), reverse=True)
    assert {row.data for row in rows} == {"sample"}
    registered = [row for row in rows if row.version is not None]
    assert [row.version for row in registered] == [1, 2]
    best = registered[0]
    champion = Registry(config.storage, "total").champion()
    assert (best.version, best.run_id, best.aliases) == (champion.number, champion.run_id, (CHAMPION,))
    assert registered[1].aliases == (CHALLENGER,)
    for row, trained in zip(registered, (good, bad), strict=True):
        assert row.mean == trained.fitted.best.mean("accuracy")
        assert row.holdout == trained.evaluation.metrics["accuracy"]
        assert (row.family, row.feature_set) == (trained.fitted.best.family, trained.fitted.best.feature_set)
    others = [(row.family, row.feature_set) for row in rows if row.version is None]
    (loser,) = {"linear", "lightgbm"} - {good.fitted.best.family}
    assert sorted(others) == sorted((name, "raw") for name in (loser, "majority", "majority", "tree", "tree"))
    assert all(row.holdout is None for row in rows if row.version is None)
    assert json.loads((good.bundle.folder / "manifest.json").read_text())["data"]["kind"] == "sample"
    assert champion.tags["labline.data"] == "sample"


def test_rows_that_the_champion_was_trained_on_decide_nothing(config: Config, problem: Problem) -> None:
    other_seed = config.model_copy(update={"training": config.training.model_copy(update={"seed": 8})})
    trained = pipeline.train(other_seed, problem)
    pipeline.promote(other_seed, problem)
    reason = pipeline.history(config, problem)[1][0].reason
    compared = int(re.search(r"same (\d+) held-out rows", reason).group(1))  # type: ignore[union-attr]
    champion = Bundle.load(pipeline.served_from(config, *_first(config)).folder)
    known = holdout_frame(config, champion)
    ours = holdout_frame(config, trained.bundle)
    both = ours.merge(known, on=list(problem.columns), how="inner").drop_duplicates(list(problem.columns))
    assert compared == len(both) < trained.evaluation.rows / 2


def _first(config: Config) -> tuple[Registry, Version]:
    registry = Registry(config.storage, "obesity")
    return registry, registry.version(1)


def test_an_alias_that_moved_without_an_entry_is_rolled_back_to_where_it_came_from(
    config: Config, problem: Problem, registry: Registry, register: Register, rounds: int
) -> None:
    second, third = register(rounds), register(rounds)
    pipeline.promote(config, problem, number=second.number, force=True)
    registry.crown(third)  # a promotion that was killed before it wrote its entry
    assert pipeline.rollback(config, problem).champion.number == second.number
    assert pipeline.rollback(config, problem).champion.number == 1
