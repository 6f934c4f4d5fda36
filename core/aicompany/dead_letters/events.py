"""What happens to a dead letter. Its aggregate id is the message id without the attempt."""

from typing import ClassVar

from pydantic import Field

from aicompany.events import Event
from aicompany.failure import Failure


class MessageBuried(Event):
    """The message became a dead letter."""

    event_type: ClassVar[str] = "message_buried"
    queue: str = Field(description="Where it was when it died.")
    body: str = Field(description="The message as it was, text; bytes that are no UTF-8 are replaced.")
    task_id: str | None = None
    failure: Failure


class MessageReplayed(Event):
    """Somebody sent it again."""

    event_type: ClassVar[str] = "message_replayed"
    by: str
    run: int
