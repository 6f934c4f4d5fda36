"""`ports.event_store.CompanyQueries` on PostgreSQL: the views, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from aicompany.ports.clock import Clock
from aicompany.ports.event_store import ConversationRow, DeadLetterRow, PerformanceSummary, TaskRow
from aicompany_workers.store.postgres.database import PostgresDatabase

RowT = TypeVar("RowT", TaskRow, ConversationRow, DeadLetterRow)

_TASK = ", ".join(field.name for field in fields(TaskRow))
_CONVERSATION = ", ".join(field.name for field in fields(ConversationRow))
_DEAD_LETTER = ", ".join(field.name for field in fields(DeadLetterRow))

_TASK_OF_ID = f"SELECT {_TASK} FROM task_current_state WHERE id = %s"
_BEFORE = "(submitted_at, id) < (SELECT submitted_at, id FROM task_states WHERE id = %(before)s)"
_STEPS = f"SELECT {_TASK} FROM task_current_state WHERE {{conditions}} ORDER BY submitted_at, id LIMIT %(limit)s"
_ORDERS = (
    f"SELECT {_TASK} FROM task_current_state WHERE {{conditions}} ORDER BY submitted_at DESC, id DESC LIMIT %(limit)s"
)
_COUNTS = "SELECT state, count(*) FROM task_states WHERE parent_id IS NULL GROUP BY state"
_OVERDUE = """
SELECT id FROM task_states
WHERE deadline <= %s AND parent_id IS NULL AND state IN ('submitted', 'running') ORDER BY deadline LIMIT %s
"""
_CONVERSATION_OF_ID = f"SELECT {_CONVERSATION} FROM conversation_current_state WHERE id = %s"
_CONVERSATIONS = f"SELECT {_CONVERSATION} FROM conversation_current_state ORDER BY changed_at DESC LIMIT %s"
_DEAD_LETTER_OF_ID = f"SELECT {_DEAD_LETTER} FROM dead_letter_current_state WHERE id = %s"
_DEAD_LETTERS = f"""
SELECT {_DEAD_LETTER} FROM dead_letter_current_state WHERE state = ANY(%s) ORDER BY buried_at DESC LIMIT %s
"""
_SUBMITTED_SINCE = "SELECT count(*) FROM task_states WHERE parent_id IS NULL AND submitted_at >= %s"
_ENDED_SINCE = """
SELECT state, tokens, cost_usd, extract(epoch FROM ended_at - submitted_at)::FLOAT8
FROM task_states WHERE parent_id IS NULL AND ended_at >= %s
"""
_METRICS_SINCE = "SELECT metric, avg(value) FROM performance_metrics WHERE timestamp >= %s GROUP BY metric"


class PostgresQueries:
    """Looks things up; changes nothing."""

    def __init__(self, database: PostgresDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def task(self, task_id: str) -> TaskRow | None:
        """One task."""
        return await self._one(TaskRow, _TASK_OF_ID, (task_id,))

    async def tasks(
        self, *, state: str | None = None, parent_id: str | None = None, limit: int = 50, before_id: str | None = None
    ) -> list[TaskRow]:
        """Orders, newest first; or the steps of one."""
        conditions = ["parent_id IS NULL" if parent_id is None else "parent_id = %(parent)s"]
        if state is not None:
            conditions.append("state = %(state)s")
        if before_id is not None and parent_id is None:
            conditions.append(_BEFORE)
        statement = (_ORDERS if parent_id is None else _STEPS).format(conditions=" AND ".join(conditions))
        values = {"state": state, "parent": parent_id, "limit": limit, "before": before_id}
        rows = await self._many(TaskRow, statement, values)
        if parent_id is None:
            return rows
        return sorted(rows, key=lambda step: [int(part) for part in step.id.split(".")[1:]])

    async def task_counts(self) -> dict[str, int]:
        """Orders by state."""
        return {str(state): int(count) for state, count in await self._database.fetch(_COUNTS)}

    async def overdue(self, now: datetime, *, limit: int = 100) -> list[str]:
        """Orders past their deadline that have not ended."""
        return [row[0] for row in await self._database.fetch(_OVERDUE, (now, limit))]

    async def conversation(self, conversation_id: str) -> ConversationRow | None:
        """One conversation."""
        return await self._one(ConversationRow, _CONVERSATION_OF_ID, (conversation_id,))

    async def conversations(self, *, limit: int = 50) -> list[ConversationRow]:
        """Last changed first."""
        return await self._many(ConversationRow, _CONVERSATIONS, (limit,))

    async def dead_letters(self, *, include_replayed: bool = False, limit: int = 100) -> list[DeadLetterRow]:
        """Last buried first."""
        states = ["buried", "replayed"] if include_replayed else ["buried"]
        return await self._many(DeadLetterRow, _DEAD_LETTERS, (states, limit))

    async def dead_letter(self, message_id: str) -> DeadLetterRow | None:
        """One dead letter."""
        return await self._one(DeadLetterRow, _DEAD_LETTER_OF_ID, (message_id,))

    async def performance_summary(self, hours: float) -> PerformanceSummary:
        """Over the last hours."""
        since = self._clock.now() - timedelta(hours=hours)
        submitted = await self._database.fetch(_SUBMITTED_SINCE, (since,))
        ended = await self._database.fetch(_ENDED_SINCE, (since,))
        metrics = await self._database.fetch(_METRICS_SINCE, (since,))
        seconds = sorted(row[3] for row in ended if row[0] == "completed")
        return PerformanceSummary(
            hours=hours,
            submitted=submitted[0][0],
            completed=len(seconds),
            failed=sum(row[0] == "failed" for row in ended),
            cancelled=sum(row[0] == "cancelled" for row in ended),
            response_seconds_p50=_quantile(seconds, 0.50),
            response_seconds_p95=_quantile(seconds, 0.95),
            tokens=sum(row[1] for row in ended),
            cost_usd=sum((row[2] for row in ended), start=Decimal(0)),
            metrics={str(metric): float(mean) for metric, mean in metrics},
        )

    async def _one(self, row_type: type[RowT], statement: str, values: Sequence[Any]) -> RowT | None:
        found = await self._many(row_type, statement, values)
        return found[0] if found else None

    async def _many(
        self, row_type: type[RowT], statement: str, values: Sequence[Any] | Mapping[str, Any]
    ) -> list[RowT]:
        return [_row_of(row_type, row) for row in await self._database.fetch(statement, values)]


def _row_of(row_type: type[RowT], row: tuple[Any, ...]) -> RowT:
    values = dict(zip((field.name for field in fields(row_type)), row, strict=True))
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = value.astimezone(UTC)
    return row_type(**values)


def _quantile(ordered: list[float], part: float) -> float | None:
    """Nearest rank; `None` of nothing."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
