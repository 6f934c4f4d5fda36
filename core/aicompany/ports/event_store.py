"""The event store: one atomic write, several ways to read.

Every change of the company is one `Change`, committed whole or not at all: the handled message's id in the inbox,
the events it caused, the messages it sends (outbox) and the measurements it took.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from aicompany.ports.broker import Outgoing


class AggregateType(StrEnum):
    """What events are about."""

    TASK = "task"
    CONVERSATION = "conversation"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class AggregateRef:
    """One aggregate."""

    type: AggregateType
    id: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event about to be appended. `data` is a JSON object as text."""

    event_type: str
    data: str


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as stored."""

    position: int
    """Place in the whole store, ascending with commits (column `id`)."""
    aggregate: AggregateRef
    version: int
    """Place in its aggregate, from 1 without gaps."""
    event_type: str
    data: str
    metadata: Mapping[str, Any]
    """What is known of the writing: `trace_id`, `worker`."""
    timestamp: datetime
    """When it was committed, UTC."""


@dataclass(frozen=True, slots=True)
class Append:
    """Events for one aggregate, which must stand at `expected_version` (0: it must not exist).

    `None`: wherever it stands. For events that hold whatever else happened meanwhile, such as the answer to a turn
    while the user already says the next thing; what keeps such an event from being stored twice is the inbox.
    """

    aggregate: AggregateRef
    expected_version: int | None
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of `performance_metrics`."""

    metric: str
    value: float
    unit: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that one handled message, or one request, changes."""

    appends: tuple[Append, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    handled_message_id: str | None = None
    """Goes to the inbox; `None` for a change that no message caused."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Stored with each event."""


class EventStore(Protocol):
    """Append and read. All methods raise `StoreUnavailable` when the store cannot be reached or its disk is full."""

    async def commit(self, change: Change) -> tuple[EventRecord, ...]:
        """Store the change whole, durable when it returns, and give back the appended events in order.

        Raises `AlreadyHandled` when the inbox has the message id, `VersionConflict` when an aggregate does not
        stand at its expected version; then nothing of the change is stored.
        """

    async def is_handled(self, message_id: str) -> bool:
        """Whether the inbox has the message."""

    async def read(self, aggregate: AggregateRef, *, after_version: int = 0) -> list[EventRecord]:
        """The aggregate's events in order; empty when there is none."""

    async def read_order(self, order_id: str, *, after_position: int = 0) -> list[EventRecord]:
        """The events of an order and of all its steps, by position."""

    async def read_all(self, *, after_position: int = 0, limit: int = 1000) -> list[EventRecord]:
        """The stream of everything, by position. No event appears later before a position already read."""

    async def forget(self, *, handled_before: datetime, measured_before: datetime) -> int:
        """Drop old inbox entries, claims and measurements; returns how many. Events are never dropped."""

    def watch(self, watched_id: str) -> AbstractContextManager["Changes"]:
        """Learn, while it is open, when events of this aggregate, or of a step of this order, are committed."""


class Changes(Protocol):
    """Tells that there is something to read, not what. Changes that nobody waited for are merged into one."""

    async def wait(self, timeout_seconds: float) -> bool:
        """Whether something changed, or the time-out came. True at once the first time."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that was committed and is to be published."""

    sequence: int
    message: Outgoing


class Outbox(Protocol):
    """Messages on their way from the store to the broker."""

    async def pending(self, limit: int, *, except_queues: Collection[str] = ()) -> list[OutboxRow]:
        """The oldest unpublished messages but those for `except_queues`; `delay_seconds` is what is left of it."""

    async def mark_published(self, sequences: Sequence[int]) -> None:
        """Forget these rows; call after the broker confirmed them."""

    async def wait(self, timeout_seconds: float) -> None:
        """Return as soon as there may be something pending, at the latest after the time-out."""

    async def count(self) -> int:
        """Messages that are not published yet."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """`task_current_state`: a task folded over all its events."""

    id: str
    parent_id: str | None
    state: str
    title: str
    prompt: str
    kind: str
    lane: str
    agent: str | None
    requester: str | None
    deadline: datetime | None
    attempts: int
    tokens: int
    cost_usd: Decimal
    result: str | None
    error_code: str | None
    error_message: str | None
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    delivered_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """`conversation_current_state`: a conversation folded over all its events."""

    id: str
    requester: str | None
    turns: int
    open_turns: int
    """Turns of the user that were not answered yet."""
    last_text: str | None
    started_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A message that could not be carried out, folded over its events."""

    id: str
    state: str
    """`buried` or `replayed`."""
    task_id: str | None
    queue: str
    error_code: str
    error_message: str
    body: str
    burials: int
    buried_at: datetime
    replayed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class PerformanceSummary:
    """What happened in the last hours."""

    hours: float
    submitted: int
    completed: int
    failed: int
    cancelled: int
    response_seconds_p50: float | None
    """From `task_submitted` to the end, of orders."""
    response_seconds_p95: float | None
    tokens: int
    cost_usd: Decimal
    metrics: Mapping[str, float]
    """Mean of each measured metric."""


class CompanyQueries(Protocol):
    """The views."""

    async def task(self, task_id: str) -> TaskRow | None:
        """One task."""

    async def tasks(
        self, *, state: str | None = None, parent_id: str | None = None, limit: int = 50, before_id: str | None = None
    ) -> list[TaskRow]:
        """Newest first; orders only unless `parent_id` names the order whose steps are wanted (then in plan order)."""

    async def task_counts(self) -> dict[str, int]:
        """Orders by state."""

    async def overdue(self, now: datetime, *, limit: int = 100) -> list[str]:
        """Orders that have not ended and whose deadline has passed, the longest overdue first."""

    async def conversation(self, conversation_id: str) -> ConversationRow | None:
        """One conversation."""

    async def conversations(self, *, limit: int = 50) -> list[ConversationRow]:
        """Last changed first."""

    async def dead_letters(self, *, include_replayed: bool = False, limit: int = 100) -> list[DeadLetterRow]:
        """Last buried first."""

    async def dead_letter(self, message_id: str) -> DeadLetterRow | None:
        """One dead letter."""

    async def performance_summary(self, hours: float) -> PerformanceSummary:
        """Over the last hours."""
