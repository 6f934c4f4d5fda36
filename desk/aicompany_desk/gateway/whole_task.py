"""A task with its steps and its history, all of one moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aicompany.ids import TraceId
from aicompany.ports.event_store import CompanyQueries, EventRecord, EventStore, TaskRow
from aicompany_desk.gateway.rows import event_json, task_json

_READS_MAX = 5
"""A task that changes faster than it can be read is shown as it was read last."""
_STEPS_MAX = 1000


@dataclass(frozen=True, slots=True)
class WholeTask:
    """What is shown of one order or step."""

    row: TaskRow
    steps: tuple[TaskRow, ...]
    records: tuple[EventRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """As the gateway answers it."""
        delivered = [event_json(record) for record in self.records if record.event_type == "result_delivered"]
        shown = task_json(self.row, whole=True)
        shown["kept_at"] = delivered[-1]["data"]["kept_at"] if delivered else None
        shown["steps"] = [task_json(step, whole=True) for step in self.steps]
        shown["history"] = [event_json(record) for record in self.records]
        traces = (record.metadata["trace_id"] for record in self.records if "trace_id" in record.metadata)
        shown["trace_id"] = next(map(TraceId, traces), None)
        return shown


async def whole_task(task_id: str, queries: CompanyQueries, store: EventStore) -> WholeTask | None:
    """Read it, again when it changed between two reads; `None` when there is none. Raises `StoreUnavailable`.

    Otherwise an order could be shown as running above a history in which it was delivered.
    """
    whole = await _read(task_id, queries, store)
    for _ in range(_READS_MAX - 1):
        if whole is None or is_of_one_moment((whole.row, *whole.steps), whole.records):
            break
        whole = await _read(task_id, queries, store)
    return whole


async def _read(task_id: str, queries: CompanyQueries, store: EventStore) -> WholeTask | None:
    row = await queries.task(task_id)
    if row is None:
        return None
    steps = await queries.tasks(parent_id=task_id, limit=_STEPS_MAX)
    return WholeTask(row, tuple(steps), tuple(await store.read_order(task_id)))


def is_of_one_moment(rows: Iterable[TaskRow], records: Iterable[EventRecord]) -> bool:
    """Whether each row is folded over as many events as there are of it."""
    events: dict[str, int] = {}
    for record in records:
        events[record.aggregate.id] = max(record.version, events.get(record.aggregate.id, 0))
    return all(events.get(row.id, row.version) == row.version for row in rows)
