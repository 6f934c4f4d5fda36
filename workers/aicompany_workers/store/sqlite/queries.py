"""`ports.event_store.CompanyQueries` on SQLite: the views, as rows."""

import sqlite3
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from aicompany.ports.clock import Clock
from aicompany.ports.event_store import ConversationRow, DeadLetterRow, PerformanceSummary, TaskRow
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import timestamp_of

Row = TypeVar("Row", TaskRow, ConversationRow, DeadLetterRow)

_TASK = ", ".join(field.name for field in fields(TaskRow))
_CONVERSATION = ", ".join(field.name for field in fields(ConversationRow))
_DEAD_LETTER = ", ".join(field.name for field in fields(DeadLetterRow))

TASK = f"SELECT {_TASK} FROM task_current_state WHERE id = ?"
_NEWEST_FIRST = """
(?2 IS NULL OR (submitted_at, id) < (SELECT submitted_at, id FROM task_states WHERE id = ?2))
ORDER BY submitted_at DESC, id DESC LIMIT ?3
"""
ORDERS = f"SELECT {_TASK} FROM task_current_state WHERE parent_id IS NULL AND ?1 IS NULL AND {_NEWEST_FIRST}"
ORDERS_IN_STATE = f"SELECT {_TASK} FROM task_current_state WHERE parent_id IS NULL AND state = ?1 AND {_NEWEST_FIRST}"
STEPS = f"""
SELECT {_TASK} FROM task_current_state
WHERE parent_id = ?1 AND (?2 IS NULL OR state = ?2) ORDER BY submitted_at, id LIMIT ?3
"""
COUNTS = "SELECT state, count(*) FROM task_states WHERE parent_id IS NULL GROUP BY state"
OVERDUE = """
SELECT id FROM task_states INDEXED BY task_states_by_deadline
WHERE deadline <= ? AND parent_id IS NULL AND state IN ('submitted', 'running') ORDER BY deadline LIMIT ?
"""
CONVERSATION = f"SELECT {_CONVERSATION} FROM conversation_current_state WHERE id = ?"
CONVERSATIONS = f"SELECT {_CONVERSATION} FROM conversation_current_state ORDER BY changed_at DESC LIMIT ?"
DEAD_LETTER = f"SELECT {_DEAD_LETTER} FROM dead_letter_current_state WHERE id = ?"
DEAD_LETTERS = f"""
SELECT {_DEAD_LETTER} FROM dead_letter_current_state
WHERE state = 'buried' OR (?1 AND state = 'replayed') ORDER BY buried_at DESC LIMIT ?2
"""
_SUBMITTED_SINCE = "SELECT count(*) FROM task_states WHERE parent_id IS NULL AND submitted_at >= ?"
_ENDED_SINCE = """
SELECT state, tokens, cost_usd, (julianday(ended_at) - julianday(submitted_at)) * 86400
FROM task_states WHERE parent_id IS NULL AND ended_at >= ?
"""
_METRICS_SINCE = "SELECT metric, avg(value) FROM performance_metrics WHERE timestamp >= ? GROUP BY metric"

_MOMENTS = frozenset(
    {"deadline", "submitted_at", "started_at", "ended_at", "delivered_at", "changed_at", "buried_at", "replayed_at"}
)


class SqliteQueries:
    """Looks things up; changes nothing."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def task(self, task_id: str) -> TaskRow | None:
        """One task."""
        return await self._one(TaskRow, TASK, (task_id,))

    async def tasks(
        self, *, state: str | None = None, parent_id: str | None = None, limit: int = 50, before_id: str | None = None
    ) -> list[TaskRow]:
        """Orders, newest first; or the steps of one."""
        if parent_id is not None:
            steps = await self._many(TaskRow, STEPS, (parent_id, state, limit))
            return sorted(steps, key=lambda step: [int(part) for part in step.id.split(".")[1:]])
        statement = ORDERS if state is None else ORDERS_IN_STATE
        return await self._many(TaskRow, statement, (state, before_id, limit))

    async def task_counts(self) -> dict[str, int]:
        """Orders by state."""
        return dict(await self._database.read(lambda c: c.execute(COUNTS).fetchall()))

    async def overdue(self, now: datetime, *, limit: int = 100) -> list[str]:
        """Orders past their deadline that have not ended."""
        values = (timestamp_of(now), limit)
        return await self._database.read(lambda c: [row[0] for row in c.execute(OVERDUE, values)])

    async def conversation(self, conversation_id: str) -> ConversationRow | None:
        """One conversation."""
        return await self._one(ConversationRow, CONVERSATION, (conversation_id,))

    async def conversations(self, *, limit: int = 50) -> list[ConversationRow]:
        """Last changed first."""
        return await self._many(ConversationRow, CONVERSATIONS, (limit,))

    async def dead_letters(self, *, include_replayed: bool = False, limit: int = 100) -> list[DeadLetterRow]:
        """Last buried first."""
        return await self._many(DeadLetterRow, DEAD_LETTERS, (include_replayed, limit))

    async def dead_letter(self, message_id: str) -> DeadLetterRow | None:
        """One dead letter."""
        return await self._one(DeadLetterRow, DEAD_LETTER, (message_id,))

    async def performance_summary(self, hours: float) -> PerformanceSummary:
        """Over the last hours."""
        since = timestamp_of(self._clock.now().astimezone(UTC) - timedelta(hours=hours))

        def work(connection: sqlite3.Connection) -> PerformanceSummary:
            (submitted,) = connection.execute(_SUBMITTED_SINCE, (since,)).fetchone()
            ended = connection.execute(_ENDED_SINCE, (since,)).fetchall()
            seconds = sorted(row[3] for row in ended if row[0] == "completed")
            return PerformanceSummary(
                hours=hours,
                submitted=submitted,
                completed=len(seconds),
                failed=sum(row[0] == "failed" for row in ended),
                cancelled=sum(row[0] == "cancelled" for row in ended),
                response_seconds_p50=_quantile(seconds, 0.50),
                response_seconds_p95=_quantile(seconds, 0.95),
                tokens=sum(row[1] for row in ended),
                cost_usd=_money(sum(row[2] for row in ended)),
                metrics=dict(connection.execute(_METRICS_SINCE, (since,)).fetchall()),
            )

        return await self._database.read(work)

    async def _one(self, row_type: type[Row], statement: str, values: tuple[Any, ...]) -> Row | None:
        found = await self._many(row_type, statement, values)
        return found[0] if found else None

    async def _many(self, row_type: type[Row], statement: str, values: tuple[Any, ...]) -> list[Row]:
        return await self._database.read(
            lambda c: [_row_of(row_type, row) for row in c.execute(statement, values).fetchall()]
        )


def _row_of(row_type: type[Row], row: tuple[Any, ...]) -> Row:
    values = {field.name: value for field, value in zip(fields(row_type), row, strict=True)}
    for name in _MOMENTS & values.keys():
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    if "cost_usd" in values:
        values["cost_usd"] = _money(values["cost_usd"])
    return row_type(**values)


def _money(value: float) -> Decimal:
    """Sums in SQLite are floating point; a millionth of a cent is exact enough to show."""
    return Decimal(str(round(value, 8)))


def _quantile(ordered: list[float], part: float) -> float | None:
    """Nearest rank; `None` of nothing."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
