"""Making a dead letter."""

from aicompany.dead_letters.events import MessageBuried
from aicompany.failure import Failure
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, NewEvent


def bury(stem: str, *, version: int, queue: str, body: bytes, task_id: str | None, failure: Failure) -> Append:
    """The append that buries the message with this id stem; `version` is where its dead letter stands (0: none yet)."""
    event = MessageBuried(queue=queue, body=body.decode(errors="replace"), task_id=task_id, failure=failure)
    return Append(
        AggregateRef(AggregateType.DEAD_LETTER, stem), version, (NewEvent(event.event_type, event.to_json()),)
    )
