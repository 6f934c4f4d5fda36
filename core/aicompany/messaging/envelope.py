"""The envelope: everything that travels between workers is one."""

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.errors import MessageUnreadable
from aicompany.ids import MessageId, TraceId
from aicompany.messaging.lanes import Lane


class Purpose(StrEnum):
    """What the receiver is asked to do."""

    PLAN_ORDER = "plan_order"
    """To the PM: split this order into phases."""
    STEP_ENDED = "step_ended"
    """To the PM: a step completed, failed, was cancelled or undone; read its state."""
    CANCEL_ORDER = "cancel_order"
    """To the PM: the requester does not want it any more."""
    ORDER_DUE = "order_due"
    """To the PM: the order's deadline is now."""
    REOPEN_ORDER = "reopen_order"
    """To the PM: a dead letter of this order was replayed; carry on from the failed phase."""
    RUN_STEP = "run_step"
    """To a task worker: carry the step out."""
    UNDO_STEP = "undo_step"
    """To a task worker: take back what the step did."""
    DELIVER_RESULT = "deliver_result"
    """To the result worker: the order ended; keep and deliver what came out."""
    TELL_BURIAL = "tell_burial"
    """To the result worker: a dead letter that ends no order and no turn; tell people, since nothing else does."""
    ANSWER_TURN = "answer_turn"
    """To the dialog worker: the user said something."""


class Track(StrEnum):
    """Which version of the workers gets the message."""

    STABLE = "stable"
    CANARY = "canary"


class Envelope(BaseModel):
    """One message. Its body is small: it names the task, and what belongs to the task is read from the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: MessageId = Field(description="Derived from purpose, task and run; what the inbox remembers.")
    purpose: Purpose
    task_id: str = Field(description="The task, conversation or unreadable message it is about.")
    lane: Lane
    agent: str | None = Field(default=None, description="The agent a step is assigned to; None for other roles.")
    track: Track = Track.STABLE
    attempt: int = Field(default=1, ge=1, description="1 at first, one more with every business retry.")
    postponed: int = Field(default=0, ge=0, description="How often it was put off without a try.")
    run: int = Field(default=1, ge=1, description="1 at first, one more with every replay of a dead letter.")
    trace_id: TraceId = Field(description="32 hex digits, the same along the whole way of an order.")
    details: dict[str, Any] = Field(default_factory=dict, description="Small facts of this purpose (a reason, a turn).")

    def to_json(self) -> bytes:
        """The body on the wire, UTF-8."""
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read a body. Raises `MessageUnreadable` with the place of the first mistake."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the body"
            raise MessageUnreadable(f"the message cannot be read: {place}: {first['msg']}") from error

    def next_attempt(self) -> Self:
        """The copy that is sent for a business retry; it has an id of its own."""
        return self._again(attempt=self.attempt + 1, postponed=self.postponed)

    def postpone(self) -> Self:
        """The copy that is sent because it could not even be tried; the attempt stays the same."""
        return self._again(attempt=self.attempt, postponed=self.postponed + 1)

    @property
    def stem(self) -> str:
        """The id that all copies of this message have in common."""
        return self.id.split("~", 1)[0]

    def _again(self, *, attempt: int, postponed: int) -> Self:
        copy_id = MessageId(f"{self.stem}~{attempt}.{postponed}")
        return self.model_copy(update={"attempt": attempt, "postponed": postponed, "id": copy_id})
