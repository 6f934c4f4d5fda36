"""Between stored events and their types."""

from collections.abc import Iterable, Iterator

from aicompany.events import Event, index_by_type
from aicompany.ports.event_store import EventRecord
from aicompany.tasks.events import (
    ModelAnswered,
    RetryScheduled,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskPostponed,
    TaskReopened,
    TaskStarted,
    TaskSubmitted,
    TaskUndone,
    ToolsUsed,
)

TASK_EVENTS = index_by_type(
    TaskSubmitted,
    TaskStarted,
    ModelAnswered,
    ToolsUsed,
    RetryScheduled,
    TaskPostponed,
    TaskCompleted,
    TaskFailed,
    TaskCancelled,
    TaskUndone,
    TaskReopened,
)


def decode_all(records: Iterable[EventRecord], index: dict[str, type[Event]]) -> Iterator[tuple[EventRecord, Event]]:
    """Each record whose type the index knows, with its event; others (of a newer version, say) are passed over."""
    for record in records:
        event_type = index.get(record.event_type)
        if event_type is not None:
            yield record, event_type.model_validate_json(record.data)
