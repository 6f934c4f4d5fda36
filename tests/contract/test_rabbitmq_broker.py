"""The RabbitMQ adapter keeps the contract on a real server, with both kinds of queues."""

import pytest
from tests.contract.broker import TOPOLOGY, BrokerContract

from aicompany.spec.servers import BrokerSpec, QueueType
from aicompany_workers.broker.rabbitmq.broker import RabbitMqBroker


@pytest.fixture
def queue_type():
    return QueueType.QUORUM


@pytest.fixture
async def broker(rabbitmq_url, queue_type):
    broker = await RabbitMqBroker.open(BrokerSpec(url=rabbitmq_url, queue_type=queue_type))
    await broker.declare(TOPOLOGY)
    yield broker
    await broker.close()


class TestRabbitMqBroker(BrokerContract):
    pass
