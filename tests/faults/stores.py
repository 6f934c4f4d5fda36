"""Reading what a company stored, from beside it: its database and its state directory."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import psycopg
from tests.faults.evidence import StoredEvent

_EVENTS = "SELECT id, aggregate_id, version, event_type, event_data FROM events ORDER BY id"
_DONE = """
SELECT count(*) FROM (SELECT DISTINCT aggregate_id, version FROM events
WHERE event_type IN ('result_delivered', 'turn_answered', 'turn_failed')) AS done
"""
_SUBMITTED = "SELECT count(*) FROM outbox"


class Records(Protocol):
    """A company's database, read only."""

    def events(self) -> tuple[StoredEvent, ...]:
        """All events."""

    def done(self) -> int:
        """Results delivered and turns answered so far."""

    def waiting(self) -> int:
        """Messages in the outbox."""


class SqliteRecords:
    """`Records` of one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def events(self) -> tuple[StoredEvent, ...]:
        return _events_of(self._rows(_EVENTS))

    def done(self) -> int:
        return int(self._rows(_DONE)[0][0])

    def waiting(self) -> int:
        return int(self._rows(_SUBMITTED)[0][0])

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return [(0,)]
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


class PostgresRecords:
    """`Records` of a company over servers; goes around the proxy."""

    def __init__(self, url: str) -> None:
        self._url = url

    def events(self) -> tuple[StoredEvent, ...]:
        return _events_of(self._rows(_EVENTS))

    def done(self) -> int:
        return int(self._rows(_DONE)[0][0])

    def waiting(self) -> int:
        return int(self._rows(_SUBMITTED)[0][0])

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url, connect_timeout=5) as connection:
            return connection.execute(statement).fetchall()


def _events_of(rows: Iterable[tuple[Any, ...]]) -> tuple[StoredEvent, ...]:
    return tuple(
        StoredEvent(position, aggregate, version, kind, json.loads(data) if isinstance(data, str) else data)
        for position, aggregate, version, kind, data in rows
    )


def notices_in(state: Path) -> tuple[str, ...]:
    """The task of each notice that was told."""
    place = state / "notices.jsonl"
    lines = place.read_text(encoding="utf-8").splitlines() if place.exists() else []
    return tuple(json.loads(line)["task_id"] for line in lines)


def results_in(state: Path) -> dict[str, str]:
    """Task and text of each result that was kept."""
    return {path.stem: path.read_text(encoding="utf-8") for path in (state / "results").glob("*.md")}
