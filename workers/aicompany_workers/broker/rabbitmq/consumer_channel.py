"""A channel with one consumer, and the deliveries on it that are not settled yet.

Acknowledging takes few frames: what is acknowledged within one turn of the event loop goes out together, and
deliveries that are acknowledged in the order they came need one frame for all (`multiple`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pika.exceptions import AMQPError

from aicompany_workers.broker.rabbitmq.calls import WaitingChannel


class ConsumerChannel:
    """Opened for one life of a consumer; closed when it is retired and its last delivery is settled."""

    def __init__(self, channel: WaitingChannel) -> None:
        self._channel = channel
        self._consumer_tag = ""
        self._retired = False
        self._open: deque[int] = deque()
        """Wire tags in the order of delivery; those settled out of order stay until they are at the front."""
        self._settled: set[int] = set()
        """Settled on the wire, but not at the front of `_open` yet."""
        self._acked: set[int] = set()
        """Acknowledged here, not on the wire yet."""
        self._flush_planned = False

    async def consume(
        self,
        queue: str,
        *,
        prefetch: int,
        on_message: Callable[..., None],
        on_cancelled: Callable[[], None],
        on_lost: Callable[[BaseException], None],
    ) -> None:
        """Begin. Raises `BrokerUnavailable`, `ChannelClosedByBroker` when there is no such queue."""
        channel = self._channel
        await channel.call(channel.raw.basic_qos, prefetch_count=prefetch)
        channel.raw.add_on_cancel_callback(lambda _: on_cancelled())
        channel.closed.add_done_callback(lambda closed: on_lost(closed.result()))
        answer = await channel.call(channel.raw.basic_consume, queue=queue, on_message_callback=on_message)
        self._consumer_tag = answer.method.consumer_tag

    async def stop(self) -> None:
        """No more deliveries. Raises `BrokerUnavailable` when the connection goes away meanwhile."""
        if self._channel.is_open and self._consumer_tag:
            await self._channel.call(self._channel.raw.basic_cancel, consumer_tag=self._consumer_tag)
        self.retire()

    def retire(self) -> None:
        """Close it as soon as everything on it is settled."""
        self._retired = True
        self._close_when_done()

    def close(self) -> None:
        """Close it now; what is not settled comes again."""
        self.flush()
        self._channel.close()

    def delivered(self, wire_tag: int) -> None:
        """A delivery came."""
        self._open.append(wire_tag)

    def ack(self, wire_tag: int) -> None:
        """Acknowledge, together with what else is acknowledged now."""
        self._acked.add(wire_tag)
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self.flush)

    def give_back(self, wire_tag: int) -> None:
        """Return to the queue. With `reject`, because RabbitMQ 4.3 no longer counts what is returned with `nack`."""
        self._send(self._channel.raw.basic_reject, wire_tag, requeue=True)
        self._settled.add(wire_tag)
        self._trim()
        self._close_when_done()

    def flush(self) -> None:
        """Send the acknowledgements that wait. A channel that is closed needs none: its messages come again."""
        self._flush_planned = False
        last = self._trim()
        if last:
            self._send(self._channel.raw.basic_ack, last, multiple=True)
        for tag in self._acked:
            self._send(self._channel.raw.basic_ack, tag)
        self._settled |= self._acked
        self._acked.clear()
        self._close_when_done()

    def _trim(self) -> int:
        """Take off the front what is settled or acknowledged; the last tag that is to be acknowledged, 0 for none."""
        last = 0
        while self._open:
            tag = self._open[0]
            if tag in self._acked:
                self._acked.discard(tag)
                last = tag
            elif tag in self._settled:
                self._settled.discard(tag)
            else:
                break
            self._open.popleft()
        return last

    def _close_when_done(self) -> None:
        if self._retired and not self._open and not self._acked:
            self._channel.close()

    def _send(self, method: Callable[..., Any], wire_tag: int, **arguments: bool) -> None:
        # While it is closed, or closing, nobody listens.
        if self._channel.is_open:
            with suppress(AMQPError):
                method(wire_tag, **arguments)
