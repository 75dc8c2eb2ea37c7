"""Runs the checks one after the other; each failure is a finding, and none ends the examination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from loguru import logger

from labline.config import Config
from labline.doctor import machine, problems, stores
from labline.doctor.finding import Advice, Finding
from labline.doctor.port import port
from labline.errors import LablineError

CONFIGURATION = "configuration"


class Check(NamedTuple):
    """A function that says what is well or raises what is not, and the checks it would only repeat if they failed."""

    run: Callable[[Config, str], str]
    needs: tuple[str, ...] = ()


# What takes seconds comes last; what a check needs comes before it.
CHECKS = {
    CONFIGURATION: Check(lambda config, _problem: f"workspace {config.settings.root}"),
    "folders": Check(machine.folders),
    "disk": Check(machine.disk),
    "port": Check(port),
    "versions": Check(machine.versions),
    "gpu": Check(machine.gpu),
    "database": Check(stores.database),
    "contract": Check(problems.contract),
    "kaggle": Check(problems.kaggle),
    "store": Check(stores.object_store),
    "tracking": Check(stores.tracking),
    "hosts": Check(stores.hosts, needs=("tracking",)),
    "registry": Check(problems.registry, needs=("contract", "hosts")),
    "artifacts": Check(stores.artifacts, needs=("contract", "hosts")),
    "champion": Check(problems.champion, needs=("registry",)),
}


def chosen(only: Sequence[str]) -> tuple[str, ...]:
    """The checks that are meant by names, each of which may be several with commas between; all when there are none.

    Raises:
        LablineError: there is no check of a name.
    """
    names = [name.strip() for one in only for name in one.split(",") if name.strip()]
    for name in names:
        if name not in CHECKS:
            raise LablineError(f"there is no check {name!r}", where="--only", mend=f"use some of {', '.join(CHECKS)}")
    return tuple(name for name in CHECKS if name in names or not names)


def examine(read: Callable[[], Config], problem: str | None = None, only: Sequence[str] = ()) -> Iterator[Finding]:
    """Run the checks, or those named and what they need; of what they need failures alone are told.

    Args:
        read: gives the settings; without them no other check can run.
        problem: which; the configured one if none.
        only: names of checks.

    Raises:
        LablineError: there is no check of a name.
    """
    names = chosen(only)
    config: Config | None = None

    def settings() -> str:
        nonlocal config
        config = read()
        return CHECKS[CONFIGURATION].run(config, "")

    first = _find(CONFIGURATION, settings)
    if CONFIGURATION in names or not first.ok:
        yield first
    if config is None:
        return
    failed: set[str] = set()
    in_force, name_of_problem = config, problem or config.settings.problem
    wanted = _with_needs(names)
    for name, check in CHECKS.items():
        if name not in wanted or name == CONFIGURATION:
            continue
        missing = next((need for need in check.needs if need in failed), None)
        if missing is not None:
            found = Finding(name, False, f"not looked at, for {missing} failed", f"mend {missing} first")
        else:
            found = _find(name, lambda check=check: check.run(in_force, name_of_problem))  # type: ignore[misc]
        if not found.ok:
            failed.add(name)
        if name in names or (not found.ok and missing is None):
            yield found


def _with_needs(names: Sequence[str]) -> set[str]:
    wanted = set(names)
    for name in reversed(CHECKS):  # needs come earlier, so one way back finds them all
        if name in wanted:
            wanted.update(CHECKS[name].needs)
    return wanted


def _find(name: str, run: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, run())
    except LablineError as error:
        place = f"{error.where}: " if error.where else ""
        return Finding(name, isinstance(error, Advice), f"{place}{error.what}", error.mend or "")
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return Finding(name, False, f"{place}{error.strerror or error}", "see who may read and write there")
    except Exception as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught
        # a check that breaks hides none of the others
        logger.opt(exception=error).debug("the check {} broke", name)
        # its text is left out: it may hold an address with a password
        mend = f"LABLINE_LOGGING__LEVEL=DEBUG labline doctor --only {name} shows where"
        return Finding(name, False, f"the check itself broke: {type(error).__name__}", mend)
