"""Our worker on our adapter, the store off: in our own environment, everything else the same."""

import asyncio
import sys

from bench.broker import GROUP, NoStore, outgoing, worker_of
from measuring import BODY, COUNT, IN_FLIGHT, MODEL_URL, PROMPT, URL, Meter

from aicompany.messaging.topology import QueueLimits, Topology, lane_queues
from aicompany.ports.model import ModelMessage, ModelRequest, TextBlock
from aicompany.spec.servers import BrokerSpec, QueueType
from aicompany_workers.broker.rabbitmq.broker import RabbitMqBroker
from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.prices import PriceTable
from aicompany_workers.runtime.effects import Effects

meter = Meter()


class RaceRole:
    """Counts, and asks the model when there is one."""

    name = "task"

    def __init__(self) -> None:
        self.model = AnthropicModel(Credentials("sk-race", None, MODEL_URL), PriceTable.load()) if MODEL_URL else None

    async def process_message(self, message) -> Effects:
        meter.begin()
        if self.model is not None:
            words = ModelMessage(role="user", content=(TextBlock(text=PROMPT),))
            await self.model.answer(
                ModelRequest(model="claude-sonnet-5-5", messages=(words,), max_tokens=100, timeout_seconds=60)
            )
        meter.done()
        return Effects()


async def open_broker() -> RabbitMqBroker:
    broker = await RabbitMqBroker.open(BrokerSpec(url=URL, queue_type=QueueType.CLASSIC))
    queues = tuple(lane_queues(GROUP.role, agent=GROUP.agent).values())
    await broker.declare(Topology(queues, QueueLimits(length_max=100_000)))
    return broker


async def publish() -> None:
    broker = await open_broker()
    for start in range(0, COUNT, 500):
        await broker.publish([outgoing(number, text=BODY["text"]) for number in range(start, min(start + 500, COUNT))])
    await broker.close()


async def consume() -> None:
    broker = await open_broker()
    await worker_of(broker, NoStore(), RaceRole(), in_flight=IN_FLIGHT).run()


asyncio.run(publish() if sys.argv[1] == "publish" else consume())
