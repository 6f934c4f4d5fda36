"""A message in two hands of one process asks the model once, whichever hand is first and whatever it has read."""

import asyncio
from collections import defaultdict

import pytest
from prometheus_client import CollectorRegistry
from tests.waiting import eventually

from aicompany.conversations.intake import DIALOG_LANE, start_conversation, take_turn
from aicompany.conversations.state import fold_conversation
from aicompany.messaging.topology import QueueLimits, lane_queues, topology_of
from aicompany.ports.event_store import AggregateRef, AggregateType
from aicompany.ports.model import ModelAnswer, StopReason, TextBlock
from aicompany.resilience.retry import RetryPolicy
from aicompany.spec.company import CompanySpec
from aicompany.usage import NO_USAGE
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.model.claimed import ClaimedModel
from aicompany_workers.presence import LonePresence
from aicompany_workers.roles.dialog import DialogRole
from aicompany_workers.runtime.claims import AlwaysSeen, Claims
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.handling import Handling
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.store.sqlite.outbox import SqliteOutbox
from aicompany_workers.store.sqlite.queries import SqliteQueries
from aicompany_workers.telemetry.metrics import WorkerMetrics

QUEUE = lane_queues("dialog")[DIALOG_LANE]
CONVERSATION = AggregateRef(AggregateType.CONVERSATION, "talk")


class Gate:
    """Somebody arrives, and waits until it is opened. Open unless it was shut."""

    def __init__(self):
        self._arrived = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def shut(self):
        self._arrived.clear()
        self._open.clear()

    def open(self):
        self._open.set()

    async def somebody_waits(self):
        async with asyncio.timeout(10):
            await self._arrived.wait()

    async def passed(self):
        self._arrived.set()
        await self._open.wait()


class PaidModel:
    """A model that remembers what it was asked, behind a gate."""

    is_offline = False

    def __init__(self):
        self.asked = []
        self.gate = Gate()

    async def answer(self, request):
        self.asked.append(request.messages[-1].content[0].text)
        await self.gate.passed()
        said = TextBlock(text=f"answer {len(self.asked)}")
        return ModelAnswer(content=(said,), stop_reason=StopReason.END_TURN, usage=NO_USAGE, model=request.model)

    async def close(self):
        """Nothing to close."""


class HeldAtItsEnd:
    """The dialog role; what it has decided waits at a gate before it is committed."""

    name = "dialog"

    def __init__(self, role):
        self.gate = Gate()
        self._role = role

    async def process_message(self, message):
        effects = await self._role.process_message(message)
        await self.gate.passed()
        return effects


class Talk:
    """A conversation, a worker's handling of it, and the hands that messages come into."""

    def __init__(self, store, outbox, queries, broker):
        self.store = store
        self.broker = broker
        self.model = PaidModel()
        self.before_claim = Gate()
        self._outbox = outbox
        self._deliveries = defaultdict(list)
        clock, self._spec = SystemClock(), CompanySpec()
        self._claims = Claims(LonePresence(clock), "here", AlwaysSeen(), silent_seconds_max=10)
        model = ClaimedModel(self.model, self._claim, Claims.answered)
        self.role = HeldAtItsEnd(DialogRole(store, queries, model, self._spec, clock))
        self._handling = Handling(
            worker="w", role=self.role, store=store, broker=broker, failing=Failing(store), claims=self._claims,
            retry_policy=RetryPolicy(), observer=WorkerMetrics(CollectorRegistry()),
        )  # fmt: skip

    async def open(self):
        await self.broker.subscribe(
            QUEUE, prefetch=100, receive=lambda delivery: self._deliveries[delivery.message_id].append(delivery)
        )
        await self.store.commit(start_conversation(CONVERSATION.id, None))
        return self

    async def _claim(self):
        await self.before_claim.passed()
        await self._claims.take()

    async def state(self):
        return fold_conversation(CONVERSATION.id, await self.store.read(CONVERSATION))

    async def say(self, text):
        """Say something; the message that asks for its answer."""
        _, change = take_turn(await self.state(), text, self._spec.orders, trace_id="0" * 32)
        await self.store.commit(change)
        (row,) = await self._outbox.pending(10)
        await self._outbox.mark_published([row.sequence])
        return row.message

    async def sent_out_again(self):
        """What the relay would carry, its delay left out."""
        rows = await self._outbox.pending(10)
        await self._outbox.mark_published([row.sequence for row in rows])
        return [row.message for row in rows]

    async def deliver(self, message):
        """Another copy of it, handled beside whatever else is."""
        await self.broker.publish([message])
        delivery = await eventually(lambda: self._deliveries[message.message_id])
        return asyncio.create_task(self._handling.handle(delivery.pop()))

    async def answers(self):
        return [said.content[0].text for said in (await self.state()).history if said.role == "assistant"]


@pytest.fixture
async def talk(tmp_path):
    migrate(tmp_path / "company.db")
    database = await SqliteDatabase(tmp_path / "company.db").open()
    clock = SystemClock()
    broker = await EmbeddedBroker(database, clock).open()
    await broker.declare(topology_of([], QueueLimits()))
    store = SqliteEventStore(database, clock)
    talk = await Talk(store, SqliteOutbox(database, store), SqliteQueries(database, clock), broker).open()
    yield talk
    depth = await broker.depth(QUEUE)
    assert (depth.ready, depth.unacknowledged) == (0, 0), "every copy is settled"
    await broker.close()
    await database.close()


async def test_a_copy_that_had_read_before_the_answer_was_stored_asks_nothing(talk):
    question = await talk.say("one")
    talk.model.gate.shut()
    first = await talk.deliver(question)
    await talk.model.gate.somebody_waits()
    # The copy has read that the turn is open, and is about to claim it.
    talk.before_claim.shut()
    copy = await talk.deliver(question)
    await talk.before_claim.somebody_waits()
    talk.model.gate.open()
    await first
    talk.before_claim.open()
    await copy
    assert talk.model.asked == ["one"]
    assert await talk.answers() == ["answer 1"]


async def test_a_copy_of_a_message_that_was_postponed_meanwhile_asks_nothing(talk):
    one, two = await talk.say("one"), await talk.say("two")
    await (await talk.deliver(two))
    (postponed,) = await talk.sent_out_again()
    await (await talk.deliver(one))
    await (await talk.deliver(two))
    assert talk.model.asked == ["one"], "the turn is asked for by the message that took the place of the first"
    await (await talk.deliver(postponed))
    assert talk.model.asked == ["one", "two"]
    assert await talk.answers() == ["answer 1", "answer 2"]


async def test_a_copy_that_would_postpone_does_not_while_the_message_is_being_answered(talk):
    one, two = await talk.say("one"), await talk.say("two")
    # The copy has read that the turn before is open, and is about to send the message out again.
    talk.role.gate.shut()
    copy = await talk.deliver(two)
    await talk.role.gate.somebody_waits()
    copy_waits, talk.role.gate = talk.role.gate, Gate()
    await (await talk.deliver(one))
    talk.model.gate.shut()
    original = await talk.deliver(two)
    await talk.model.gate.somebody_waits()
    copy_waits.open()
    await copy
    talk.model.gate.open()
    await original
    assert await talk.sent_out_again() == []
    assert talk.model.asked == ["one", "two"]
    assert await talk.answers() == ["answer 1", "answer 2"]


async def test_a_message_that_is_being_postponed_is_not_answered_by_a_copy(talk):
    one, two = await talk.say("one"), await talk.say("two")
    talk.role.gate.shut()
    original = await talk.deliver(two)
    await talk.role.gate.somebody_waits()
    original_waits, talk.role.gate = talk.role.gate, Gate()
    await (await talk.deliver(one))
    # The copy has read that it is its turn; the original postpones the message before the copy claims it.
    talk.before_claim.shut()
    copy = await talk.deliver(two)
    await talk.before_claim.somebody_waits()
    original_waits.open()
    await original
    talk.before_claim.open()
    await copy
    (postponed,) = await talk.sent_out_again()
    await (await talk.deliver(postponed))
    assert talk.model.asked == ["one", "two"]
    assert await talk.answers() == ["answer 1", "answer 2"]
