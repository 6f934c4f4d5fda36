"""The embedded broker against the simplest thing that could be a queue, under random use and restarts."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.contract.broker import Hands, outgoing

from aicompany.errors import QueueFull
from aicompany.messaging.topology import DEAD_QUEUE, QueueLimits, Topology
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.migrations import migrate

LIMITS = QueueLimits(length_max=8, deliveries_max=3)


class BrokerAgainstModel(RuleBasedStateMachine):
    """`waiting` and `held` are what the model says of `work`; numbers are messages."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.waiting: list[int] = []
        self.held: dict[int, object] = {}
        self.deliveries: dict[int, int] = {}
        self.dead: list[int] = []
        self.number = 0
        self.hands = Hands()
        self.database: SqliteDatabase | None = None
        self.broker: EmbeddedBroker | None = None
        self.prefetch = 0

    @initialize(prefetch=st.integers(1, 4))
    def begin(self, prefetch: int) -> None:
        path = Path(self.directory.name) / "company.db"
        migrate(path)
        self.prefetch = prefetch
        self.runner.run(self._open(path))

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        numbers = list(range(self.number, self.number + count))
        self.number += count
        messages = [outgoing(str(number), "work") for number in numbers]
        if len(self.waiting) + len(self.held) + count > LIMITS.length_max:
            try:
                self.runner.run(self.broker.publish(messages))
            except QueueFull:
                return
            raise AssertionError("a full queue took a message")
        self.runner.run(self.broker.publish(messages))
        self.waiting += numbers
        self._hand_out()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["ack", "nack", "reject"]))
    def settle(self, data: st.DataObject, how: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.held)))
        delivery = self.held.pop(number)
        if how == "ack":
            self.runner.run(self.broker.ack(delivery))
        elif how == "reject":
            self.runner.run(self.broker.reject(delivery, reason="test"))
            self.dead.append(number)
        else:
            self.runner.run(self.broker.nack(delivery))
            self._give_back([number])
        self._hand_out()

    @rule()
    def restart(self) -> None:
        self.runner.run(self._close())
        self._give_back(sorted(self.held))
        self.held.clear()
        self.hands = Hands()
        self.runner.run(self._open(Path(self.directory.name) / "company.db"))
        self._hand_out()

    @invariant()
    def broker_and_model_agree(self) -> None:
        if self.broker is None:
            return
        depth = self.runner.run(self.broker.depth("work"))
        dead = self.runner.run(self.broker.depth(DEAD_QUEUE))
        assert (depth.ready, depth.unacknowledged, dead.ready) == (len(self.waiting), len(self.held), len(self.dead))

    def teardown(self) -> None:
        if self.broker is not None:
            self.runner.run(self._close())
        self.runner.close()
        self.directory.cleanup()

    def _give_back(self, numbers: list[int]) -> None:
        for number in numbers:
            if self.deliveries[number] >= LIMITS.deliveries_max:
                self.dead.append(number)
            else:
                self.waiting.append(number)
        self.waiting.sort()

    def _hand_out(self) -> None:
        """What the model hands out now is what came, in that order and with that count."""
        expected = []
        while self.waiting and len(self.held) + len(expected) < self.prefetch:
            number = self.waiting.pop(0)
            self.deliveries[number] = self.deliveries.get(number, 0) + 1
            expected.append(number)
        came = self.hands.held[:]
        self.hands.held.clear()
        assert [int(delivery.body) for delivery in came] == expected
        assert [delivery.delivery_count for delivery in came] == [self.deliveries[number] for number in expected]
        self.held |= dict(zip(expected, came, strict=True))

    async def _open(self, path: Path) -> None:
        self.database = await SqliteDatabase(path).open()
        self.broker = await EmbeddedBroker(self.database, SystemClock()).open()
        await self.broker.declare(Topology(("work",), LIMITS))
        await self.broker.subscribe("work", prefetch=self.prefetch, receive=self.hands)

    async def _close(self) -> None:
        await self.broker.close()
        await self.database.close()


TestBrokerAgainstModel = BrokerAgainstModel.TestCase
TestBrokerAgainstModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
