"""Subscriptions: consumers that are made again whenever their channel, or their queue, went away."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pika import spec

from aicompany.errors import BrokerUnavailable
from aicompany.messaging.topology import DEAD_QUEUE
from aicompany.ports.broker import Delivery
from aicompany_workers.broker.rabbitmq.calls import describe
from aicompany_workers.broker.rabbitmq.consumer_channel import ConsumerChannel
from aicompany_workers.broker.rabbitmq.hands import Arrival, Hands
from aicompany_workers.broker.rabbitmq.link import Link

log = structlog.get_logger()

REASON_HEADER = "x-aicompany-reason"
SOURCE_HEADER = "x-aicompany-source"
"""Set by us on what is rejected; RabbitMQ's own dead-lettering says the same in `x-death`."""


class RabbitSubscription:
    """One consumer on one queue, over as many channels as it takes."""

    def __init__(
        self,
        queue: str,
        prefetch: int,
        receive: Callable[[Delivery], None],
        hands: Hands[ConsumerChannel],
        changed: Callable[[], None],
    ) -> None:
        self.queue = queue
        self.attached = asyncio.Event()
        self._prefetch = prefetch
        self._receive = receive
        self._hands = hands
        self._changed = changed
        self._channel: ConsumerChannel | None = None
        self._cancelled = False
        self._held_back: list[Delivery] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether it should be attached: not cancelled."""
        return not self._cancelled

    async def attach(self, link: Link) -> None:
        """Consume over this link. Raises `BrokerUnavailable`, `ChannelClosedByBroker` when the queue is not there."""
        channel = ConsumerChannel(await link.open_channel())
        self._channel = channel
        await channel.consume(
            self.queue,
            prefetch=self._prefetch,
            on_message=lambda _, method, properties, body: self._on_message(channel, method, properties, body),
            on_cancelled=lambda: self._on_cancelled_by_broker(channel),
            on_lost=lambda error: self._on_lost(channel, error),
        )
        if self._cancelled:
            await channel.stop()
        else:
            self.attached.set()

    async def cancel(self) -> None:
        """Stop deliveries. What was delivered may still be settled."""
        if self._cancelled:
            return
        self._cancelled = True
        self.attached.clear()
        self._changed()
        if self._channel is not None:
            try:
                await self._channel.stop()
            except BrokerUnavailable as error:
                log.info("broker.cancel_unheard", queue=self.queue, reason=error.message)

    def hold_back(self) -> None:
        """Hand nothing over until `let_go`: the broker asked for a pause."""
        if self._held_back is None:
            self._held_back = []

    def let_go(self) -> None:
        """Hand over what was held back, and all that comes."""
        held, self._held_back = self._held_back, None
        for delivery in held or ():
            self._receive(delivery)

    def close(self) -> None:
        """Give back everything that is not settled."""
        if self._channel is not None:
            self._channel.close()

    def _on_message(
        self, channel: ConsumerChannel, method: spec.Basic.Deliver, properties: spec.BasicProperties, body: bytes
    ) -> None:
        wire_tag: int = method.delivery_tag  # type: ignore[assignment]
        channel.delivered(wire_tag)
        if self._cancelled:
            channel.give_back(wire_tag)
            return
        headers, message_id = properties.headers, properties.message_id or ""
        count = _delivery_count(headers, redelivered=bool(method.redelivered))
        arrival, tag = self._hands.arrive((self.queue, message_id), channel, wire_tag, redelivered=count > 1)
        if arrival is Arrival.DONE:
            channel.ack(wire_tag)
        elif arrival is Arrival.ADOPTED:
            log.info("broker.adopted", queue=self.queue, message_id=message_id)
        else:
            reason, source = _death_of(headers) if headers and self.queue == DEAD_QUEUE else (None, None)
            self._hand_over(Delivery(self.queue, body, message_id, tag, count, count > 1, reason, source))

    def _hand_over(self, delivery: Delivery) -> None:
        if self._held_back is None:
            self._receive(delivery)
        else:
            self._held_back.append(delivery)

    def renew(self) -> None:
        """Consume anew: the present consumer is one in name only. What it has in hands stays there."""
        channel, self._channel = self._channel, None
        self.attached.clear()
        self._changed()
        if channel is not None:
            channel.retire()

    def _on_cancelled_by_broker(self, channel: ConsumerChannel) -> None:
        """The queue is gone; what was delivered from it nobody else will get, so it stays in hands."""
        log.warning("broker.consumer_cancelled", queue=self.queue, reason="its queue was deleted or moved")
        if channel is self._channel:
            self.renew()

    def _on_lost(self, channel: ConsumerChannel, error: BaseException) -> None:
        lost = self._hands.lose(channel)
        if lost:
            log.warning("broker.channel_lost", queue=self.queue, in_hands=lost, reason=describe(error))
        if channel is self._channel:
            self._channel = None
            self.attached.clear()
            self._changed()


def _delivery_count(headers: Mapping[str, Any] | None, *, redelivered: bool) -> int:
    """Deliveries including this one. `x-acquired-count` (RabbitMQ 4.3) counts all, `x-delivery-count` the failed."""
    if not headers:
        return 2 if redelivered else 1
    before = max(int(headers.get("x-acquired-count") or 0), int(headers.get("x-delivery-count") or 0))
    return max(before, int(redelivered)) + 1


def _death_of(headers: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Why a dead letter is dead, and the queue it was in. RabbitMQ's list has the latest death first."""
    if REASON_HEADER in headers:
        return headers[REASON_HEADER], headers.get(SOURCE_HEADER)
    deaths = headers.get("x-death") or [{}]
    return deaths[0].get("reason"), deaths[0].get("queue")
