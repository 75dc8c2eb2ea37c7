"""Checks of this machine: folders and whose they are, disk, installed versions, GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from labline.config import Config
from labline.errors import LablineError

DISK_MIN = 2 * 2**30  # bytes: a training's run, its bundle and some report pages fit into far less
LOCK_FILE = "requirements.txt"
GPU_SECONDS = 10


def folders(config: Config, _problem: str) -> str:
    """Whether this user can write to the workspace's folders, and to the folders in those that Labline fills."""
    settings = config.settings
    filled = (settings.data, settings.models, settings.reports)
    for folder in filled:
        if not folder.exists():
            try:
                folder.mkdir(parents=True)
            except OSError as error:
                raise _refused(folder, error) from error
    written, read_only = [], []
    for folder in (*filled, settings.problems, settings.root / "notebooks"):
        if not folder.exists():
            continue
        if folder in {settings.data, settings.problems} and _is_read_only_mount(folder):
            read_only.append(folder.name)
            continue
        inner = (one for one in folder.iterdir() if one.is_dir()) if folder in filled else ()
        for one in (folder, *inner):
            _try_writing(one)
        written.append(folder.name)
    said = f"{', '.join(written)} can be written to"
    return said + (f"; {', '.join(read_only)} read-only, as it should be for the API" if read_only else "")


def _is_read_only_mount(folder: Path) -> bool:
    return os.name == "posix" and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _try_writing(folder: Path) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except FileNotFoundError:
        if folder.exists():  # otherwise it was a folder of a moment, e.g. of a bundle that another process fetches
            raise
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(folder: Path, error: OSError) -> LablineError:
    """Why a folder cannot be written to, or not be made, and what to do; whose it is decides."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if os.name != "posix":
        return LablineError(f"cannot be written to: {error.strerror}", where=str(there), mend="see who may write there")
    owner, own = there.stat().st_uid, os.geteuid()
    if _is_read_only_mount(there):
        mend = "mount it so that it can be written to"
    elif not there.is_dir():
        mend = "a folder is wanted there; move what is in its place"
    elif owner == own:
        mend = f"chmod u+rwx {there}"
    else:
        mend = (
            f"sudo chown -R {own} {there} on the host; for a volume of Compose let LABLINE_UID in .env be {owner}, "
            "with which the volume was made, and build the images again"
        )
    return LablineError(
        f"cannot be written to: {error.strerror}; it belongs to uid {owner}, this is uid {own}",
        where=str(there),
        mend=mend,
    )


def disk(config: Config, _problem: str) -> str:
    """The space where there is least of it: in containers each folder may be a volume of its own."""
    settings = config.settings
    places = [one for one in (settings.root, settings.data, settings.models, settings.reports) if one.exists()]
    free, place = min((shutil.disk_usage(one).free, one) for one in places)
    if free < DISK_MIN:
        raise LablineError(f"{free / 2**30:.1f} GiB free", where=str(place), mend="free some space")
    return f"{free / 2**30:.0f} GiB free"


def gpu(_config: Config, _problem: str) -> str:
    """The GPUs that NVIDIA's own tool sees."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none; not needed"
    try:
        asked = subprocess.run(
            [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=GPU_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "nvidia-smi is there and does not answer; not needed"
    seen = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    if asked.returncode or not seen:
        return "nvidia-smi is there and sees none; not needed"
    return "; ".join(line.replace(", ", ", driver ") for line in seen)


def versions(config: Config, _problem: str) -> str:
    """Whether what is installed is what was locked."""
    lock = config.settings.root / LOCK_FILE
    if not lock.is_file():
        return f"no {LOCK_FILE} here to compare with, as in the API's container"
    differing = list(_differing(lock))
    if differing:
        raise LablineError(
            f"other versions than locked: {', '.join(differing[:5])}{' …' * (len(differing) > 5)}",
            where=str(lock),
            mend="make setup; in a container: docker compose build",
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
