"""Files of any length are scored in blocks: the same answers, in the same order, each once, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline import pipeline
from labline.config import Config
from labline.contract import Problem
from labline.data.batches import reading, text_sources
from labline.errors import DataError
from labline.model.bundle import Bundle
from tests.server import environment

ROWS = 700
KINDS = ("csv", "jsonl", "parquet")
Write = Callable[[pd.DataFrame, str], str]


@pytest.fixture
def bundle(config: Config) -> Bundle:
    return Bundle.load(pipeline.champion(config, "obesity").folder)


@pytest.fixture
def frame(sample: dict[str, pd.DataFrame], problem: Problem) -> pd.DataFrame:
    return sample["train"].head(ROWS)[[problem.id, *problem.columns]].reset_index(drop=True)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(frame: pd.DataFrame, name: str) -> str:
        file = tmp_path / name
        if name.endswith(".parquet"):
            frame.to_parquet(file, index=False, row_group_size=150)
        elif name.endswith(".jsonl"):
            frame.to_json(file, orient="records", lines=True, double_precision=15)
        else:
            frame.to_csv(file, index=False)
        return str(file)

    return written


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_sources, "SIZE", 4000)
    monkeypatch.setattr(reading, "ROWS", 60)


def read(file: Path) -> pd.DataFrame:
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    if file.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()])
    return pd.read_csv(file, float_precision="round_trip")


def hidden(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name.startswith("."))


@pytest.mark.parametrize(("given", "wanted"), [("csv", "jsonl"), ("jsonl", "parquet"), ("parquet", "csv")])
def test_each_row_gets_the_bits_of_a_single_request_in_its_place(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path, given: str, wanted: str
) -> None:
    target = tmp_path / f"out.{wanted}"
    shares: list[float] = []
    done = pipeline.predict_file(
        config,
        bundle,
        write(frame, f"rows.{given}"),
        target,
        lambda _text, done=0.0: shares.append(done),
        threads=3,
    )
    found = read(target)
    assert done == pipeline.Predicted(ROWS)
    assert found["id"].tolist() == frame["id"].tolist()
    records = frame.drop(columns="id").to_dict(orient="records")
    one_by_one = [bundle.predict([record])[0] for record in records[::7]]
    assert found["prediction"].tolist()[::7] == [answer.prediction for answer in one_by_one]
    scores = np.array([list(answer.probabilities.values()) for answer in one_by_one])
    assert found[list(bundle.task.classes)].to_numpy()[::7].tobytes() == scores.tobytes()
    assert len(shares) > 5
    assert shares == sorted(shares)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_row_is_told_with_its_place_in_the_file_and_nothing_is_written(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path, kind: str
) -> None:
    wrong = frame.assign(Age=frame["Age"].where(frame.index != 456, 222.0))
    target = tmp_path / f"out.{kind}"
    target.write_text("before")
    with pytest.raises(DataError, match=r"Age: 222\.0: out of range \(row 457\).*14 to 100 years") as refused:
        pipeline.predict_file(config, bundle, write(wrong, f"rows.{kind}"), target)
    assert f"rows.{kind}" in str(refused.value)
    assert target.read_text() == "before"
    assert hidden(tmp_path) == []


def test_rows_that_cannot_be_read_are_told_with_their_place_too(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path
) -> None:
    source = write(frame, "rows.csv")
    lines = Path(source).read_text().splitlines()
    lines[500] += ",more"
    Path(source).write_text("\n".join(lines))
    with pytest.raises(DataError, match="row 500 has 18 fields, the header has 17"):
        pipeline.predict_file(config, bundle, source, tmp_path / "out.csv")
    source = write(frame, "rows.jsonl")
    lines = Path(source).read_text().splitlines()
    lines[500] = "{"
    Path(source).write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 501 is no JSON"):
        pipeline.predict_file(config, bundle, source, tmp_path / "out.csv")


def test_wrong_rows_are_set_aside_with_value_and_mend_if_that_is_wanted(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path
) -> None:
    wrong = frame.astype({"Age": object})
    wrong.loc[10, "Age"], wrong.loc[650, "Age"], wrong.loc[650, "Gender"] = "old", 222, "Other"
    done = pipeline.predict_file(config, bundle, write(wrong, "rows.csv"), tmp_path / "out.csv", invalid="skip")
    told = pd.read_csv(tmp_path / "out.rejected.csv")
    assert (done.rows, done.rejected, done.rejected_file) == (ROWS - 2, 2, str(tmp_path / "out.rejected.csv"))
    assert told[["row", "column", "value"]].to_numpy().tolist() == [
        [11, "Age", "old"],
        [651, "Gender", "Other"],
        [651, "Age", "222.0"],
    ]
    assert told["mend"].notna().all()
    assert read(tmp_path / "out.csv")["id"].tolist() == frame.drop(index=[10, 650])["id"].tolist()


CHILD = """
import sys
from pathlib import Path
from labline.config import load
from labline.data.batches import reading, text_sources, unfinished
from labline.model.bundle import Bundle
from labline.pipeline.predicting import predict_file

text_sources.SIZE, reading.ROWS, unfinished.JOURNAL_SECONDS = 1000, 10, 0.0
root, bundle, source, target, invalid = sys.argv[1:]
predict_file(load(Path(root)), Bundle.load(Path(bundle)), source, target, invalid=invalid)
"""


def killed(root: Path, bundle: Bundle, source: str, target: Path, blocks: int) -> None:
    """Begin a run, and kill it with no warning once its journal has so many more lines."""
    journal = target.with_name(f".{target.name}.journal")
    before = journal.read_bytes().count(b"\n") if journal.exists() else 0
    command = [sys.executable, "-c", CHILD, str(root), str(bundle.folder), source, str(target), "skip"]
    process = subprocess.Popen(command, env=environment(root))
    ends = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < ends:
        if journal.exists() and journal.read_bytes().count(b"\n") >= before + blocks:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.001)
    assert process.wait(60) == -signal.SIGKILL
    assert not target.exists()


@pytest.mark.parametrize("kind", ["csv", pytest.param("parquet", marks=pytest.mark.thorough)])
def test_a_killed_run_goes_on_and_each_row_is_there_once(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path, trained: Path, kind: str
) -> None:
    many = pd.concat([frame] * 4, ignore_index=True)
    many["id"] = np.arange(len(many))
    many.loc[[5, 2000], "Age"] = 222.0
    source, target = write(many, f"rows.{kind}"), tmp_path / f"out.{kind}"
    for blocks in (5, 30) if kind == "csv" else (5,):
        killed(trained, bundle, source, target, blocks)
    with (
        target.with_name(f".{target.name}.part").open("ab") as part,
        target.with_name(f".{target.name}.journal").open("ab") as journal,
    ):  # as when the kill came in the middle of both
        part.write(b"half a row")
        journal.write(b'{"place": 1')
    done = pipeline.predict_file(config, bundle, source, target, invalid="skip")
    whole = tmp_path / f"whole.{kind}"
    pipeline.predict_file(config, bundle, source, whole, invalid="skip")
    assert done.resumed > 0
    assert (done.rows, done.rejected) == (len(many) - 2, 2)
    pd.testing.assert_frame_equal(read(target), read(whole))
    assert read(target)["id"].tolist() == many.drop(index=[5, 2000])["id"].tolist()
    assert (tmp_path / "out.rejected.csv").read_bytes() == (tmp_path / "whole.rejected.csv").read_bytes()
    assert hidden(tmp_path) == []


def interrupted(config: Config, bundle: Bundle, source: str, target: Path) -> None:
    """A run that a person stops half way."""

    def stop(_text: str, done: float = 0.0) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.predict_file(config, bundle, source, target, stop, threads=1)


def test_an_interrupted_run_goes_on_unless_source_or_model_are_others(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path
) -> None:
    source, target = write(frame, "rows.csv"), tmp_path / "out.csv"
    interrupted(config, bundle, source, target)
    assert not target.exists()
    assert pipeline.predict_file(config, bundle, source, target).resumed > 0

    interrupted(config, bundle, source, target.with_name("other.csv"))
    write(frame.assign(id=frame["id"] + 10_000), "rows.csv")
    assert pipeline.predict_file(config, bundle, source, target.with_name("other.csv")).resumed == 0
    assert read(target.with_name("other.csv"))["id"].tolist() == (frame["id"] + 10_000).tolist()

    interrupted(config, bundle, source, target)
    bundle.digest = "another"
    assert pipeline.predict_file(config, bundle, source, target).resumed == 0


def test_a_source_that_changes_under_way_is_refused(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path
) -> None:
    source = write(frame, "rows.csv")

    def change(_text: str, done: float = 0.0) -> None:
        if 0.4 < done < 0.5:
            with Path(source).open("a") as file:
                file.write("\n")

    with pytest.raises(DataError, match="changed while it was read"):
        pipeline.predict_file(config, bundle, source, tmp_path / "out.csv", change)
    assert not (tmp_path / "out.csv").exists()


def test_two_runs_do_not_write_one_file(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path
) -> None:
    source = write(frame, "rows.csv")
    told: list[str] = []

    def again(_text: str, done: float = 0.0) -> None:
        if done > 0.5 and not told:
            with pytest.raises(DataError, match="another run is writing this file") as refused:
                pipeline.predict_file(config, bundle, source, tmp_path / "out.csv")
            told.append(str(refused.value))

    assert pipeline.predict_file(config, bundle, source, tmp_path / "out.csv", again).rows == ROWS
    assert told


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_any_kind_are_kept(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path, kind: str
) -> None:
    ids: list[Any] = [f'{row:04}"ä,\\' if row % 2 else f"{row}" for row in range(ROWS)]
    pipeline.predict_file(config, bundle, write(frame.assign(id=ids), f"rows.{kind}"), tmp_path / f"out.{kind}")
    assert list(map(str, read(tmp_path / f"out.{kind}")["id"])) == ids


@pytest.mark.thorough
def test_memory_does_not_grow_with_the_file(
    config: Config, bundle: Bundle, frame: pd.DataFrame, tmp_path: Path, trained: Path
) -> None:
    child = CHILD.replace("= 1000, 10, 0.0", "= 2**22, 50_000, 1.0") + (
        "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for times in (500, 2000):
        source = tmp_path / f"rows-{times}.csv"
        with source.open("w") as file:
            frame.head(0).to_csv(file, index=False)
            body = frame.to_csv(index=False, header=False)
            for _ in range(times):
                file.write(body)
        command = [sys.executable, "-c", child, str(trained), str(bundle.folder), str(source)]
        done = subprocess.run(
            [*command, str(tmp_path / "out.csv"), "refuse"], env=environment(trained), check=True, stdout=-1, text=True
        )
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.1 * peaks[0]


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path, trained: Path
) -> None:
    source, target = write(frame, "rows.csv"), tmp_path / "out.csv"
    limited = CHILD.replace(
        "root, bundle", "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nroot, bundle"
    ).replace("predict_file(load", "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, -1))\npredict_file(load")
    command = [sys.executable, "-c", limited, str(trained), str(bundle.folder), source, str(target), "refuse"]
    done = subprocess.run(command, env=environment(trained), check=False, stderr=-1, text=True)
    assert "cannot be written: File too large" in done.stderr
    assert not target.exists()
    assert pipeline.predict_file(config, bundle, source, target).resumed > 0
    assert read(target)["id"].tolist() == frame["id"].tolist()


def test_characters_of_another_encoding_are_told(
    config: Config, bundle: Bundle, frame: pd.DataFrame, write: Write, tmp_path: Path
) -> None:
    source = write(frame.assign(id=["é"] * ROWS), "rows.csv")
    Path(source).write_bytes(Path(source).read_text(encoding="utf-8").encode("latin-1"))
    with pytest.raises(DataError, match="it is not written in UTF-8"):
        pipeline.predict_file(config, bundle, source, tmp_path / "out.csv")
    assert hidden(tmp_path) == []
