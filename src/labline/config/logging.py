"""What is logged, and how: Loguru, with the standard library's loggers routed into it."""

from __future__ import annotations

import inspect
import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from loguru import logger

from labline.config.section import Section

if TYPE_CHECKING:
    from loguru import Message

ENCODE = json.JSONEncoder(default=str, ensure_ascii=False).encode  # made once: an access log writes thousands a second
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is answered, where the API is: every line logged meanwhile names it."""

HUMAN = "<dim>{time:HH:mm:ss}</dim> <level>{level: <8}</level> {message}"
# These speak of their own insides at INFO; a user of Labline has no use for it.
QUIET = (
    "alembic",
    "mlflow",
    "matplotlib",
    "urllib3",
    "httpx",
    "httpx2",
    "httpcore",
    "evidently",
    "kagglesdk",
    "aiobotocore",
    "boto3",
    "botocore",
    "azure",
)


class Logging(Section):
    """Level and format of the log."""

    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"]
    format: Literal["auto", "human", "json"]


class _ToLoguru(logging.Handler):
    """Hands a record of the standard library's logging to Loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record at its own level, as coming from its own caller."""
        if record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt):
            return  # whoever was interrupted raises it again, and the command's last line tells it
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:  # a level of the library's own
            level = record.levelno
        logger.opt(depth=depth, exception=record.exc_info).log(level, record.getMessage())


def _json_line(message: Message) -> None:
    """One JSON object a line: what a log collector needs, and no more."""
    record = message.record
    line: dict[str, object] = {
        "at": record["time"].astimezone(UTC).isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        "logger": record["name"],
        **record["extra"],
    }
    if (request_id := REQUEST_ID.get()) is not None:
        line["request_id"] = request_id
    if record["exception"] is not None:
        line["exception"] = "".join(traceback.format_exception(*record["exception"])).strip()
    sys.stderr.write(ENCODE(line) + "\n")


def _human_line(message: Message) -> None:
    """To what is standard error now: while a progress bar is shown, it is the bar's, which makes room for the line."""
    sys.stderr.write(message)


def configure(section: Logging) -> None:
    """Send every log line, ours and the libraries', to standard error in the configured format."""
    as_json = section.format == "json" or (section.format == "auto" and not sys.stderr.isatty())
    logger.remove()
    if as_json:
        logger.add(_json_line, level=section.level, format=lambda _record: "")
    else:
        # diagnose=False: Loguru would print the values of local variables, secrets among them
        logger.add(
            _human_line,
            level=section.level,
            format=HUMAN,
            diagnose=False,
            colorize=sys.stderr.isatty(),
        )
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.INFO, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
