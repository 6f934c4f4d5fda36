"""Intake: four queues, one order of preference.

The broker pushes deliveries of each lane into a small buffer; whoever has a free place takes the next one, chosen
by core's lane scheduler. So a critical message overtakes everything that has not begun.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from aicompany.messaging.lane_scheduler import LaneScheduler
from aicompany.messaging.lanes import LANES, Lane
from aicompany.ports.broker import Broker, Delivery, Subscription


class LaneIntake:
    """The waiting deliveries of one worker."""

    def __init__(
        self,
        broker: Broker,
        queues: Mapping[Lane, str],
        *,
        prefetch: int,
        low_share: int,
        paused: Callable[[], AbstractSet[Lane]] = frozenset,
    ) -> None:
        self._broker = broker
        self._queues = dict(queues)
        self._prefetch = prefetch
        self._paused = paused
        self._scheduler = LaneScheduler(low_share=low_share)
        self._buffers: dict[Lane, deque[Delivery]] = {lane: deque() for lane in LANES}
        self._something_waits = asyncio.Event()
        self._subscriptions: list[Subscription] = []

    @property
    def queues(self) -> Mapping[Lane, str]:
        """The queue of each lane."""
        return self._queues

    @property
    def is_open(self) -> bool:
        """Whether deliveries can come."""
        return bool(self._subscriptions)

    async def open(self) -> None:
        """Subscribe to all lanes. Raises `BrokerUnavailable`; then nothing stays subscribed."""
        try:
            for lane, queue in self._queues.items():
                receive = _Receiver(self._buffers[lane], self._something_waits)
                subscription = await self._broker.subscribe(queue, prefetch=self._prefetch, receive=receive)
                self._subscriptions.append(subscription)
        except BaseException:
            await self.close()
            raise

    async def take(self) -> Delivery:
        """The next delivery, as soon as there is one."""
        while True:
            paused = self._paused()
            waiting = tuple(lane for lane in LANES if self._buffers[lane] and lane not in paused)
            if waiting:
                lane, scheduler = self._scheduler.pick(waiting)
                delivery = self._buffers[lane].popleft()
                if self._broker.is_current(delivery):
                    self._scheduler = scheduler
                    return delivery
                # It was not begun, and somebody else may have it by now: let go of it here.
                await self._broker.nack(delivery)
                continue
            self._something_waits.clear()
            await self._something_waits.wait()

    async def give_back(self, delivery: Delivery) -> None:
        """Return what was taken and not begun."""
        await self._broker.nack(delivery)

    def look_again(self) -> None:
        """What is paused may have changed."""
        self._something_waits.set()

    async def close(self) -> None:
        """End the subscriptions and give back what waits here; what was taken stays with its taker."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.cancel()
        for buffer in self._buffers.values():
            while buffer:
                await self._broker.nack(buffer.popleft())


class _Receiver:
    def __init__(self, buffer: deque[Delivery], something_waits: asyncio.Event) -> None:
        self._buffer = buffer
        self._something_waits = something_waits

    def __call__(self, delivery: Delivery) -> None:
        self._buffer.append(delivery)
        self._something_waits.set()
