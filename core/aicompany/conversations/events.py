"""Everything that can happen in a conversation."""

from typing import ClassVar

from pydantic import Field

from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.ports.model import ModelMessage
from aicompany.usage import Usage


class ConversationStarted(Event):
    """First event of every conversation."""

    event_type: ClassVar[str] = "conversation_started"
    requester: str | None = None


class TurnTaken(Event):
    """The user said something."""

    event_type: ClassVar[str] = "turn_taken"
    turn: int = Field(ge=1, description="Counted from 1.")
    text: str


class TurnAnswered(Event):
    """The company answered."""

    event_type: ClassVar[str] = "turn_answered"
    turn: int
    text: str
    messages: tuple[ModelMessage, ...] = Field(description="What passed between worker and model, to go on from.")
    orders: tuple[str, ...] = Field(default=(), description="Orders placed while answering.")
    usage: Usage
    offline: bool = False


class TurnFailed(Event):
    """The company could not answer; the user may say it again."""

    event_type: ClassVar[str] = "turn_failed"
    turn: int
    failure: Failure
