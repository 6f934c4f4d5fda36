"""FastStream: manual prefetch, acknowledgement after the handler."""

import asyncio
import sys

from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from measuring import BODY, COUNT, IN_FLIGHT, MODEL_URL, QUEUE, URL, Meter
from pydantic import BaseModel

meter = Meter()
broker = RabbitBroker(URL, default_channel=Channel(prefetch_count=IN_FLIGHT, publisher_confirms=True), logger=None)
queue = RabbitQueue(QUEUE, durable=True)
client = None


class Work(BaseModel):
    number: int
    text: str


async def handle(work: Work) -> None:
    meter.begin()
    if client is not None:
        from calling import call_async

        await call_async(client)
    meter.done()


async def publish() -> None:
    async with broker:
        await broker.declare_queue(queue)
        for start in range(0, COUNT, 100):
            await asyncio.gather(
                *(broker.publish(BODY, queue=queue, persist=True) for _ in range(min(100, COUNT - start)))
            )


async def consume(*, aiohttp: bool) -> None:
    global client
    if MODEL_URL:
        from calling import async_client

        client = async_client(aiohttp=aiohttp)
    broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)(handle)
    await FastStream(broker, logger=None).run()


def main(*, aiohttp: bool) -> None:
    asyncio.run(publish() if sys.argv[1] == "publish" else consume(aiohttp=aiohttp))
