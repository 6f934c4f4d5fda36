"""Taskiq over aio-pika, acknowledging when the task is done, no results."""

import asyncio
import sys

from measuring import BODY, COUNT, IN_FLIGHT, MODEL_URL, QUEUE, URL, Meter
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver
from taskiq_aio_pika import AioPikaBroker

meter = Meter()
client = None


def make_broker() -> AioPikaBroker:
    try:
        from taskiq_aio_pika import Queue, QueueType

        broker = AioPikaBroker(url=URL, qos=IN_FLIGHT)
        return broker.with_queue(Queue(name=QUEUE, type=QueueType.CLASSIC))
    except ImportError:
        return AioPikaBroker(url=URL, queue_name=QUEUE, qos=IN_FLIGHT)


broker = make_broker()


@broker.task(task_name="race.work")
async def work(number: int, text: str) -> None:
    meter.begin()
    if client is not None:
        from calling import call_async

        await call_async(client)
    meter.done()


async def publish() -> None:
    await broker.startup()
    for start in range(0, COUNT, 100):
        await asyncio.gather(*(work.kiq(**BODY) for _ in range(min(100, COUNT - start))))
    await broker.shutdown()


async def consume() -> None:
    global client
    if MODEL_URL:
        from calling import async_client

        client = async_client(aiohttp=True)
    broker.is_worker_process = True
    await broker.startup()
    receiver = Receiver(broker, max_async_tasks=IN_FLIGHT, ack_type=AcknowledgeType.WHEN_EXECUTED)
    await receiver.listen(asyncio.Event())


asyncio.run(publish() if sys.argv[1] == "publish" else consume())
