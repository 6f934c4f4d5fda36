"""Facts that the runtime reports; logs and metrics are hooks on them."""

from dataclasses import dataclass
from typing import Protocol

from aicompany.messaging.envelope import Envelope
from aicompany.ports.event_store import Measurement


@dataclass(frozen=True, slots=True)
class MessageHandled:
    """A delivery was settled."""

    role: str
    envelope: Envelope
    outcome: str
    """`done`, `retried`, `postponed`, `given_up` or `already_handled`."""
    duration_seconds: float
    measurements: tuple[Measurement, ...] = ()
    """What was measured on the way."""


class HandlingObserver(Protocol):
    """Whoever wants to know."""

    def message_handled(self, fact: MessageHandled) -> None:
        """Called after the settlement; must neither raise nor block."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Several in one."""

    observers: tuple[HandlingObserver, ...]

    def message_handled(self, fact: MessageHandled) -> None:
        """Tell all."""
        for observer in self.observers:
            observer.message_handled(fact)
