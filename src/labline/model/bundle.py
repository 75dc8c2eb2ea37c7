"""The bundle: one folder with all that a prediction needs. No pickle; loads without MLflow, and without pandas."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from labline.contract import CONTRACT_FILE, Columns, Problem, Repeated, read_problem, records_reader
from labline.contract.examples import example_records
from labline.errors import BundleError
from labline.features import (
    FEATURES_FILE,
    FEW_ROWS,
    DerivedFeatures,
    Encoder,
    EncoderState,
    FewRecords,
    read_features,
)
from labline.model.ensemble import Ensemble, Part
from labline.model.families import FAMILIES
from labline.model.tasks import Answer, AnswerRule, Scores, Task, task_of

MANIFEST_FILE = "manifest.json"
MEMBERS_FOLDER = "members"
ENCODER_FILE = "encoder.json"  # in the folder of each member
RULE_FILE = "rule.json"
GOLDEN_FILE = "golden.json"
PROFILE_FILE = "profile.json"
GOLDEN_ROWS = 32
GOLDEN_TOLERANCE = 1e-9  # another machine's exp() may differ in the last bits; anything more is another model


class Provenance(BaseModel):
    """Which rows a bundle was trained on.

    `extra` ones are from elsewhere, `labelled` ones from the prediction log: learned from and not measured on.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["kaggle", "file", "sample"]
    origin: str
    sha256: str
    rows: int
    holdout_rows: int
    seed: int
    holdout_share: float
    extra_origin: str = ""
    extra_sha256: str = ""
    extra_rows: int = 0
    extra_weight: float = 1.0
    labelled_origin: str = ""
    labelled_sha256: str = ""
    labelled_rows: int = 0
    labelled_weight: float = 1.0


class MemberEntry(BaseModel):
    """What the manifest says of a member; its folder is `members/<its position>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    weight: float
    seed: int


class Manifest(BaseModel):
    """What the bundle says of itself; `files` holds the SHA-256 of every other file in it.

    Attributes:
        family: of its members, in words.
        members: one or several, whose raw predictions are averaged by weight.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[5] = 5
    problem: str
    family: str = ""
    members: tuple[MemberEntry, ...] = ()
    labline: str
    made_at: datetime
    data: Provenance
    holdout: dict[str, float] = {}
    files: dict[str, str] = {}


@dataclass(frozen=True)
class Contents:
    """What training hands over to be bundled."""

    problem_folder: Path
    ensemble: Ensemble
    rule: AnswerRule
    manifest: Manifest


class Bundle:
    """A bundle that was loaded: its hashes hold, and it gives its golden answers.

    Attributes:
        folder: where it is.
        manifest: what it says of itself.
        problem: its contract.
        read: makes columns of records.
        task: the contract's task, under the rule for answers that was learned with it.
        digest: SHA-256 of the manifest, and with it of everything in the bundle.
        ensemble: its members, with their encoders.
    """

    def __init__(self, folder: Path, manifest: Manifest, problem: Problem) -> None:
        self.folder = folder
        self.manifest = manifest
        self.problem = problem
        self.read = records_reader(problem)
        rule = AnswerRule.model_validate_json((folder / RULE_FILE).read_bytes())
        self.task: Task = task_of(problem).ruled_by(rule)
        self.digest = bundle_digest(folder)
        self.ensemble = Ensemble([_part(folder, at, entry) for at, entry in enumerate(manifest.members)])
        self._derived: DerivedFeatures = read_features(folder / FEATURES_FILE, problem).only(self.ensemble.reads)
        self._few = FewRecords(problem, self._derived, self.ensemble.encoders)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """The bundle in the folder.

        Raises:
            BundleError: a file is missing or altered, or an answer is not the one it was made with.
        """
        manifest = check_whole(folder)
        bundle = cls(folder, manifest, read_problem(folder / CONTRACT_FILE))
        bundle._check_golden()
        return bundle

    def on_one_thread(self) -> Bundle:
        """The same, for callers that score on several threads themselves."""
        other = copy(self)
        other.ensemble = self.ensemble.on_one_thread()
        return other

    def scores(self, columns: Columns, repeated: Mapping[str, Repeated] | None = None) -> Scores:
        """Probabilities of shape (rows, classes), or values of shape (rows,), for the contract's columns.

        Args:
            columns: plain, all of the contract's.
            repeated: those of them whose distinct values are known: the same answers, sooner.
        """
        return self.task.scores(self.ensemble.predict(self._derived(columns), repeated))

    def predict(self, records: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer a record; records are as the request model gives them, by column name."""
        return self.task.answers(self._scores_of(records))

    def _scores_of(self, records: Sequence[Mapping[str, Any]]) -> Scores:
        if not 0 < len(records) <= FEW_ROWS:
            return self.scores(self.read(records))
        return self.task.scores(self.ensemble.predict_matrices(self._few(records)))

    def _check_golden(self) -> None:
        golden = json.loads((self.folder / GOLDEN_FILE).read_text(encoding="utf-8"))
        found = self._scores_of(golden["records"])  # they were made of columns: the two ways must lead to the same
        wanted = np.array(golden["scores"])
        scale = max(1.0, float(np.abs(wanted).max()))
        if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=0, atol=GOLDEN_TOLERANCE * scale):
            raise BundleError(
                f"it does not give the answers of {GOLDEN_FILE} here",
                where=str(self.folder),
                mend="use the library versions of requirements.txt, or train again",
            )


def read_manifest(folder: Path) -> Manifest:
    """What the bundle in the folder says of itself, without loading it.

    Raises:
        BundleError: there is no manifest, or this version of Labline does not understand it.
    """
    try:
        return Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except FileNotFoundError as error:
        raise BundleError(
            f"there is no bundle: {MANIFEST_FILE} is missing", where=str(folder), mend="train, or fetch it again"
        ) from error
    except ValidationError as error:
        raise BundleError(
            f"{MANIFEST_FILE} is not understood: {error.error_count()} errors",
            where=str(folder),
            mend="use the version of Labline that made it, or train again",
        ) from error


def check_whole(folder: Path) -> Manifest:
    """The manifest of the bundle in the folder, whose files are all there and as they were made.

    Raises:
        BundleError: names the file that is missing, altered, or code that was added.
    """
    manifest = read_manifest(folder)
    strange = [entry.family for entry in manifest.members if entry.family not in FAMILIES]
    if strange or not manifest.members:
        raise BundleError(
            f"its family {strange[0]!r} is not known here" if strange else "it has no members",
            where=str(folder),
            mend="use the version of Labline that made it, or train again",
        )
    for name, wanted in manifest.files.items():
        if not (folder / name).is_file():
            raise BundleError(f"{name} is missing", where=str(folder), mend="fetch the bundle again")
        if _digest(folder / name) != wanted:
            raise BundleError(f"{name} was altered", where=str(folder), mend="fetch the bundle again")
    if FEATURES_FILE not in manifest.files and (folder / FEATURES_FILE).exists():  # it would be run
        raise BundleError(f"{FEATURES_FILE} was added", where=str(folder), mend="fetch the bundle again")
    return manifest


def _part(folder: Path, at: int, entry: MemberEntry) -> Part:
    """The member at a position, as it was saved."""
    place = folder / MEMBERS_FOLDER / str(at)
    state = EncoderState.model_validate_json((place / ENCODER_FILE).read_bytes())
    member = FAMILIES[entry.family].member.load(place)
    return Part(entry.family, Encoder(state), member, entry.weight, entry.seed)


def bundle_digest(folder: Path) -> str:
    """SHA-256 of the manifest of the bundle in the folder, and with it of everything in the bundle."""
    return _digest(folder / MANIFEST_FILE)


def write_bundle(folder: Path, contents: Contents) -> Bundle:
    """Write a bundle into a new folder, and load it as a server would: what is measured from now on is what serves."""
    folder.mkdir(parents=True)
    shutil.copy(contents.problem_folder / CONTRACT_FILE, folder)
    if (contents.problem_folder / FEATURES_FILE).is_file():
        shutil.copy(contents.problem_folder / FEATURES_FILE, folder)
    (folder / RULE_FILE).write_text(contents.rule.model_dump_json(), encoding="utf-8")
    for at, part in enumerate(contents.ensemble.parts):
        place = folder / MEMBERS_FOLDER / str(at)
        place.mkdir(parents=True)
        (place / ENCODER_FILE).write_text(part.encoder.state.model_dump_json(indent=1), encoding="utf-8")
        part.member.save(place)
    entries = tuple(MemberEntry(family=p.family, weight=p.weight, seed=p.seed) for p in contents.ensemble.parts)
    manifest = contents.manifest.model_copy(update={"family": contents.ensemble.name, "members": entries})
    _seal(folder, manifest)  # a first time, so that the golden answers can be made by the bundle itself
    bundle = Bundle(folder, manifest, read_problem(folder / CONTRACT_FILE))
    records = example_records(bundle.problem, GOLDEN_ROWS)
    scores = bundle.scores(bundle.read(records))
    golden = {"records": records, "scores": scores.tolist()}
    (folder / GOLDEN_FILE).write_text(json.dumps(golden, indent=1), encoding="utf-8")
    _seal(folder, manifest)
    return Bundle.load(folder)


def finish_bundle(bundle: Bundle, profile: str, holdout: dict[str, float]) -> Bundle:
    """Add what could only be known once the bundle could predict: the reference profile and the held-out metrics."""
    (bundle.folder / PROFILE_FILE).write_text(profile, encoding="utf-8")
    _seal(bundle.folder, bundle.manifest.model_copy(update={"holdout": holdout}))
    return Bundle.load(bundle.folder)


def _seal(folder: Path, manifest: Manifest) -> None:
    inside = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != MANIFEST_FILE)
    files = {file.relative_to(folder).as_posix(): _digest(file) for file in inside}
    sealed = manifest.model_copy(update={"files": files})
    (folder / MANIFEST_FILE).write_text(sealed.model_dump_json(indent=1), encoding="utf-8")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
