"""The floor: pika's blocking consumer with nothing around it."""

import json
import sys

import pika
from measuring import BODY, COUNT, IN_FLIGHT, QUEUE, URL, Meter

meter = Meter()


def publish() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True)
    channel.confirm_delivery()
    body = json.dumps(BODY).encode()
    for _ in range(COUNT):
        channel.basic_publish("", QUEUE, body, pika.BasicProperties(delivery_mode=2))
    connection.close()


def consume() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=IN_FLIGHT)

    def on_message(channel, method, _properties, body):
        meter.begin()
        json.loads(body)
        channel.basic_ack(method.delivery_tag)
        meter.done()

    channel.basic_consume(QUEUE, on_message)
    channel.start_consuming()


publish() if sys.argv[1] == "publish" else consume()
