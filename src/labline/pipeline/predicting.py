"""Predict: score files with the champion, of any length, in memory that does not grow with it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labline.atomic import replacing
from labline.config import Config
from labline.contract import Problem
from labline.errors import DataError
from labline.model.bundle import Bundle
from labline.pipeline.champion import load_champion
from labline.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

    from labline.data.batches.judging import Judged
    from labline.data.batches.places import Goal
    from labline.data.batches.source import Block, Source
    from labline.data.batches.unfinished import Unfinished

Invalid = Literal["refuse", "skip"]
"""What is done with rows that break the contract: no file is written, or they are set aside."""

Unreadable = DataError | UnicodeError

CHUNK = 100_000  # rows of a frame; between them progress can be told
WAITING = 2  # blocks a thread, read ahead: what memory has to hold


@dataclass(frozen=True)
class Predicted:
    """What a file came to.

    Attributes:
        rows: predicted.
        rejected: rows that were set aside.
        rejected_file: where those are told, one line for each value that is wrong; None where rows are refused.
        resumed: rows that an earlier run had done.
    """

    rows: int
    rejected: int = 0
    rejected_file: str | None = None
    resumed: int = 0


@dataclass(frozen=True)
class _Scored:
    """What a thread makes of a block."""

    rows: int
    output: bytes
    whole_ids: bool
    judged: Judged | None = None


def predict(
    config: Config,
    problem: Problem,
    source: str,
    target: str | Path,
    progress: Progress = silent,
    *,
    invalid: Invalid = "refuse",
    threads: int | None = None,
) -> Predicted:
    """Score every row of a file with the champion, as `predict_file` does.

    Raises:
        DataError: the file cannot be read or written, or a row breaks the contract.
        RegistryError: there is no champion.
    """
    from labline.data.batches import places

    places.version_of(source, config.storage.object_store)  # what is not there needs no champion
    progress("load the champion")
    bundle = load_champion(config, problem.name)[1]
    return predict_file(config, bundle, source, target, progress, invalid=invalid, threads=threads)


def predict_file(
    config: Config,
    bundle: Bundle,
    source: str,
    target: str | Path,
    progress: Progress = silent,
    *,
    invalid: Invalid = "refuse",
    threads: int | None = None,
) -> Predicted:
    """Score every row of a file into another, in the same order.

    The output has the id column, where the input has it, then `prediction` and a probability for each class, or both
    ends of the interval. It is there when it is whole: a run that ends early, however it ends, goes on where it was
    when it is asked for again, unless the source, the champion or the kind of output is another.

    Args:
        config: where the object store is, and what is unfinished on its way there.
        bundle: that scores.
        source: a path, or an address that fsspec knows (`s3://…`).
        target: likewise; what is there is replaced.
        progress: told how many rows are done.
        invalid: `refuse`: the first block with a row that breaks the contract ends it, and nothing is written; `skip`:
            such rows are left out, and told in a file beside the target.
        threads: that work at it; None: one for each core.

    Raises:
        DataError: the file cannot be read or written, or a row breaks the contract.
    """
    from labline.data.batches import places
    from labline.data.batches.reading import open_source
    from labline.data.batches.unfinished import Identity, Unfinished
    from labline.data.batches.writing import kind_of

    goal = places.goal_of(config, str(target))
    if goal.is_same(source):
        raise DataError("source and target are one file", where=str(target), mend="name another file to write to")
    kind = kind_of(str(target))
    version = places.version_of(source, config.storage.object_store)
    identity = Identity(source=places.shown(source), version=version, bundle=bundle.digest, kind=kind, invalid=invalid)
    with (
        open_source(source, bundle.problem, config.storage.object_store) as opened,
        Unfinished(goal.work, identity) as unfinished,
    ):
        run = _Run(bundle.on_one_thread(), opened, unfinished, kind, invalid, places.shown(source))
        resumed = unfinished.done.rows
        run.through(threads or cores(), progress)
        if places.version_of(source, config.storage.object_store) != version:
            unfinished.forget()
            raise DataError("it was changed while it was read", where=places.shown(source), mend="predict again")
        progress("finish the file", 1.0)
        aside = run.publish(goal)
        done = unfinished.done
        unfinished.forget()
    return Predicted(done.rows - done.rejected, done.rejected, aside, resumed)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Run:
    """One file on its way through."""

    bundle: Bundle
    source: Source
    unfinished: Unfinished
    kind: str
    invalid: Invalid
    address: str

    def through(self, threads: int, progress: Progress) -> None:
        """Everything that is left, block by block: read here, scored by threads, written here in order."""
        from labline.data.batches import judging, writing
        from labline.model.scoring import predictions_schema

        if self.unfinished.done.written == 0:
            names = predictions_schema(self.bundle, with_id=self.source.has_id).names
            aside = judging.rejected_head() if self.invalid == "skip" else b""
            self.unfinished.add(writing.head(self.kind, names), aside)
        size = self.source.size
        with ThreadPoolExecutor(threads) as pool:
            try:
                for block, scored in _in_order(self, pool, WAITING * threads):
                    self._add(block, self._whole(block, scored))
                    done = self.unfinished.done
                    progress(f"{done.rows:,} rows", min(1.0, done.place / size) if size else 0.0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                self.unfinished.keep()
                raise
        if self.unfinished.done.rows == 0:
            self.unfinished.forget()
            raise DataError("it has no rows", where=self.address, mend="take a file with data in it")
        self.unfinished.keep()

    def score(self, block: Block) -> _Scored | Unreadable:
        """The block's predictions, rendered; or why it cannot be read, in words that do not know where it stands."""
        from labline.data.batches.judging import judged
        from labline.model.pyfunc import columns_of

        batch = self.source.batch(block)
        if batch is not None:
            return self._rendered(batch.rows, self.bundle.scores(batch.columns, batch.repeated), batch.ids)
        try:
            frame = self.source.frame(block, 0)
        except (DataError, UnicodeError) as error:
            return error
        found = judged(frame, self.bundle.problem, skip=self.invalid == "skip")
        if found.broken or not len(found.kept):
            return _Scored(len(frame), b"", whole_ids=True, judged=found)
        scores = self.bundle.scores(columns_of(self.bundle.problem, found.kept))
        return self._rendered(len(frame), scores, _ids(found.kept, self.bundle.problem.id), found)

    def _rendered(self, rows: int, scores: Any, ids: Any, judged: Judged | None = None) -> _Scored:
        import pyarrow as pa

        from labline.data.batches.writing import are_whole, rendered
        from labline.model.scoring import predictions_table

        if self.source.has_id and ids is None:
            ids = pa.nulls(len(scores), pa.string())
        table = predictions_table(self.bundle, scores, ids if self.source.has_id else None)
        whole = self.kind in {".parquet", ".pq"} and self.source.has_id and are_whole(ids)
        return _Scored(rows, rendered(table, self.kind), whole, judged)

    def _whole(self, block: Block, scored: _Scored | Unreadable) -> _Scored:
        """What came of a block.

        Raises:
            DataError: its rows cannot be read, or break the contract; with their places in the file.
        """
        from labline.data.sources.opening import explained

        done = self.unfinished.done
        try:
            if isinstance(scored, Exception):
                with explained(self.address):
                    self.source.frame(block, done.lines or done.rows)  # raises it again, and knows the place
                    raise scored
            if scored.judged is not None:
                scored.judged.need_whole(done.rows, self.address)
        except DataError:
            self.unfinished.forget()  # the source has to be mended first, and is another one then
            raise
        return scored

    def _add(self, block: Block, scored: _Scored) -> None:
        from labline.data.batches.judging import rejected_lines

        done = self.unfinished.done
        rejected, aside = 0, b""
        if scored.judged is not None:
            rejected = len({one.row for one in scored.judged.rejections})
            aside = rejected_lines(scored.judged.rejections, done.rows)
        self.unfinished.add(
            scored.output,
            aside,
            place=block.end,
            rows=done.rows + scored.rows,
            lines=done.lines + block.lines,
            rejected=done.rejected + rejected,
            whole_ids=done.whole_ids and scored.whole_ids,
        )

    def publish(self, goal: Goal) -> str | None:
        """Put the files where they belong; gives where the rows set aside are told."""
        from labline.data.batches.writing import write_parquet
        from labline.model.scoring import predictions_schema

        ready = self.unfinished.rows
        if self.kind in {".parquet", ".pq"}:
            schema = predictions_schema(self.bundle, with_id=self.source.has_id)
            with replacing(goal.work) as unfinished:
                write_parquet(ready, schema, unfinished, whole_ids=self.unfinished.done.whole_ids)
            ready = goal.work
        return goal.take(ready, self.unfinished.aside if self.invalid == "skip" else None)


def _read(run: _Run) -> Iterator[Block]:
    from labline.data.sources.opening import explained

    with explained(run.address):
        yield from run.source.blocks(run.unfinished.done.place)


def _in_order(run: _Run, pool: ThreadPoolExecutor, ahead: int) -> Iterator[tuple[Block, _Scored | Unreadable]]:
    """Each block that is left with what came of it, no more than so many of them at a time."""
    waiting: deque[Any] = deque()
    for block in _read(run):
        waiting.append((block, pool.submit(run.score, block)))
        if len(waiting) > ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


def _ids(frame: pd.DataFrame, name: str | None) -> Any:
    import pyarrow as pa

    if name is None or name not in frame:
        return None
    return pa.array(frame[name], from_pandas=True)


def score(bundle: Bundle, frame: pd.DataFrame, progress: Progress = silent) -> pd.DataFrame:
    """Predictions for a checked frame, with its id column where it has one; same rows, same order."""
    import pandas as pd

    from labline.model.pyfunc import predictions_frame, score_frame

    parts = []
    for start in range(0, len(frame), CHUNK):
        progress(f"score {len(frame):,} rows", 0.3 + 0.6 * start / len(frame))
        part = frame.iloc[start : start + CHUNK]
        parts.append(predictions_frame(bundle, score_frame(bundle, part), part.index))
    scored = pd.concat(parts)
    if bundle.problem.id is not None and bundle.problem.id in frame:
        scored.insert(0, bundle.problem.id, frame[bundle.problem.id])
    return scored
