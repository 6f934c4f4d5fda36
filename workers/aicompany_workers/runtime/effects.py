"""What handling a message changes, before it is committed."""

from collections.abc import Iterable
from dataclasses import dataclass

from aicompany.events import Event
from aicompany.messaging.envelope import Envelope
from aicompany.messaging.topology import queue_of
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Measurement, NewEvent


@dataclass(frozen=True, slots=True)
class Effects:
    """Appends, messages and measurements: committed together with the handled message's id, or not at all."""

    appends: tuple[Append, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    measurements: tuple[Measurement, ...] = ()

    def __add__(self, other: "Effects") -> "Effects":
        return Effects(
            self.appends + other.appends, self.outgoing + other.outgoing, self.measurements + other.measurements
        )


NO_EFFECTS = Effects()
"""The message asked for something that is done already or not wanted any more."""


def append_to(kind: AggregateType, aggregate_id: str, version: int | None, events: Iterable[Event]) -> Append:
    """An append of domain events to an aggregate that stands at `version` (`None`: wherever it stands)."""
    encoded = tuple(NewEvent(event.event_type, event.to_json()) for event in events)
    return Append(AggregateRef(kind, aggregate_id), version, encoded)


def outgoing_of(envelope: Envelope, *, delay_seconds: float = 0.0) -> Outgoing:
    """The envelope on its way to the queue it belongs in."""
    return Outgoing(queue_of(envelope), envelope.to_json(), envelope.id, delay_seconds)
