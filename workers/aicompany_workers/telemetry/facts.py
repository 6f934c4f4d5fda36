"""Facts that the runtime reports; logs and metrics are hooks on them."""

from dataclasses import dataclass
from typing import Protocol

from aicompany.messaging.envelope import Envelope


@dataclass(frozen=True, slots=True)
class MessageHandled:
    """A delivery was settled."""

    role: str
    envelope: Envelope
    outcome: str
    """`done`, `retried`, `postponed`, `given_up` or `already_handled`."""
    duration_seconds: float


class HandlingObserver(Protocol):
    """Whoever wants to know."""

    def message_handled(self, fact: MessageHandled) -> None:
        """Called after the settlement; must neither raise nor block."""
