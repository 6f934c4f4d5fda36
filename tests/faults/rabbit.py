"""What faults need of RabbitMQ, past the proxy: publishing copies, deleting a queue, looking into one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import psycopg
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from tests.faults.copies import Trace, copies_of

from aicompany.messaging.topology import queue_of

_PERSISTENT = 2
_LATELY = """
SELECT e.aggregate_id, e.event_type, e.event_data, e.metadata, s.event_data
FROM (
    SELECT * FROM events WHERE event_type IN ('task_submitted', 'task_completed', 'turn_taken')
    ORDER BY id DESC LIMIT %s
) AS e
LEFT JOIN events AS s
ON s.aggregate_id = e.aggregate_id AND s.aggregate_type = e.aggregate_type AND s.event_type = 'task_submitted'
"""
_DELIVERED = (
    "SELECT count(DISTINCT aggregate_id) FROM events WHERE event_type = 'result_delivered' AND aggregate_id = ANY(%s)"
)
_COPIES = 40


class RabbitOfTheCompany:
    """`injection.Broker` on the company's vhost and database."""

    def __init__(self, broker_url: str, store_url: str) -> None:
        self._broker_url = broker_url
        self._store_url = store_url

    def copies(self) -> int:
        """Publish the last messages again, those at work included."""
        with psycopg.connect(self._store_url, connect_timeout=5) as connection:
            rows = connection.execute(_LATELY, (_COPIES,)).fetchall()
        traces = []
        for aggregate, kind, data, metadata, submitted in rows:
            task = _json(submitted) if submitted else {}
            traces.append(Trace(aggregate, kind, _json(data), _json(metadata), task.get("lane"), task.get("agent")))
        envelopes = list(copies_of(traces))
        with self._channel() as channel:
            channel.confirm_delivery()
            for envelope in envelopes:
                properties = pika.BasicProperties(message_id=envelope.id, delivery_mode=_PERSISTENT)
                channel.basic_publish("", queue_of(envelope), envelope.to_json(), properties, mandatory=True)
        return len(envelopes)

    def delete(self, queue: str) -> None:
        """Delete a queue with all that is in it."""
        with self._channel() as channel:
            channel.queue_delete(queue)

    def held(self, queue: str) -> int | None:
        """Messages that wait in a queue; `None` when there is no such queue."""
        try:
            with self._channel() as channel:
                found = channel.queue_declare(queue, passive=True).method
                return found.message_count or 0
        except ChannelClosedByBroker:
            return None

    def delivered(self, task_ids: list[str]) -> bool:
        """Whether these orders have ended and their requesters were told."""
        with psycopg.connect(self._store_url, connect_timeout=5) as connection:
            row = connection.execute(_DELIVERED, (task_ids,)).fetchone()
        return row is not None and row[0] == len(task_ids)

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        parameters = pika.URLParameters(self._broker_url)
        parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 10
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()


def _json(value: Any) -> dict[str, Any]:
    return dict(json.loads(value) if isinstance(value, str) else value)
