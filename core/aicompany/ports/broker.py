"""The broker: named queues that lose nothing.

Semantics are those of RabbitMQ quorum queues, so that the embedded broker and RabbitMQ can stand for each other:

* A published message is stored before `publish` returns.
* Within a queue, messages are delivered in the order of publishing; one given back with `nack` comes again before
  those that follow it, as far as they were not delivered yet.
* A delivered message stays the consumer's until ack, nack or reject; when the subscription or the process ends, it
  is delivered again, with `redelivered` set and `delivery_count` one higher.
* A message that was delivered `deliveries_max` times without an ack becomes a dead letter with reason
  `delivery_limit`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aicompany.messaging.topology import Topology


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be published."""

    queue: str
    body: bytes
    message_id: str
    delay_seconds: float = 0.0
    """Not delivered before this many seconds have passed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in a consumer's hands."""

    queue: str
    body: bytes
    message_id: str
    tag: int
    """Names this delivery towards the broker, for ack, nack and reject; never reused in a process."""
    delivery_count: int
    """1 for the first delivery; may be one too low after a process died within the moment of a hand-out."""
    redelivered: bool
    """Whether it may have been in somebody's hands before. Never false for one that was."""
    reason: str | None = None
    """In the dead letter queue: why the message is there."""
    source_queue: str | None = None
    """In the dead letter queue: where the message was before."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How much waits in a queue at one instant."""

    ready: int
    unacknowledged: int | None
    """Delivered and not settled; `None` when the broker does not tell."""
    delayed: int | None
    """Not due yet; `None` when the broker does not tell."""
    oldest_ready_seconds: float | None
    """Age of the oldest ready message; `None` when there is none or the broker does not tell."""
    consumers: int


class Subscription(Protocol):
    """A consumer on one queue."""

    async def cancel(self) -> None:
        """Stop deliveries. What was delivered and not settled yet may still be settled. Idempotent."""


class Broker(Protocol):
    """Queues, publishing with confirmation and consuming with late acknowledgement."""

    async def declare(self, topology: Topology) -> None:
        """Make all queues of the topology, and `dead`. Idempotent; raises `BrokerUnavailable`."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Store the messages; when it returns, all are the broker's.

        Raises `QueueFull` when a queue would hold more than `length_max`, `BrokerUnavailable` when the broker
        cannot be reached, `DefectError` for a queue that was never declared. On any error none is stored for
        sure only with the embedded broker; publishing again is right, the receivers' inbox removes doubles.
        """

    async def subscribe(self, queue: str, *, prefetch: int, receive: Callable[[Delivery], None]) -> Subscription:
        """Deliver the queue's messages to `receive` on the event loop, at most `prefetch` unsettled at a time.

        `receive` must not block. Raises `BrokerUnavailable`, and `DefectError` for a queue never declared.
        """

    async def ack(self, delivery: Delivery) -> None:
        """Done: the message is gone for good. Settling a delivery twice does nothing."""

    async def nack(self, delivery: Delivery) -> None:
        """Give back: the message is delivered again, to whoever comes first."""

    async def reject(self, delivery: Delivery, *, reason: str) -> None:
        """Fail: the message goes to the dead letter queue, exactly once, with the reason."""

    def is_current(self, delivery: Delivery) -> bool:
        """Whether the message is still this consumer's; false once the broker may have given it to another.

        Nobody should begin with one that is not. Who has begun finishes: when the message comes here again, it is not
        handed over a second time, and what is said of the old delivery holds for the new one.
        """

    async def depth(self, queue: str) -> QueueDepth:
        """How much waits. Raises `BrokerUnavailable`: not to know is never zero."""

    def describe(self) -> dict[str, Any]:
        """How its connections are, as JSON, for status and health. Never holds a password."""

    async def close(self) -> None:
        """End all subscriptions and give unsettled messages back. Idempotent."""
