"""Log lines: one JSON object each, with the names that log collectors are set up for.

`timestamp` (RFC 3339, UTC), `level`, `worker`, `task_id`, `message`, `duration` (seconds), `metadata` (everything
else), `trace_id`. Lines of other libraries get the same shape.
"""

import logging
import sys
from collections.abc import MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from aicompany.spec.edges import LoggingSpec

_OWN_FIELDS = ("timestamp", "level", "worker", "task_id", "message", "duration", "trace_id")
_NOISY_LIBRARIES = ("yoyo", "uvicorn.access", "httpx2", "httpcore2", "anthropic", "asyncio", "psycopg.pool")
_TOLD_BY_US = ("pika",)
"""What these log as errors, with traces, our adapters expect and tell in a sentence."""

Line = MutableMapping[str, Any]


def write_logs_to_file(path: Path, spec: LoggingSpec) -> None:
    """Send all log lines of this process to a file that is rotated by size. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _install(
        RotatingFileHandler(path, maxBytes=spec.file_bytes_max, backupCount=spec.files_max, encoding="utf-8"), spec
    )


def write_logs_to_stdout(spec: LoggingSpec) -> None:
    """Send all log lines of this process to standard output, as containers do."""
    _install(logging.StreamHandler(sys.stdout), spec)


def _install(handler: logging.Handler, spec: LoggingSpec) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _in_designed_shape,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    level = spec.level.value.upper()
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for library in _NOISY_LIBRARIES:
        logging.getLogger(library).setLevel("WARNING")
    for library in _TOLD_BY_US:
        logging.getLogger(library).setLevel("CRITICAL")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _in_designed_shape(_logger: object, _method: str, line: Line) -> Line:
    line["message"] = line.pop("event", "")
    shaped = {name: line.pop(name) for name in _OWN_FIELDS if name in line}
    if line:
        shaped["metadata"] = dict(line)
    return shaped
