"""Dramatiq: acknowledges after the work as it always does; no results, no time limits."""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from measuring import BODY, COUNT, IN_FLIGHT, MODEL_URL, QUEUE, URL, Meter

os.environ["dramatiq_queue_prefetch"] = str(IN_FLIGHT)
broker = RabbitmqBroker(url=URL, confirm_delivery=True, middleware=[])
dramatiq.set_broker(broker)
meter = Meter()
client = None
if MODEL_URL:
    from calling import call, plain_client

    client = plain_client()


@dramatiq.actor(queue_name=QUEUE)
def work(number: int, text: str) -> None:
    meter.begin()
    if client is not None:
        call(client)
    meter.done()


def publish() -> None:
    for _ in range(COUNT):
        work.send(**BODY)


def consume() -> None:
    from dramatiq.worker import Worker

    worker = Worker(broker, queues={QUEUE}, worker_threads=IN_FLIGHT if MODEL_URL else 8)
    worker.start()
    worker.join()
    import time

    while True:
        time.sleep(1)
