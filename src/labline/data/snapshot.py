"""Snapshots: the rows that were taken, kept unchanged under their hash, so that every run can name what it saw."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from labline.contract import Problem
from labline.data.sources.taking import Kind, Role, Taken
from labline.errors import DataError
from labline.store import Folder

if TYPE_CHECKING:
    import pandas as pd

IN_USE = "in-use.json"


class Snapshot(BaseModel):
    """What is known of a snapshot; its rows are in `<sha256>.parquet` beside the others of its role."""

    model_config = ConfigDict(frozen=True)

    problem: str
    role: Role
    kind: Kind
    origin: str
    sha256: str
    rows: int
    taken_at: datetime

    @property
    def is_sample(self) -> bool:
        """Whether the rows are generated and not real."""
        return self.kind == "sample"


class Snapshots:
    """The snapshots of one problem, in `data/<problem>/`; nothing in there is ever deleted.

    Args:
        folder: `data/` of the workspace, or of what it shares with others.
        problem: the contract.
    """

    def __init__(self, folder: Folder, problem: Problem) -> None:
        self._folder = folder / problem.name
        self._problem = problem

    def keep(self, taken: Taken, role: Role) -> Snapshot:
        """Keep the rows, and make them the ones in use for their role."""
        folder = self._folder / role
        try:
            buffer = BytesIO()
            taken.frame.to_parquet(buffer, index=False)
            digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
            folder.write(f"{digest}.parquet", buffer.getvalue())
        except OSError as error:
            raise DataError(
                f"cannot be kept: {error}", where=str(folder), mend="free some space there, or let it be written to"
            ) from error
        except (ValueError, TypeError) as error:  # pyarrow's, of a column that holds numbers and names
            raise DataError(f"cannot be kept: {error}", where=taken.origin, mend="give each column one type") from error
        snapshot = Snapshot(
            problem=self._problem.name,
            role=role,
            kind=taken.kind,
            origin=taken.origin,
            sha256=digest,
            rows=len(taken.frame),
            taken_at=datetime.now(UTC),
        )
        text = snapshot.model_dump_json(indent=2).encode()
        for name in (f"{digest}.json", IN_USE):
            folder.write(name, text)
        return snapshot

    def in_use(self, role: Role) -> Snapshot | None:
        """The snapshot in use for the role; None when none was taken yet."""
        try:
            return Snapshot.model_validate_json((self._folder / role).read(IN_USE))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise DataError(
                "what it says of the snapshot in use is not whole",
                where=str(self._folder / role / IN_USE),
                mend=f"labline data {self._problem.name}",
            ) from error

    def need(self, role: Role) -> Snapshot:
        """The snapshot in use for the role.

        Raises:
            DataError: none was taken yet.
        """
        snapshot = self.in_use(role)
        if snapshot is None:
            raise DataError(
                f"no {role!r} rows were taken yet",
                where=str(self._folder / role),
                mend=f"labline data {self._problem.name}" + ("" if role == "train" else f" --{role} FILE"),
            )
        return snapshot

    def read(self, role: Role, sha256: str) -> pd.DataFrame:
        """The rows of a snapshot.

        Raises:
            DataError: they are not there.
        """
        import pandas as pd

        name = f"{sha256}.parquet"
        file = self._folder / role / name
        try:
            content = (self._folder / role).read(name)
        except FileNotFoundError as error:
            raise DataError(
                "the snapshot is not in this workspace",
                where=str(file),
                mend=f"bring data/{self._problem.name} along, or train again here",
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(
                "the snapshot was altered: it is not what its hash says",
                where=str(file),
                mend=f"move it away, then labline data {self._problem.name}",
            )
        return pd.read_parquet(BytesIO(content))
