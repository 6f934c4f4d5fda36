"""Identifiers: what they look like and how one is derived from another.

New ids are ULIDs in lower case (26 characters, sortable by time), drawn at the edge through `ports.clock.IdSource`.
Ids that follow from others are derived, never drawn, so that doing the same work twice gives the same ids and the
second time has no effect.
"""

import hashlib
from typing import NewType

TaskId = NewType("TaskId", str)
MessageId = NewType("MessageId", str)
TraceId = NewType("TraceId", str)

SEPARATOR = "."
"""Between an order's id and the place of a step in its plan."""


def step_id_of(order: TaskId, phase: int, step: int) -> TaskId:
    """The id of a step by its place, both counted from 1: `<order>.<phase>.<step>`."""
    return TaskId(f"{order}{SEPARATOR}{phase}{SEPARATOR}{step}")


def order_id_of(task: TaskId) -> TaskId:
    """The order that a task belongs to; an order belongs to itself."""
    return TaskId(task.split(SEPARATOR, 1)[0])


def place_of(step: TaskId) -> tuple[int, int]:
    """Phase and step, both counted from 1, of a step's id. Raises `ValueError` for an order's id."""
    _, phase, number = step.split(SEPARATOR)
    return int(phase), int(number)


def message_id_of(purpose: str, task: str, run: int = 1) -> MessageId:
    """The id of the one message that has this purpose for this task in this run."""
    return MessageId(f"{purpose}:{task}:{run}")


def task_id_of_key(requester: str, key: str) -> TaskId:
    """The id of the order that a requester submits under an idempotency key: the same key gives the same id.

    26 characters of SHA-256 in base 32 without padding, so it looks like a drawn id.
    """
    digest = hashlib.sha256(f"{requester}\x00{key}".encode()).hexdigest()
    number = int(digest, 16)
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return TaskId("".join(alphabet[(number >> (5 * i)) & 31] for i in range(26)))
