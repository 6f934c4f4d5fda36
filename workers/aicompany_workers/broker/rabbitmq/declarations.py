"""Exchanges and queues as RabbitMQ knows them: one description, declared again after every reconnect.

* Exchange `work` (direct): the routing key is the queue's name.
* One queue for each of the topology, quorum unless told otherwise. A full queue refuses (`reject-publish`), poison
  goes to `dead`.
* `retry.<ms>`: a fanout exchange and a queue of the same name, in which messages live for so many milliseconds and
  then go back to `work` under the routing key they had. Made when the first message needs one. Delays are rounded up
  to a few sizes, because a queue drops expired messages only from its head.

A queue that is there already with other arguments is used as it is: arguments cannot be changed, and messages may
wait in it.
"""

import math
from collections.abc import Mapping
from typing import Any

import structlog
from pika.exceptions import ChannelClosedByBroker

from aicompany.errors import BrokerUnavailable, UserError
from aicompany.messaging.topology import DEAD_QUEUE, Topology
from aicompany.spec.servers import QueueType
from aicompany_workers.broker.rabbitmq.calls import PRECONDITION_FAILED, WaitingChannel
from aicompany_workers.broker.rabbitmq.link import Link

WORK_EXCHANGE = "work"
RETRY_PREFIX = "retry."
_SIZES_PER_DECADE = 10
_DELAY_MS_MIN = 50
_DELAY_MS_MAX = 4_000_000_000
"""46 days; the protocol's limit is 2^32 - 1 ms."""
_OLDEST = (3, 10)

log = structlog.get_logger()


class BrokerUnusable(UserError):
    """The broker answers, but it is too old or lacks something that the company needs."""

    code = "broker_unusable"


def bucket_of(delay_seconds: float) -> int:
    """Milliseconds of the smallest bucket in which a message waits at least so long; at most 26 % more."""
    wanted = min(max(delay_seconds * 1000, _DELAY_MS_MIN), _DELAY_MS_MAX)
    step = math.ceil(round(math.log10(wanted) * _SIZES_PER_DECADE, 9))
    size = math.ceil(10 ** (step / _SIZES_PER_DECADE))
    return min(max(size, math.ceil(wanted)), _DELAY_MS_MAX)


def check_version(properties: Mapping[str, Any]) -> None:
    """Raises `BrokerUnusable` for a server that lacks quorum queues with TTL and safe dead-lettering."""
    product, version = str(properties.get("product", "?")), str(properties.get("version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if product == "RabbitMQ" and numbers < _OLDEST:
        raise BrokerUnusable(
            f"the broker is RabbitMQ {version}, whose quorum queues cannot hold messages back and dead-letter them "
            "safely; use 3.10 or newer (3.13 and 4.x are good)"
        )


class Declarations:
    """Remembers what is to be there, and declares it."""

    def __init__(self, queue_type: QueueType) -> None:
        self._queue_type = queue_type
        self._topologies: list[Topology] = []

    @property
    def queues(self) -> frozenset[str]:
        """All queues that were ever declared here."""
        return frozenset((DEAD_QUEUE, *(queue for topology in self._topologies for queue in topology.queues)))

    def remember(self, topology: Topology) -> None:
        """Declare it from now on, too."""
        if topology not in self._topologies:
            self._topologies.append(topology)

    async def declare_all(self, link: Link) -> None:
        """Everything that is remembered. Raises `BrokerUnavailable`, `BrokerUnusable`."""
        channel = await link.open_channel()
        try:
            await channel.call(
                channel.raw.exchange_declare, exchange=WORK_EXCHANGE, exchange_type="direct", durable=True
            )
            await self._declare_queue(link, DEAD_QUEUE, self._plain())
            for topology in self._topologies:
                arguments = self._arguments(topology)
                for queue in topology.queues:
                    await self._declare_queue(link, queue, arguments)
                    await channel.call(channel.raw.queue_bind, queue=queue, exchange=WORK_EXCHANGE, routing_key=queue)
        except ChannelClosedByBroker as error:
            raise _refused(error) from error
        finally:
            channel.close()

    async def declare_bucket(self, channel: WaitingChannel, milliseconds: int) -> str:
        """The exchange that holds messages back for so long. Raises `BrokerUnavailable`, `BrokerUnusable`."""
        name = f"{RETRY_PREFIX}{milliseconds}"
        arguments = {
            **self._plain(),
            "x-message-ttl": milliseconds,
            "x-dead-letter-exchange": WORK_EXCHANGE,
            **self._safe_dead_lettering(),
        }
        try:
            await channel.call(channel.raw.exchange_declare, exchange=name, exchange_type="fanout", durable=True)
            await channel.call(channel.raw.queue_declare, queue=name, durable=True, arguments=arguments)
            await channel.call(channel.raw.queue_bind, queue=name, exchange=name)
        except ChannelClosedByBroker as error:
            raise _refused(error) from error
        return name

    async def _declare_queue(self, link: Link, queue: str, arguments: Mapping[str, Any]) -> None:
        channel = await link.shared_channel()
        try:
            await channel.call(channel.raw.queue_declare, queue=queue, durable=True, arguments=dict(arguments))
        except ChannelClosedByBroker as error:
            if error.reply_code != PRECONDITION_FAILED or "inequivalent" not in error.reply_text:
                raise
            log.warning("broker.queue_kept_as_it_is", queue=queue, reason=error.reply_text)

    def _arguments(self, topology: Topology) -> dict[str, Any]:
        limits = topology.limits
        arguments = {
            **self._plain(),
            "x-max-length": limits.length_max,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": DEAD_QUEUE,
        }
        if self._queue_type is QueueType.QUORUM:
            # RabbitMQ counts the returns, we count the deliveries.
            arguments |= {"x-delivery-limit": limits.deliveries_max - 1, **self._safe_dead_lettering()}
        return arguments

    def _plain(self) -> dict[str, Any]:
        return {"x-queue-type": self._queue_type.value}

    def _safe_dead_lettering(self) -> dict[str, Any]:
        """Dead-lettering with confirmation, so that a full or missing target does not lose the message."""
        if self._queue_type is not QueueType.QUORUM:
            return {}
        return {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def _refused(error: ChannelClosedByBroker) -> UserError | BrokerUnavailable:
    if error.reply_code == PRECONDITION_FAILED:
        return BrokerUnusable(f"the broker refuses what the company declares: {error.reply_text}")
    return BrokerUnavailable(f"the broker refused a declaration: {error.reply_text}")
