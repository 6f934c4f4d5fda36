"""Messages that wait, as the operator sees them in a real RabbitMQ's metrics."""

import asyncio
from collections.abc import Callable

import pika
import pytest
from aiohttp import web
from tests.integration.operator.conftest import serving
from tests.servers.rabbitmq import RabbitServer
from tests.servers.server import free_port
from tests.waiting import eventually

from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.names import CompanyRef
from aicompany_operator.servers.depths import QueueDepths
from aicompany_operator.servers.rabbitmq import BrokerPlaces

Make = Callable[[], CompanyRef]
_PM, _WRITER = WorkerGroup("pm"), WorkerGroup("task", "writer")


async def test_messages_that_wait_are_counted_by_company_and_group(broker: RabbitServer, make_company: Make):
    mine, other = make_company(), make_company()
    address = broker.url.partition("@")[2].partition("/")[0]
    places = BrokerPlaces(broker.management_url, address)
    _publish(await places.ensure(mine, "one"), {"task.writer.high": 3, "task.writer.low": 2, "task.coder.high": 7})
    _publish(await places.ensure(other, "two"), {"pm.normal": 4})

    async def seen() -> bool:
        depths = QueueDepths(broker.metrics_url)
        return (await depths.of(mine, [_PM, _WRITER]), await depths.of(other, [_PM, _WRITER])) == (
            {_PM: 0, _WRITER: 5},
            {_PM: 4, _WRITER: 0},
        )

    await eventually(seen, within_seconds=60, every_seconds=0.5)


async def test_all_companies_share_one_look(make_company: Make):
    looks: list[str] = []

    async def metrics(request: web.Request) -> web.Response:
        looks.append(request.path_qs)
        return web.Response(text="# TYPE rabbitmq_detailed_queue_messages_ready gauge\n")

    async with serving(metrics) as url:
        depths = QueueDepths(url)
        await asyncio.gather(*(depths.of(make_company(), [_PM]) for _ in range(20)))
    assert looks == ["/metrics/detailed?family=queue_coarse_metrics"]


@pytest.mark.parametrize(("status", "text"), [(404, "not found"), (503, ""), (200, "<html>a page</html>"), (200, "")])
async def test_what_cannot_be_read_is_unknown_and_not_zero(status: int, text: str, make_company: Make):
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    async with serving(metrics) as url:
        assert isinstance(await QueueDepths(url).of(make_company(), [_PM]), Unknown)


async def test_a_server_that_is_away_is_unknown(make_company: Make):
    assert isinstance(await QueueDepths(f"http://127.0.0.1:{free_port()}").of(make_company(), [_PM]), Unknown)


async def test_a_server_without_a_queue_holds_nothing(broker: RabbitServer, make_company: Make):
    assert await QueueDepths(broker.metrics_url).of(make_company(), [_PM]) == {_PM: 0}


def _publish(url: str, messages: dict[str, int]) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    for queue, count in messages.items():
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        for _ in range(count):
            channel.basic_publish("", queue, b"work")
    connection.close()
