"""The embedded broker keeps the contract, and keeps it over a restart."""

import pytest
from tests.contract.broker import TOPOLOGY, BrokerContract, Hands, outgoing

from aicompany.errors import QueueFull
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock


@pytest.fixture
async def broker(sqlite_database):
    broker = await EmbeddedBroker(sqlite_database, SystemClock()).open()
    await broker.declare(TOPOLOGY)
    yield broker
    await broker.close()


class TestEmbeddedBroker(BrokerContract):
    async def test_what_was_not_acknowledged_comes_again_after_a_restart(self, broker, sqlite_database):
        hands, again = Hands(), Hands()
        await broker.publish([outgoing(str(n)) for n in range(4)])
        await broker.subscribe("work.high", prefetch=2, receive=hands)
        await hands.get(2)
        await broker.ack(hands.held[0])
        await broker.close()

        restarted = await EmbeddedBroker(sqlite_database, SystemClock()).open()
        await restarted.declare(TOPOLOGY)
        await restarted.subscribe("work.high", prefetch=10, receive=again)
        await again.get(3)
        assert again.bodies == ["1", "2", "3"]
        assert [d.delivery_count for d in again.held] == [2, 2, 1]
        assert all(d.redelivered for d in again.held), "whether the last was handed out is not known for sure"
        await restarted.close()

    async def test_a_full_queue_refuses_all_of_a_batch(self, broker):
        await broker.publish([outgoing(str(n)) for n in range(49)])
        with pytest.raises(QueueFull, match=r"work\.high"):
            await broker.publish([outgoing("x"), outgoing("y"), outgoing("other", "work.low")])
        await broker.publish([outgoing("fits")])
        assert (await broker.depth("work.low")).ready == 0

    async def test_a_delay_goes_on_over_a_restart(self, broker, sqlite_database):
        await broker.publish([outgoing("later", delay=0.4)])
        await broker.close()
        restarted = await EmbeddedBroker(sqlite_database, SystemClock()).open()
        await restarted.declare(TOPOLOGY)
        assert (await restarted.depth("work.high")).delayed == 1
        hands = Hands()
        await restarted.subscribe("work.high", prefetch=1, receive=hands)
        await hands.get(1)
        await restarted.close()
