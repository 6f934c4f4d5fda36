"""What every broker does. An adapter's test class brings the `broker` fixture and inherits the behaviour."""

import asyncio

import pytest
from tests.waiting import eventually

from aicompany.errors import BrokerUnavailable, DefectError, QueueFull
from aicompany.messaging.topology import DEAD_QUEUE, QueueLimits, Topology
from aicompany.ports.broker import Broker, Delivery, Outgoing

TOPOLOGY = Topology(queues=("work.high", "work.low"), limits=QueueLimits(length_max=50, deliveries_max=4))


def outgoing(body, queue="work.high", delay=0.0):
    return Outgoing(queue=queue, body=body.encode(), message_id=f"id-{body}", delay_seconds=delay)


class Hands:
    """A consumer's hands: what was delivered and not settled yet."""

    def __init__(self) -> None:
        self.held: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self.held.append(delivery)

    @property
    def bodies(self) -> list[str]:
        return [delivery.body.decode() for delivery in self.held]

    async def get(self, count: int) -> list[Delivery]:
        await eventually(lambda: len(self.held) >= count)
        return self.held


class BrokerContract:
    async def test_messages_come_in_the_order_of_publishing(self, broker: Broker) -> None:
        hands = Hands()
        await broker.publish([outgoing(str(n)) for n in range(5)])
        await broker.publish([outgoing("5")])
        await broker.subscribe("work.high", prefetch=10, receive=hands)
        await hands.get(6)
        assert hands.bodies == ["0", "1", "2", "3", "4", "5"]
        assert [(d.delivery_count, d.redelivered) for d in hands.held] == [(1, False)] * 6
        assert hands.held[0].message_id == "id-0"

    async def test_no_more_than_prefetch_is_in_hands(self, broker: Broker) -> None:
        hands = Hands()
        await broker.publish([outgoing(str(n)) for n in range(5)])
        await broker.subscribe("work.high", prefetch=2, receive=hands)
        await hands.get(2)
        await eventually(lambda: self._depth_is(broker, ready=3, unacknowledged=2))
        assert len(hands.held) == 2
        await broker.ack(hands.held[0])
        await hands.get(3)

    async def test_an_acknowledged_message_is_gone(self, broker: Broker) -> None:
        hands = Hands()
        await broker.publish([outgoing("a")])
        subscription = await broker.subscribe("work.high", prefetch=1, receive=hands)
        (delivery,) = await hands.get(1)
        await broker.ack(delivery)
        await subscription.cancel()
        await eventually(lambda: self._depth_is(broker, ready=0, unacknowledged=0))

    async def test_a_message_given_back_comes_again_first_and_counted(self, broker: Broker) -> None:
        hands = Hands()
        await broker.publish([outgoing("a"), outgoing("b"), outgoing("c")])
        await broker.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        await broker.nack(hands.held[0])
        await hands.get(2)
        assert hands.bodies == ["a", "a"]
        assert (hands.held[1].delivery_count, hands.held[1].redelivered) == (2, True)

    async def test_a_rejected_message_is_dead_exactly_once_with_its_reason(self, broker: Broker) -> None:
        hands, dead = Hands(), Hands()
        await broker.publish([outgoing("a")])
        await broker.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        await broker.reject(hands.held[0], reason="because")
        await broker.reject(hands.held[0], reason="because")
        await broker.subscribe(DEAD_QUEUE, prefetch=10, receive=dead)
        (letter,) = await dead.get(1)
        assert (letter.body, letter.reason, letter.source_queue) == (b"a", "because", "work.high")
        depth = await broker.depth(DEAD_QUEUE)
        assert depth.ready == 0
        assert depth.unacknowledged in {1, None}

    async def test_poison_is_dead_after_the_delivery_limit(self, broker: Broker) -> None:
        hands, dead = Hands(), Hands()
        await broker.subscribe(DEAD_QUEUE, prefetch=10, receive=dead)
        await broker.subscribe("work.high", prefetch=1, receive=hands)
        await broker.publish([outgoing("poison")])
        for number in range(4):
            await hands.get(number + 1)
            await broker.nack(hands.held[number])
        (letter,) = await dead.get(1)
        assert letter.reason == "delivery_limit"
        assert len(hands.held) == 4

    async def test_a_delayed_message_waits_and_holds_nobody_up(self, broker: Broker) -> None:
        hands = Hands()
        await broker.subscribe("work.high", prefetch=10, receive=hands)
        loop = asyncio.get_running_loop()
        started = loop.time()
        await broker.publish([outgoing("later", delay=0.3), outgoing("now")])
        await hands.get(1)
        assert hands.bodies == ["now"]
        await hands.get(2)
        assert loop.time() - started >= 0.29

    async def test_a_full_queue_refuses_and_takes_again_when_there_is_room(self, broker: Broker) -> None:
        hands = Hands()
        taken = await self._fill(broker)
        assert taken >= TOPOLOGY.limits.length_max
        await broker.publish([outgoing("other", "work.low")])
        with pytest.raises(QueueFull, match=r"work\.high"):
            await broker.publish([outgoing("x"), outgoing("y")])
        await broker.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        with pytest.raises(QueueFull):
            await broker.publish([outgoing("still full: one in hands counts")])
        while not await self._takes_another(broker):
            count = len(hands.held)
            await broker.ack(hands.held[-1])
            await hands.get(count + 1)
        assert len(hands.held) < taken, "it took again before it was empty"

    async def _fill(self, broker: Broker) -> int:
        """Publish one by one until the queue refuses; a broker may notice a few too late."""
        limit = TOPOLOGY.limits.length_max
        for taken in range(limit + 200):
            try:
                await broker.publish([outgoing(f"f{taken}")])
            except QueueFull:
                return taken
        raise AssertionError("the queue never refuses")

    @staticmethod
    async def _takes_another(broker: Broker) -> bool:
        try:
            await broker.publish([outgoing("room")])
        except QueueFull:
            return False
        return True

    async def test_several_consumers_share(self, broker: Broker) -> None:
        first, second = Hands(), Hands()
        await broker.subscribe("work.high", prefetch=10, receive=first)
        await broker.subscribe("work.high", prefetch=10, receive=second)
        await broker.publish([outgoing(str(n)) for n in range(10)])
        await eventually(lambda: len(first.held) + len(second.held) == 10)
        assert len(first.held) == len(second.held) == 5
        assert sorted(first.bodies + second.bodies) == [str(n) for n in range(10)]

    async def test_after_cancel_nothing_comes_and_what_is_held_can_be_settled(self, broker: Broker) -> None:
        hands, other = Hands(), Hands()
        await broker.publish([outgoing("a"), outgoing("b")])
        subscription = await broker.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        await subscription.cancel()
        await subscription.cancel()
        await broker.ack(hands.held[0])
        await broker.subscribe("work.high", prefetch=1, receive=other)
        await other.get(1)
        assert (hands.bodies, other.bodies) == (["a"], ["b"])

    async def test_settling_twice_does_nothing(self, broker: Broker) -> None:
        hands = Hands()
        await broker.publish([outgoing("a")])
        await broker.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        await broker.ack(hands.held[0])
        await broker.nack(hands.held[0])
        await broker.reject(hands.held[0], reason="no")
        await eventually(lambda: self._depth_is(broker, ready=0, unacknowledged=0))
        assert (await broker.depth(DEAD_QUEUE)).ready == 0
        assert not broker.is_current(hands.held[0])

    async def test_a_delivery_is_current_until_it_is_settled(self, broker: Broker) -> None:
        hands = Hands()
        await broker.publish([outgoing("a")])
        await broker.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        assert broker.is_current(hands.held[0])
        await broker.ack(hands.held[0])
        assert not broker.is_current(hands.held[0])

    async def test_declaring_again_keeps_what_waits(self, broker: Broker) -> None:
        await broker.publish([outgoing("a")])
        await broker.declare(TOPOLOGY)
        assert (await broker.depth("work.high")).ready == 1

    async def test_depth_tells_what_waits_and_how_long(self, broker: Broker) -> None:
        empty = await broker.depth("work.low")
        assert (empty.ready, empty.consumers) == (0, 0)
        assert empty.unacknowledged in {0, None}
        assert empty.delayed in {0, None}
        assert empty.oldest_ready_seconds is None
        await broker.publish([outgoing("a", "work.low"), outgoing("b", "work.low", delay=60)])
        depth = await broker.depth("work.low")
        assert depth.ready == 1
        assert depth.delayed in {1, None}

    async def test_a_queue_that_was_never_declared_is_a_defect(self, broker: Broker) -> None:
        with pytest.raises(DefectError, match="nowhere"):
            await broker.publish([outgoing("a", "nowhere")])
        with pytest.raises(DefectError, match="nowhere"):
            await broker.subscribe("nowhere", prefetch=1, receive=Hands())

    async def test_after_close_it_is_unavailable(self, broker: Broker) -> None:
        await broker.close()
        await broker.close()
        with pytest.raises(BrokerUnavailable):
            await broker.publish([outgoing("a")])

    @staticmethod
    async def _depth_is(broker: Broker, *, ready: int, unacknowledged: int) -> bool:
        depth = await broker.depth("work.high")
        return depth.ready == ready and depth.unacknowledged in {unacknowledged, None}
