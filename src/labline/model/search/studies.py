"""Optuna's studies in the configured database, so that several processes and machines can work at one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from labline.config.section import masked
from labline.database import BUSY_SECONDS, tune_sqlite
from labline.errors import DatabaseError, RegistryError, first_line

if TYPE_CHECKING:
    import optuna

HEARTBEAT_SECONDS = 30  # a trial whose process is silent for twice as long counts as failed


class Studies:
    """The studies of a workspace, or of all that share its database.

    Args:
        url: of the database.

    Raises:
        DatabaseError: it cannot be used.
    """

    def __init__(self, url: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.address = masked(url)
        parsed = make_url(url)
        embedded = parsed.get_backend_name() == "sqlite"
        if embedded and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = {"connect_args": {"timeout": BUSY_SECONDS}} if embedded else {"pool_pre_ping": True}
        with self._reaching(), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the heartbeat's
            self._storage = optuna.storages.RDBStorage(url, engine, heartbeat_interval=HEARTBEAT_SECONDS)
            if embedded:
                event.listen(self._storage.engine, "connect", tune_sqlite)
                self._storage.engine.dispose()  # what was opened before was not tuned

    def begin(self, name: str, about: dict[str, Any], seed: int | None) -> optuna.Study:
        """The study of this name, made where there is none; a seed makes what it suggests repeatable."""
        import optuna

        with self._reaching():
            study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                sampler=_sampler(seed),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
                direction="minimize",
                load_if_exists=True,
            )
            study.sampler = _sampler(None if seed is None else seed + len(study.trials))
            for key, value in about.items():
                study.set_user_attr(key, value)
        return study

    def join(self, name: str) -> optuna.Study:
        """A study that another process began.

        Raises:
            RegistryError: there is none of this name.
        """
        import optuna

        with self._reaching():
            names = self.names()
            if name not in names:
                known = f"there are {', '.join(names[-5:])}" if names else "labline train begins them"
                raise RegistryError(f"there is no study {name!r}", where=self.address, mend=known)
            pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
            return optuna.load_study(study_name=name, storage=self._storage, sampler=_sampler(None), pruner=pruner)

    def names(self) -> list[str]:
        """Of all studies, the newest last."""
        import optuna

        with self._reaching():
            return [str(name) for name in optuna.get_all_study_names(self._storage)]

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        import optuna

        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            reason = first_line(error.__cause__ or error)
            raise DatabaseError(
                f"the database of the studies cannot be used: {reason}",
                where=self.address,
                mend="see that it is there and can be written to, or correct storage.studies_url",
            ) from error


def _sampler(seed: int | None) -> optuna.samplers.BaseSampler:
    """Tree-structured Parzen estimators (Bergstra et al. 2011) over all parameters together."""
    import optuna

    return optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8)
