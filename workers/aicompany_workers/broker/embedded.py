"""`ports.broker.Broker` inside the process, kept in the same SQLite file as the events.

The queues live in memory, where `length_max` bounds them; the file holds what is needed to have them again after a
crash. What is written when:

* `publish` and `reject` return when their rows are committed.
* The count of a hand-out is written at once but not waited for. A process that dies within that moment leaves a count
  that is one too low; so whatever is there when the broker opens counts as redelivered, noted or not.
* `ack` is written with the next group. When the process dies before, the message is delivered again, and the
  receiver's inbox knows it.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from aicompany.errors import AICompanyError, BrokerUnavailable, DefectError, QueueFull
from aicompany.messaging.topology import DEAD_QUEUE, QueueLimits, Topology
from aicompany.ports.broker import Delivery, Outgoing, QueueDepth
from aicompany.ports.clock import Clock
from aicompany_workers.broker.journal import Journal, StoredMessage
from aicompany_workers.store.sqlite.database import SqliteDatabase

DELIVERY_LIMIT = "delivery_limit"
"""Reason of a dead letter that was handed out too often."""

log = structlog.get_logger()

_LOAD = """
SELECT sequence, queue, message_id, body, due_at, published_at, delivery_count, reason, source_queue
FROM queue_messages ORDER BY sequence
"""


@dataclass(slots=True, eq=False)
class _Consumer:
    """A consumer and its subscription in one."""

    queue: "_Queue"
    prefetch: int
    receive: Callable[[Delivery], None]
    unsettled: int = 0

    async def cancel(self) -> None:
        """Stop deliveries."""
        if self in self.queue.consumers:
            self.queue.consumers.remove(self)


@dataclass(slots=True, eq=False)
class _Queue:
    name: str
    limits: QueueLimits
    ready: list[tuple[int, StoredMessage]] = field(default_factory=list)
    """Heap by sequence: what is given back takes its old place."""
    delayed: list[tuple[float, int, StoredMessage]] = field(default_factory=list)
    """Heap by due time, seconds on the monotonic clock: the wall clock may be set while they wait."""
    consumers: deque[_Consumer] = field(default_factory=deque)
    unsettled: int = 0
    being_published: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def length(self) -> int:
        """Everything the queue holds."""
        return len(self.ready) + len(self.delayed) + self.unsettled + self.being_published

    def next_consumer(self) -> _Consumer | None:
        """The next in turn that may take another message."""
        for _ in range(len(self.consumers)):
            self.consumers.rotate(-1)
            consumer = self.consumers[-1]
            if consumer.unsettled < consumer.prefetch:
                return consumer
        return None


class EmbeddedBroker:
    """The queues of one company in one process."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._journal = Journal(database)
        self._queues: dict[str, _Queue] = {}
        self._in_hands: dict[int, tuple[StoredMessage, _Consumer]] = {}
        self._tags = itertools.count(1)
        self._next_sequence = 1
        self._loaded: list[StoredMessage] = []
        self._closed = False

    async def open(self) -> "EmbeddedBroker":
        """Read what the file holds. `declare` puts it into the queues."""
        rows = await self._database.read(lambda c: c.execute(_LOAD).fetchall())
        self._loaded = [StoredMessage(*row) for row in rows]
        for message in self._loaded:
            message.is_from_before = True
        self._next_sequence = self._loaded[-1].sequence + 1 if self._loaded else 1
        self._journal.start()
        return self

    async def declare(self, topology: Topology) -> None:
        """Make the queues and fill them with what was in them."""
        for name in (*topology.queues, DEAD_QUEUE):
            self._queues.setdefault(name, _Queue(name, topology.limits)).limits = topology.limits
        # Messages of queues that are not declared (an agent that is gone) stay in the file for the day they are.
        known = [message for message in self._loaded if message.queue in self._queues]
        self._loaded = [message for message in self._loaded if message.queue not in self._queues]
        for message in known:
            await self._put_back(message)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Store the messages, all or none."""
        self._refuse_when_closed()
        by_queue = self._reserve(messages)
        now = self._clock.now().timestamp()
        stored = [self._new_message(message, now) for message in messages]
        try:
            await self._journal.insert(stored)
        finally:
            for queue, count in by_queue.items():
                queue.being_published -= count
        for message in stored:
            self._enqueue(message)
        for queue in by_queue:
            self._dispatch(queue)

    async def subscribe(self, queue: str, *, prefetch: int, receive: Callable[[Delivery], None]) -> _Consumer:
        """Deliver the queue's messages to `receive`."""
        self._refuse_when_closed()
        source = self._queue(queue)
        consumer = _Consumer(source, prefetch, receive)
        source.consumers.append(consumer)
        self._dispatch(source)
        return consumer

    async def ack(self, delivery: Delivery) -> None:
        """Done."""
        settled = self._take_from_hands(delivery)
        if settled:
            message, queue = settled
            self._journal.delete(message)
            self._dispatch(queue)

    async def nack(self, delivery: Delivery) -> None:
        """Give back."""
        settled = self._take_from_hands(delivery)
        if settled:
            message, queue = settled
            await self._put_back(message)
            self._dispatch(queue)

    async def reject(self, delivery: Delivery, *, reason: str) -> None:
        """Fail."""
        settled = self._take_from_hands(delivery)
        if settled:
            message, queue = settled
            await self._bury(message, reason)
            self._dispatch(queue)

    def is_current(self, delivery: Delivery) -> bool:
        """Nothing comes between a consumer and the queues of its own process."""
        return delivery.tag in self._in_hands

    async def depth(self, queue: str) -> QueueDepth:
        """How much waits."""
        self._refuse_when_closed()
        source = self._queue(queue)
        oldest = self._clock.now().timestamp() - source.ready[0][1].published_at if source.ready else None
        return QueueDepth(
            ready=len(source.ready),
            unacknowledged=source.unsettled,
            delayed=len(source.delayed),
            oldest_ready_seconds=max(0.0, oldest) if oldest is not None else None,
            consumers=len(source.consumers),
        )

    def describe(self) -> dict[str, Any]:
        """It is always there."""
        return {"server": "embedded", "in_hands": len(self._in_hands)}

    async def close(self) -> None:
        """End all. What is in somebody's hands is in the file and comes again."""
        if self._closed:
            return
        self._closed = True
        for queue in self._queues.values():
            queue.consumers.clear()
            if queue.timer:
                queue.timer.cancel()
        await self._journal.stop()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise BrokerUnavailable("the embedded broker is closed")

    def _queue(self, name: str) -> _Queue:
        try:
            return self._queues[name]
        except KeyError:
            raise DefectError(f"queue {name} was never declared") from None

    def _reserve(self, messages: Sequence[Outgoing]) -> dict[_Queue, int]:
        """Keep room for all, so that publishing at the same time cannot overfill a queue. Raises `QueueFull`."""
        counts: dict[str, int] = {}
        for message in messages:
            counts[message.queue] = counts.get(message.queue, 0) + 1
        by_queue = {self._queue(name): count for name, count in counts.items()}
        for queue, count in by_queue.items():
            if queue.length + count > queue.limits.length_max:
                raise QueueFull(
                    f"queue {queue.name} holds {queue.length} of at most {queue.limits.length_max} messages",
                    retry_after_seconds=1,
                )
        for queue, count in by_queue.items():
            queue.being_published += count
        return by_queue

    def _new_message(self, message: Outgoing, now: float) -> StoredMessage:
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        due_at = now + message.delay_seconds if message.delay_seconds > 0 else 0.0
        return StoredMessage(sequence, message.queue, message.message_id, message.body, due_at, now)

    def _enqueue(self, message: StoredMessage) -> None:
        queue = self._queue(message.queue)
        wait_seconds = self._wait_seconds(message)
        if wait_seconds > 0:
            due = self._clock.monotonic_seconds() + wait_seconds
            heapq.heappush(queue.delayed, (due, message.sequence, message))
            self._set_timer(queue)
        else:
            heapq.heappush(queue.ready, (message.sequence, message))

    def _wait_seconds(self, message: StoredMessage) -> float:
        """Until it is due, by the wall clock it was stored with; never longer than its own delay, if that was set."""
        if not message.due_at:
            return 0.0
        return min(message.due_at - self._clock.now().timestamp(), message.due_at - message.published_at)

    async def _put_back(self, message: StoredMessage) -> None:
        queue = self._queue(message.queue)
        if queue.name != DEAD_QUEUE and message.delivery_count >= queue.limits.deliveries_max:
            await self._bury(message, DELIVERY_LIMIT)
        else:
            self._enqueue(message)

    async def _bury(self, message: StoredMessage, reason: str) -> None:
        """Move to the dead letter queue in one write, so that it is there exactly once."""
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        dead = StoredMessage(
            sequence, DEAD_QUEUE, message.message_id, message.body, 0.0, self._clock.now().timestamp(),
            reason=reason, source_queue=message.queue,
        )  # fmt: skip
        try:
            await self._journal.replace(message, dead)
        except AICompanyError as error:
            # It must not be lost with the write: it waits in its place and is buried at its next end.
            log.warning("broker.burial_delayed", queue=message.queue, code=error.code, reason=error.message)
            self._enqueue(message)
            return
        self._enqueue(dead)
        self._dispatch(self._queues[DEAD_QUEUE])

    def _take_from_hands(self, delivery: Delivery) -> tuple[StoredMessage, _Queue] | None:
        found = self._in_hands.pop(delivery.tag, None)
        if found is None:
            return None
        message, consumer = found
        consumer.unsettled -= 1
        consumer.queue.unsettled -= 1
        return message, consumer.queue

    def _dispatch(self, queue: _Queue) -> None:
        while queue.ready and not self._closed:
            consumer = queue.next_consumer()
            if consumer is None:
                return
            _, message = heapq.heappop(queue.ready)
            message.delivery_count += 1
            self._journal.count_delivery(message)
            tag = next(self._tags)
            self._in_hands[tag] = (message, consumer)
            consumer.unsettled += 1
            queue.unsettled += 1
            consumer.receive(
                Delivery(
                    queue.name, message.body, message.message_id, tag, message.delivery_count,
                    message.is_from_before or message.delivery_count > 1, message.reason, message.source_queue,
                )
            )  # fmt: skip

    def _set_timer(self, queue: _Queue) -> None:
        if queue.timer:
            queue.timer.cancel()
            queue.timer = None
        if queue.delayed:
            wait_seconds = max(0.0, queue.delayed[0][0] - self._clock.monotonic_seconds())
            queue.timer = asyncio.get_running_loop().call_later(wait_seconds, self._release_due, queue)

    def _release_due(self, queue: _Queue) -> None:
        now = self._clock.monotonic_seconds()
        while queue.delayed and queue.delayed[0][0] <= now:
            _, _, message = heapq.heappop(queue.delayed)
            heapq.heappush(queue.ready, (message.sequence, message))
        self._set_timer(queue)
        self._dispatch(queue)
