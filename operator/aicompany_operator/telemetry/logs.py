"""Log lines of the operator: JSON on standard output, those of kopf and other libraries among them."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def write_logs_to_stdout(level: int = logging.INFO) -> None:
    """From now on every line of this process is one JSON object: timestamp, level, worker, message, metadata."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _as_line,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Each watch event and each request would be a line.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


_OWN = ("timestamp", "level", "message")


def _as_line(_: Any, __: str, event: MutableMapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - structlog's
    event["message"] = event.pop("event", "")
    metadata = {name: value for name, value in event.items() if name not in _OWN}
    line = {name: event[name] for name in _OWN if name in event}
    return line | {"worker": "operator"} | ({"metadata": metadata} if metadata else {})
