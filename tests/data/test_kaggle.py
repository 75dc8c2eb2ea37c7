"""Kaggle files, fetched with the real client from a local stand-in."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import py7zr
import pytest
from kagglesdk import get_access_token_from_env, kaggle_env
from loguru import logger

from labline.config.kaggle import Kaggle
from labline.contract.source import KaggleFile
from labline.data.sources import kaggle
from labline.data.sources.kaggle import client
from labline.data.sources.kaggle.unpacking import unpacked
from labline.errors import DataError
from tests.data.kaggle_server import KEY, SIGNATURE, TOKEN, USERNAME, KaggleServer, kaggle_server

CONTENT = b"id,height\n" + b"".join(b"%d,1.7\n" % number for number in range(5000))
COMPETITION = KaggleFile(competition="playground-series-s4e2", file="train.csv")
DATASET = KaggleFile(dataset="ada/heights", file="train.csv")
ONCE = Kaggle(attempts=1, wait_seconds=0)
THRICE = Kaggle(attempts=3, wait_seconds=0)


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No credentials but those a test gives; the client's own folder, settled when it is imported, is in tmp_path."""
    for name in [name for name in os.environ if name.startswith(("KAGGLE_", "XDG_CONFIG")) or "VERBOSE" in name]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("NO_PROXY", "*")
    return home


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    # KaggleApi always asks for PROD, whatever KAGGLE_API_ENVIRONMENT says, and TEST has a fixed port.
    with kaggle_server() as state:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, state.url)
        state.serve("playground-series-s4e2", "train.csv", CONTENT)
        state.serve("ada/heights", "train.csv", CONTENT)
        yield state


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level}: {message}", level="INFO")
    yield lines
    logger.remove(sink)


def zipped(*names: str, content: bytes = CONTENT) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def refusal(source: KaggleFile, folder: Path, settings: Kaggle = ONCE) -> DataError:
    """The error of a fetch; whatever went wrong, it shows no secret and leaves nothing under the file's name."""
    with pytest.raises(DataError) as caught:
        kaggle.fetch(source, folder, settings)
    shown = "".join(traceback.format_exception(caught.value))
    for secret in (KEY, TOKEN, SIGNATURE):
        assert secret not in shown
    assert caught.value.where
    assert caught.value.mend
    assert not (folder / source.file).exists()
    assert not list(folder.glob(".unfinished-*"))
    return caught.value


# The dataset's file fetched in a process of its own: its arguments are the server's address and the folder.
FETCH = """
import sys
from pathlib import Path
from kagglesdk import kaggle_env
from labline.config.kaggle import Kaggle
from labline.contract.source import KaggleFile
from labline.data.sources.kaggle import fetch
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = sys.argv[1]
fetch(KaggleFile(dataset="ada/heights", file="train.csv"), Path(sys.argv[2]), Kaggle(attempts=1, wait_seconds=0))
"""


# What is fetched


@pytest.mark.parametrize("source", [COMPETITION, DATASET], ids=["competition", "dataset"])
def test_a_file_is_fetched_and_its_checksum_written_as_sha256sum_does(
    source: KaggleFile, server: KaggleServer, key: None, folder: Path, log: list[str]
) -> None:
    path = kaggle.fetch(source, folder, ONCE)

    assert path == folder / "train.csv"
    assert path.read_bytes() == CONTENT
    assert (folder / "train.csv.sha256").read_bytes() == b"%s  train.csv\n" % sha256(CONTENT).encode()
    assert sorted(file.name for file in folder.iterdir()) == ["train.csv", "train.csv.sha256"]
    assert [line for line in log if line.startswith(f"INFO: {source}: {len(CONTENT)} bytes in ")]


@pytest.mark.parametrize("served_as", ["train.csv.zip", "train.csv"])
@pytest.mark.parametrize("source", [COMPETITION, DATASET], ids=["competition", "dataset"])
def test_a_file_served_as_a_zip_is_unpacked_whatever_its_name(
    served_as: str, source: KaggleFile, server: KaggleServer, key: None, folder: Path
) -> None:
    server.serve(source.competition or source.dataset or "", "train.csv", zipped("train.csv", "test.csv"), served_as)

    assert kaggle.fetch(source, folder, ONCE).read_bytes() == CONTENT
    assert sorted(file.name for file in folder.iterdir()) == ["train.csv", "train.csv.sha256"]


@pytest.mark.parametrize("listed_as", ["train.csv.zip", "train.csv.7z"])
def test_a_file_that_a_competition_lists_packed_only_is_found_under_that_name(
    listed_as: str, server: KaggleServer, key: None, folder: Path
) -> None:
    packed = io.BytesIO(zipped("train.csv"))
    if listed_as.endswith(".7z"):
        with py7zr.SevenZipFile(packed, "w") as archive:
            archive.writestr(CONTENT, "train.csv")
    server.serve("mercari", listed_as, packed.getvalue())

    path = kaggle.fetch(KaggleFile(competition="mercari", file="train.csv"), folder, ONCE)
    assert path == folder / "train.csv"
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_itself_a_zip_stays_one(server: KaggleServer, key: None, folder: Path) -> None:
    workbook = zipped("xl/workbook.xml")
    server.serve("ada/heights", "my table.xlsx", workbook)
    server.serve("ada/heights", "other.xlsx", zipped("other.xlsx", content=workbook), "other.xlsx.zip")

    for name in ("my table.xlsx", "other.xlsx"):
        path = kaggle.fetch(KaggleFile(dataset="ada/heights", file=name), folder, ONCE)
        assert path.name == name
        assert path.read_bytes() == workbook


def test_a_storage_that_likes_to_gzip_serves_the_file_as_it_is(server: KaggleServer, key: None, folder: Path) -> None:
    server.gzips = True

    assert kaggle.fetch(COMPETITION, folder, ONCE).read_bytes() == CONTENT


def test_files_of_one_name_in_two_folders_are_kept_apart(server: KaggleServer, key: None, folder: Path) -> None:
    for part in ("train", "test"):
        server.serve("ada/heights", f"{part}/rows.csv", part.encode(), f"{part}-rows.csv")
        kaggle.fetch(KaggleFile(dataset="ada/heights", file=f"{part}/rows.csv"), folder, ONCE)

    assert (folder / "train/rows.csv").read_bytes() == b"train"
    assert (folder / "test/rows.csv").read_bytes() == b"test"


def test_nothing_is_printed_not_even_with_the_clients_verbose_switch(
    server: KaggleServer, key: None, folder: Path
) -> None:
    command = [sys.executable, "-c", FETCH, server.url, str(folder)]
    ran = subprocess.run(
        command, env=os.environ | {"VERBOSE": "true"}, capture_output=True, text=True, check=True, timeout=30
    )

    assert (folder / "train.csv").read_bytes() == CONTENT
    assert ran.stdout == ""
    assert KEY not in ran.stderr


# What is there already


def test_a_file_that_agrees_with_its_checksum_is_used_without_network_or_credentials(
    server: KaggleServer, key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.fetch(COMPETITION, folder, ONCE)
    server.asked.clear()
    monkeypatch.delenv("KAGGLE_KEY")

    assert kaggle.fetch(COMPETITION, folder, ONCE).read_bytes() == CONTENT
    assert server.asked == []


def test_a_changed_file_is_kept_under_another_name_with_a_warning(
    server: KaggleServer, key: None, folder: Path, log: list[str]
) -> None:
    kaggle.fetch(COMPETITION, folder, ONCE)
    for change in (b"mine", b"mine", b"other"):
        (folder / "train.csv").write_bytes(change)
        assert kaggle.fetch(COMPETITION, folder, ONCE).read_bytes() == CONTENT

    kept = {file.name: file.read_bytes() for file in folder.glob("*.kept-*")}
    mine, other = (f"train.csv.kept-{sha256(content)[:8]}" for content in (b"mine", b"other"))
    assert kept == {mine: b"mine", f"{mine}-2": b"mine", other: b"other"}
    assert [line for line in log if line.startswith("WARNING") and other in line]


def test_a_file_without_checksum_gets_one_when_it_is_what_kaggle_has(
    server: KaggleServer, key: None, folder: Path
) -> None:
    folder.mkdir()
    (folder / "train.csv").write_bytes(CONTENT)

    kaggle.fetch(COMPETITION, folder, ONCE)
    assert sorted(file.name for file in folder.iterdir()) == ["train.csv", "train.csv.sha256"]


def test_a_failed_fetch_leaves_the_file_that_was_there(server: KaggleServer, key: None, folder: Path) -> None:
    folder.mkdir()
    (folder / "train.csv").write_bytes(b"mine")
    server.busy = [503]

    with pytest.raises(DataError, match="503"):
        kaggle.fetch(COMPETITION, folder, ONCE)
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("train.csv", b"mine")]


# Credentials


def test_without_credentials_nothing_is_imported_made_or_asked(empty_home: Path, folder: Path) -> None:
    script = """
import sys
from pathlib import Path
from labline.config.kaggle import Kaggle
from labline.contract.source import KaggleFile
from labline.data.sources.kaggle import fetch, has_credentials
from labline.errors import DataError
assert not has_credentials()
try:
    fetch(KaggleFile(competition="titanic", file="train.csv"), Path(sys.argv[1]), Kaggle(attempts=1, wait_seconds=0))
except DataError as error:
    print(error)
assert "kaggle" not in sys.modules
"""
    (empty_home / "config").rmdir()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("KAGGLE_")}
    ran = subprocess.run(
        [sys.executable, "-c", script, str(folder)], env=bare, capture_output=True, text=True, check=True, timeout=30
    )

    for named in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "kaggle.json", "access_token"):
        assert named in ran.stdout
    assert "https://www.kaggle.com/settings" in ran.stdout
    assert list(empty_home.iterdir()) == []
    assert not folder.exists()


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(0o600)


def give(home: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    pair = json.dumps({"username": USERNAME, "key": KEY})
    if way == "token variable":
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    elif way == "variable names a token file":
        write(home / "secret", f"{TOKEN}\n")
        monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "secret"))
    elif way == "token file":
        write(home / ".kaggle/access_token", f"{TOKEN}\n")
    elif way == "token file of Windows":
        write(home / ".kaggle/access_token.txt", TOKEN)
    elif way == "kaggle.json where KAGGLE_CONFIG_DIR says":
        write(home / "config/kaggle.json", pair)
    elif way == "kaggle.json in ~/.kaggle":
        monkeypatch.delenv("KAGGLE_CONFIG_DIR")
        write(home / ".kaggle/kaggle.json", pair)
    elif way == "kaggle.json in ~/.config":
        monkeypatch.delenv("KAGGLE_CONFIG_DIR")
        write(home / ".config/kaggle/kaggle.json", pair)
    elif way == "key variable and kaggle.json":
        write(home / "config/kaggle.json", json.dumps({"username": USERNAME}))
        monkeypatch.setenv("KAGGLE_KEY", KEY)
    elif way == "empty variables and kaggle.json":
        write(home / "config/kaggle.json", pair)
        monkeypatch.setenv("KAGGLE_USERNAME", "")
        monkeypatch.setenv("KAGGLE_KEY", "")
    elif way == "login":
        unexpired = "2999-01-01T00:00:00+00:00"
        login = {
            "refresh_token": "r",
            "access_token": TOKEN,
            "access_token_expiration": unexpired,
            "username": USERNAME,
        }
        write(home / ".kaggle/credentials.json", json.dumps(login))
    else:
        monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
        monkeypatch.setenv("KAGGLE_KEY", KEY)


TOKENS = ["token variable", "variable names a token file", "token file", "token file of Windows"]
PAIRS = [
    "username and key variables",
    "kaggle.json where KAGGLE_CONFIG_DIR says",
    "kaggle.json in ~/.kaggle",
    pytest.param(
        "kaggle.json in ~/.config", marks=pytest.mark.skipif(os.name == "nt", reason="Windows has no ~/.config")
    ),
    "key variable and kaggle.json",
    "empty variables and kaggle.json",
]


@pytest.mark.parametrize("way", [*TOKENS, *PAIRS, "login"])
def test_credentials_are_found_and_used_wherever_the_client_looks_for_them(
    way: str, server: KaggleServer, folder: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not kaggle.has_credentials()
    give(empty_home, monkeypatch, way)

    assert kaggle.has_credentials()
    assert (get_access_token_from_env()[0] == TOKEN) == (way in TOKENS)
    assert kaggle.fetch(COMPETITION, folder, ONCE).read_bytes() == CONTENT
    assert server.sign_ins[-1] == ("Bearer" if way in [*TOKENS, "login"] else "Basic")


@pytest.mark.parametrize(("given", "missing"), [("KAGGLE_USERNAME", "KAGGLE_KEY"), ("KAGGLE_KEY", "KAGGLE_USERNAME")])
def test_half_of_a_pair_counts_as_credentials_and_its_missing_half_is_named(
    given: str, missing: str, server: KaggleServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(given, KEY)
    monkeypatch.setenv(missing, "")

    assert kaggle.has_credentials()
    assert f"{given} is set, but {missing} is not" in str(refusal(COMPETITION, folder))
    assert server.asked == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "config/kaggle.json is not a readable JSON object"),
        ("[]", "config/kaggle.json is not a readable JSON object"),
        ('{"username": "ada"}', "config/kaggle.json has a username, but KAGGLE_KEY is not"),
    ],
)
def test_a_kaggle_json_that_lacks_something_is_refused_by_name(
    content: str, said: str, folder: Path, empty_home: Path
) -> None:
    write(empty_home / "config/kaggle.json", content)

    assert kaggle.has_credentials()
    assert said in str(refusal(COMPETITION, folder)).replace("\\", "/")


def test_a_kaggle_json_with_other_settings_only_is_no_credentials(folder: Path, empty_home: Path) -> None:
    write(empty_home / "config/kaggle.json", '{"competition": "titanic"}')

    assert not kaggle.has_credentials()
    assert "no Kaggle credentials" in str(refusal(COMPETITION, folder))


@pytest.mark.parametrize("value", [f"{KEY}\r", f"{KEY}\n", f" {KEY}", f"“{KEY}”"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    value: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", value)

    assert "KAGGLE_KEY holds a blank" in str(refusal(COMPETITION, folder))


def test_a_token_too_long_for_the_client_is_refused_without_being_shown(
    server: KaggleServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN * 20)

    assert "the credentials in KAGGLE_API_TOKEN" in str(refusal(COMPETITION, folder))


# What Kaggle refuses


def test_a_wrong_key_is_answered_with_where_it_stands_and_where_to_make_another(
    server: KaggleServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", "wrong-key")

    error = refusal(COMPETITION, folder, THRICE)
    assert error.what == "Kaggle does not accept the credentials in KAGGLE_USERNAME and KAGGLE_KEY (401)"
    assert "https://www.kaggle.com/settings" in str(error)
    assert "wrong-key" not in str(error)
    assert len(server.asked) == 1


def test_a_wrong_token_is_answered_with_where_it_stands(
    server: KaggleServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    waits: list[float] = []
    monkeypatch.setattr(client, "sleep", waits.append)

    error = refusal(COMPETITION, folder, THRICE)
    assert error.what == "Kaggle does not accept the credentials in KAGGLE_API_TOKEN (401)"
    assert "KGAT_wrong" not in str(error)
    assert waits == []


def test_rules_not_accepted_are_answered_with_the_page_to_accept_them_on(
    server: KaggleServer, key: None, folder: Path
) -> None:
    server.rules_not_accepted = {"playground-series-s4e2", "ada/heights"}

    error = refusal(COMPETITION, folder, THRICE)
    assert "https://www.kaggle.com/competitions/playground-series-s4e2/rules" in str(error)
    assert "https://www.kaggle.com/datasets/ada/heights" in str(refusal(DATASET, folder, THRICE))
    assert len(server.asked) == 2


def test_a_file_that_kaggle_does_not_have_is_answered_with_its_page(
    server: KaggleServer, key: None, folder: Path
) -> None:
    error = refusal(KaggleFile(competition="playground-series-s4e2", file="tarin.csv"), folder, THRICE)

    assert "'tarin.csv'" in error.what
    assert "https://www.kaggle.com/competitions/playground-series-s4e2/data" in str(error)
    assert len(server.asked) == 3  # that name, and the two it may be packed under


# Network and patience


def test_a_busy_server_is_asked_again_after_doubling_waits(
    server: KaggleServer, key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(client, "sleep", waits.append)
    server.busy = [429, 503]

    path = kaggle.fetch(COMPETITION, folder, Kaggle(attempts=3, wait_seconds=2))
    assert path.read_bytes() == CONTENT
    assert waits == [2, 4]


@pytest.mark.parametrize("status", [429, 500])
def test_a_server_that_stays_busy_is_given_up_after_the_set_attempts(
    status: int, server: KaggleServer, key: None, folder: Path
) -> None:
    server.busy = [status] * 10

    assert f"({status})" in str(refusal(COMPETITION, folder, THRICE))
    assert len(server.busy) == 7

    server.busy.clear()
    server.storage_busy = [status] * 10  # the address it is sent on to is signed, and not to be shown
    assert f"({status})" in str(refusal(COMPETITION, folder, THRICE))
    assert len(server.storage_busy) == 7


def test_a_download_cut_short_is_begun_again(server: KaggleServer, key: None, folder: Path) -> None:
    server.cut_short = 2
    assert kaggle.fetch(COMPETITION, folder, THRICE).read_bytes() == CONTENT

    server.cut_short = 3
    assert "cannot be reached" in str(refusal(DATASET, folder / "other", THRICE))


def test_a_server_that_nobody_answers_at_is_out_of_reach(
    key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kaggle_server() as gone:
        pass
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, gone.url)
    waits: list[float] = []
    monkeypatch.setattr(client, "sleep", waits.append)

    error = refusal(COMPETITION, folder, THRICE)
    assert "Kaggle cannot be reached (ConnectionError)" in str(error)
    assert "HTTPS_PROXY" in str(error)
    assert len(waits) == 2


def test_a_server_that_falls_silent_is_given_up(
    server: KaggleServer, key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SILENCE_SECONDS", 0.2)
    server.silent = threading.Event()

    start = perf_counter()
    assert "cannot be reached" in str(refusal(COMPETITION, folder))
    assert perf_counter() - start < 10


def test_a_kill_in_the_middle_leaves_nothing_under_the_files_name(
    server: KaggleServer, key: None, folder: Path
) -> None:
    server.silent = threading.Event()
    with subprocess.Popen([sys.executable, "-c", FETCH, server.url, str(folder)]) as process:
        assert server.half_sent.wait(30)
        process.kill()
    assert not (folder / "train.csv").exists()

    server.silent.set()
    server.silent = None
    assert kaggle.fetch(DATASET, folder, ONCE).read_bytes() == CONTENT


# Damage


@pytest.mark.parametrize("length", [40, 1000, -10])
def test_a_truncated_zip_is_refused(length: int, server: KaggleServer, key: None, folder: Path) -> None:
    server.serve("playground-series-s4e2", "train.csv", zipped("train.csv")[:length], "train.csv.zip")

    assert "zip that Kaggle served is damaged" in str(refusal(COMPETITION, folder))


def test_a_zip_with_a_flipped_byte_is_refused_or_gives_the_very_file(tmp_path: Path) -> None:
    good = zipped("train.csv", content=b"id\n1\n")
    for position in range(4, len(good)):
        served = tmp_path / "served.zip"
        served.write_bytes(good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :])
        try:
            assert unpacked(served, COMPETITION).read_bytes() == b"id\n1\n"
        except DataError:
            continue


def test_a_zip_without_the_file_is_refused_with_what_it_has(server: KaggleServer, key: None, folder: Path) -> None:
    server.serve("playground-series-s4e2", "train.csv", zipped("test.csv"), "train.csv.zip")
    assert "has no 'train.csv'; there is: test.csv" in str(refusal(COMPETITION, folder))

    server.serve("playground-series-s4e2", "train.csv", zipped("a/train.csv", "b/train.csv"), "train.csv.zip")
    assert "has 2 'train.csv'" in str(refusal(COMPETITION, folder))


@pytest.mark.parametrize(
    "member", ["../train.csv", "/train.csv", "a/../../train.csv", "C:\\train.csv", "..\\train.csv"]
)
def test_a_zip_with_a_member_that_leads_outside_is_refused(
    member: str, server: KaggleServer, key: None, folder: Path, tmp_path: Path
) -> None:
    server.serve("playground-series-s4e2", "train.csv", zipped("train.csv", member), "train.csv.zip")

    assert "leads outside" in str(refusal(COMPETITION, folder))
    assert not list(tmp_path.rglob("train.csv"))


@pytest.mark.parametrize(
    "name", ["../train.csv", "/etc/train.csv", "a/../../b", "", ".", "C:\\x.csv", "a\nb.csv", "a\0"]
)
def test_a_contract_cannot_make_the_file_land_outside_its_folder(
    name: str, server: KaggleServer, key: None, folder: Path
) -> None:
    with pytest.raises(DataError, match="is not a file name"):
        kaggle.fetch(KaggleFile(dataset="ada/heights", file=name), folder, ONCE)
    assert server.asked == []


def test_a_web_page_in_place_of_the_file_is_refused(server: KaggleServer, key: None, folder: Path) -> None:
    server.serve("ada/heights", "train.csv", b"\n<!DOCTYPE html><html>Sign in to our Wi-Fi</html>")

    assert "a web page came" in str(refusal(DATASET, folder))


class FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_at_once_while_downloading(
    server: KaggleServer, key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaggle.api import kaggle_api_extended

    def full(path: str, mode: str = "r") -> Any:
        return FullDisk() if path.endswith("/train.csv") else Path(path).open(mode)

    monkeypatch.setattr(kaggle_api_extended, "open", full, raising=False)

    error = refusal(COMPETITION, folder, THRICE)
    assert (error.what, error.where) == ("the disk is full", str(folder))
    assert server.asked.count("storage") == 1


def test_a_full_disk_is_told_while_unpacking(
    server: KaggleServer, key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        FullDisk().write(source.read())

    monkeypatch.setattr("shutil.copyfileobj", full)
    server.serve("playground-series-s4e2", "train.csv", zipped("train.csv"), "train.csv.zip")

    assert refusal(COMPETITION, folder).what == "the disk is full"


def test_a_folder_that_cannot_be_made_is_named(server: KaggleServer, key: None, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()

    error = refusal(COMPETITION, tmp_path / "a file" / "raw")
    assert "cannot be read or written: Not a directory" in error.what
    assert str(tmp_path / "a file") in str(error)


def forget(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)


def test_a_client_that_cannot_make_its_folder_is_told_to_take_another(
    key: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "a file" / "kaggle"))
    forget("kaggle", monkeypatch)

    assert "a folder that can be written in KAGGLE_CONFIG_DIR" in str(refusal(COMPETITION, folder))


@pytest.mark.parametrize(("package", "mend"), [("kaggle", "'labline[research]'"), ("slugify", "slugify")])
def test_a_client_that_lacks_a_package_is_told_by_its_name(
    package: str, mend: str, key: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget("kaggle", monkeypatch)
    forget(package, monkeypatch)
    monkeypatch.setitem(sys.modules, package, None)

    assert f"pip install {mend}" in str(refusal(COMPETITION, folder))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
