"""Confirmed publishing: every message is the broker's before `publish` returns, and a bounded number is on its way."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pika import spec
from pika.exceptions import AMQPError
from pika.frame import Method

from aicompany.errors import AICompanyError, BrokerUnavailable, QueueFull
from aicompany_workers.broker.rabbitmq.calls import WaitingChannel, unavailable
from aicompany_workers.broker.rabbitmq.declarations import WORK_EXCHANGE, Declarations, bucket_of

_CONFIRM_SECONDS = 30.0
_PERSISTENT = 2
_RETRY_AFTER_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message as it is published."""

    queue: str
    body: bytes
    message_id: str
    delay_seconds: float = 0.0
    exchange: str = WORK_EXCHANGE
    headers: Mapping[str, Any] | None = None


@dataclass(slots=True, eq=False)
class _Batch:
    """Messages of one `publish`, until all of them are confirmed."""

    left: int
    confirmed: asyncio.Future[None]
    refused: set[str] = field(default_factory=set)
    """Queues that were full."""
    returned: set[str] = field(default_factory=set)
    """Queues that are not there."""

    def settle(self) -> None:
        """One message more is settled."""
        self.left -= 1
        if self.left == 0 and not self.confirmed.done():
            self.confirmed.set_result(None)

    def fail(self, error: AICompanyError) -> None:
        """The channel is gone."""
        if not self.confirmed.done():
            self.confirmed.set_exception(error)


class Publisher:
    """Publishes over one channel of one connection's life."""

    def __init__(self, channel: WaitingChannel, declarations: Declarations, *, confirms_max: int) -> None:
        self._channel = channel
        self._declarations = declarations
        self._confirms_max = confirms_max
        self._next_tag = 1
        self._waiting: dict[int, tuple[_Batch, str]] = {}
        """Delivery tag → its batch and queue, ascending."""
        self._room = asyncio.Event()
        self._room.set()
        self._buckets: dict[int, str] = {}
        self._returned: set[str] = set()
        """Queues of which something came back; the confirmation follows."""

    async def open(self) -> None:
        """Ask for confirmations. Raises `BrokerUnavailable`."""
        raw = self._channel.raw
        raw.add_on_return_callback(self._on_returned)
        await self._channel.call(raw.confirm_delivery, ack_nack_callback=self._on_confirmed)
        self._channel.closed.add_done_callback(self._on_closed)

    @property
    def closed(self) -> asyncio.Future[BaseException]:
        """Done when it cannot be used any more."""
        return self._channel.closed

    @property
    def unconfirmed(self) -> int:
        """Messages on their way."""
        return len(self._waiting)

    async def publish(self, messages: Sequence[WireMessage]) -> set[str]:
        """Publish and wait for the confirmations; returns the queues that turned out not to be there.

        Raises `QueueFull`, `BrokerUnavailable`.
        """
        exchanges = [await self._exchange_of(message) for message in messages]
        batch = _Batch(len(messages), asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                for message, exchange in zip(messages, exchanges, strict=True):
                    while len(self._waiting) >= self._confirms_max:
                        self._room.clear()
                        await self._room.wait()
                    self._send(message, exchange, batch)
                await batch.confirmed
        except TimeoutError:
            raise BrokerUnavailable(f"the broker confirmed nothing within {_CONFIRM_SECONDS:g} s") from None
        except AMQPError as error:
            raise unavailable(error) from error
        finally:
            # Nobody may wait for it any more; a failure that comes later is not worth a warning.
            batch.confirmed.cancel()
        if batch.refused:
            names = ", ".join(sorted(batch.refused))
            raise QueueFull(f"queue {names} is full", retry_after_seconds=_RETRY_AFTER_SECONDS)
        return batch.returned

    async def _exchange_of(self, message: WireMessage) -> str:
        if message.delay_seconds <= 0:
            return message.exchange
        bucket = bucket_of(message.delay_seconds)
        if bucket not in self._buckets:
            self._buckets[bucket] = await self._declarations.declare_bucket(self._channel, bucket)
        return self._buckets[bucket]

    def _send(self, message: WireMessage, exchange: str, batch: _Batch) -> None:
        if self._channel.closed.done():
            raise unavailable(self._channel.closed.result())
        properties = spec.BasicProperties(
            message_id=message.message_id,
            delivery_mode=_PERSISTENT,
            headers=dict(message.headers) if message.headers else None,
        )
        self._channel.raw.basic_publish(exchange, message.queue, message.body, properties, mandatory=True)
        self._waiting[self._next_tag] = (batch, message.queue)
        self._next_tag += 1

    def _on_confirmed(self, frame: Method[Any]) -> None:
        method = frame.method
        refused = isinstance(method, spec.Basic.Nack)
        tag: int = method.delivery_tag
        tags = [waiting for waiting in self._waiting if waiting <= tag] if method.multiple else [tag]
        for settled in tags:
            batch, queue = self._waiting.pop(settled, (None, ""))
            if batch is None:
                continue
            if refused:
                batch.refused.add(queue)
            elif queue in self._returned:
                batch.returned.add(queue)
            batch.settle()
        if not self._waiting:
            self._returned.clear()
        if not self._room.is_set():
            self._room.set()

    def _on_returned(self, _: object, method: spec.Basic.Return, properties: spec.BasicProperties, body: bytes) -> None:
        """No queue took it. The confirmation comes all the same, after this."""
        log.warning("broker.returned", queue=method.routing_key, message_id=properties.message_id, size=len(body))
        self._returned.add(str(method.routing_key))

    def _on_closed(self, closed: asyncio.Future[BaseException]) -> None:
        waiting, self._waiting = self._waiting, {}
        error = unavailable(closed.result())
        for batch, _ in waiting.values():
            batch.fail(error)
        self._room.set()
