"""Reading orders, and writing to a task in the middle of a message."""

from collections.abc import Sequence

from aicompany.errors import AlreadyHandled, DefectError
from aicompany.events import Event
from aicompany.ids import TaskId, order_id_of
from aicompany.plans.picture import OrderPicture, picture_of
from aicompany.ports.event_store import AggregateType, Change, EventStore
from aicompany.tasks.files import OrderFiles, files_of
from aicompany.tasks.state import Task, has_nothing_to_do
from aicompany_workers.runtime.effects import append_to
from aicompany_workers.runtime.role import Message


class Orders:
    """Orders as they stand in the store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def picture(self, task: str) -> OrderPicture:
        """The order of a task, with all its steps. Raises `DefectError` when it does not exist."""
        order = order_id_of(TaskId(task))
        picture = picture_of(order, await self._store.read_order(order))
        if picture is None:
            raise DefectError(f"a message is about order {order}, which does not exist")
        return picture

    async def files(self, task: str) -> OrderFiles:
        """What is in the workspace of a task's order now, as the store tells it."""
        return files_of(await self._store.read_order(order_id_of(TaskId(task))))

    async def record(self, task: Task, events: Sequence[Event], message: Message) -> Task:
        """Commit events of a task at once, before the message is done, and return the task after them.

        Raises `VersionConflict` when somebody else changed the task (cancelled it, say).
        """
        append = append_to(AggregateType.TASK, task.id, task.version, events)
        metadata = {"trace_id": message.envelope.trace_id, "worker": message.worker}
        records = await self._store.commit(Change(appends=(append,), metadata=metadata))
        for event, record in zip(events, records, strict=True):
            task = task.after(event, version=record.version, at=record.timestamp)
        return task


def refuse_copy(task: Task, message: Message) -> None:
    """Raises `AlreadyHandled` when the message asks for what is done, under way, or asked for anew since.

    Not an empty `Effects`: those would put the id into the inbox, where the original, still at work, would find it
    at its end and be taken for the double.
    """
    envelope = message.envelope
    if has_nothing_to_do(task, run=envelope.run, attempt=envelope.attempt, redelivered=message.redelivered):
        raise AlreadyHandled(f"{envelope.id} asks for what {task.id} has had or has in hand")
