"""Watch: what a server does by itself: count what came, judge the last window, keep the judgement, tell of a change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loguru import logger
from sqlalchemy import Engine

from labline.config import Config
from labline.config.monitoring import Monitoring
from labline.database import alone, open_database, reaching
from labline.monitoring.gauges import Gauge, gauges_of
from labline.monitoring.history import Judgement, add_judgement, last_judgements, rows_since
from labline.monitoring.notices import note_change, settle_notice, take_due
from labline.monitoring.summary import Summary
from labline.monitoring.webhook import WebhookError, post
from labline.pipeline.champion import Served
from labline.pipeline.monitoring import Judged, judge_log

LOCK = 0x6C61626A7564  # "labjud"


@dataclass(frozen=True)
class Watched:
    """What one look found."""

    summary: Summary
    gauges: list[Gauge]


def watch(config: Config, served: Served) -> Watched:
    """Count what came, judge the last window, and keep the judgement if the window is a new one.

    May run in many processes at once: each window is kept by one.

    Raises:
        DatabaseError: the database is away.
    """
    judged = judge_log(config, served)
    engine = open_database(config.storage.database_url.get_secret_value())
    if judged.summary.status != "insufficient_data":
        keep_judgement(engine, judged, config.monitoring, datetime.now(UTC))
    performance = {name: figure.value for name, figure in judged.figures.items()}
    return Watched(judged.summary, gauges_of(judged.summary, judged.window.outcomes, performance))


def keep_judgement(engine: Engine, judged: Judged, settings: Monitoring, now: datetime) -> bool:
    """Keep the judgement of a window that shares no row with the one before, and note a change of status.

    Returns:
        Whether it was such a window, and no other process had kept one meanwhile.
    """
    found = _judgement(judged, now)
    problem = judged.summary.problem
    with reaching(engine), engine.connect() as connection:
        before = last_judgements(connection, problem, found.version, 1)
        if before and rows_since(connection, problem, found.version, before[0].sequence, found.rows) < found.rows:
            return False
    with alone(engine, LOCK) as connection:
        if last_judgements(connection, problem, found.version, 1) != before:
            return False
        add_judgement(connection, problem, found, timedelta(days=settings.history_days))
        if settings.webhook_url is not None:
            newest = last_judgements(connection, problem, found.version, settings.webhook_windows)
            note_change(connection, problem, newest, settings.webhook_windows)
    return True


def _judgement(judged: Judged, now: datetime) -> Judgement:
    summary, rows = judged.summary, judged.window.rows
    if rows is None or summary.since is None or summary.until is None:
        raise ValueError("only a window of rows can be kept")
    return Judgement(
        version=summary.model_version,
        sequence=int(rows.sequences.max()),
        at=now,
        since=summary.since,
        until=summary.until,
        rows=summary.rows,
        status=summary.status,
        reasons=summary.reasons,
    )


def send_notices(config: Config, problem: str) -> int:
    """Send what is due to the webhook; what fails is tried again by a later call.

    Returns:
        How many were sent.

    Raises:
        DatabaseError: the database is away.
        ConfigError: the secret is not base64.
    """
    settings = config.monitoring
    if settings.webhook_url is None or settings.webhook_secret is None:
        return 0
    engine = open_database(config.storage.database_url.get_secret_value())
    url, secret = settings.webhook_url.get_secret_value(), settings.webhook_secret.get_secret_value()
    sent = 0
    while notice := take_due(engine, problem, time.time(), patience=4 * settings.webhook_seconds):
        try:
            identifier = f"labline-{problem}-{notice.entry}"
            post(url, secret, identifier, notice.body, now=time.time(), seconds=settings.webhook_seconds)
        except WebhookError as error:
            again = settle_notice(engine, notice, sent=False, now=time.time(), tries_max=settings.webhook_tries)
            logger.log("WARNING" if again else "ERROR", "{}; {}", error, "tried again later" if again else "given up")
        else:
            settle_notice(engine, notice, sent=True, now=time.time(), tries_max=settings.webhook_tries)
            sent += 1
    return sent
