"""Rows and records as JSON."""

import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from aicompany.ports.event_store import EventRecord, TaskRow


def json_of(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """A row, or a structure of rows, as what JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        return json_of(asdict(value))
    if isinstance(value, dict):
        return {str(key): json_of(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_of(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    return value


def event_json(record: EventRecord) -> dict[str, Any]:
    """An event as clients see it."""
    return {
        "position": record.position,
        "id": record.aggregate.id,
        "version": record.version,
        "type": record.event_type,
        "data": json.loads(record.data),
        "metadata": dict(record.metadata),
        "timestamp": record.timestamp.isoformat(),
    }


def task_json(row: TaskRow, *, whole: bool = False) -> dict[str, Any]:
    """A task as clients see it; prompt and result only when the whole is asked for."""
    shown: dict[str, Any] = json_of(row)
    if not whole:
        del shown["prompt"], shown["result"]
    return shown
