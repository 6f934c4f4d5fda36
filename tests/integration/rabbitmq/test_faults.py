"""What the RabbitMQ adapter does when connections, queues and the server itself go away under it."""

import asyncio
import time

import pika
import pytest
from tests.contract.broker import TOPOLOGY, Hands, outgoing
from tests.waiting import eventually

from aicompany.errors import BrokerUnavailable
from aicompany.messaging.topology import DEAD_QUEUE, QueueLimits, Topology
from aicompany.spec.servers import BrokerSpec
from aicompany_workers.broker.rabbitmq.broker import RabbitMqBroker
from aicompany_workers.broker.rabbitmq.declarations import BrokerUnusable


@pytest.fixture
async def open_broker(rabbitmq_url):
    opened = []

    async def open_one(**fields):
        broker = await RabbitMqBroker.open(BrokerSpec(url=rabbitmq_url, **fields))
        opened.append(broker)
        await broker.declare(TOPOLOGY)
        return broker

    yield open_one
    for broker in opened:
        await broker.close()


@pytest.fixture
async def broker(open_broker):
    return await open_broker()


async def is_up_again(broker, connects):
    return all(
        link["connects"] >= connects and link["state"] == "connected" for link in broker.describe()["links"].values()
    )


def cut_all(broker):
    for link in broker._links:
        link.cut()


async def ready(broker, queue="work.high"):
    try:
        return (await broker.depth(queue)).ready
    except BrokerUnavailable:
        return None


async def is_empty(broker):
    return await ready(broker) == 0


async def test_a_message_whose_work_goes_on_is_adopted_when_it_comes_again(broker, open_broker):
    hands = Hands()
    await broker.publish([outgoing("a"), outgoing("b")])
    await broker.subscribe("work.high", prefetch=1, receive=hands)
    (first,) = await hands.get(1)
    cut_all(broker)
    await eventually(lambda: not broker.is_current(first))
    await eventually(lambda: broker.is_current(first))
    assert hands.bodies == ["a"], "it was not handed over again"
    await broker.ack(first)
    await hands.get(2)
    assert hands.bodies == ["a", "b"]
    await broker.ack(hands.held[1])
    await eventually(lambda: is_empty(broker))
    other = Hands()
    await broker.close()
    again = await open_broker()
    await again.subscribe("work.high", prefetch=10, receive=other)
    await again.publish([outgoing("c")])
    await other.get(1)
    assert other.bodies == ["c"], "what was acknowledged after the cut is gone for good"


async def test_what_was_acknowledged_without_a_connection_is_acknowledged_when_it_comes_again(broker):
    hands = Hands()
    await broker.publish([outgoing("a"), outgoing("b")])
    await broker.subscribe("work.high", prefetch=1, receive=hands)
    (first,) = await hands.get(1)
    cut_all(broker)
    await eventually(lambda: not broker.is_current(first))
    await broker.ack(first)
    await hands.get(2)
    assert hands.bodies == ["a", "b"]
    await broker.ack(hands.held[1])
    await eventually(lambda: is_empty(broker))


async def test_what_was_given_back_without_a_connection_is_handed_over_again(broker):
    hands = Hands()
    await broker.publish([outgoing("a")])
    await broker.subscribe("work.high", prefetch=1, receive=hands)
    (first,) = await hands.get(1)
    cut_all(broker)
    await eventually(lambda: not broker.is_current(first))
    await broker.nack(first)
    await hands.get(2)
    assert hands.bodies == ["a", "a"]
    assert hands.held[1].redelivered


async def test_a_message_given_to_another_process_is_not_current_here_any_more(broker, open_broker):
    hands, others = Hands(), Hands()
    await broker.publish([outgoing("a")])
    subscription = await broker.subscribe("work.high", prefetch=1, receive=hands)
    (first,) = await hands.get(1)
    await subscription.cancel()
    other = await open_broker()
    await other.subscribe("work.high", prefetch=1, receive=others)
    cut_all(broker)
    await others.get(1)
    assert not broker.is_current(first)
    assert others.held[0].redelivered, "it was in other hands"
    await broker.ack(first)
    assert other.is_current(others.held[0]), "an old acknowledgement crosses no reconnect"


async def test_after_a_restart_of_the_server_it_consumes_within_two_seconds(broker, rabbitmq):
    hands = Hands()
    await broker.subscribe("work.high", prefetch=10, receive=hands)
    await broker.publish([outgoing("before")])
    await hands.get(1)
    await asyncio.to_thread(rabbitmq.restart)
    answered = time.monotonic()
    await eventually(lambda: is_up_again(broker, 2), within_seconds=20)
    await broker.publish([outgoing("after")])
    await eventually(lambda: "after" in hands.bodies)
    print(f"consuming again {time.monotonic() - answered:.2f} s after the broker answered")
    await eventually(lambda: broker.is_current(hands.held[0]))
    await broker.ack(hands.held[0])


async def test_while_the_server_is_away_publishing_says_so_and_goes_on_afterwards(open_broker, rabbitmq):
    broker = await open_broker(connect_timeout_seconds=0.5)
    await asyncio.to_thread(rabbitmq.stop)
    try:
        with pytest.raises(BrokerUnavailable):
            await broker.publish([outgoing("a")])
        with pytest.raises(BrokerUnavailable):
            await broker.depth("work.high")
    finally:
        await asyncio.to_thread(rabbitmq.start)
    await eventually(lambda: is_up_again(broker, 2), within_seconds=20)
    await broker.publish([outgoing("a")])
    assert await ready(broker) == 1


async def test_a_queue_that_is_deleted_is_made_again_with_its_consumer(broker, rabbitmq_url):
    hands = Hands()
    await broker.subscribe("work.high", prefetch=10, receive=hands)
    await broker.publish([outgoing("held")])
    (held,) = await hands.get(1)
    await asyncio.to_thread(delete_queue, rabbitmq_url, "work.high")
    await broker.publish([outgoing("after")])
    await hands.get(2)
    assert hands.bodies == ["held", "after"]
    for delivery in (held, hands.held[1]):
        await broker.ack(delivery)
    await eventually(lambda: is_empty(broker))


def delete_queue(url, queue):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(queue)
    connection.close()


async def test_under_a_memory_alarm_nothing_is_begun_and_nothing_is_lost(broker, rabbitmq):
    hands = Hands()
    await broker.subscribe("work.high", prefetch=10, receive=hands)
    await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:

        async def publishing_is_refused():
            try:
                async with asyncio.timeout(1):
                    await broker.publish([outgoing("while")])
            except (BrokerUnavailable, TimeoutError):
                return broker.is_blocked
            return False

        await eventually(publishing_is_refused, within_seconds=30)
        assert broker.describe()["links"]["publish"]["state"] == "blocked"
        begun = len(hands.held)
        with pytest.raises(BrokerUnavailable, match="memory or disk"):
            await broker.publish([outgoing("refused")])
        assert len(hands.held) == begun
    finally:
        await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "absolute", "2GB")
    await eventually(lambda: not broker.is_blocked, within_seconds=30)
    await broker.publish([outgoing("after")])
    await eventually(lambda: "after" in hands.bodies)


async def test_heartbeats_go_on_while_work_takes_many_times_their_interval(open_broker):
    broker = await open_broker(heartbeat_seconds=1)
    hands = Hands()
    await broker.publish([outgoing("long")])
    await broker.subscribe("work.high", prefetch=1, receive=hands)
    (delivery,) = await hands.get(1)
    await asyncio.to_thread(time.sleep, 8)  # work that holds a thread, as a tool does
    assert broker.is_current(delivery)
    assert [link["connects"] for link in broker.describe()["links"].values()] == [1, 1]
    await broker.ack(delivery)
    await eventually(lambda: is_empty(broker))


async def test_a_wrong_password_is_told_without_the_password(rabbitmq_url):
    wrong = rabbitmq_url.replace("guest:guest", "guest:not-this-secret")
    with pytest.raises(BrokerUnusable, match="user and password") as raised:
        await RabbitMqBroker.open(BrokerSpec(url=wrong, connect_timeout_seconds=3))
    assert "not-this-secret" not in str(raised.value)


async def test_a_vhost_that_is_not_there_is_told(rabbitmq_url):
    with pytest.raises(BrokerUnusable, match="vhost"):
        await RabbitMqBroker.open(BrokerSpec(url=f"{rabbitmq_url}-not", connect_timeout_seconds=3))


async def test_nobody_listening_is_told_in_time():
    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        await RabbitMqBroker.open(BrokerSpec(url="amqp://guest:guest@127.0.0.1:9/", connect_timeout_seconds=0.5))


async def test_a_queue_with_other_limits_is_used_as_it_is(broker):
    await broker.publish([outgoing("kept")])
    other = Topology(queues=TOPOLOGY.queues, limits=QueueLimits(length_max=77, deliveries_max=4))
    await broker.declare(other)
    assert await ready(broker) == 1


async def test_many_publishers_share_a_small_window(open_broker):
    broker = await open_broker(confirms_max=3)
    await asyncio.gather(*(broker.publish([outgoing(f"{n}", "work.low")]) for n in range(40)))
    assert await ready(broker, "work.low") == 40
    assert broker.describe()["unconfirmed"] == 0


async def test_poison_that_waited_in_a_retry_bucket_tells_its_last_death(broker):
    hands, dead = Hands(), Hands()
    await broker.subscribe(DEAD_QUEUE, prefetch=10, receive=dead)
    await broker.subscribe("work.high", prefetch=1, receive=hands)
    await broker.publish([outgoing("later", delay=0.05)])
    for number in range(4):
        await hands.get(number + 1)
        await broker.nack(hands.held[number])
    (letter,) = await dead.get(1)
    assert (letter.reason, letter.source_queue) == ("delivery_limit", "work.high")
