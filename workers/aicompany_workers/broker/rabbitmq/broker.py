"""The port `Broker` on RabbitMQ: one connection to publish, one to consume, shared by the whole process."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

import structlog
from pika.exceptions import ChannelClosedByBroker

from aicompany.errors import BrokerUnavailable, DefectError
from aicompany.messaging.topology import DEAD_QUEUE, Topology
from aicompany.ports.broker import Delivery, Outgoing, QueueDepth
from aicompany.ports.clock import Clock
from aicompany.resilience.breaker import Breaker
from aicompany.spec.servers import BrokerSpec
from aicompany_workers.breakers import GuardedCalls
from aicompany_workers.broker.rabbitmq.calls import NOT_FOUND
from aicompany_workers.broker.rabbitmq.consumer_channel import ConsumerChannel
from aicompany_workers.broker.rabbitmq.consuming import REASON_HEADER, SOURCE_HEADER, RabbitSubscription
from aicompany_workers.broker.rabbitmq.declarations import BrokerUnusable, Declarations, check_version
from aicompany_workers.broker.rabbitmq.hands import Hands
from aicompany_workers.broker.rabbitmq.link import Link
from aicompany_workers.broker.rabbitmq.publishing import Publisher, WireMessage

_RETURNED_TRIES = 3
"""Times a message is published again after its queue was not there and was declared anew."""
_DEPTH_WAIT_SECONDS = 0.5
"""Who asks how long a queue is has something better to do than to wait for a broker that is away."""
_RETURNED_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 5.0
"""Between two looks at whether our consumers are known to the broker."""

log = structlog.get_logger()


def guarded_broker(breaker: Breaker, clock: Clock) -> GuardedCalls:
    """The broker's breaker: a full queue is no failure of the broker."""
    return GuardedCalls("the broker", breaker, clock, failures=BrokerUnavailable)


class RabbitMqBroker:
    """RabbitMQ, for as long as the process lives: connections come and go, subscriptions stay."""

    def __init__(self, spec: BrokerSpec, calls: GuardedCalls | None = None) -> None:
        self._spec = spec
        self._calls = calls
        self._declarations = Declarations(spec.queue_type)
        self._hands: Hands[ConsumerChannel] = Hands()
        self._subscriptions: list[RabbitSubscription] = []
        self._subscriptions_changed = asyncio.Event()
        self._publisher: Publisher | None = None
        self._publish_link = Link("publish", spec, use=self._use_to_publish, calls=calls, on_blocked=self._on_blocked)
        self._consume_link = Link("consume", spec, use=self._use_to_consume, calls=calls, on_blocked=lambda _: None)
        self._asking = asyncio.Lock()
        self._running: list[asyncio.Task[None]] = []
        self._closed = False

    @classmethod
    async def open(cls, spec: BrokerSpec, calls: GuardedCalls | None = None) -> "RabbitMqBroker":
        """Connect. `calls` has a breaker, which closes as soon as there is a connection again.

        Raises `BrokerUnavailable` when nothing answers in time, `BrokerUnusable` when it says no.
        """
        broker = cls(spec, calls)
        broker._running = [asyncio.create_task(link.run(), name=f"broker-{link.state.name}") for link in broker._links]
        try:
            for link in broker._links:
                await broker._wait_for(link)
            check_version(broker._consume_link.server_properties)
        except BaseException as error:
            refusal = broker._consume_link.refusal or broker._publish_link.refusal
            await broker.close()
            if isinstance(error, BrokerUnavailable) and refusal:
                raise BrokerUnusable(refusal) from error
            raise
        return broker

    @property
    def is_blocked(self) -> bool:
        """Whether the broker takes no messages for now."""
        return self._publish_link.state.is_blocked

    def is_consuming(self) -> bool:
        """Whether both connections are up and every subscription is attached."""
        attached = all(s.attached.is_set() for s in self._subscriptions if s.is_wanted)
        return attached and all(link.is_up for link in self._links)

    async def declare(self, topology: Topology) -> None:
        """Make all queues, now and after every reconnect."""
        self._declarations.remember(topology)
        await self._wait_for(self._consume_link)
        async with self._asking:
            await self._declarations.declare_all(self._consume_link)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish and wait until the broker has them."""
        known = self._declarations.queues
        for message in messages:
            if message.queue not in known:
                raise DefectError(f"queue {message.queue} was never declared")
        wire = [WireMessage(m.queue, m.body, m.message_id, m.delay_seconds) for m in messages]
        if self._calls is None:
            await self._publish(wire)
        else:
            await self._calls.call(lambda: self._publish(wire))

    async def subscribe(self, queue: str, *, prefetch: int, receive: Callable[[Delivery], None]) -> RabbitSubscription:
        """Consume, now and after every reconnect."""
        self._refuse_when_closed()
        if queue not in self._declarations.queues:
            raise DefectError(f"queue {queue} was never declared")
        subscription = RabbitSubscription(queue, prefetch, receive, self._hands, self._subscriptions_changed.set)
        if self.is_blocked:
            subscription.hold_back()
        self._subscriptions.append(subscription)
        self._subscriptions_changed.set()
        try:
            async with asyncio.timeout(self._spec.connect_timeout_seconds):
                await subscription.attached.wait()
        except TimeoutError:
            await subscription.cancel()
            raise BrokerUnavailable(f"the broker let nobody consume {queue} in time") from None
        except BaseException:
            await asyncio.shield(subscription.cancel())
            raise
        return subscription

    async def ack(self, delivery: Delivery) -> None:
        """Done."""
        held = self._hands.settle(delivery.tag, acknowledged=True)
        if held is not None and held.channel is not None:
            held.channel.ack(held.wire_tag)

    async def nack(self, delivery: Delivery) -> None:
        """Give back."""
        held = self._hands.settle(delivery.tag, acknowledged=False)
        if held is not None and held.channel is not None:
            held.channel.give_back(held.wire_tag)

    async def reject(self, delivery: Delivery, *, reason: str) -> None:
        """Fail: to the dead letters with the reason, then acknowledge; AMQP's own reject carries no reason."""
        if not self._hands.holds(delivery.tag):
            return
        headers = {REASON_HEADER: reason, SOURCE_HEADER: delivery.queue}
        letter = WireMessage(DEAD_QUEUE, delivery.body, delivery.message_id, exchange="", headers=headers)
        try:
            await self._publish([letter])
        except BrokerUnavailable as error:
            log.warning("broker.reject_delayed", queue=delivery.queue, reason=error.message)
            await self.nack(delivery)
            return
        await self.ack(delivery)

    def is_current(self, delivery: Delivery) -> bool:
        """Whether the message is still this consumer's."""
        return self._hands.is_current(delivery.tag)

    async def depth(self, queue: str) -> QueueDepth:
        """What is ready, by a passive declare: exact, and no statistics of a while ago."""
        self._refuse_when_closed()
        await self._consume_link.wait_until_up(_DEPTH_WAIT_SECONDS)
        async with self._asking:
            channel = await self._consume_link.shared_channel()
            try:
                answer = await channel.call(channel.raw.queue_declare, queue=queue, passive=True)
            except ChannelClosedByBroker as error:
                if error.reply_code == NOT_FOUND and queue not in self._declarations.queues:
                    raise DefectError(f"queue {queue} was never declared") from error
                raise BrokerUnavailable(f"the broker does not tell how long {queue} is: {error.reply_text}") from error
        return QueueDepth(
            ready=answer.method.message_count,
            unacknowledged=None,
            delayed=None,
            oldest_ready_seconds=None,
            consumers=answer.method.consumer_count,
        )

    def describe(self) -> dict[str, Any]:
        """The connections, for `/health` and status."""
        return {
            "server": str(self._consume_link.server_properties.get("version", "unknown")),
            "links": {link.state.name: link.state.describe() for link in self._links},
            "in_hands": len(self._hands),
            "waiting_for_redelivery": self._hands.orphans,
            "unconfirmed": self._publisher.unconfirmed if self._publisher else 0,
        }

    async def close(self) -> None:
        """End all subscriptions; what is not settled goes back with the connection."""
        if self._closed:
            return
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
        for task in self._running:
            task.cancel()
        for task in self._running:
            with suppress(asyncio.CancelledError):
                await task
        for link in self._links:
            await link.close()

    @property
    def _links(self) -> tuple[Link, Link]:
        return (self._publish_link, self._consume_link)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise BrokerUnavailable("the connection to the broker was closed")

    async def _wait_for(self, link: Link) -> None:
        self._refuse_when_closed()
        await link.wait_until_up(self._spec.connect_timeout_seconds)

    async def _publish(self, messages: Sequence[WireMessage]) -> None:
        for _ in range(_RETURNED_TRIES):
            await self._wait_for(self._publish_link)
            if self.is_blocked:
                raise BrokerUnavailable("the broker takes no messages for now: it is short of memory or disk")
            if self._publisher is None:
                raise BrokerUnavailable("the connection to the broker is being made")
            missing = await self._publisher.publish(messages)
            if not missing:
                return
            messages = [message for message in messages if message.queue in missing]
            # A consumer of a queue that is made again before it was told of the deletion may never hear of it.
            await asyncio.sleep(_RETURNED_PAUSE_SECONDS)
            async with self._asking:
                await self._declarations.declare_all(self._consume_link)
            self._renew_consumers_of(missing)
        raise BrokerUnavailable(f"queue {', '.join(sorted(missing))} is deleted again and again")

    async def _use_to_publish(self, link: Link) -> None:
        """One life of the publishing connection. Returns by raising: the link makes another connection then."""
        publisher = Publisher(await link.open_channel(), self._declarations, confirms_max=self._spec.confirms_max)
        await publisher.open()
        self._publisher = publisher
        link.ready()
        try:
            reason = await asyncio.shield(publisher.closed)
        finally:
            self._publisher = None
        raise BrokerUnavailable(f"the publishing channel was closed: {reason}")

    async def _use_to_consume(self, link: Link) -> None:
        """One life of the consuming connection: keep every subscription attached."""
        async with self._asking:
            await self._declarations.declare_all(link)
        link.ready()
        while True:
            self._subscriptions_changed.clear()
            self._subscriptions = [s for s in self._subscriptions if s.is_wanted]
            for subscription in [s for s in self._subscriptions if not s.attached.is_set()]:
                await self._attach(subscription, link)
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._subscriptions_changed.wait()
            except TimeoutError:
                await self._look_after_consumers()

    async def _look_after_consumers(self) -> None:
        """A queue that was deleted and made again before its consumers were told has none, and nobody says so."""
        for queue in {s.queue for s in self._subscriptions if s.attached.is_set()}:
            if (await self.depth(queue)).consumers == 0:
                log.warning("broker.consumer_gone", queue=queue)
                self._renew_consumers_of({queue})

    def _renew_consumers_of(self, queues: AbstractSet[str]) -> None:
        for subscription in self._subscriptions:
            if subscription.queue in queues and subscription.attached.is_set():
                subscription.renew()

    async def _attach(self, subscription: RabbitSubscription, link: Link) -> None:
        try:
            await subscription.attach(link)
        except ChannelClosedByBroker as error:
            log.warning("broker.queue_missing", queue=subscription.queue, reason=error.reply_text)
            async with self._asking:
                await self._declarations.declare_all(link)
            self._subscriptions_changed.set()

    def _on_blocked(self, blocked: bool) -> None:
        """While the broker takes no messages, nothing new is begun either."""
        for subscription in self._subscriptions:
            if blocked:
                subscription.hold_back()
            else:
                subscription.let_go()
